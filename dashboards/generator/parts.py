"""The parts that every dashboard is put together of: targets, panels, links, variables, layout.

A panel is a dictionary as Grafana's schema v1 has it, without a place; `Layout` gives places and ids. Nothing here
knows a metric of builds.
"""

from urllib.parse import quote

HOME = "https://github.com/gobeacon/gobeacon/blob/main"
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}

# what every expression on raw metrics is narrowed to; recording rules have no node any more
NODE = 'cluster=~"$cluster", job=~"$job", instance=~"$instance"'
JOB = 'cluster=~"$cluster", job=~"$job"'

GREEN, YELLOW, ORANGE, RED, BLUE, PURPLE, GREY = "green", "yellow", "orange", "red", "blue", "purple", "text"


def target(expr, legend="__auto", instant=False, exemplar=False, fmt=None):
    """One query. `NODE` and `JOB` in it stand for the matchers of the variables."""
    expr = " ".join(expr.split()).replace("NODE", NODE).replace("JOB", JOB)
    made = {"datasource": DATASOURCE, "expr": expr, "legendFormat": legend, "editorMode": "code"}
    made["instant"], made["range"] = instant, not instant
    if exemplar:
        made["exemplar"] = True
    if fmt:
        made["format"] = fmt
    return made


def p(quantile, metric, by="le", matchers="NODE", window="$__rate_interval"):
    """A quantile of a histogram; no point instead of NaN while nothing was measured."""
    return f"histogram_quantile({quantile}, sum by ({by}) (rate({metric}_bucket{{{matchers}}}[{window}]))) >= 0"


def per_second(metric, by="", matchers="NODE"):
    """How many in a second."""
    by = f" by ({by})" if by else ""
    return f"sum{by} (rate({metric}{{{matchers}}}[$__rate_interval]))"


def per_hour(metric, by="", matchers="NODE"):
    """How many in an hour: the same height whatever time is shown."""
    return f"{per_second(metric, by, matchers)} * 3600"


def in_range(metric, by="", matchers="NODE"):
    """How many in the time that is shown."""
    by = f" by ({by})" if by else ""
    return f"sum{by} (increase({metric}{{{matchers}}}[$__range]))"


def since(metric, by="", matchers="NODE", window="$__range"):
    """How many in a time, of series that are not there from the start: the first count of a new one is no increase."""
    by = f" by ({by})" if by else ""
    one = f"{metric}{{{matchers}}}"
    return f"sum{by} (({one} unless last_over_time({one}[1h] offset {window})) or increase({one}[{window}]))"


def share(part, whole):
    """A part of a whole; no point instead of NaN where there is no whole."""
    return f"{part} / ({whole} > 0)"


def steps(*above, base=GREEN):
    """Thresholds: a colour, and then (value, colour) from where on it is another."""
    return [{"color": base, "value": None}] + [{"color": color, "value": value} for value, color in above]


def traces(search):
    """A link to the traces behind a number, in the Tempo of the variable; `search` is TraceQL."""
    query = (
        '{"traces":{"datasource":"${tempo}","queries":[{"refId":"A","datasource":{"type":"tempo","uid":"${tempo}"},'
        f'"queryType":"traceql","query":{quoted(search)}}}],"range":{{"from":"${{__from}}","to":"${{__to}}"}}}}}}'
    )
    url = "/explore?schemaVersion=1&orgId=1&panes=" + quote(query, safe="${}_.")
    return {"title": "Traces behind this", "url": url, "targetBlank": True}


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def drill(title, dashboard, **variables):
    """A link to another dashboard with the time and the variables of this one, and these besides."""
    rest = [name for name in ("datasource", "cluster", "job", "instance") if name not in variables]
    parts = ["${__url_time_range}"] + [f"${{{name}:queryparam}}" for name in rest]
    parts += [f"var-{name}={value}" for name, value in variables.items()]
    return {"title": title, "url": f"/d/gobeacon-{dashboard}?" + "&".join(parts), "targetBlank": False}


def runbook(alert):
    return {"title": f"Runbook: {alert}", "url": f"{HOME}/docs/runbooks/{alert}.md", "targetBlank": True}


def colored(name, color, regex=False):
    matcher = {"id": "byRegexp" if regex else "byName", "options": name}
    return {"matcher": matcher, "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": color}}]}


def panel(kind, title, description, targets, unit, **more):
    """What all panels have. `alerts`: whose thresholds these are."""
    targets = [dict(target, refId=chr(ord("A") + n)) for n, target in enumerate(targets)]
    defaults = {
        "unit": unit,
        "color": {"mode": more.get("color", "palette-classic")},
        "thresholds": {"mode": "absolute", "steps": more.get("thresholds") or steps(base=more.get("base", BLUE))},
        "mappings": more.get("mappings", []),
        "links": more.get("links", []),
    }
    for name in ("min", "max", "decimals", "noValue"):
        if name in more:
            defaults[name] = more[name]
    made = {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": DATASOURCE,
        "targets": targets,
        "fieldConfig": {"defaults": defaults, "overrides": more.get("overrides", [])},
        "transparent": False,
    }
    if more.get("alerts"):
        made["links"] = [runbook(alert) for alert in more["alerts"]]
    if more.get("interval"):
        made["interval"] = more["interval"]
    return made


