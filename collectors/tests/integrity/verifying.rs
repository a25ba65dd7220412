//! Everything at once, as `gobeacon cache verify` does it.

use std::fs;
use std::path::Path;

use gobeacon_collectors::integrity::{Cache, Found, GoSums, Part, Source, known_keys, verify};
use gobeacon_formats::sumdb::Key;
use gobeacon_formats::{Artifact, Timestamp};

use crate::modules::{flip, module};
use crate::support::{Database, record, tile};

const NOW: Timestamp = Timestamp::from_nanos(1);

fn verified(caches: &[&Path], go_sum: Option<&Path>, keys: &[Key], trees: bool) -> Found {
    let caches: Vec<_> = caches.iter().map(|path| Cache::named(path).unwrap()).collect();
    let mut go_sums = GoSums::default();
    let paths: Vec<_> = go_sum.into_iter().map(Path::to_owned).collect();
    go_sums.read(&paths, NOW).unwrap();
    verify(&caches, go_sums, keys, (trees, 2), NOW, &mut |_| {})
}

fn corrupt(found: &Found) -> Vec<(&str, Part)> {
    found.corrupt.iter().map(|it| (it.module.as_str(), it.part)).collect()
}

fn conflicts(found: &Found) -> Vec<(&str, Artifact)> {
    found.conflicts.iter().map(|it| (it.module.as_str(), it.artifact)).collect()
}

#[test]
fn a_cache_in_order_is_verified_and_odd_ones_are_no_alarm() {
    let cache = tempfile::tempdir().unwrap();
    let [whole, bare, hash_only, mod_only] =
        ["a.b/Whole", "a.b/bare", "a.b/hash", "a.b/mod"].map(|path| module(path, "package c\n"));
    for it in [&whole, &bare, &hash_only, &mod_only] {
        it.put(cache.path());
    }
    fs::remove_file(bare.file(cache.path(), "ziphash")).unwrap();
    fs::remove_file(hash_only.file(cache.path(), "zip")).unwrap();
    for end in ["zip", "ziphash"] {
        fs::remove_file(mod_only.file(cache.path(), end)).unwrap();
    }
    let found = verified(&[cache.path()], None, &known_keys(), true);
    assert_eq!((found.conflicts.len(), found.corrupt.len(), found.unreadable.1), (0, 0, 0), "{found:?}");
    let tally = found.tally;
    assert_eq!((tally.versions, tally.read, tally.verified, tally.unrecorded), (4, 4, 1, 3), "{tally:?}");
}

#[test]
fn a_flipped_byte_in_a_zip_is_corrupt_and_a_conflict_with_its_hash() {
    let cache = tempfile::tempdir().unwrap();
    let it = module("a.b/c", "package c // text\n");
    it.put(cache.path());
    flip(&it.file(cache.path(), "zip"), "// text");
    let found = verified(&[cache.path()], None, &[], false);
    assert_eq!(corrupt(&found), [("a.b/c", Part::Zip)]);
    assert_eq!(conflicts(&found), [("a.b/c", Artifact::Zip)]);
    fs::write(it.file(cache.path(), "zip"), &it.zip()[..50]).unwrap();
    assert_eq!(corrupt(&verified(&[cache.path()], None, &[], false)), [("a.b/c", Part::Zip)]);
}

#[test]
fn a_swapped_hash_file_is_a_conflict_that_names_both_and_an_empty_one_is_corrupt() {
    let cache = tempfile::tempdir().unwrap();
    let (one, other) = (module("a.b/c", "package c\n"), module("a.b/d", "package d\n"));
    one.put(cache.path());
    other.put(cache.path());
    fs::copy(other.file(cache.path(), "ziphash"), one.file(cache.path(), "ziphash")).unwrap();
    let found = verified(&[cache.path()], None, &[], true);
    // the tree is that of the zip: nothing is said of it
    assert_eq!((conflicts(&found), corrupt(&found)), (vec![("a.b/c", Artifact::Zip)], Vec::new()));
    let sides = &found.conflicts[0].sides;
    let said: Vec<_> = sides.iter().flat_map(|side| side.witnesses.iter().map(|it| (side.sum, it.source))).collect();
    assert!(said.contains(&(one.h1(), Source::Zip)) && said.contains(&(other.h1(), Source::ZipHash)), "{said:?}");
    fs::write(one.file(cache.path(), "ziphash"), "").unwrap();
    assert_eq!(corrupt(&verified(&[cache.path()], None, &[], false)), [("a.b/c", Part::ZipHash)]);
}

#[test]
fn an_extracted_tree_is_compared_unless_it_is_switched_off_and_its_differences_are_named() {
    let cache = tempfile::tempdir().unwrap();
    let it = module("a.b/C", "package c\n");
    it.put(cache.path());
    let tree = it.tree(cache.path());
    fs::write(tree.join("c.go"), "package evil\n").unwrap();
    fs::write(tree.join("new.go"), "package c\n").unwrap();
    fs::remove_file(tree.join("go.mod")).unwrap();
    assert_eq!(verified(&[cache.path()], None, &[], false).corrupt, []);
    let found = verified(&[cache.path()], None, &[], true);
    assert_eq!(corrupt(&found), [("a.b/C", Part::Tree)]);
    assert_eq!(found.corrupt[0].detail, "edited: c.go; missing: go.mod; added: new.go");
    assert_eq!(found.corrupt[0].expected, Some(it.h1()));
    // without its zip the hash beside it is what it is compared with
    fs::remove_file(it.file(cache.path(), "zip")).unwrap();
    assert_eq!(corrupt(&verified(&[cache.path()], None, &[], true)), [("a.b/C", Part::Tree)]);
    // an extraction that goes on is no tree yet
    fs::write(it.file(cache.path(), "partial"), "").unwrap();
    assert_eq!(verified(&[cache.path()], None, &[], true).corrupt, []);
}

