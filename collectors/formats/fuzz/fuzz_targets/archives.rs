//! Zips, go.sum files, records and heads of checksum databases of any bytes: no panic, and no more content than allowed.
#![no_main]

use gobeacon_formats::sumdb::{KNOWN_KEYS, Key, Note, Proof, Record, Tile, Tree, prove, record_hash};
use gobeacon_formats::zip::{Buffers, Digests, LARGEST};
use gobeacon_formats::{gosum, h1::H1};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [kind, data @ ..] = data else { return };
    match kind % 4 {
        0 => archive(data, &mut Buffers::default()),
        1 => {
            let mut lines = 0;
            let malformed = gosum::read(data, |line| {
                assert_eq!(H1::parse(&line.sum.to_string()), Some(line.sum));
                lines += 1;
            });
            assert!(lines + malformed <= data.len() as u64 + 1);
        }
        2 => {
            let keys: Vec<_> = KNOWN_KEYS.iter().filter_map(|text| Key::parse(text)).collect();
            if let Some(record) = Record::parse(data) {
                assert!(record.text.ends_with('\n'));
                let _ = Note::parse(record.head).map(|note| note.signed(&keys));
            }
            let _ = Note::parse(data).map(|note| (note.signed(&keys), Tree::parse(note.text)));
        }
        _ => tree(data),
    }
});

fn archive(data: &[u8], buffers: &mut Buffers) {
    let Ok(digests) = Digests::read(data, data.len() as u64, "m@v/", buffers) else { return };
    assert!(digests.content_bytes <= LARGEST);
    assert!(digests.files().all(|(name, _)| name.starts_with(b"m@v/")));
    let _ = digests.h1();
}

/// A log of which the tiles are what the input says.
fn tree(data: &[u8]) {
    let Some((records, rest)) = data.split_first_chunk::<8>() else { return };
    let Some((number, tiles)) = rest.split_first_chunk::<8>() else { return };
    let records = u64::from_le_bytes(*records) >> 2;
    let number = u64::from_le_bytes(*number) >> 2;
    let hashes: Vec<[u8; 32]> = tiles.as_chunks().0.to_vec();
    let proof = prove(&Tree { records, hash: [0; 32] }, number, &record_hash("x"), |tile: Tile| {
        assert!(tile.width <= 256);
        Some(hashes.iter().cycle().take(256).copied().collect())
    });
    assert_ne!(proof, Proof::Proved);
}