def stat(title, description, expr, unit, **more):
    """One number in a colour, which fills the panel where alerts say what it means; with `spark` its course behind it."""
    spark = more.pop("spark", False)
    calc = more.pop("calc", "lastNotNull")
    more.setdefault("noValue", "none")
    more.setdefault("color", "thresholds")
    if spark:
        more.setdefault("interval", "1m")
    made = panel("stat", title, description, [target(expr, title, instant=not spark)], unit, **more)
    made["options"] = {
        "reduceOptions": {"calcs": [calc], "fields": "", "values": False},
        "orientation": "auto",
        "textMode": "value",
        "wideLayout": True,
        "colorMode": more.get("paint", "background" if more.get("alerts") else "value"),
        "graphMode": "area" if spark else "none",
        "justifyMode": "center",
    }
    return made


def timeseries(title, description, targets, unit, **more):
    """Lines, or with `bars` stacked bars."""
    bars, lines = more.pop("bars", False), more.pop("threshold_lines", False)
    more.setdefault("interval", "1m")
    more.setdefault("min", 0)
    # areas of many lines on each other are mud
    by_label = any("{{" in target["legendFormat"] for target in targets)
    made = panel("timeseries", title, description, targets, unit, **more)
    made["fieldConfig"]["defaults"]["custom"] = {
        "drawStyle": "bars" if bars else "line",
        "fillOpacity": 80 if bars else 0 if by_label else 10,
        "gradientMode": "none",
        "lineWidth": 1 if bars else 2,
        "lineInterpolation": "linear",
        "showPoints": "never" if bars else "auto",
        "pointSize": 4,
        "spanNulls": not bars,
        "stacking": {"group": "A", "mode": "normal" if bars or more.get("stacked") else "none"},
        "axisPlacement": "auto",
        "axisLabel": "",
        "scaleDistribution": {"type": "log", "log": 10} if more.get("log") else {"type": "linear"},
        "thresholdsStyle": {"mode": "dashed" if lines else "off"},
    }
    # whole things: nothing but zeros is no reason for an axis up to 100
    if more.get("decimals") == 0:
        made["fieldConfig"]["defaults"]["custom"]["axisSoftMax"] = 1
    # what is filtered to what there is says so where there is nothing
    if all(" > 0" in target["expr"] and "(" not in target["expr"].rsplit(" > 0", 1)[1] for target in targets):
        made["fieldConfig"]["defaults"].setdefault("noValue", "none")
    if more.get("log"):
        del made["fieldConfig"]["defaults"]["min"]
    calcs = more.get("calcs", [])
    made["options"] = {
        "legend": {
            "displayMode": "table" if calcs else "list",
            "placement": more.get("legend", "bottom"),
            "showLegend": True,
            "calcs": calcs,
        },
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return made


def bar_gauge(title, description, expr, legend, unit, **more):
    """The ranking of some names by a number."""
    more.setdefault("noValue", "none")
    more.setdefault("min", 0)
    more.setdefault("color", "fixed")
    color = more.pop("fixed", BLUE)
    # of a histogram: a bar for each bucket alone, in their order; the legend must be the bound, from which Grafana sorts
    fmt = "heatmap" if more.pop("buckets", False) else None
    names = more.pop("names", "auto")
    made = panel("bargauge", title, description, [target(expr, legend, instant=True, fmt=fmt)], unit, **more)
    if made["fieldConfig"]["defaults"]["color"]["mode"] == "fixed":
        made["fieldConfig"]["defaults"]["color"]["fixedColor"] = color
    made["options"] = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "orientation": "horizontal",
        "displayMode": "basic",
        "valueMode": "color",
        "namePlacement": names,
        "showUnfilled": True,
        "minVizHeight": 16,
        "minVizWidth": 8,
        "sizing": "auto",
    }
    return made


def table(title, description, columns, unit="short", **more):
    """Rows by the labels of instant queries. `columns`: (expression, heading, unit, thresholds or None)."""
    targets = [target(expr, instant=True, fmt="table") for expr, _, _, _ in columns]
    made = panel("table", title, description, targets, unit, **more)
    letters = [f"Value #{chr(ord('A') + n)}" if len(columns) > 1 else "Value" for n in range(len(columns))]
    hidden = {"Time": True} | {name: True for name in more.get("hidden", [])}
    names = dict(zip(letters, (heading for _, heading, _, _ in columns))) | more.get("names", {})
    for letter, (_, heading, unit, thresholds) in zip(letters, columns):
        properties = [{"id": "unit", "value": unit}]
        if thresholds:
            properties += [
                {"id": "thresholds", "value": {"mode": "absolute", "steps": thresholds}},
                {"id": "color", "value": {"mode": "thresholds"}},
                {"id": "custom.cellOptions", "value": {"type": "color-text"}},
            ]
        made["fieldConfig"]["overrides"].append(
            {"matcher": {"id": "byName", "options": heading}, "properties": properties}
        )
    for name, width in more.get("widths", {}).items():
        made["fieldConfig"]["overrides"].append(
            {"matcher": {"id": "byName", "options": name}, "properties": [{"id": "custom.width", "value": width}]}
        )
    for name, links in more.get("cell_links", {}).items():
        made["fieldConfig"]["overrides"].append(
            {"matcher": {"id": "byName", "options": name}, "properties": [{"id": "links", "value": links}]}
        )
    made["fieldConfig"]["defaults"]["custom"] = {"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False}
    order = more.get("order", [])
    made["transformations"] = [{"id": "merge", "options": {}}] if len(columns) > 1 else []
    made["transformations"].append(
        {
            "id": "organize",
            "options": {
                "excludeByName": hidden,
                "indexByName": {name: n for n, name in enumerate(order)},
                "renameByName": names,
            },
        }
    )
    made["options"] = {
        "showHeader": True,
        "cellHeight": "sm",
        "footer": {"show": False, "reducer": ["sum"], "fields": ""},
    }
    if more.get("sort"):
        made["options"]["sortBy"] = [{"displayName": more["sort"], "desc": True}]
    return made
