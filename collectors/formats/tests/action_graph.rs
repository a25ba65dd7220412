//! Graphs of actions: as written here, and real ones of several Go versions.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use gobeacon_formats::action_graph::{ActionGraph, Hints, History, Lookup, Reason};

const GRAPH: &str = r#"[
    {"ID":0,"Mode":"link","Package":"a/app","Deps":[1,2],"TimeReady":"2026-01-01T00:00:05Z","TimeStart":"2026-01-01T00:00:05Z","TimeDone":"2026-01-01T00:00:06Z","Cmd":["link"]},
    {"ID":1,"Mode":"build","Package":"a/slow","Deps":[3],"TimeReady":"2026-01-01T00:00:01Z","TimeStart":"2026-01-01T00:00:01Z","TimeDone":"2026-01-01T00:00:05Z","Cmd":["compile"],"CmdUser":3000000000,"CmdSys":500000000},
    {"ID":2,"Mode":"build","Package":"a/quick","TimeReady":"2026-01-01T00:00:00Z","TimeStart":"2026-01-01T00:00:00Z","TimeDone":"2026-01-01T00:00:02Z","Cmd":null},
    {"ID":3,"Mode":"build","Package":"fmt","TimeReady":"2026-01-01T00:00:00Z","TimeStart":"2026-01-01T00:00:00Z","TimeDone":"2026-01-01T00:00:01Z","Cmd":["compile"]}
]"#;

#[test]
fn the_critical_path_is_what_each_step_waited_for_last() {
    let graph = ActionGraph::parse(GRAPH.as_bytes()).unwrap();
    let path: Vec<(&str, f64)> = graph.critical_path().iter().map(|a| (a.package.as_str(), a.seconds())).collect();
    assert_eq!(path, [("fmt", 1.0), ("a/slow", 4.0), ("a/app", 1.0)]);
    assert_eq!(graph.seconds(), 6.0);
    assert_eq!(graph.actions().filter(|a| !a.executed).map(|a| a.package.as_str()).collect::<Vec<_>>(), ["a/quick"]);
    assert_eq!(graph.actions().find(|a| a.package == "a/slow").unwrap().cpu_seconds, Some(3.5));
}

#[test]
fn a_plan_a_cut_file_and_foreign_json_give_nothing() {
    let plan = r#"[{"ID":0,"Mode":"build","Package":"a","TimeReady":"0001-01-01T00:00:00Z","TimeStart":"0001-01-01T00:00:00Z","TimeDone":"0001-01-01T00:00:00Z","Cmd":null}]"#;
    for none in [plan, &GRAPH[..200], "{}", "", "[]", r#"[{"ID":99999999999,"Mode":"x"}]"#] {
        assert_eq!(ActionGraph::parse(none.as_bytes()), None, "{none}");
    }
}

/// Real graphs of a small module, without what is not read; named VERSION/BUILD. See `testdata/graphs/README.md`.
fn real(version: &str, build: &str) -> ActionGraph {
    let path = format!("{}/testdata/graphs/{version}/{build}.json", env!("CARGO_MANIFEST_DIR"));
    let json = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    ActionGraph::parse(&json).unwrap_or_else(|| panic!("{path}: no graph"))
}

const VERSIONS: [&str; 4] = ["1.22", "1.24", "1.26", "1.27"];

/// The reasons of a build after those before it, as `reason count`.
fn reasons(history: &mut History, graph: &ActionGraph, hints: &Hints) -> String {
    let explained = history.explain(graph, hints);
    let counts = explained.reasons().into_iter().map(|(reason, count)| format!("{} {count}", reason.name()));
    counts.collect::<Vec<_>>().join(", ")
}

#[test]
fn each_cause_of_a_rebuild_is_told_from_the_others_on_real_graphs() {
    for version in VERSIONS {
        let mut history = History::default();
        let none = Hints::default();
        let mut told = |build: &str| reasons(&mut history, &real(version, build), &none);
        let std = real(version, "cold").actions().filter(|it| it.is_compiled()).count();
        let all = |reason: &str| format!("{reason} {std}");
        assert_eq!(told("cold"), all("cold"), "{version}");
        assert_eq!(told("warm"), "", "{version}");
        assert_eq!(told("leaf"), "source 1, dependency 2", "{version}");
        assert_eq!(told("leafcomment"), "source 1", "{version}");
        assert_eq!(told("gomod"), "source 4", "{version}");
        assert_eq!(told("back"), "", "{version}");
        assert_eq!(told("tags"), "unknown 1", "{version}");
        assert_eq!(told("gcflags"), "flags 1", "{version}");
        assert_eq!(told("goamd64"), all("environment"), "{version}");
        assert_eq!(told("dir"), "directory 4", "{version}");
        assert_eq!(told("trim"), all("flags"), "{version}");
        assert_eq!(told("dirtrim"), "", "{version}");
        assert!(told("a").starts_with("evicted "), "{version}: nothing tells -a from an empty cache");
        assert!(told("cleaned").starts_with("evicted "), "{version}");
    }
}

