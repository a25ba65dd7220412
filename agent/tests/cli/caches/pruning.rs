//! What prune removes, and what it does not.

use std::fs::{self, File};

use rustix::fs::{FlockOperation, flock};
use serde_json::Value;

use super::made::{Caches, id};
use crate::shown;

const OLD: &str = "mod/cache/download/example.com/lib/@v/v1.0.0";
const OLD_TREE: &str = "mod/example.com/lib@v1.0.0";

fn json(caches: &Caches, arguments: &[&str]) -> Value {
    let output = caches.run(&[&["cache", "prune", "--format", "json"], arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{}", shown(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn proposed(found: &Value) -> Vec<String> {
    let versions = found["caches"][0]["proposed"]["versions"].as_array().unwrap();
    versions.iter().map(|it| format!("{}@{}", it["path"].as_str().unwrap(), it["version"].as_str().unwrap())).collect()
}

#[test]
fn a_proposal_removes_nothing() {
    let caches = Caches::new();
    let before = caches.everything("");
    let output = caches.run(&["cache", "prune", "--modcache", "mod", "--gocache", "build", "--older-than", "30d"]);
    insta::assert_snapshot!("prune_proposal", caches.without_machine(&shown(&output)));
    assert_eq!(caches.everything(""), before);
}

#[test]
fn what_is_old_goes_and_nothing_else() {
    let caches = Caches::new();
    let before = caches.everything("");
    let arguments = ["cache", "prune", "--modcache", "mod", "--gocache", "build", "--older-than", "30d", "--yes"];
    insta::assert_snapshot!("prune_removal", caches.without_machine(&shown(&caches.run(&arguments))));
    let after = caches.everything("");
    let gone: Vec<_> =
        before.iter().filter(|it| !after.contains(it)).map(|it| it.replace(&caches.text(""), "")).collect();
    insta::assert_snapshot!("prune_gone", gone.join("\n"));
    assert!(after.iter().all(|it| before.contains(it)), "nothing new is left behind");
}

#[test]
fn a_size_takes_what_was_used_longest_ago_and_leaves_the_last_day() {
    let caches = Caches::new();
    let all = json(&caches, &["--modcache", "mod", "--keep", "1B"]);
    assert_eq!(proposed(&all).first().unwrap(), "example.com/lib@v1.0.0");
    assert_eq!(proposed(&all).last().unwrap(), "example.com/lib@v1.1.0");
    let bytes = all["caches"][0]["bytes"].as_u64().unwrap();
    // one version less is enough
    let one = json(&caches, &["--modcache", "mod", "--keep", &format!("{}", bytes - 1)]);
    assert_eq!(proposed(&one), ["example.com/lib@v1.0.0"]);
    json(&caches, &["--gocache", "build", "--keep", "0", "--yes"]);
    for (action, output, stays) in
        [('1', 'a', false), ('2', 'b', false), ('3', 'c', true), ('5', 'e', false), ('6', 'f', false)]
    {
        assert_eq!(caches.has(&format!("build/{action}{action}/{}-a", id(action))), stays, "{action}");
        assert_eq!(caches.has(&format!("build/{output}{output}/{}-d", id(output))), stays, "{output}");
    }
    assert!(caches.has("build/trim.txt") && caches.has("build/README") && caches.has("build/00/strange"));
    assert!(caches.has("build/fuzz/example.com/FuzzA/0123"));
}

#[test]
fn an_age_below_a_day_is_a_day() {
    let caches = Caches::new();
    json(&caches, &["--gocache", "build", "--older-than", "1m", "--yes"]);
    assert!(caches.has(&format!("build/33/{}-a", id('3'))));
    assert!(!caches.has(&format!("build/22/{}-a", id('2'))));
}

#[test]
fn versions_that_a_go_sum_names_stay() {
    let caches = Caches::new();
    let sum = "h1:n7S6uFbtgpdgHYVTW3pD1HykMZ59L8BN4GOKVzVt1Iw=";
    caches.file(
        "go.sum",
        format!("example.com/lib v1.0.0 {sum}\ngolang.org/toolchain v0.0.1-go1.24.1.linux-amd64/go.mod {sum}\n")
            .as_bytes(),
        0,
    );
    let found = json(&caches, &["--modcache", "mod", "--older-than", "30d", "--keep-go-sum", "go.sum"]);
    let expected = ["golang.org/toolchain@v0.0.1-go1.24.1.linux-amd64", "github.com/BurntSushi/toml@v1.3.2"];
    assert_eq!(proposed(&found), expected);
    let wrong = caches.run(&["cache", "prune", "--older-than", "30d", "--keep-go-sum", "go.smu", "--yes"]);
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn a_version_whose_lock_is_held_stays() {
    for lock in [format!("{OLD}.lock"), "mod/cache/lock".to_owned()] {
        let caches = Caches::new();
        let held = File::open(caches.path(&lock)).unwrap();
        flock(&held, FlockOperation::LockExclusive).unwrap();
        let found = json(&caches, &["--modcache", "mod", "--older-than", "55d", "--yes"]);
        assert_eq!(found["caches"][0]["removed"]["stayed"]["locked"], 1, "{lock}");
        assert!(caches.has(&format!("{OLD}.zip")) && caches.has(&format!("{OLD}.ziphash")) && caches.has(OLD_TREE));
        assert!(!caches.has(&format!("{OLD}.partial")));
        drop(held);
        json(&caches, &["--modcache", "mod", "--older-than", "55d", "--yes"]);
        assert!(!caches.has(&format!("{OLD}.zip")) && !caches.has(OLD_TREE), "{lock}");
    }
}

#[test]
fn what_a_process_has_open_stays() {
    let caches = Caches::new();
    let source = File::open(caches.path(&format!("{OLD_TREE}/deep/lib.go"))).unwrap();
    let program = File::open(caches.path(&format!("build/ff/{}-d/tool", id('f')))).unwrap();
    let found = json(&caches, &["--modcache", "mod", "--gocache", "build", "--older-than", "15d", "--yes"]);
    assert_eq!(found["caches"][0]["removed"]["stayed"]["open"], 1);
    assert_eq!(found["caches"][1]["removed"]["stayed"]["open"], 1);
    assert!(caches.has(OLD_TREE) && caches.has(&format!("{OLD}.zip")));
    drop((source, program));
}

#[test]
fn a_version_whose_hash_was_read_is_used() {
    let caches = Caches::new();
    let path = caches.path(&format!("{OLD}.ziphash"));
    let read = fs::FileTimes::new().set_accessed(std::time::SystemTime::now());
    File::open(path).unwrap().set_times(read).unwrap();
    let found = json(&caches, &["--modcache", "mod", "--older-than", "55d", "--yes"]);
    assert_eq!(proposed(&found), Vec::<String>::new());
    assert!(caches.has(OLD_TREE));
}

#[test]
fn looking_makes_nothing_look_used() {
    let caches = Caches::new();
    for arguments in [["cache", "stat", "--modcache", "mod"], ["cache", "manifest", "--modcache", "mod"]] {
        assert_eq!(caches.run(&arguments).status.code(), Some(0));
    }
    let found = json(&caches, &["--modcache", "mod", "--older-than", "30d"]);
    assert_eq!(proposed(&found).len(), 3);
}

#[test]
fn a_link_goes_and_not_what_it_leads_to() {
    let caches = Caches::new();
    caches.file("precious/file", b"mine", 100);
    let tree = "mod/example.com/linked@v1.0.0";
    std::os::unix::fs::symlink(caches.path("precious"), caches.path(tree)).unwrap();
    caches.file("mod/cache/download/example.com/linked/@v/v1.0.0.zip", b"zip", 100);
    json(&caches, &["--modcache", "mod", "--older-than", "30d", "--yes"]);
    assert!(!caches.has(tree));
    assert!(caches.has("precious/file"));
}

#[test]
fn a_folder_that_is_no_module_cache_is_left_alone() {
    let caches = Caches::new();
    caches.file("work/notes@v1.0.0/mine", b"mine", 100);
    let output = caches.run(&["cache", "prune", "--modcache", "work", "--older-than", "1d", "--yes"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(caches.has("work/notes@v1.0.0/mine"));
}

#[test]
fn a_limit_has_to_be_named() {
    assert_eq!(Caches::new().run(&["cache", "prune", "--modcache", "mod"]).status.code(), Some(2));
}
