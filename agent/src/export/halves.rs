//! An encoded request as two: for a backend that finds it too large.
//!
//! Requests of both signals have the same shape: the groups of resources 1, in them the resource 1, the scopes 2 and the
//! schema 3, in a scope the scope itself 1, the records 2 and the schema 3. What is not parted stays encoded as it is.
//! It must not know what a record is.
//!
//! Invariant: the halves have all records, each once, in their order.

use prost::Message;
use prost::bytes::Bytes;

#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(message, repeated, tag = "1")]
    groups: Vec<Group>,
}

#[derive(Clone, PartialEq, Message)]
struct Group {
    #[prost(bytes = "bytes", optional, tag = "1")]
    resource: Option<Bytes>,
    #[prost(message, repeated, tag = "2")]
    scopes: Vec<Scope>,
    #[prost(string, tag = "3")]
    schema_url: String,
}

#[derive(Clone, PartialEq, Message)]
struct Scope {
    #[prost(bytes = "bytes", optional, tag = "1")]
    scope: Option<Bytes>,
    #[prost(bytes = "bytes", repeated, tag = "2")]
    records: Vec<Bytes>,
    #[prost(string, tag = "3")]
    schema_url: String,
}

impl Request {
    fn records(&self) -> usize {
        self.groups.iter().flat_map(|group| &group.scopes).map(|scope| scope.records.len()).sum()
    }

    fn drop_empty(&mut self) {
        self.groups.iter_mut().for_each(|group| group.scopes.retain(|scope| !scope.records.is_empty()));
        self.groups.retain(|group| !group.scopes.is_empty());
    }
}

/// Two requests, each with about half of the records and their number. `None` where there are not two records, or it is
/// no request.
pub(super) fn halved(request: Bytes) -> Option<[(Bytes, u64); 2]> {
    let mut first = Request::decode(request).ok()?;
    let all = first.records();
    let mut second = first.clone();
    let mut room = all / 2;
    let scopes = first.groups.iter_mut().flat_map(|group| &mut group.scopes);
    for (first, second) in scopes.zip(second.groups.iter_mut().flat_map(|group| &mut group.scopes)) {
        let here = room.min(first.records.len());
        room -= here;
        first.records.truncate(here);
        second.records.drain(..here);
    }
    (all > 1).then(|| {
        [first, second].map(|mut half| {
            half.drop_empty();
            (half.encode_to_vec().into(), half.records() as u64)
        })
    })
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
    use opentelemetry_proto::tonic::resource::v1::Resource;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
    use proptest::prelude::*;

    use super::*;

    fn traces(shape: &[Vec<usize>]) -> ExportTraceServiceRequest {
        let mut names = 0..;
        let mut span = || Span { name: format!("{:?}", names.next()), ..Span::default() };
        let resource = |n: usize| Resource { dropped_attributes_count: n as u32, ..Resource::default() };
        let groups = shape.iter().enumerate().map(|(n, scopes)| ResourceSpans {
            resource: Some(resource(n)),
            schema_url: "of the group".to_owned(),
            scope_spans: scopes
                .iter()
                .map(|spans| ScopeSpans {
                    spans: (0..*spans).map(|_| span()).collect(),
                    schema_url: "of the scope".to_owned(),
                    ..ScopeSpans::default()
                })
                .collect(),
        });
        ExportTraceServiceRequest { resource_spans: groups.collect() }
    }

    /// Each span with all that it stands in.
    fn spans(request: &ExportTraceServiceRequest) -> Vec<String> {
        let groups = request.resource_spans.iter();
        let scopes = groups.flat_map(|group| group.scope_spans.iter().map(move |scope| (group, scope)));
        let all = scopes.flat_map(|(group, scope)| scope.spans.iter().map(move |span| (group, scope, span)));
        all.map(|(group, scope, span)| {
            format!("{:?} {} {} {}", group.resource, group.schema_url, scope.schema_url, span.name)
        })
        .collect()
    }

    proptest! {
        #[test]
        fn the_halves_have_all_records_each_once_in_order(
            shape in prop::collection::vec(prop::collection::vec(0..6_usize, 0..4), 0..4)
        ) {
            let whole = traces(&shape);
            let all = spans(&whole);
            let Some(halves) = halved(whole.encode_to_vec().into()) else {
                prop_assert!(all.len() < 2);
                return Ok(());
            };
            let mut seen = Vec::new();
            for (half, records) in halves {
                let half = spans(&ExportTraceServiceRequest::decode(half).unwrap());
                prop_assert_eq!(half.len() as u64, records);
                prop_assert!(half.len().abs_diff(all.len() / 2) <= 1);
                seen.extend(half);
            }
            prop_assert_eq!(seen, all);
        }
    }

    #[test]
    fn log_records_are_parted_as_spans_are_and_what_is_no_request_is_not() {
        let log_records = vec![LogRecord { event_name: "an event".to_owned(), ..LogRecord::default() }; 3];
        let scope_logs = vec![ScopeLogs { log_records, ..ScopeLogs::default() }];
        let resource_logs = vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }];
        let whole = ExportLogsServiceRequest { resource_logs };
        let halves = halved(whole.encode_to_vec().into()).unwrap();
        assert_eq!(halves.map(|(_, records)| records), [1, 2]);
        assert!(halved(Bytes::from_static(b"\x0a\x7f no request")).is_none());
    }
}
