// What Prometheus answers, as Grafana's data frames. Variables get the values that Grafana gives them for All.

import { FieldType } from "@grafana/data";

const SCRAPE_SECONDS = 5;

// Frames of a panel: one for each series, or one for each query where it is a table.
export async function answers(panel, width, asked) {
  if (panel.type === "row") return [];
  const all = await Promise.all(panel.targets.map((target) => answer(panel, target, width, asked)));
  return all.flat();
}

async function answer(panel, target, width, asked) {
  const [from, to] = [Number(asked.get("from")), Number(asked.get("to"))];
  // a short time of builds stands for hours of them: the least step is shorter by as much
  const least = seconds(panel.interval ?? "5s") / Number(asked.get("faster"));
  const step = Math.max(Math.ceil((to - from) / width), Math.ceil(least), SCRAPE_SECONDS);
  const rate = Math.max(step + SCRAPE_SECONDS, 4 * SCRAPE_SECONDS);
  const values = { __rate_interval: `${rate}s`, __range: `${to - from}s`, cluster: ".*", job: ".+", instance: ".+", host: ".+" };
  let query = target.expr;
  for (const name of Object.keys(values).sort((a, b) => b.length - a.length)) query = query.replaceAll(`$${name}`, values[name]);
  const parameters = target.instant ? { query, time: to } : { query, start: from, end: to, step };
  const reply = await fetch(`/prometheus/api/v1/query${target.instant ? "" : "_range"}?${new URLSearchParams(parameters)}`);
  const { data, error } = await reply.json();
  if (!data) throw new Error(`${panel.title}: ${error}: ${query}`);
  if (target.format === "table") return [tabular(target, data.result)];
  if (target.format === "heatmap") return buckets(target, data.result);
  const times = [];
  for (let at = from; at <= to; at += step) times.push(at);
  return data.result.map((series) => frame(target, series, times));
}

function frame(target, series, times) {
  const name = legend(target, series.metric);
  const points = new Map((series.values ?? [series.value]).map(([at, value]) => [at, Number(value)]));
  const at = target.instant ? [series.value[0]] : times;
  return {
    name,
    refId: target.refId,
    length: at.length,
    fields: [
      { name: "Time", type: FieldType.time, config: {}, values: at.map((it) => it * 1000) },
      { name, type: FieldType.number, config: {}, labels: series.metric, values: at.map((it) => points.get(it) ?? null) },
    ],
  };
}

// Buckets of a histogram as Grafana makes them of that format: in the order of their bounds, each without those below it.
function buckets(target, result) {
  const bound = ({ metric }) => (metric.le === "+Inf" ? Infinity : Number(metric.le));
  const sorted = [...result].sort((a, b) => bound(a) - bound(b));
  const of = (series) => Number(series.value[1]);
  const alone = sorted.map((series, n) => ({ ...series, value: [series.value[0], n ? of(series) - of(sorted[n - 1]) : of(series)] }));
  return alone.map((series) => frame(target, series, []));
}

function tabular(target, result) {
  const names = [...new Set(result.flatMap(({ metric }) => Object.keys(metric)))];
  const column = (name) => ({ name, type: FieldType.string, config: {}, values: result.map(({ metric }) => metric[name] ?? "") });
  const values = result.map(({ value }) => Number(value[1]));
  const fields = [...names.map(column), { name: `Value #${target.refId}`, type: FieldType.number, config: {}, values }];
  return { refId: target.refId, length: result.length, fields };
}

function legend(target, labels) {
  if (target.legendFormat === "__auto") return Object.values(labels).join(", ");
  return target.legendFormat.replaceAll(/\{\{\s*(\w+)\s*\}\}/g, (_, label) => labels[label] ?? "");
}

function seconds(text) {
  const [, number, unit] = /^(\d+)([smh])$/.exec(text);
  return Number(number) * { s: 1, m: 60, h: 3600 }[unit];
}

// The rows of several tables with the same labels become one, as the transformation `merge` does.
export function merged(frames) {
  const rows = new Map();
  const columns = [];
  for (const { fields, length } of frames) {
    for (const { name, type } of fields) if (!columns.some((it) => it.name === name)) columns.push({ name, type });
    for (let n = 0; n < length; n++) {
      const key = JSON.stringify(fields.filter((it) => it.type === FieldType.string).map((it) => [it.name, it.values[n]]).filter(([name]) => name === "instance" || frames.length === 1));
      const row = rows.get(key) ?? {};
      for (const field of fields) row[field.name] = field.values[n];
      rows.set(key, row);
    }
  }
  const all = [...rows.values()];
  return { length: all.length, fields: columns.map(({ name, type }) => ({ name, type, config: {}, values: all.map((row) => row[name] ?? null) })) };
}
