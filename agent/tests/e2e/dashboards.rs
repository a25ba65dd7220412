//! Every expression of every panel and rule, asked of a Prometheus that scrapes an agent, which saw real builds and
//! recorded ones: each has an answer, and no answer is NaN.
//!
//! What healthy builds do not show is made to happen: modules that are not what they should be, proxies that fail,
//! damaged caches, tests that flake, a backend that is away.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use promql_parser::parser::{self, Expr};
use serde_json::Value;

use crate::backends::Prometheus;
use crate::boards::{self, Rule, substitute};
use crate::go::{Job, toolchains};
use crate::goproxy::{self, Broken};
use crate::machine::{Running, free_address, http_get, wait_for};
use crate::modproxy::{ModProxy, Pace};

/// As Grafana puts them in where All is chosen and an hour is shown.
const VARIABLES: [(&str, &str); 6] = [
    ("cluster", ".*"),
    ("job", ".+"),
    ("instance", ".+"),
    ("host", ".+"),
    ("__rate_interval", "5m"),
    ("__range", "1h"),
];

/// Recorded outputs of go commands for what is hard to bring about: a checksum database that answers 503.
const RECORDED: [&str; 3] = ["sumdb-503", "sumdb-https-proxy-refused", "proxy-dns-servfail"];

/// A module with a dependency, tests of all kinds, and a program.
const FILES: [(&str, &str); 4] = [
    ("go.mod", "module corp.example/app\n\ngo 1.21\n\nrequire corp.example/m1 v1.0.0\n"),
    ("main.go", "package main\n\nimport m \"corp.example/m1\"\n\nfunc main() { println(m.N) }\n"),
    ("good/good_test.go", "package good\n\nimport \"testing\"\n\nfunc TestGood(t *testing.T) {}\n"),
    (
        "bad/bad_test.go",
        "package bad\n\nimport \"testing\"\n\nvar runs int\n\nfunc TestFlaky(t *testing.T) {\n\truns++\n\tif runs == 1 \
         {\n\t\tt.Error(\"first\")\n\t}\n}\n\nfunc TestBad(t *testing.T) { t.Error(\"bad\") }\n",
    ),
];

struct Scene {
    job: Job,
    agent: Running,
    prometheus: Prometheus,
    proxy: ModProxy,
    /// One that answers every request with 500.
    broken: String,
    folder: tempfile::TempDir,
}