#[test]
fn flags_and_targets_tell_what_the_graph_cannot() {
    for version in VERSIONS {
        let mut history = History::default();
        let flags = |flags: &str| Hints { flags: Some(flags.to_owned()), forced: Some(false), targets: Vec::new() };
        for build in ["cold", "warm", "leaf", "leafcomment", "back"] {
            history.explain(&real(version, build), &flags("-o app"));
        }
        assert_eq!(reasons(&mut history, &real(version, "tags"), &flags("-o app -tags x")), "flags 1", "{version}");
        let forced = real(version, "a");
        let count = forced.actions().filter(|it| it.is_compiled()).count();
        let target = forced.actions().find(|it| !it.target.is_empty()).unwrap().target.clone();
        let there = Hints { targets: vec![target], ..Hints::default() };
        history.explain(&real(version, "back"), &Hints::default());
        assert_eq!(reasons(&mut history.clone(), &forced, &there), format!("forced {count}"), "{version}");
        let told = Hints { forced: Some(true), ..Hints::default() };
        assert_eq!(reasons(&mut history, &forced, &told), format!("forced {count}"), "{version}");
    }
}

#[test]
fn another_toolchain_is_one_and_its_packages_are_not_cold() {
    let mut history = History::default();
    history.explain(&real("1.26", "cold"), &Hints::default());
    let newer = reasons(&mut history, &real("1.27", "cold"), &Hints::default());
    assert_eq!(newer, format!("toolchain {}", real("1.27", "cold").actions().filter(|it| it.is_compiled()).count()));
}

#[test]
fn the_chain_of_dependencies_ends_at_what_changed_itself() {
    for version in VERSIONS {
        let mut history = History::default();
        ["cold", "warm"].iter().for_each(|build| _ = history.explain(&real(version, build), &Hints::default()));
        let explained = history.explain(&real(version, "leaf"), &Hints::default());
        assert_eq!(explained.roots(), [("example.com/app/leaf", Reason::Source, 2)], "{version}");
    }
}

#[test]
fn lookups_are_those_that_go_counts() {
    // hits and misses by go's own counters, of the same builds
    for (version, build, hits, misses) in [
        ("1.24", "vet", 25, 46),
        ("1.24", "test", 70, 51),
        ("1.24", "broken", 23, 1),
        ("1.27", "vet", 32, 45),
        ("1.27", "test2", 136, 0),
        ("1.27", "brokentest", 130, 2),
    ] {
        let graph = real(&format!("{version}-counted"), build);
        let of = |wanted: Lookup| graph.actions().filter(|it| it.lookup() == Some(wanted)).count();
        assert_eq!((of(Lookup::Hit), of(Lookup::Miss)), (hits, misses), "{version} {build}");
    }
}

#[test]
fn a_build_that_failed_names_the_package_that_did() {
    for version in VERSIONS {
        let failed = real(version, "broken");
        let failed: Vec<_> = failed.actions().filter(|it| it.failed).map(|it| it.package.as_str()).collect();
        assert_eq!(failed, ["example.com/app/leaf"], "{version}");
        assert_eq!(real(version, "cold").command(), "go build");
        assert!(real(version, "cold").actions().all(|it| !it.failed));
    }
}

#[test]
fn the_command_is_told_by_its_actions() {
    for (version, build, command) in [
        ("1.22", "test", "go test"),
        ("1.27", "test", "go test"),
        ("1.22", "vet", "go vet"),
        ("1.26", "vet", "go vet"),
        ("1.24", "dirtrim", "go build"),
    ] {
        assert_eq!(real(version, build).command(), command, "{version} {build}");
    }
}

#[test]
fn a_graph_explained_twice_has_only_evicted_packages_and_a_warm_one_none() {
    for version in VERSIONS {
        let mut history = History::default();
        let (cold, warm) = (real(version, "cold"), real(version, "warm"));
        history.explain(&cold, &Hints::default());
        let again = history.explain(&cold, &Hints::default());
        assert!(again.rebuilt.values().all(|it| it.reason == Reason::Evicted), "{version}");
        assert!(history.explain(&warm, &Hints::default()).rebuilt.is_empty());
        let kept: History = serde_json::from_str(&serde_json::to_string(&history).unwrap()).unwrap();
        assert_eq!(kept, history);
    }
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut history = History::default();
    for round in 0..40 {
        let actions = (0..1_000).map(|n| {
            let id = round * 1_000 + n;
            format!(
                r#"{{"ID":{n},"Mode":"build","Package":"p{id}","ActionID":"a{id}","BuildID":"a{id}/c","TimeStart":"2026-01-01T00:00:00Z","TimeDone":"2026-01-01T00:00:01Z"}}"#
            )
        });
        let graph = format!("[{}]", actions.collect::<Vec<_>>().join(","));
        history.explain(&ActionGraph::parse(graph.as_bytes()).unwrap(), &Hints::default());
    }
    let kept = serde_json::to_value(&history).unwrap();
    let packages = kept["packages"].as_object().unwrap();
    assert!(packages.len() <= 16_384 && packages.contains_key("p39999"), "{}", packages.len());
}

#[test]
fn what_failed_or_was_only_looked_up_was_never_in_the_cache() {
    for version in VERSIONS {
        let mut history = History::default();
        for build in ["cold", "warm"] {
            history.explain(&real(version, build), &Hints::default());
        }
        for _ in 0..2 {
            assert_eq!(reasons(&mut history, &real(version, "broken"), &Hints::default()), "source 1", "{version}");
        }
    }
    // a vet looks packages up that it does not compile; the compilation after it is the first
    let mut history = History::default();
    history.explain(&real("1.24-counted", "vet"), &Hints::default());
    let test = reasons(&mut history, &real("1.24-counted", "test"), &Hints::default());
    assert!(!test.contains("evicted"), "{test}");
}
