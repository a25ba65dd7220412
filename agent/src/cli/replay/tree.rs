//! A build as a waterfall: a line a span, its children below it, its time as a bar.

use std::collections::BTreeMap;

use super::super::style::{self, BAD, FAINT, GOOD, NAME, PLAIN, Page};
use super::Finished;
use crate::builds::build::{Span, SpanId, Value};

/// Columns of the bars.
const BAR: usize = 24;
/// Columns of start and duration.
const TIMES: usize = 20;

/// The attributes that tell one span of a name from the others, the most telling first.
const TELLING: &[&str] = &["test.case.name", "test.suite.name", "artifact.purl", "url.full", "gobuild.log.offset"];

type Children<'a> = BTreeMap<Option<SpanId>, Vec<&'a Span>>;

/// The page of one build.
pub(super) fn page(build: &Finished, columns: usize) -> Page {
    let mut page = Page::new(columns);
    let summary = &build.summary;
    let command = summary.command.as_deref().unwrap_or(summary.name);
    let verdict = if summary.failures.is_empty() { (GOOD, summary.outcome.id()) } else { (BAD, summary.outcome.id()) };
    page.line(0, &[(NAME, command), (PLAIN, "  "), verdict, (FAINT, "  "), (FAINT, &summary.log)]);
    page.line(0, &[(FAINT, &format!("trace {}  {}", summary.trace_id, summary.start))]);
    let mut children: Children<'_> = BTreeMap::new();
    for span in &build.spans {
        // a span whose parent is not here stands at the margin rather than nowhere
        let parent = span.parent.filter(|parent| build.spans.iter().any(|it| it.span_id == *parent));
        children.entry(parent).or_default().push(span);
    }
    children.values_mut().for_each(|spans| spans.sort_by_key(|span| span.start));
    let mut rows = Rows { summary: build, columns, page: &mut page };
    for root in children.get(&None).cloned().unwrap_or_default() {
        rows.span(root, "", "", &children);
    }
    for record in &build.logs {
        page.line(0, &[(FAINT, "event "), (NAME, record.event_name), (PLAIN, "  "), (PLAIN, &record.body)]);
    }
    page
}

struct Rows<'a> {
    summary: &'a Finished,
    columns: usize,
    page: &'a mut Page,
}

impl Rows<'_> {
    /// A span and those below it.
    fn span(&mut self, span: &Span, lead: &str, below: &str, children: &Children<'_>) {
        self.row(span, lead);
        let spans = children.get(&Some(span.span_id)).cloned().unwrap_or_default();
        for (nth, child) in spans.iter().enumerate() {
            let (turn, on) = if nth + 1 == spans.len() { ("└ ", "  ") } else { ("├ ", "│ ") };
            self.span(child, &format!("{below}{turn}"), &format!("{below}{on}"), children);
        }
    }

    fn row(&mut self, span: &Span, lead: &str) {
        let error = attribute(span, "error.type");
        let parts = [span.name.to_string(), telling(span), error.unwrap_or_default()];
        let label = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ");
        let width = self.columns.saturating_sub(BAR + TIMES).saturating_sub(lead.chars().count());
        let label: String = style::clean(&label).chars().take(width).collect();
        let start = span.start.seconds_since(self.summary.summary.start).max(0.0);
        let took = span.end.seconds_since(span.start);
        let times = format!("{:>8} {:>9}  ", format!("+{}", style::seconds(start)), style::seconds(took));
        let style = if span.error.is_some() { BAD } else { PLAIN };
        let label = format!("{label:<width$}");
        self.page.line(0, &[(FAINT, lead), (style, &label), (FAINT, &times), (style, &self.bar(start, took))]);
    }

    /// The part of the build that the span took.
    fn bar(&self, start: f64, took: f64) -> String {
        let whole = self.summary.summary.end.seconds_since(self.summary.summary.start);
        if whole <= 0.0 {
            return "▏".to_owned();
        }
        let column = |seconds: f64| ((seconds / whole).clamp(0.0, 1.0) * BAR as f64).round() as usize;
        let from = column(start).min(BAR - 1);
        let length = column(start + took).saturating_sub(from);
        let bar = if length == 0 { "▏".to_owned() } else { "█".repeat(length) };
        format!("{}{bar}", " ".repeat(from))
    }
}

fn telling(span: &Span) -> String {
    let found = TELLING.iter().find_map(|name| attribute(span, name));
    let found = found.unwrap_or_default();
    if span.parent.is_none() { String::new() } else { found.trim_start_matches("pkg:golang/").to_owned() }
}

fn attribute(span: &Span, name: &str) -> Option<String> {
    let (_, value) = span.attributes.iter().find(|(key, _)| *key == name)?;
    Some(match value {
        Value::Str(text) => text.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::Strs(texts) => texts.join(" "),
    })
}