impl Scene {
    /// Prometheus has scraped the agent before anything happens, so that all of it is an increase.
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("gobeacon-e2e-").tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        ["logs", "graphs"].iter().for_each(|name| fs::create_dir(at(name)).unwrap());
        let (proxy, listen) = (ModProxy::start(Pace::Fast), free_address());
        let mut agent = agent(folder.path(), listen);
        let rules = ["dashboards/rules", "dashboards/alerts"].map(|it| boards::files(it, "yaml")).concat();
        let mut prometheus = Prometheus::start_with(folder.path(), listen, &rules);
        wait_for("the agent was scraped", || {
            agent.alive()?;
            prometheus.value("sum(gobuild_commands_total)")
        });
        let toolchains = toolchains();
        let mut job = Job::new(toolchains.last().unwrap(), folder.path(), &at("logs/job.log"));
        job.cold();
        job.set("CGO_ENABLED", "0");
        job.set("GOMODCACHE", &at("modcache").display().to_string());
        job.set("GOSUMDB", "off");
        job.set("GOPROXY", &proxy.url);
        job.set("GOFLAGS", &format!("-modcacherw -debug-actiongraph={}", at("graphs/graph.json").display()));
        FILES.iter().for_each(|(name, text)| job.file(name, text));
        Self {
            job,
            agent,
            prometheus,
            proxy,
            broken: goproxy::start(Broken::Status(500, "Internal Server Error")),
            folder,
        }
    }

    /// What goes well: everything is downloaded anew, built, tested twice.
    fn healthy_builds(&mut self) {
        self.forget_modules();
        self.go(&["mod", "download", "corp.example/m1@v1.0.0"], 0);
        self.go(&["mod", "tidy"], 0);
        self.go(&["build", "-o", "app", "."], 0);
        self.go(&["vet", "./good"], 0);
        self.go(&["test", "./good"], 0);
        self.go(&["test", "./good"], 0);
    }

    /// What fails in the code, and what fails around it.
    fn failing_builds(&mut self) {
        self.go(&["test", "-v", "-count=2", "./bad"], 1);
        self.go(&["build", "./nowhere"], 1);
        self.mismatch();
        let good = self.proxy.url.clone();
        self.job.set("GOPROXY", &self.broken);
        self.go(&["mod", "download", "corp.example/m2@v1.0.0"], 1);
        self.job.set("GOPROXY", &format!("{}|{good}", self.broken));
        self.go(&["mod", "download", "-x", "corp.example/m3@v1.0.0"], 0);
        self.job.set("GOPROXY", &good);
        self.go(&["mod", "download", "corp.example/m4@v1.0.0"], 0);
    }

    fn forget_modules(&self) {
        let cache = self.folder.path().join("modcache");
        if cache.exists() {
            fs::remove_dir_all(&cache).unwrap();
        }
    }

    /// A go.sum with another hash.
    fn mismatch(&mut self) {
        let sums = self.job.read("go.sum");
        let zip = sums.lines().find(|line| line.contains("m1 v1.0.0 h1:")).unwrap();
        let real = zip.rsplit(' ').next().unwrap();
        self.job.file("go.sum", &sums.replace(real, "h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="));
        self.forget_modules();
        self.go(&["build", "-o", "app", "."], 1);
        self.job.file("go.sum", &sums);
    }

    /// Files of the module cache that change under the agent: one hash that is another one's, one zip that ends early.
    fn damage(&self) {
        let of = |module: &str, file: &str| {
            self.folder.path().join("modcache/cache/download/corp.example").join(module).join("@v").join(file)
        };
        fs::write(of("m3", "v1.0.0.ziphash"), "h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").unwrap();
        let zip = of("m4", "v1.0.0.zip");
        let bytes = fs::read(&zip).unwrap();
        fs::write(&zip, &bytes[..bytes.len() / 2]).unwrap();
    }

    /// Outputs that were recorded, and what is no log of go at all.
    fn recorded_logs(&self, round: usize) {
        let logs = self.folder.path().join("logs");
        for name in RECORDED {
            let path = boards::root("collectors/formats/testdata/corpus").join(format!("{name}.json"));
            let case: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
            let text = |key: &str| case["recordings"][0][key].as_str().unwrap().to_owned();
            append(&logs.join("recorded.log"), &format!("+ {}\n{}{}", text("cmd"), text("stdout"), text("stderr")));
        }
        append(&logs.join("other.log"), &format!("{}\nnothing of go\n", "x".repeat(2 << 20)));
        // listed, and cannot be opened
        std::os::unix::fs::symlink("nowhere", logs.join(format!("dangling-{round}.log"))).unwrap();
    }

    #[track_caller]
    fn go(&self, args: &[&str], code: i32) {
        assert_eq!(self.job.step(args), code, "go {args:?}: {}", self.job.log_text());
    }

    /// Waits until Prometheus has all that the log told so far.
    fn scraped(&mut self) {
        self.go(&["version"], 0);
        let wanted = self.job.log_text().lines().filter(|line| line.starts_with("+ go ")).count() - 1;
        wait_for("Prometheus knows all commands", || {
            self.agent.alive()?;
            // those of the recorded logs come besides
            match self.prometheus.value("sum(gobuild_commands_total)")? {
                got if got >= wanted as f64 => Ok(()),
                got => Err(format!("{got} of {wanted} commands")),
            }
        });
    }

    /// Waits until every query has an answer without NaN.
    #[track_caller]
    fn all_answer(&mut self, queries: &BTreeMap<String, String>) {
        let mut open: Vec<_> = queries.iter().collect();
        wait_for("every expression has an answer", || {
            self.agent.alive()?;
            let mut unanswered = Vec::new();
            for (place, query) in std::mem::take(&mut open) {
                match self.prometheus.values(query)? {
                    values if values.is_empty() => unanswered.push((place, query, "nothing".to_owned())),
                    values if values.iter().any(|it| it.is_nan()) => {
                        unanswered.push((place, query, format!("{values:?}")));
                    }
                    _ => {}
                }
            }
            open = unanswered.iter().map(|(place, query, _)| (*place, *query)).collect();
            let list = unanswered.iter().map(|(place, query, what)| format!("\n  {place}: {what}: {query}"));
            if unanswered.is_empty() { Ok(()) } else { Err(list.collect()) }
        });
    }
}

