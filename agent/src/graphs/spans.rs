//! The spans and the log event of one graph.

use gobeacon_formats::action_graph::{Action, Reason};
use gobeacon_formats::counters::Tool;
use gobeacon_formats::{FailureClass, Timestamp};

use super::{Known, runs};
use crate::builds::build::{Attributes, LogRecord, LogSeverity, Span, SpanKind, Value};
use crate::builds::command::Subcommand;
use crate::builds::{ids, redact};

/// Most root causes that are named.
const ROOTS: usize = 10;
/// Longest text of an attribute, in bytes.
const TEXT: usize = 1024;

/// The root and the actions that ran, the root last. Where there are too many the failed ones are kept, then the
/// critical path, then the longest.
pub(super) fn spans(known: &Known<'_>, start: Timestamp, most: usize) -> Vec<Span> {
    let mut ran: Vec<(usize, &Action, Tool)> =
        known.graph.numbered().filter_map(|(id, action)| Some((id, action, runs(action)?))).collect();
    let rank = |id: &usize, action: &Action| (action.failed, known.critical.contains(id));
    ran.sort_by(|(a, x, _), (b, y, _)| {
        rank(b, y).cmp(&rank(a, x)).then(y.seconds().total_cmp(&x.seconds())).then(a.cmp(b))
    });
    let folded = ran.len().saturating_sub(most - 1);
    ran.truncate(most - 1);
    let mut spans: Vec<Span> = ran.into_iter().map(|(id, action, tool)| of_action(known, id, action, tool)).collect();
    spans.push(root(known, start, folded));
    spans
}

fn root(known: &Known<'_>, start: Timestamp, folded: usize) -> Span {
    let (graph, counts) = (known.graph, &known.counts);
    let name = graph.command();
    let failed = graph.actions().find(|action| action.failed);
    let compiled = graph.actions().filter(|action| action.is_compiled()).count();
    let cached = graph.actions().filter(|it| it.mode == "build" && !it.content_id.is_empty() && !it.executed).count();
    let mut attributes: Attributes = vec![
        ("gobuild.confidence", text("exact")),
        ("gobuild.subcommand", text(Subcommand::of_name(name).id())),
        ("gobuild.outcome", text(if failed.is_some() { "failed" } else { "ok" })),
        ("file.path", text(&known.path.to_string_lossy())),
        ("gobuild.cache.lookups", whole(counts.lookups as usize)),
        ("gobuild.cache.hits", whole(counts.hits as usize)),
        ("gobuild.packages.compiled", whole(compiled)),
        ("gobuild.packages.cached", whole(cached)),
    ];
    if let Some(seconds) = counts.critical_path_seconds {
        attributes.push(("gobuild.critical_path.seconds", Value::Float(seconds)));
    }
    if let Some(toolchain) = graph.actions().find_map(|it| it.compiled.as_ref()).map(|it| it.toolchain.as_str()) {
        attributes.push(("gobuild.go.version", text(toolchain)));
    }
    attributes.extend(counts.reasons.iter().map(|(reason, count)| (misses(*reason), whole(*count))));
    if folded > 0 {
        attributes.push(("gobuild.folded.actions", whole(folded)));
    }
    if let Some(failed) = failed {
        attributes.push(("error.type", text(class(failed).id())));
    }
    Span {
        trace_id: counts.trace,
        span_id: ids::root_of(counts.trace),
        parent: None,
        name: name.into(),
        kind: SpanKind::Internal,
        start,
        end: counts.end,
        attributes,
        error: failed.map(description),
    }
}

