//! The reference page of spans and log events, made of the catalogue.

use std::fmt::Write;

use crate::buildcache;
use crate::builds::build::{LogSeverity, SpanKind};
use crate::builds::catalogue::{Attribute, EVENTS, EventRow, RESOURCE, SPANS, SpanRow};
use crate::graphs::catalogue as graphs;
use crate::integrity;

const HEAD: &str = "\
A trace is one go command of one log. Its ids are made of what it is, so that the same log read again gives the same
trace. The status of a span is Error, with the failure as its description, or unset; success is never claimed. What
does not fit under `build.max_spans` is counted on the root.

Times are as good as the log: of its time stamps where it has them, else counted back from when a line was read. Where
an attribute says that an end or a length is not known, the span is as long as it could be told.

";

const GRAPHS: &str = "\
## Graphs of actions

A graph that a go command wrote below `action_graph.dirs` is a trace of its own, with one span for each action that ran.
Its ids are made of the host, the file and the first moment of the graph. What came out of the cache is counted on the
root.

";

const OWN: &str = "\
## The agent's own spans

With `self_telemetry: true` there are a few more a second, each a trace of its own with the `service.name` gobeacon:
`export request`, `apply batch` and `metrics page`. They have `gobeacon.items` (how many records, events or bytes),
`gobeacon.skipped_spans` (how many like it were not sent since the last), and `error.type` where it failed.
";

/// `docs/reference/spans.md`
pub(super) fn page() -> String {
    let mut page = super::head("Spans and log events");
    page.push_str(HEAD);
    page.push_str("## Resource\n\nEach build has one. `OTEL_RESOURCE_ATTRIBUTES` adds to it.\n\n");
    table(RESOURCE, &mut page);
    page.push_str("## Spans\n\n");
    spans(SPANS, &mut page);
    page.push_str("## Log events\n\nEach belongs to a span, and its body is a sentence for a person.\n\n");
    events(EVENTS, &mut page);
    page.push_str(
        "## Log events of build caches\n\nThey belong to no span: which build used a cache is not visible in it.\n\n",
    );
    events(buildcache::catalogue::EVENTS, &mut page);
    page.push_str(
        "## Log events of module caches\n\nThey belong to no span: what is wrong may be older than any build.\n\n",
    );
    events(integrity::catalogue::EVENTS, &mut page);
    page.push_str(GRAPHS);
    spans(graphs::SPANS, &mut page);
    events(graphs::EVENTS, &mut page);
    page.push_str(OWN);
    page
}

fn spans(rows: &[SpanRow], page: &mut String) {
    for row in rows {
        let kind = match row.kind {
            SpanKind::Internal => "internal",
            SpanKind::Client => "client",
        };
        // writing to a string does not fail
        let _ = writeln!(page, "### `{}`\n\n{}\n\n- Kind: {kind}\n- Parent: {}\n", row.name, row.what, row.parent);
        table(row.attributes, page);
    }
}

fn events(rows: &[EventRow], page: &mut String) {
    for row in rows {
        let severities: Vec<_> = row.severities.iter().map(|it| severity(*it)).collect();
        let _ = writeln!(page, "### `{}`\n\n{}\n\n- Severity: {}\n", row.name, row.when, severities.join(", "));
        table(row.attributes, page);
    }
}

fn table(rows: &[Attribute], page: &mut String) {
    page.push_str("| attribute | type | unit | meaning | there when |\n|---|---|---|---|---|\n");
    for row in rows {
        let unit = row.unit.map(|unit| format!("`{unit}`")).unwrap_or_default();
        let _ = writeln!(page, "| `{}` | {} | {unit} | {} | {} |", row.name, row.kind.name(), row.meaning, row.when);
    }
    page.push('\n');
}

fn severity(severity: LogSeverity) -> &'static str {
    match severity {
        LogSeverity::Info => "INFO",
        LogSeverity::Warn => "WARN",
        LogSeverity::Error => "ERROR",
    }
}
