// One panel, drawn by Grafana's own components. The configuration of fields is applied here: the part of Grafana that does
// it lives in its server's pages and is in no package.

import { FieldType, getDisplayProcessor, getFieldDisplayName, reduceField } from "@grafana/data";
import { BarGauge, BigValue, Table, TimeSeries } from "@grafana/ui";

import { merged } from "./data.js";

const PADDING = 8;

export function Panel({ panel, frames, width, height, range, theme }) {
  const drawn = { panel, width, height, range, theme };
  if (panel.type === "table") return <Tabular {...drawn} frames={frames} />;
  const made = frames.map((frame, n) => configured(frame, panel, n, theme));
  if (panel.type === "stat") return <Stat {...drawn} frames={made} />;
  if (made.length === 0) return <Nothing panel={panel} theme={theme} />;
  if (panel.type === "bargauge") return <Ranking {...drawn} frames={made} />;
  return <Lines {...drawn} frames={made} />;
}

function Nothing({ panel, theme }) {
  const text = panel.fieldConfig.defaults.noValue ?? "No data";
  return <div style={{ color: theme.colors.text.secondary, textAlign: "center", paddingTop: 40 }}>{text}</div>;
}

// A frame with the defaults of its panel, and what overrides say of its name.
function configured(frame, panel, index, theme) {
  const fields = frame.fields.map((field) => {
    if (field.type !== FieldType.number) return withDisplay({ ...field, config: {} }, theme);
    const config = structuredClone(panel.fieldConfig.defaults);
    config.displayName = field.name;
    config.thresholds.steps[0].value = -Infinity;
    delete config.links;
    for (const { matcher, properties } of panel.fieldConfig.overrides) {
      const fits = matcher.id === "byRegexp" ? new RegExp(matcher.options).test(field.name) : matcher.options === field.name;
      if (fits) properties.forEach(({ id, value }) => set(config, id, value));
    }
    return withDisplay({ ...field, config, state: { seriesIndex: index, displayName: field.name } }, theme);
  });
  return { ...frame, fields };
}

function set(config, id, value) {
  const [first, second] = id.split(".");
  if (second) config[first] = { ...config[first], [second]: value };
  else config[first] = structuredClone(value);
  if (id === "thresholds") config.thresholds.steps[0].value = -Infinity;
}

function withDisplay(field, theme) {
  return { ...field, display: getDisplayProcessor({ field, theme }) };
}

function Stat({ panel, frames, width, height, theme }) {
  const { options, fieldConfig } = panel;
  const field = frames[0]?.fields[1];
  const calc = options.reduceOptions.calcs[0];
  const number = field ? reduceField({ field, reducers: [calc] })[calc] : null;
  const value = field && number !== null ? field.display(number) : { text: fieldConfig.defaults.noValue, numeric: NaN, color: theme.colors.text.secondary };
  const sparkline = options.graphMode === "area" && field ? { y: field, x: frames[0].fields[0] } : undefined;
  const colorMode = field && number !== null ? options.colorMode : "none";
  return (
    <BigValue value={value} width={width} height={height} theme={theme} colorMode={colorMode} graphMode={options.graphMode}
      justifyMode={options.justifyMode} textMode={options.textMode} sparkline={sparkline} />
  );
}

function Ranking({ panel, frames, width, height, theme }) {
  const fields = frames.map((frame) => frame.fields[1]);
  if (panel.targets[0].format !== "heatmap") fields.sort((a, b) => b.values[0] - a.values[0]);
  const above = panel.options.namePlacement === "top";
  const most = Math.max(...fields.map((field) => field.values[0]));
  const tall = Math.min(above ? 48 : 34, (height - PADDING) / fields.length);
  return fields.map((field) => (
    <div key={field.name} style={{ height: tall }}>
      <BarGauge value={{ ...field.display(field.values[0]), title: field.name }} field={{ ...field.config, max: field.config.max ?? most }} display={field.display}
        width={width} height={tall - 4} theme={theme} orientation="horizontal" namePlacement={panel.options.namePlacement} displayMode="basic" itemSpacing={4}
        alignmentFactors={{ title: longest(fields), text: "00.00 min" }} text={{ titleSize: 13, valueSize: 14 }} />
    </div>
  ));
}

function longest(fields) {
  return fields.map((field) => getFieldDisplayName(field)).reduce((a, b) => (b.length > a.length ? b : a), "");
}

function Lines({ panel, frames, width, height, range, theme }) {
  const legend = { ...panel.options.legend, calcs: [] };
  const structure = frames.map((frame) => ({ ...frame, refId: frame.refId }));
  return <TimeSeries frames={structure} structureRev={1} timeRange={range} timeZone="utc" width={width} height={height} legend={legend} theme={theme} />;
}

function Tabular({ panel, frames, width, height, theme }) {
  const organize = panel.transformations.find(({ id }) => id === "organize").options;
  const table = merged(frames);
  const single = panel.targets.length === 1;
  const shown = table.fields
    .map((field) => ({ ...field, name: single && field.name === "Value #A" ? "Value" : field.name }))
    .filter(({ name }) => !organize.excludeByName[name]);
  const rank = ({ name }) => organize.indexByName[name] ?? 99;
  shown.sort((a, b) => rank(a) - rank(b));
  if (table.length === 0) return <Nothing panel={panel} theme={theme} />;
  const sort = panel.options.sortBy?.[0];
  const by = sort && shown.find(({ name }) => organize.renameByName[name] === sort.displayName);
  const order = [...Array(table.length).keys()];
  if (by) order.sort((a, b) => by.values[b] - by.values[a]);
  const fields = shown.map((field) => {
    const config = { custom: { align: "auto", cellOptions: { type: "auto" } } };
    const name = organize.renameByName[field.name] ?? field.name;
    for (const { matcher, properties } of panel.fieldConfig.overrides)
      if (matcher.options === name) properties.filter(({ id }) => id !== "links").forEach(({ id, value }) => set(config, id, value));
    const values = order.map((n) => field.values[n]);
    return withDisplay({ ...field, name, values, config, state: {} }, theme);
  });
  return <Table data={{ length: table.length, fields }} width={width} height={height} columnMinWidth={60} />;
}