fn of_action(known: &Known<'_>, id: usize, action: &Action, tool: Tool) -> Span {
    let root = ids::root_of(known.counts.trace);
    let name = if tool == Tool::Test { "test run" } else { tool.name() };
    let mut attributes: Attributes = vec![
        ("gobuild.package.import_path", text(&action.package)),
        ("gobuild.action.wait_seconds", Value::Float(action.start.seconds_since(action.ready).max(0.0))),
    ];
    if let Some(compiled) = &action.compiled {
        let kind = match (compiled.test, compiled.std, compiled.main) {
            (true, _, _) => "test",
            (false, true, _) => "std",
            (false, false, true) => "main",
            (false, false, false) => "module",
        };
        attributes.push(("gobuild.package.kind", text(kind)));
    }
    if let Some(seconds) = action.cpu_seconds {
        attributes.push(("gobuild.action.cpu_seconds", Value::Float(seconds)));
    }
    if let Some(rebuilt) = known.explained.rebuilt.get(&id) {
        attributes.push(("gobuild.action.miss_reason", text(rebuilt.reason.name())));
        if let Some((package, reason)) = &rebuilt.root {
            attributes.push(("gobuild.action.miss_root", text(package)));
            attributes.push(("gobuild.action.miss_root_reason", text(reason.name())));
        }
    }
    if known.critical.contains(&id) {
        attributes.push(("gobuild.action.on_critical_path", Value::Bool(true)));
    }
    if action.failed {
        attributes.push(("error.type", text(class(action).id())));
    }
    Span {
        trace_id: known.counts.trace,
        span_id: ids::child_of(root, name, &action.package, id as u64),
        parent: Some(root),
        name: name.into(),
        kind: SpanKind::Internal,
        start: action.start,
        end: action.done,
        attributes,
        error: action.failed.then(|| description(action)),
    }
}

/// `gobuild.cache.miss`, where anything was compiled: how many packages for which reason, and what it began with.
pub(super) fn cache_miss(known: &Known<'_>) -> Option<LogRecord> {
    let reasons = &known.counts.reasons;
    let compiled: usize = reasons.values().sum();
    if compiled == 0 {
        return None;
    }
    let list = reasons.iter().map(|(reason, count)| format!("{count} {}", reason.name()));
    let mut body = format!("{compiled} packages were compiled: {}", list.collect::<Vec<_>>().join(", "));
    let roots = known.explained.roots();
    let named = roots.iter().take(ROOTS);
    let named: Vec<String> =
        named.map(|(package, reason, others)| format!("{package} ({}, {others} others)", reason.name())).collect();
    if !named.is_empty() {
        body = format!("{body}; it began with {}", named.join(", "));
    }
    let mut attributes: Attributes = vec![("gobuild.packages.compiled", whole(compiled))];
    attributes.extend(reasons.iter().map(|(reason, count)| (misses(*reason), whole(*count))));
    if !named.is_empty() {
        attributes.push(("gobuild.cache.miss.roots", Value::Strs(named)));
    }
    Some(LogRecord {
        event_name: "gobuild.cache.miss",
        time: known.counts.end,
        observed: known.observed,
        severity: LogSeverity::Info,
        body: redact::bounded(body, 2 * TEXT),
        trace_id: Some(known.counts.trace),
        span_id: Some(ids::root_of(known.counts.trace)),
        attributes,
    })
}

/// The attribute that counts packages of a reason.
pub(super) const fn misses(reason: Reason) -> &'static str {
    match reason {
        Reason::Cold => "gobuild.cache.misses.cold",
        Reason::Source => "gobuild.cache.misses.source",
        Reason::Dependency => "gobuild.cache.misses.dependency",
        Reason::Flags => "gobuild.cache.misses.flags",
        Reason::Environment => "gobuild.cache.misses.environment",
        Reason::Toolchain => "gobuild.cache.misses.toolchain",
        Reason::Directory => "gobuild.cache.misses.directory",
        Reason::Evicted => "gobuild.cache.misses.evicted",
        Reason::Forced => "gobuild.cache.misses.forced",
        Reason::Unknown => "gobuild.cache.misses.unknown",
    }
}

/// The graph tells that it failed, not how.
fn class(action: &Action) -> FailureClass {
    if action.mode == "link" { FailureClass::LinkError } else { FailureClass::CompileError }
}

fn description(action: &Action) -> String {
    let what = if action.mode == "link" { "linked" } else { "compiled" };
    redact::bounded(format!("{} could not be {what}", action.package), TEXT)
}

fn text(text: &str) -> Value {
    Value::Str(redact::bounded(text.to_owned(), TEXT).into())
}

fn whole(count: usize) -> Value {
    Value::Int(i64::try_from(count).unwrap_or(i64::MAX))
}
