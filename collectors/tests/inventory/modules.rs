//! Module caches.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use gobeacon_collectors::inventory::Age;
use gobeacon_collectors::modcache::inventory::{Inventory, Met, Version, inventory, look, walk};

use crate::{age, now, write};

fn versions(root: &Path) -> Vec<Version> {
    let mut found = Vec::new();
    let problems = walk(root, true, &mut |met, _| {
        if let Met::Version(version) = met {
            found.push(*version);
        }
        ControlFlow::Continue(())
    });
    assert_eq!(problems.total(), 0, "{problems:?}");
    found.sort_by(|a, b| (&a.module, &a.version).cmp(&(&b.module, &b.version)));
    found
}

fn count(root: &Path) -> Inventory {
    inventory(root, true, now(), &mut |_| ControlFlow::Continue(()))
}

fn download(root: &Path, module: &str, version: &str) {
    let stem = root.join("cache/download").join(module).join("@v").join(version);
    let file = |end: &str| Path::new(&format!("{}{end}", stem.display())).to_owned();
    write(&file(".info"), b"{}");
    write(&file(".mod"), b"module m\n");
    write(&file(".zip"), &[0; 100]);
    write(&file(".ziphash"), b"h1:x=");
    write(&file(".lock"), b"");
}

#[test]
fn versions_are_told_with_their_downloads_and_their_trees() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    download(root, "github.com/!burnt!sushi/toml", "v1.0.0-!r!c1");
    write(&root.join("github.com/!burnt!sushi/toml@v1.0.0-!r!c1/a/b.go"), &[0; 30]);
    write(&root.join("github.com/!burnt!sushi/toml@v1.0.0-!r!c1/go.mod"), &[0; 5]);
    write(&root.join("cache/download/example.com/graph/@v/v1.0.0.mod"), b"module g\n");
    write(&root.join("cache/download/example.com/graph/@v/list"), b"v1.0.0\n");
    // a module within the path of another
    download(root, "github.com/!burnt!sushi/toml/v2", "v2.0.0");
    // somebody emptied cache/download
    write(&root.join("example.com/lone@v0.1.0/x.go"), &[0; 7]);
    let found = versions(root);
    let names: Vec<_> = found.iter().map(|it| format!("{}@{}", it.module, it.version)).collect();
    assert_eq!(
        names,
        [
            "example.com/graph@v1.0.0",
            "example.com/lone@v0.1.0",
            "github.com/BurntSushi/toml@v1.0.0-RC1",
            "github.com/BurntSushi/toml/v2@v2.0.0",
        ]
    );
    let toml = &found[2];
    assert_eq!((toml.zip_bytes, toml.go_mod_bytes, toml.has_hash), (Some(100), Some(9), true));
    assert_eq!(toml.tree.map(|it| (it.entries, it.bytes)), Some((2, 35)));
    assert_eq!(toml.bytes(), 100 + 9 + 2 + 5 + 35);
    assert!(!found[0].is_built_from() && found[1].is_built_from());

    let all = count(root);
    assert_eq!((all.modules, all.versions, all.go_mod_only), (3, 3, 1));
    assert_eq!((all.zips.entries, all.zips.bytes, all.trees.entries, all.trees.bytes), (2, 200, 2, 42));
    assert!(all.is_complete);
}

#[test]
fn toolchains_and_what_belongs_to_no_module_are_counted_apart() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    download(root, "golang.org/toolchain", "v0.0.1-go1.24.1.linux-amd64");
    write(&root.join("golang.org/toolchain@v0.0.1-go1.24.1.linux-amd64/bin/go"), &[0; 50]);
    write(&root.join("cache/download/sumdb/sum.golang.org/lookup/m@v1"), &[0; 11]);
    write(&root.join("cache/vcs/0123/config"), &[0; 13]);
    let all = count(root);
    assert_eq!((all.versions, all.modules), (0, 0));
    assert_eq!((all.toolchains.entries, all.toolchains.bytes), (1, 150));
    assert_eq!((all.sumdb.bytes, all.vcs.bytes), (11, 13));
}

#[test]
fn downloads_and_extractions_that_did_not_end_are_seen() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    download(root, "example.com/m", "v1.0.0");
    write(&root.join("cache/download/example.com/m/@v/v1.0.0.partial"), b"");
    write(&root.join("example.com/m@v1.0.0/half.go"), b"pack");
    write(&root.join("cache/download/example.com/m/@v/v1.1.0.zip987654321.tmp"), &[0; 40]);
    write(&root.join("cache/download/example.com/m/@v/v1.1.0.lock"), b"");
    let all = count(root);
    assert_eq!((all.partial, all.unfinished.entries, all.unfinished.bytes), (1, 1, 40));
    assert_eq!((all.versions, all.go_mod_only), (1, 0));
}

#[test]
fn a_version_is_as_old_as_its_last_use_that_anybody_noted() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    download(root, "example.com/m", "v1.0.0");
    let file = |end: &str| root.join("cache/download/example.com/m/@v").join(format!("v1.0.0{end}"));
    // the lock is made anew by whoever looks
    [".info", ".mod", ".zip", ".ziphash"].iter().for_each(|end| age(&file(end), 24 * 40));
    assert_eq!(count(root).ages.of(Age::Older).entries, 1);
    let read = fs::FileTimes::new().set_accessed(std::time::SystemTime::now());
    fs::File::open(file(".ziphash")).unwrap().set_times(read).unwrap();
    assert_eq!(count(root).ages.of(Age::Hour).entries, 1);
    assert_eq!(look(root, "example.com/m", "v1.0.0").unwrap().zip_bytes, Some(100));
    assert_eq!(look(root, "example.com/m", "v1.0.1"), None);
}

#[test]
fn a_folder_with_an_at_sign_that_is_no_version_is_not_told() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("me@home/file"), b"mine");
    write(&dir.path().join("mail@version/file"), b"mine");
    assert_eq!(versions(dir.path()), []);
}

#[test]
fn who_looks_at_the_progress_can_end_the_walk() {
    let dir = tempfile::tempdir().unwrap();
    for module in ["a", "b", "c"] {
        download(dir.path(), module, "v1.0.0");
    }
    let mut steps = 0;
    let found = inventory(dir.path(), false, now(), &mut |_| {
        steps += 1;
        if steps == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!(steps, 3);
    assert!(!found.is_complete && found.versions < 3);
}
