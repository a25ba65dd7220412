//! Build caches.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use gobeacon_collectors::buildcache::inventory::{DIRECTORIES, Inventory, Look, inventory};
use gobeacon_collectors::inventory::{Age, Count};
use gobeacon_formats::cache_entry::{EMPTY_OUTPUT, OutputKind};

use crate::{age, now, write};

const ALL: Look = Look { kinds: true, orphans: true };

fn look(root: &Path) -> Inventory {
    inventory(root, ALL, now(), &mut |_, _| ControlFlow::Continue(()))
}

fn id(byte: u8) -> String {
    format!("{byte:02x}").repeat(32)
}

fn action(root: &Path, byte: u8, output: &str, size: usize) {
    let line = format!("v1 {} {output} {size:>20} {:>20}\n", id(byte), 1);
    write(&root.join(format!("{byte:02x}/{}-a", id(byte))), line.as_bytes());
}

fn output(root: &Path, byte: u8, content: &[u8]) {
    write(&root.join(format!("{byte:02x}/{}-d", id(byte))), content);
}

#[test]
fn entries_are_counted_by_kind_and_by_age() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    action(root, 1, &id(0xa1), 13);
    output(root, 0xa1, b"!<arch>\nhello");
    action(root, 2, &id(0xa2), 20);
    write(&root.join(format!("a2/{}-d/tool", id(0xa2))), b"\x7fELF and the rest...");
    let long = [&vec![b'-'; 5000][..], b"\nok  \texample.com/p\t0.1s\n"].concat();
    output(root, 0xa3, &long);
    age(&root.join(format!("01/{}-a", id(1))), 2);
    age(&root.join(format!("a3/{}-d", id(0xa3))), 24 * 50);
    write(&root.join("trim.txt"), b"1790000000\n");
    write(&root.join("fuzz/p/x"), b"12345");

    let found = look(root);
    assert_eq!(found.actions, Count { entries: 2, bytes: 350 });
    assert_eq!(found.outputs.entries, 3);
    assert_eq!(found.kinds[OutputKind::Archive as usize], Count { entries: 1, bytes: 13 });
    assert_eq!(found.kinds[OutputKind::Executable as usize], Count { entries: 1, bytes: 20 });
    assert_eq!(found.kinds[OutputKind::TestResult as usize].bytes, long.len() as u64);
    assert_eq!(found.executable_dirs.entries, 1);
    assert_eq!([Age::Hour, Age::Day, Age::Older].map(|it| found.ages.of(it).entries), [3, 1, 1]);
    assert_eq!(found.orphans, Some(Count { entries: 1, bytes: long.len() as u64 }));
    assert_eq!(found.last_trim.unwrap().as_nanos(), 1_790_000_000_000_000_000);
    assert_eq!(found.fuzz.bytes, 5);
    assert!(found.is_complete && found.problems.total() == 0 && found.half_written == 0);
}

#[test]
fn half_of_an_entry_and_what_is_none_are_counted_and_never_fatal() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    // cut off, filled with garbage of the right length, and empty
    write(&root.join(format!("01/{}-a", id(1))), b"v1 01");
    write(&root.join(format!("02/{}-a", id(2))), &[0xff; 175]);
    output(root, 0xa1, b"");
    write(&root.join(format!("e3/{EMPTY_OUTPUT}-d")), b"");
    write(&root.join("01/strange"), b"four");
    write(&root.join(format!("01/{}-x", id(1))), b"x");
    std::os::unix::fs::symlink("/nowhere", root.join(format!("01/{}-a", id(9)))).unwrap();
    // the file of no number is no directory of entries
    write(&root.join("zz/file"), b"not seen");
    write(&root.join("02/nested/deeper/file"), b"not an entry");
    write(&root.join("03"), b"a file where a directory should be");

    let found = look(root);
    assert_eq!((found.actions.entries, found.outputs.entries), (2, 2));
    assert_eq!(found.half_written, 3);
    assert_eq!(found.others.entries, 4);
    assert_eq!(found.problems.total(), 1);
    assert!(found.is_complete);
}

#[test]
fn a_cache_behind_a_link_is_looked_at_and_one_that_is_not_there_is_a_problem() {
    let dir = tempfile::tempdir().unwrap();
    let (real, link) = (dir.path().join("real"), dir.path().join("link"));
    action(&real, 1, &id(2), 0);
    std::os::unix::fs::symlink(&real, &link).unwrap();
    assert_eq!(look(&link).actions.entries, 1);
    let none = look(&dir.path().join("none"));
    assert_eq!((none.problems.total(), none.is_complete), (1, false));
    fs::create_dir(dir.path().join("clean")).unwrap();
    assert!(look(&dir.path().join("clean")).is_complete);
}

#[test]
fn who_looks_at_the_progress_can_end_the_walk() {
    let dir = tempfile::tempdir().unwrap();
    for byte in 0..8 {
        action(dir.path(), byte, &id(byte), 0);
    }
    let mut seen = Vec::new();
    let found = inventory(dir.path(), Look::default(), now(), &mut |sofar, done| {
        seen.push((done, sofar.actions.entries));
        if done == 4 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!(seen, [(1, 1), (2, 2), (3, 3), (4, 4)]);
    assert!(!found.is_complete);
    assert_eq!(look(dir.path()).actions.entries, 8);
    assert_eq!(DIRECTORIES, 256);
}