fn agent(folder: &Path, listen: SocketAddr) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gobeacon"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("OTEL_") || name.starts_with("GOBEACON_")) {
        command.env_remove(name);
    }
    command.args(["agent", "--listen", &listen.to_string(), "--build-idle-timeout", "120s"]);
    command.arg("--logs").arg(folder.join("logs/*.log")).arg("--state-dir").arg(folder.join("state"));
    command.arg("--gocache").arg(folder.join("gocache")).arg("--modcache").arg(folder.join("modcache"));
    command.arg("--go-telemetry").arg(folder.join("home/.config/go/telemetry"));
    // a backend that is away
    command.args(["--otlp-protocol", "http/protobuf", "--otlp-endpoint", &format!("http://{}", free_address())]);
    command.env("GOBEACON_DISCOVERY_ENABLED", "false").env("GOBEACON_ACTION_GRAPH_DIRS", folder.join("graphs"));
    let mut agent = Running::start("agent", folder, &mut command);
    wait_for("the agent is ready", || {
        agent.alive()?;
        http_get(listen, "/readyz")
    });
    agent
}

fn append(path: &PathBuf, text: &str) {
    OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

/// All expressions of panels and annotations, by place.
fn of_dashboards() -> BTreeMap<String, String> {
    let boards = boards::boards();
    let queries = boards.iter().flat_map(|board| board.all_queries().into_iter().chain(board.annotations()));
    queries.map(|query| (query.place, substitute(&query.expr, &VARIABLES))).collect()
}

/// What rules ask: of an alert not whether it fires, but each side that it compares with a number.
fn of_rules() -> BTreeMap<String, String> {
    let mut queries = BTreeMap::new();
    for rule in boards::recording_rules() {
        queries.insert(rule.name().to_owned(), rule.expr);
    }
    for rule in boards::alerting_rules() {
        if EMPTY_WHEN_WELL.iter().any(|(name, _)| *name == rule.name()) {
            continue;
        }
        for (n, side) in compared(&rule).into_iter().enumerate() {
            queries.insert(format!("{} {:?}, {n}", rule.name(), rule.labels.get("window")), side);
        }
    }
    queries
}

/// Alerts that compare nothing that is there while all is well, and why.
const EMPTY_WHEN_WELL: [(&str, &str); 2] = [
    ("GobeaconAbsent", "it asks for what is not there"),
    ("GobeaconCollectorDown", "there is no series of a crash before one"),
];

fn compared(rule: &Rule) -> Vec<String> {
    let mut found = Vec::new();
    sides(&parser::parse(&rule.expr).unwrap(), &mut found);
    assert!(!found.is_empty(), "{} compares nothing", rule.name());
    found
}

fn sides(expr: &Expr, found: &mut Vec<String>) {
    match expr {
        Expr::Binary(binary) if binary.op.is_comparison_operator() => found.push(binary.lhs.to_string()),
        Expr::Binary(binary) => {
            sides(&binary.lhs, found);
            sides(&binary.rhs, found);
        }
        Expr::Aggregate(it) => sides(&it.expr, found),
        Expr::Paren(it) => sides(&it.expr, found),
        Expr::Call(_)
        | Expr::Unary(_)
        | Expr::Subquery(_)
        | Expr::NumberLiteral(_)
        | Expr::StringLiteral(_)
        | Expr::VectorSelector(_)
        | Expr::MatrixSelector(_)
        | Expr::Extension(_) => {}
    }
}

#[test]
fn every_expression_of_panels_and_rules_has_data_of_real_builds_that_is_not_nan() {
    let mut scene = Scene::new();
    // what appears with its first count has an increase from its second
    for round in 0..2 {
        scene.healthy_builds();
        scene.failing_builds();
        scene.recorded_logs(round);
        scene.damage();
        scene.scraped();
    }
    let (dashboards, rules) = (of_dashboards(), of_rules());
    assert!(dashboards.len() > 140 && rules.len() > 40, "{} and {} expressions", dashboards.len(), rules.len());
    scene.all_answer(&dashboards);
    scene.all_answer(&rules);
    scene.alerts_fire(&["GoChecksumMismatch", "GoModuleHashConflict", "GoModuleCacheCorrupt", "GobeaconDropping"]);
}

impl Scene {
    /// Those that need no patience fire for what was done.
    #[track_caller]
    fn alerts_fire(&mut self, names: &[&str]) {
        for name in names {
            wait_for(&format!("{name} fires"), || {
                match self.prometheus.values(&format!("ALERTS{{alertname=\"{name}\", alertstate=\"firing\"}}"))? {
                    firing if firing.is_empty() => Err("it does not".to_owned()),
                    _ => Ok(()),
                }
            });
        }
    }
}
