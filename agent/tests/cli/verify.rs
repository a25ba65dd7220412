//! `gobeacon cache verify`: its exit codes, and what it says to people and to programs.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::modules::{flip, module};
use crate::{run, shown};

fn verify(arguments: &[&str]) -> Output {
    run(&[&["cache", "verify", "--jobs", "2"], arguments].concat())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Without what differs from run to run.
fn told(output: &Output, root: &Path) -> String {
    let text = shown(output).replace(text(root), "ROOT");
    let is_stable = |line: &&str| !line.contains("\"seconds\"") && !line.contains("\"written\"");
    let lines = text.lines().filter(is_stable).map(|line| match line.split_once(" hashed in ") {
        Some((before, _)) => format!("{before} hashed in TIME"),
        None => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn caches_in_order_end_with_0_and_so_does_one_with_nothing_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let (cache, empty, go_sum) = (dir.path().join("mod"), dir.path().join("empty"), dir.path().join("go.sum"));
    let it = module("a.b/c", "package c\n");
    it.put(&cache);
    fs::create_dir(&empty).unwrap();
    fs::write(&go_sum, it.lines()).unwrap();
    let output = verify(&["--modcache", text(&cache), "--go-sum", text(&go_sum)]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    insta::assert_snapshot!("verify_well", told(&output, dir.path()));
    assert_eq!(verify(&["--modcache", text(&empty)]).status.code(), Some(0));
}

#[test]
fn what_conflicts_or_is_corrupt_is_named_with_hashes_and_advice_and_ends_with_1() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    let (moved, flipped, edited) =
        (module("a.b/moved", "package c\n"), module("a.b/flipped", "package c // x\n"), module("a.b/edited", "//\n"));
    moved.put(&one);
    module("a.b/moved", "package c // moved\n").put(&two);
    flipped.put(&one);
    fs::write(flipped.file(&one, "zip"), &flipped.zip()[..80]).unwrap();
    edited.put(&one);
    flip(&edited.tree(&one).join("c.go"), "//");
    let caches = ["--modcache", text(&one), "--modcache", text(&two)];
    let output = verify(&caches);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    insta::assert_snapshot!("verify_wrong", told(&output, dir.path()));
    let trees_apart = verify(&["--modcache", text(&two), "--no-extracted"]);
    assert_eq!(trees_apart.status.code(), Some(0), "{trees_apart:?}");
    let output = verify(&[&caches[..], &["--format", "json"]].concat());
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!("verify_wrong_json", told(&output, dir.path()));
}

#[test]
fn what_could_not_be_checked_ends_with_2_unless_something_is_wrong_for_sure() {
    let dir = tempfile::tempdir().unwrap();
    let (cache, none) = (dir.path().join("mod"), dir.path().join("none"));
    let it = module("a.b/c", "package c // x\n");
    it.put(&cache);
    let missing = ["--modcache", text(&cache), "--modcache", text(&none)];
    assert_eq!(verify(&missing).status.code(), Some(2));
    assert_eq!(verify(&["--modcache", text(&cache), "--go-sum", text(&none)]).status.code(), Some(2));
    assert_eq!(verify(&["--modcache", text(&cache), "--sumdb-key", "x"]).status.code(), Some(2));
    flip(&it.file(&cache, "zip"), "// x");
    assert_eq!(verify(&missing).status.code(), Some(1));
    fs::remove_file(it.file(&cache, "zip")).unwrap();
    fs::create_dir(it.file(&cache, "zip")).unwrap();
    assert_eq!(verify(&["--modcache", text(&cache)]).status.code(), Some(2));
}
