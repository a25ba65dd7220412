//! Ids that are derived from what a thing is, not drawn.
//!
//! Reading the same bytes again, after a crash or cut into other batches, gives the same ids, so what is delivered
//! twice is one thing at the backend.

use std::hash::BuildHasher as _;

use sha2::{Digest, Sha256};

use super::build::{SpanId, TraceId};

/// The trace of a build that is known from a log alone: where it runs, which log, where in it.
pub(crate) fn trace_of_log(host_id: &str, log: &[u8; 16], offset: u64) -> TraceId {
    let hash = with(Sha256::new_with_prefix(b"gobeacon log build\0"), host_id);
    trace(hash.chain_update(log).chain_update(offset.to_le_bytes()))
}

/// The trace of downloads that no log explains: where, into which cache, and its first download.
pub(crate) fn trace_of_burst(host_id: &str, cache: &[u8; 16], first: (&str, &str), start_nanos: i64) -> TraceId {
    let hash = Sha256::new_with_prefix(b"gobeacon module downloads\0").chain_update(cache);
    let hash = [host_id, first.0, first.1].into_iter().fold(hash, with);
    trace(hash.chain_update(start_nanos.to_le_bytes()))
}

/// The trace of a go command that is known from its graph of actions: where it runs, which file, when it began.
pub(crate) fn trace_of_graph(host_id: &str, path: &str, began_nanos: i64) -> TraceId {
    let hash = [host_id, path].into_iter().fold(Sha256::new_with_prefix(b"gobeacon action graph\0"), with);
    trace(hash.chain_update(began_nanos.to_le_bytes()))
}

/// A text with its length, so that no two rows of texts make the same bytes.
fn with(hash: Sha256, text: &str) -> Sha256 {
    hash.chain_update((text.len() as u64).to_le_bytes()).chain_update(text)
}

fn trace(hash: Sha256) -> TraceId {
    let mut id = [0; 16];
    copy(&hash.finalize(), &mut id);
    TraceId(id)
}

/// The root span of a trace.
pub(crate) fn root_of(trace: TraceId) -> SpanId {
    let hash = Sha256::new().chain_update(b"gobeacon root\0").chain_update(trace.0).finalize();
    let mut id = [0; 8];
    copy(&hash, &mut id);
    SpanId(id)
}

/// A child: `ordinal` parts those of the same kind and name under one parent.
pub(crate) fn child_of(parent: SpanId, kind: &str, name: &str, ordinal: u64) -> SpanId {
    let (kind_len, name_len) = ((kind.len() as u64).to_le_bytes(), (name.len() as u64).to_le_bytes());
    let ordinal = ordinal.to_le_bytes();
    let parts = [&parent.0[..], &kind_len, kind.as_bytes(), &name_len, name.as_bytes(), &ordinal];
    let mut id = [0; 8];
    // every span has one: in one piece it costs half as much
    let mut all = [0; MOST_IN_ONE_PIECE];
    let mut length = 0;
    for part in parts {
        let Some(room) = all.get_mut(length..length + part.len()) else {
            copy(&parts.into_iter().fold(Sha256::new(), Digest::chain_update).finalize(), &mut id);
            return SpanId(id);
        };
        room.copy_from_slice(part);
        length += part.len();
    }
    copy(&Sha256::digest(all.get(..length).unwrap_or_default()), &mut id);
    SpanId(id)
}

/// What makes the id of a span mostly has less, in bytes.
const MOST_IN_ONE_PIECE: usize = 256;

/// A short hash to remember a name by. It never leaves the process and lasts no longer.
pub(crate) fn remembered(parts: &[&str]) -> u64 {
    foldhash::fast::FixedState::default().hash_one(parts)
}

/// The first bytes of a hash; never all zero, which W3C and OTLP call invalid.
fn copy(hash: &[u8], id: &mut [u8]) {
    for (to, from) in id.iter_mut().zip(hash) {
        *to = *from;
    }
    if id.iter().all(|byte| *byte == 0)
        && let Some(last) = id.last_mut()
    {
        *last = 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_part_hosts_logs_offsets_kinds_names_and_ordinals() {
        let trace = trace_of_log("host", &[1; 16], 7);
        assert_eq!(trace, trace_of_log("host", &[1; 16], 7));
        assert_ne!(trace, trace_of_log("host2", &[1; 16], 7));
        assert_ne!(trace, trace_of_log("host", &[2; 16], 7));
        assert_ne!(trace, trace_of_log("host", &[1; 16], 8));
        let root = root_of(trace);
        let child = child_of(root, "test", "a", 0);
        assert_ne!(child, child_of(root, "tes", "ta", 0));
        assert_ne!(child, child_of(root, "test", "a", 1));
        assert_ne!(remembered(&["a", "bc"]), remembered(&["ab", "c"]));
    }

    #[test]
    fn the_id_of_a_child_is_the_hash_of_its_parts_however_long_its_name_is() {
        for length in [0, 1, 20, 200, 207, 208, 209, 210, 1000] {
            let name = "n".repeat(length);
            let hash = Sha256::new()
                .chain_update([7; 8])
                .chain_update(4_u64.to_le_bytes())
                .chain_update("test")
                .chain_update((length as u64).to_le_bytes())
                .chain_update(&name)
                .chain_update(9_u64.to_le_bytes())
                .finalize();
            assert_eq!(child_of(SpanId([7; 8]), "test", &name, 9).0[..], hash[..8], "{length}");
        }
    }

    #[test]
    fn an_all_zero_hash_is_still_a_valid_id() {
        let mut id = [0; 8];
        copy(&[0; 32], &mut id);
        assert_ne!(id, [0; 8]);
    }
}