#[test]
fn a_version_that_is_another_one_in_a_second_cache_is_a_conflict_though_each_agrees_with_itself() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (one, other) = (module("a.b/c", "package c\n"), module("a.b/c", "package c // moved\n"));
    one.put(first.path());
    other.put(second.path());
    let found = verified(&[first.path(), second.path()], None, &[], true);
    assert_eq!((conflicts(&found), corrupt(&found)), (vec![("a.b/c", Artifact::Zip)], Vec::new()));
    let places: Vec<_> = found.conflicts[0].sides.iter().flat_map(|side| &side.witnesses).collect();
    assert!([first.path(), second.path()].iter().all(|cache| places.iter().any(|it| it.place.starts_with(cache))));
    assert_eq!(verified(&[first.path()], None, &[], true).tally.verified, 1);
}

#[test]
fn a_go_sum_that_says_otherwise_is_a_conflict_for_the_zip_and_for_the_go_mod() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("mod");
    let (it, other) = (module("a.b/c", "package c\n"), module("a.b/d", "package c\n"));
    it.put(&cache);
    let go_sum = dir.path().join("go.sum");
    fs::write(&go_sum, it.lines() + "a cut line\n").unwrap();
    assert_eq!(verified(&[&cache], Some(&go_sum), &[], false).conflicts, []);
    fs::write(&go_sum, it.lines().replace(&it.h1().to_string(), &other.h1().to_string())).unwrap();
    assert_eq!(conflicts(&verified(&[&cache], Some(&go_sum), &[], false)), [("a.b/c", Artifact::Zip)]);
    fs::write(&go_sum, it.lines().replace(&it.go_mod_h1().to_string(), &other.go_mod_h1().to_string())).unwrap();
    assert_eq!(conflicts(&verified(&[&cache], Some(&go_sum), &[], false)), [("a.b/c", Artifact::GoMod)]);
}

#[test]
fn records_of_the_checksum_database_are_proved_and_those_that_were_changed_are_corrupt() {
    let cache = tempfile::tempdir().unwrap();
    let (it, database) = (module("a.b/c", "package c\n"), Database::new());
    it.put(cache.path());
    database.put(cache.path(), &it);
    let found = verified(&[cache.path()], None, &[database.key()], false);
    assert_eq!((found.tally.proved, found.tally.verified, found.corrupt.len()), (1, 1, 0), "{found:?}");
    // without the key nothing is proved, and nothing is wrong
    let found = verified(&[cache.path()], None, &[], false);
    assert_eq!((found.tally.proved, found.tally.verified, found.corrupt.len()), (0, 1, 0));

    let other = module("a.b/c", "package c // moved\n");
    let record = record(cache.path(), &it);
    let right = fs::read_to_string(&record).unwrap();
    fs::write(&record, right.replace(&it.h1().to_string(), &other.h1().to_string())).unwrap();
    assert_eq!(corrupt(&verified(&[cache.path()], None, &[database.key()], false)), [("a.b/c", Part::Sumdb)]);
    fs::write(&record, right.replace("tree\n2\n", "tree\n3\n")).unwrap();
    assert_eq!(corrupt(&verified(&[cache.path()], None, &[database.key()], false)), [("a.b/c", Part::Sumdb)]);
    fs::write(&record, &right).unwrap();

    let mut bytes = fs::read(tile(cache.path())).unwrap();
    bytes[0] ^= 1;
    fs::write(tile(cache.path()), bytes).unwrap();
    assert_eq!(corrupt(&verified(&[cache.path()], None, &[database.key()], false)), [("a.b/c", Part::Sumdb)]);
    fs::remove_file(tile(cache.path())).unwrap();
    let found = verified(&[cache.path()], None, &[database.key()], false);
    assert_eq!((found.tally.proved, found.tally.verified, found.corrupt.len()), (0, 1, 0));
}

#[test]
fn a_module_that_is_not_what_the_checksum_database_says_is_a_conflict() {
    let cache = tempfile::tempdir().unwrap();
    let (it, database) = (module("a.b/c", "package c\n"), Database::new());
    module("a.b/c", "package c // moved\n").put(cache.path());
    database.put(cache.path(), &it);
    let found = verified(&[cache.path()], None, &[database.key()], false);
    assert_eq!(conflicts(&found), [("a.b/c", Artifact::Zip)]);
    assert!(
        found.conflicts[0].sides.iter().any(|side| {
            side.sum == it.h1() && side.witnesses.iter().all(|witness| witness.source == Source::Sumdb)
        })
    );
}

#[test]
fn what_cannot_be_read_is_said_and_is_no_conflict() {
    let cache = tempfile::tempdir().unwrap();
    let it = module("a.b/c", "package c\n");
    it.put(cache.path());
    fs::remove_file(it.file(cache.path(), "zip")).unwrap();
    fs::create_dir(it.file(cache.path(), "zip")).unwrap();
    let found = verified(&[cache.path()], None, &[], false);
    assert_eq!((found.unreadable.1, found.conflicts.len(), found.corrupt.len()), (1, 0, 0), "{found:?}");
    assert!(Cache::named(&cache.path().join("none")).is_err());
}
