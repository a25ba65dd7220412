//! Spans as the bytes of OTLP, written straight from what they are.
//!
//! Tests or downloads of a large build are thousands of spans: to make the messages of the generated code first, with
//! a copy of every name in them, costs several times as much. Whatever is not a span is encoded by `encode`.
//!
//! Invariant: the bytes are those that the generated code writes for the same span (a test compares).

use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};

use super::encode::{MOST_ATTRIBUTES, SAMPLED, nanos};
use crate::builds::build::{Span, SpanKind, Value};

/// Status codes and kinds of spans are numbers on the wire: `Status.StatusCode.ERROR`, `SpanKind`.
const ERROR: u64 = 2;
const INTERNAL: u64 = 1;
const CLIENT: u64 = 3;

/// Appends a span as the message `Span`.
pub(super) fn span(span: &Span, out: &mut Vec<u8>) {
    bytes(1, &span.trace_id.0, out);
    bytes(2, &span.span_id.0, out);
    if let Some(parent) = &span.parent {
        bytes(4, &parent.0, out);
    }
    if !span.name.is_empty() {
        bytes(5, span.name.as_bytes(), out);
    }
    let kind = match span.kind {
        SpanKind::Internal => INTERNAL,
        SpanKind::Client => CLIENT,
    };
    number(6, kind, out);
    fixed(7, nanos(span.start.as_nanos()), out);
    fixed(8, nanos(span.end.max(span.start).as_nanos()), out);
    for (key, value) in span.attributes.iter().take(MOST_ATTRIBUTES) {
        attribute(key, value, out);
    }
    number(10, span.attributes.len().saturating_sub(MOST_ATTRIBUTES) as u64, out);
    if let Some(message) = &span.error {
        let text = if message.is_empty() { 0 } else { 1 + delimited_len(message.len()) };
        head(15, text + 2, out);
        if !message.is_empty() {
            bytes(2, message.as_bytes(), out);
        }
        number(3, ERROR, out);
    }
    encode_key(16, WireType::ThirtyTwoBit, out);
    out.extend_from_slice(&SAMPLED.to_le_bytes());
}

/// A `KeyValue` in field 9.
fn attribute(key: &str, value: &Value, out: &mut Vec<u8>) {
    let value_len = any_value_len(value);
    let key_len = if key.is_empty() { 0 } else { 1 + delimited_len(key.len()) };
    head(9, key_len + 1 + delimited_len(value_len), out);
    if !key.is_empty() {
        bytes(1, key.as_bytes(), out);
    }
    head(2, value_len, out);
    any_value(value, out);
}

/// The content of an `AnyValue`. A value of a `oneof` is written also where it is the default of its type.
fn any_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Str(text) => bytes(1, text.as_bytes(), out),
        Value::Bool(truth) => {
            encode_key(2, WireType::Varint, out);
            encode_varint(u64::from(*truth), out);
        }
        Value::Int(number) => {
            encode_key(3, WireType::Varint, out);
            encode_varint(number.cast_unsigned(), out);
        }
        Value::Float(number) => {
            encode_key(4, WireType::SixtyFourBit, out);
            out.extend_from_slice(&number.to_le_bytes());
        }
        Value::Strs(texts) => {
            head(5, list_len(texts), out);
            for text in texts {
                head(1, 1 + delimited_len(text.len()), out);
                bytes(1, text.as_bytes(), out);
            }
        }
    }
}

fn any_value_len(value: &Value) -> usize {
    match value {
        Value::Str(text) => 1 + delimited_len(text.len()),
        Value::Bool(_) => 2,
        Value::Int(number) => 1 + encoded_len_varint(number.cast_unsigned()),
        Value::Float(_) => 9,
        Value::Strs(texts) => 1 + delimited_len(list_len(texts)),
    }
}

fn list_len(texts: &[String]) -> usize {
    texts.iter().map(|text| 1 + delimited_len(1 + delimited_len(text.len()))).sum()
}

/// So many bytes behind their length.
fn delimited_len(length: usize) -> usize {
    encoded_len_varint(length as u64) + length
}

/// What stands in front of a message or text.
pub(super) fn head(field: u32, length: usize, out: &mut Vec<u8>) {
    encode_key(field, WireType::LengthDelimited, out);
    encode_varint(length as u64, out);
}

/// Bytes or a text.
pub(super) fn bytes(field: u32, content: &[u8], out: &mut Vec<u8>) {
    head(field, content.len(), out);
    out.extend_from_slice(content);
}

/// A number, unless it is the default.
fn number(field: u32, value: u64, out: &mut Vec<u8>) {
    if value != 0 {
        encode_key(field, WireType::Varint, out);
        encode_varint(value, out);
    }
}

fn fixed(field: u32, value: u64, out: &mut Vec<u8>) {
    if value != 0 {
        encode_key(field, WireType::SixtyFourBit, out);
        out.extend_from_slice(&value.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use gobeacon_formats::Timestamp;
    use proptest::prelude::*;
    use prost::Message as _;

    use super::*;
    use crate::builds::build::{SpanId, TraceId};
    use crate::export::encode::proto_of;

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            ".{0,200}".prop_map(|text| Value::Str(text.into())),
            any::<i64>().prop_map(Value::Int),
            any::<f64>().prop_map(Value::Float),
            any::<bool>().prop_map(Value::Bool),
            prop::collection::vec(".{0,20}", 0..4).prop_map(Value::Strs),
        ]
    }

    proptest! {
        #[test]
        fn the_bytes_are_those_of_the_generated_code(
            ids in any::<([u8; 16], [u8; 8], Option<[u8; 8]>)>(),
            name in "[a-z ]{0,20}",
            is_client in any::<bool>(),
            times in any::<(i64, i64)>(),
            values in prop::collection::vec(value(), 0..140),
            error in prop::option::of(".{0,300}"),
        ) {
            let span = Span {
                trace_id: TraceId(ids.0),
                span_id: SpanId(ids.1),
                parent: ids.2.map(SpanId),
                name: name.into(),
                kind: if is_client { SpanKind::Client } else { SpanKind::Internal },
                start: Timestamp::from_nanos(times.0),
                end: Timestamp::from_nanos(times.1),
                attributes: values.into_iter().map(|value| ("a.key", value)).collect(),
                error,
            };
            let mut found = Vec::new();
            super::span(&span, &mut found);
            prop_assert_eq!(found, proto_of(span).encode_to_vec());
        }
    }
}
