//! Which format a client asks for: the `Accept` header of HTTP.
//!
//! Invariant: whatever the header says there is an answer; who asks for nothing we have gets the text format.

use crate::metrics::Format;

/// The format for an `Accept` header; OpenMetrics for who wants it at least as much as text.
pub(super) fn format(accept: &str) -> Format {
    let mut open_metrics = None;
    let mut text = None;
    for range in accept.split(',') {
        let Some((kind, quality)) = read(range) else { continue };
        let place = match kind.as_str() {
            "application/openmetrics-text" => &mut open_metrics,
            "text/plain" | "text/*" | "*/*" => &mut text,
            _ => continue,
        };
        *place = Some(quality.max(place.unwrap_or(0.0)));
    }
    match (open_metrics, text) {
        (Some(open), Some(text)) if open < text => Format::Text,
        (Some(open), _) if open > 0.0 => Format::OpenMetrics,
        (Some(_) | None, _) => Format::Text,
    }
}

/// The media type and its quality; `None` for a version that we do not write.
fn read(range: &str) -> Option<(String, f32)> {
    let mut parts = range.split(';').map(str::trim);
    let kind = parts.next()?.to_ascii_lowercase();
    let mut quality = 1.0_f32;
    for part in parts {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        match (name.trim().to_ascii_lowercase().as_str(), value.trim().trim_matches('"')) {
            ("q", value) => quality = value.parse().unwrap_or(0.0),
            ("version", version) if kind == "application/openmetrics-text" && version != "1.0.0" => return None,
            _ => {}
        }
    }
    Some((kind, if quality.is_finite() { quality.clamp(0.0, 1.0) } else { 0.0 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prometheus_gets_openmetrics_and_a_browser_text() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;\
                          q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        let with_protobuf = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
                             encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;\
                             escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for accept in [prometheus, with_protobuf, "application/openmetrics-text", "Application/OpenMetrics-Text; Q=0.1"]
        {
            assert_eq!(format(accept), Format::OpenMetrics, "{accept}");
        }
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        for accept in ["", "*/*", "text/plain", browser, "nonsense;;q=,=", "application/json"] {
            assert_eq!(format(accept), Format::Text, "{accept}");
        }
    }

    #[test]
    fn who_wants_text_more_gets_text() {
        for accept in [
            "application/openmetrics-text;q=0.3,text/plain;q=0.5",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=much",
            "application/openmetrics-text;q=NaN",
            "application/openmetrics-text;version=0.0.1",
        ] {
            assert_eq!(format(accept), Format::Text, "{accept}");
        }
    }
}
