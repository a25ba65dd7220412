//! What a Collector wrote to its files, as OTLP/JSON: spans and log events in the words of the assertions.

use std::collections::BTreeMap;

use serde_json::Value;

/// Attributes with their values as text, numbers and lists in JSON.
pub(crate) type Attributes = BTreeMap<String, String>;

/// One span as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    pub(crate) trace: String,
    pub(crate) id: String,
    /// Empty for a root.
    pub(crate) parent: String,
    pub(crate) name: String,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) attributes: Attributes,
    pub(crate) resource: Attributes,
    /// Status Error.
    pub(crate) failed: bool,
    /// Status Ok, which is never claimed.
    pub(crate) claimed_ok: bool,
}

/// One log event as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct LogEvent {
    pub(crate) trace: String,
    pub(crate) span: String,
    pub(crate) name: String,
    pub(crate) body: String,
    pub(crate) attributes: Attributes,
}

impl Span {
    /// The attribute, or "".
    pub(crate) fn get(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }
}

impl LogEvent {
    /// The attribute, or "".
    pub(crate) fn get(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }
}

/// Every span of a file of `ExportTraceServiceRequest`s, one a line.
pub(crate) fn spans(text: &str) -> Vec<Span> {
    let mut found = Vec::new();
    each(text, "resourceSpans", "scopeSpans", "spans", |resource, span| {
        let code = span["status"]["code"].as_u64().unwrap_or(0);
        found.push(Span {
            trace: string(&span["traceId"]),
            id: string(&span["spanId"]),
            parent: string(&span["parentSpanId"]),
            name: string(&span["name"]),
            start: number(&span["startTimeUnixNano"]),
            end: number(&span["endTimeUnixNano"]),
            attributes: attributes(&span["attributes"]),
            resource: resource.clone(),
            failed: code == 2,
            claimed_ok: code == 1,
        });
    });
    found
}

/// Every log record of a file of `ExportLogsServiceRequest`s, one a line.
pub(crate) fn log_events(text: &str) -> Vec<LogEvent> {
    let mut found = Vec::new();
    each(text, "resourceLogs", "scopeLogs", "logRecords", |_, record| {
        found.push(LogEvent {
            trace: string(&record["traceId"]),
            span: string(&record["spanId"]),
            name: string(&record["eventName"]),
            body: string(&record["body"]["stringValue"]),
            attributes: attributes(&record["attributes"]),
        });
    });
    found
}

fn each(text: &str, resources: &str, scopes: &str, items: &str, mut with: impl FnMut(&Attributes, &Value)) {
    for line in text.lines() {
        let request: Value = serde_json::from_str(line).unwrap();
        for resource in list(&request[resources]) {
            let about = attributes(&resource["resource"]["attributes"]);
            for scope in list(&resource[scopes]) {
                list(&scope[items]).iter().for_each(|item| with(&about, item));
            }
        }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn attributes(value: &Value) -> Attributes {
    list(value).iter().map(|entry| (string(&entry["key"]), any(&entry["value"]))).collect()
}

/// An `AnyValue` as text: lists joined with blanks.
fn any(value: &Value) -> String {
    let Some(object) = value.as_object() else { return String::new() };
    match object.iter().next() {
        Some((key, inner)) if key == "arrayValue" => {
            list(&inner["values"]).iter().map(any).collect::<Vec<_>>().join(" ")
        }
        Some((_, Value::String(text))) => text.clone(),
        Some((_, inner)) => inner.to_string(),
        None => String::new(),
    }
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or("").to_owned()
}

/// 64-bit numbers are strings in OTLP/JSON.
fn number(value: &Value) -> u64 {
    value.as_str().and_then(|text| text.parse().ok()).or_else(|| value.as_u64()).unwrap_or(0)
}
