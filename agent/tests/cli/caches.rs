//! cache stat, manifest, diff and prune, on small caches that are made here.

mod made;
mod pruning;

use std::fs;

use made::Caches;

use crate::shown;

#[test]
fn stat_says_what_is_in_both_kinds_of_caches() {
    let caches = Caches::new();
    let output = caches.run(&["cache", "stat", "--modcache", "mod", "--gocache", "build", "--orphans"]);
    insta::assert_snapshot!("stat", caches.without_machine(&shown(&output)));
}

#[test]
fn stat_says_the_same_to_programs() {
    let caches = Caches::new();
    let arguments = ["cache", "stat", "--modcache", "mod", "--gocache", "build", "--orphans", "--format", "json"];
    insta::assert_snapshot!("stat_json", caches.without_machine(&shown(&caches.run(&arguments))));
}

#[test]
fn stat_finds_the_caches_of_the_environment_and_of_homes_when_none_is_named() {
    let caches = Caches::new();
    let none = caches.run(&["cache", "stat"]);
    assert_eq!(none.status.code(), Some(0));
    let mut command = caches.command(&["cache", "stat", "--format", "json"]);
    command.env("GOMODCACHE", caches.path("mod")).env("HOME", caches.path("home"));
    fs::create_dir_all(caches.path("home/.cache")).unwrap();
    std::os::unix::fs::symlink(caches.path("build"), caches.path("home/.cache/go-build")).unwrap();
    let found: serde_json::Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
    let paths = |kind: &str| -> Vec<String> {
        let list = found[kind].as_array().unwrap().iter();
        list.map(|it| it["path"].as_str().unwrap().to_owned()).filter(|it| it.starts_with(&caches.text(""))).collect()
    };
    assert_eq!(paths("module_caches"), [caches.text("mod")]);
    // a cache behind a link is a cache
    assert_eq!(paths("build_caches"), [caches.text("home/.cache/go-build")]);
}

#[test]
fn a_cache_that_is_not_there_is_said_and_the_others_are_looked_at() {
    let caches = Caches::new();
    let output = caches.run(&["cache", "stat", "--modcache", "nowhere", "--gocache", "build"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("gobeacon: cannot read nowhere: "));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("Build cache build\n"));
}

#[test]
fn a_manifest_is_sorted_and_the_same_each_time() {
    let caches = Caches::new();
    let modules = ["cache", "manifest", "--modcache", "mod"];
    insta::assert_snapshot!("manifest_mod", caches.without_machine(&shown(&caches.run(&modules))));
    assert_eq!(caches.run(&modules).stdout, caches.run(&modules).stdout);
    let builds = ["cache", "manifest", "--gocache", "build", "--outputs"];
    insta::assert_snapshot!("manifest_build", caches.without_machine(&shown(&caches.run(&builds))));
    let text = ["cache", "manifest", "--modcache", "mod", "--format", "text"];
    insta::assert_snapshot!("manifest_text", shown(&caches.run(&text)));
}

#[test]
fn a_manifest_of_several_caches_is_a_mistake() {
    let caches = Caches::new();
    let output = caches.run(&["cache", "manifest", "--modcache", "mod", "--gocache", "build"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_cache_is_the_same_as_its_manifest() {
    let caches = Caches::new();
    for (flag, folder) in [("--modcache", "mod"), ("--gocache", "build")] {
        let manifest = caches.run(&["cache", "manifest", flag, folder]);
        fs::write(caches.path("manifest"), manifest.stdout).unwrap();
        for (a, b) in [(folder, "manifest"), ("manifest", folder), ("manifest", "manifest"), (folder, folder)] {
            let output = caches.run(&["cache", "diff", a, b]);
            assert_eq!(output.status.code(), Some(0), "{a} {b}: {}", String::from_utf8_lossy(&output.stdout));
        }
    }
}

#[test]
fn diff_names_what_is_missing_what_is_extra_and_what_conflicts() {
    let caches = Caches::new();
    let other = Caches::new();
    let downloads = "mod/cache/download/example.com/lib/@v";
    fs::write(other.path(&format!("{downloads}/v1.1.0.ziphash")), "h1:of something else=").unwrap();
    fs::write(other.path(&format!("{downloads}/v1.2.0.mod")), "module example.com/lib\n").unwrap();
    fs::remove_dir_all(other.path("mod/cache/download/github.com")).unwrap();
    let b = other.text("mod");
    let output = caches.run(&["cache", "diff", "mod", &b]);
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!("diff", shown(&output).replace(&b, "OTHER"));
    let json = caches.run(&["cache", "diff", "--format", "json", "mod", &b]);
    insta::assert_snapshot!("diff_json", shown(&json));
}

#[test]
fn what_cannot_be_compared_ends_with_2() {
    let caches = Caches::new();
    fs::write(caches.path("cut"), "{\"gobeacon_manifest\":1,\"cache\":\"module\"}\n{\"kind\":\"mod").unwrap();
    fs::write(caches.path("later"), "{\"gobeacon_manifest\":2,\"cache\":\"module\"}\n").unwrap();
    fs::create_dir(caches.path("empty")).unwrap();
    for (a, b) in [("mod", "build"), ("mod", "empty"), ("nowhere", "mod"), ("mod", "cut"), ("later", "mod")] {
        let output = caches.run(&["cache", "diff", a, b]);
        assert_eq!(output.status.code(), Some(2), "{a} {b}");
        assert!(output.stderr.starts_with(b"gobeacon: "), "{a} {b}");
    }
}
