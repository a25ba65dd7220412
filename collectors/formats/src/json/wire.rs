//! The same objects by serde, for every layout but the encoder's own.
//!
//! Keys in any order, blanks, unknown keys: a log may have passed through a tool that writes its JSON anew. It must
//! not know what a record means.
//!
//! Invariant: an object without an `Action` is none of ours.

use std::borrow::Cow;

use serde::Deserialize;

use super::scan::{Action, Record, Str};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wire {
    action: String,
    time: Option<String>,
    package: Option<String>,
    test: Option<String>,
    elapsed: Option<f64>,
    output: Option<String>,
    output_type: Option<String>,
    failed_build: Option<String>,
    key: Option<String>,
    value: Option<String>,
    path: Option<String>,
    import_path: Option<String>,
}

/// Reads a line. Bytes that are no UTF-8 are replaced, as the encoder does with those of a test's output.
pub(crate) fn read(line: &[u8]) -> Option<Record<'static>> {
    let wire: Wire = match String::from_utf8_lossy(line) {
        Cow::Borrowed(text) => serde_json::from_str(text).ok()?,
        Cow::Owned(text) => serde_json::from_str(&text).ok()?,
    };
    Some(Record {
        action: Action::from_name(wire.action.as_bytes()),
        time: wire.time.map(Str::Owned),
        package: wire.package.map(Str::Owned),
        test: wire.test.map(Str::Owned),
        elapsed: wire.elapsed,
        output: wire.output.map(Str::Owned),
        output_type: wire.output_type.map(Str::Owned),
        failed_build: wire.failed_build.map(Str::Owned),
        key: wire.key.map(Str::Owned),
        value: wire.value.map(Str::Owned),
        path: wire.path.map(Str::Owned),
        import_path: wire.import_path.map(Str::Owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_key_order_blanks_nulls_and_unknown_keys_are_read() {
        let record =
            read(br#" { "Test" : "T", "New": {"a":[1]}, "Elapsed": 1e-3, "Output": null, "Action": "pass" } "#)
                .unwrap();
        assert_eq!((record.action, record.elapsed, record.output), (Action::Pass, Some(0.001), None));
        assert_eq!(read(br#"{"Action":"rest"}"#).unwrap().action, Action::Unknown);
    }

    #[test]
    fn what_is_no_such_object_is_refused() {
        for line in [&b"{}"[..], b"{\"Path\":\"x\"}", b"{\"Action\":1}", b"[]", b"{\"Action\":\"pass\"", b"x"] {
            assert_eq!(read(line), None);
        }
    }

    #[test]
    fn bytes_that_are_no_utf8_are_replaced() {
        let record = read(b"{\"Action\":\"output\",\"Output\":\"a\xffb\"}").unwrap();
        assert_eq!(record.output.unwrap().decode(), "a\u{fffd}b");
    }
}
