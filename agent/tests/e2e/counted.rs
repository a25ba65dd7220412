//! Real builds, seen by Go's own counters and by graphs of actions at once: both tell the same lookups and hits.

use std::net::SocketAddr;
use std::process::Command;

use crate::go::{Job, another_that_counts, toolchains};
use crate::machine::{Running, free_address, http_get, wait_for};

const LEAF: &str = "package leaf\n\nfunc One() int { return 1 }\n";

/// An edit of the leaf, and a go command after it.
const BUILDS: [(&str, &[&str]); 22] = [
    (LEAF, &["build", "./..."]),
    (LEAF, &["build", "./..."]),
    (LEAF, &["build", "-o", "../app", "."]),
    (LEAF, &["build", "-o", "../app", "."]),
    ("package leaf\n\nfunc One() int { return 2 }\n", &["build", "-o", "../app", "."]),
    ("package leaf\n\n// a comment\nfunc One() int { return 2 }\n", &["build", "./..."]),
    (LEAF, &["vet", "./..."]),
    (LEAF, &["vet", "./..."]),
    (LEAF, &["test", "./..."]),
    (LEAF, &["test", "./..."]),
    (LEAF, &["test", "-count=1", "./..."]),
    (LEAF, &["test", "-vet=off", "./..."]),
    (LEAF, &["build", "-tags", "x", "./..."]),
    (LEAF, &["build", "-gcflags=-N", "./..."]),
    (LEAF, &["build", "-ldflags=-s", "-o", "../stripped", "."]),
    (LEAF, &["build", "-trimpath", "./leaf"]),
    (LEAF, &["run", "."]),
    (LEAF, &["run", "."]),
    ("package leaf\n\nfunc One() int { return 3 }\n", &["test", "-run", "None", "./..."]),
    ("package leaf\n\nfunc One() int { return \"\" }\n", &["build", "./..."]),
    ("package leaf\n\nfunc One() int { return \"\" }\n", &["test", "./..."]),
    (LEAF, &["install", "."]),
];

/// The value of one series; `None` while it is not there.
fn value(page: &str, series: &str) -> Option<f64> {
    page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

/// Lookups and hits by one source.
fn lookups(page: &str, source: &str) -> Option<(f64, f64)> {
    let of = |name: &str| value(page, &format!("gobuild_cache_{name}_total{{source=\"{source}\"}}"));
    of("lookups").zip(of("hits"))
}

#[test]
fn counters_and_graphs_tell_the_same_lookups_and_hits_and_go_before_1_23_has_no_counters() {
    for toolchain in toolchains().into_iter().chain([another_that_counts()]) {
        let folder = tempfile::Builder::new().prefix("gobeacon-e2e-").tempdir().unwrap();
        let graphs = folder.path().join("graphs");
        std::fs::create_dir(&graphs).unwrap();
        let mut job = Job::new(&toolchain, folder.path(), &folder.path().join("job.log"));
        job.cold();
        job.set("CGO_ENABLED", "0");
        job.set("GOFLAGS", &format!("-debug-actiongraph={}", graphs.join("graph.json").display()));
        job.file("go.mod", "module example.com/counted\n\ngo 1.20\n");
        job.file(
            "main.go",
            "package main\n\nimport \"example.com/counted/leaf\"\n\nfunc main() { println(leaf.One()) }\n",
        );
        job.file("leaf/leaf_test.go", "package leaf\n\nimport \"testing\"\n\nfunc TestOne(*testing.T) { One() }\n");
        let listen = free_address();
        let mut agent = agent(folder.path(), &graphs, listen);
        let counts = toolchain.version.as_str() > "go1.22.99";
        let mut before = (0.0, 0.0);
        for (leaf, args) in BUILDS {
            job.file("leaf/leaf.go", leaf);
            let broken = leaf.contains("\"\"");
            assert_eq!(job.step(args) != 0, broken, "{}: go {args:?}: {}", toolchain.version, job.log_text());
            before = wait_for(&format!("{}: go {args:?} is told by both", toolchain.version), || {
                agent.alive()?;
                let page = http_get(listen, "/metrics")?;
                let graph = lookups(&page, "action_graph").filter(|now| now.0 > before.0).ok_or("no graph yet")?;
                match lookups(&page, "counters") {
                    Some(counted) if counts && counted == graph => Ok(graph),
                    None if !counts => Ok(graph),
                    other => Err(format!("counters {other:?}, graphs {graph:?}")),
                }
            });
        }
        let page = http_get(listen, "/metrics").unwrap();
        let up =
            |state: &str| value(&page, &format!("gobeacon_collector_up{{collector=\"counters\",reason=\"{state}\"}}"));
        assert_eq!(
            if counts { up("running") } else { up("not_available") },
            Some(f64::from(u8::from(counts))),
            "{page}"
        );
        let misses =
            |reason: &str| value(&page, &format!("gobuild_cache_misses_total{{reason=\"{reason}\"}}")).unwrap();
        assert!(misses("cold") > 20.0 && misses("source") >= 5.0 && misses("dependency") >= 2.0, "{page}");
        // two packages under -gcflags; -tags and -ldflags are stamped into the program, which no graph shows
        assert!(misses("flags") >= 2.0 && misses("unknown") <= 3.0, "{page}");
        assert_eq!(
            misses("evicted") + misses("toolchain") + misses("directory") + misses("environment"),
            0.0,
            "{page}"
        );
        assert_eq!(agent.terminate().code(), Some(0));
    }
}

fn agent(folder: &std::path::Path, graphs: &std::path::Path, listen: SocketAddr) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gobeacon"));
    command.args(["agent", "--listen", &listen.to_string(), "--go-telemetry"]);
    command.arg(folder.join("home/.config/go/telemetry")).arg("--state-dir").arg(folder.join("state")).env_clear();
    command.env("GOBEACON_DISCOVERY_ENABLED", "false").env("GOBEACON_ACTION_GRAPH_DIRS", graphs);
    let mut agent = Running::start("agent", folder, &mut command);
    wait_for("the agent is ready", || {
        agent.alive()?;
        http_get(listen, "/readyz")
    });
    agent
}
