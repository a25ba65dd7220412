//! Test runs of real public modules: what gobeacon reads out of `go test -json`, `go test -v` and `go test` is what
//! test2json's events say.
//!
//! One run of `go test -json` gives the truth (its events) and the text that `go test -v` would have printed (their
//! `Output`), so that the two can be compared without the luck of a second run. Real `-v` and plain runs follow where
//! a module's tests give the same result each time.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::go::{Job, Toolchain, toolchains};

/// A module and how to run it.
struct Module {
    path: &'static str,
    version: &'static str,
    /// Part of every test run; the others only with `GOBEACON_MODULES=all`.
    always: bool,
    /// Its tests end the same way each time, so that separate runs may be compared.
    steady: bool,
}

const fn always(path: &'static str, version: &'static str) -> Module {
    Module { path, version, always: true, steady: true }
}

/// Names or results differ from run to run: only what one run printed is compared.
const fn unsteady(path: &'static str, version: &'static str) -> Module {
    Module { path, version, always: false, steady: false }
}

const fn on_request(path: &'static str, version: &'static str) -> Module {
    Module { path, version, always: false, steady: true }
}

/// Popular modules whose tests are quick and need no network. What their tests do under the newest Go is said where
/// it is not simply to pass.
const MODULES: &[Module] = &[
    always("github.com/mattn/go-isatty", "v0.0.20"),
    always("github.com/pkg/errors", "v0.9.1"),  // does not vet
    always("github.com/spf13/cast", "v1.10.0"), // dozens of failing subtests, names with blanks and quotes
    always("github.com/hashicorp/golang-lru", "v1.0.2"),
    on_request("github.com/oklog/ulid", "v1.3.1"), // one package passes, one does not load
    on_request("github.com/google/uuid", "v1.6.0"),
    unsteady("github.com/stretchr/testify", "v1.12.1"), // addresses and times in names; suites that fail in suites that pass
    unsteady("github.com/lib/pq", "v1.10.9"),           // fails without a server, and panics
    on_request("github.com/gomodule/redigo", "v1.9.2"), // fails without a server
    unsteady("github.com/json-iterator/go", "v1.1.12"), // three packages fail; addresses in names
    on_request("github.com/agiledragon/gomonkey/v2", "v2.12.0"), // patches machine code: half of it fails
    on_request("github.com/hashicorp/hcl", "v1.0.0"),   // fails, and does not vet
    on_request("github.com/golang/glog", "v1.2.5"),
    on_request("github.com/streadway/amqp", "v1.1.0"), // fails without a server
    on_request("github.com/spf13/pflag", "v1.0.10"),
    on_request("github.com/gorilla/mux", "v1.8.1"),
    on_request("github.com/gorilla/websocket", "v1.5.3"),
    on_request("github.com/BurntSushi/toml", "v1.6.0"),
    on_request("github.com/fatih/color", "v1.19.0"),
    on_request("github.com/google/go-cmp", "v0.7.0"),
    on_request("github.com/julienschmidt/httprouter", "v1.3.0"),
    on_request("github.com/dustin/go-humanize", "v1.1.0"),
    on_request("github.com/sirupsen/logrus", "v1.10.2"),
    on_request("github.com/davecgh/go-spew", "v1.1.1"),
    on_request("github.com/pmezard/go-difflib", "v1.0.0"),
    on_request("github.com/golang/snappy", "v1.0.0"),
    on_request("github.com/mitchellh/mapstructure", "v1.5.0"),
    on_request("github.com/urfave/cli/v2", "v2.27.7"),
    on_request("github.com/tidwall/gjson", "v1.20.0"),
    on_request("github.com/kr/pretty", "v0.3.1"),
    on_request("github.com/satori/go.uuid", "v1.2.0"),
    on_request("github.com/segmentio/ksuid", "v1.0.4"),
    on_request("github.com/rs/xid", "v1.6.0"),
    on_request("github.com/shopspring/decimal", "v1.6.0"),
    on_request("golang.org/x/sync", "v0.24.0"),
    on_request("github.com/jmespath/go-jmespath", "v0.4.0"),
    on_request("github.com/magiconair/properties", "v1.18.12"),
    on_request("github.com/hashicorp/go-multierror", "v1.1.1"),
    on_request("github.com/hashicorp/go-version", "v1.9.0"),
    on_request("github.com/Masterminds/semver/v3", "v3.5.0"),
    on_request("github.com/patrickmn/go-cache", "v2.1.0+incompatible"),
];

/// How often something ended so: (package, test, status) or (package, status).
type Tally = BTreeMap<(String, String, String), u32>;

/// Test cases and packages of one run.
#[derive(Debug, Default, PartialEq)]
struct Results {
    cases: Tally,
    packages: Tally,
}

#[test]
fn json_text_and_plain_output_of_real_modules_give_the_same_cases_and_packages() {
    // `all`, or a part of a path
    let asked = std::env::var("GOBEACON_MODULES").unwrap_or_default();
    let wanted = |it: &Module| match asked.as_str() {
        "" => it.always,
        "all" => true,
        part => it.path.contains(part),
    };
    let toolchains = toolchains();
    let (newest, older) = toolchains.split_last().unwrap();
    let mut wrong = Vec::new();
    for module in MODULES.iter().filter(|it| wanted(it)) {
        wrong.extend(compare(module, newest));
    }
    for (module, toolchain) in
        MODULES.iter().filter(|it| it.always && wanted(it)).flat_map(|it| older.iter().map(move |go| (it, go)))
    {
        wrong.extend(compare(module, toolchain));
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

/// All differences between the ways to read one module's tests.
fn compare(module: &Module, toolchain: &Toolchain) -> Vec<String> {
    let folder = tempfile::Builder::new().prefix("gobeacon-modules-").tempdir().unwrap();
    let run = Run::prepare(module, toolchain, folder.path());
    let json = run.go_test("json", &["-json"]);
    let (truth, text) = read_test2json(&json);
    assert!(!truth.packages.is_empty(), "{}: no package reported:\n{json}", module.path);
    let mut wrong = Vec::new();
    let mut note = |way: &str, what: &str, want: &Tally, got: &Tally| {
        let about = format!("{} {} {way}", toolchain.version, module.path);
        wrong.extend(difference(want, got).map(|it| format!("{about}: {what} {it}")));
    };
    let read = parse(&json);
    note("-json", "case", &truth.cases, &read.cases);
    note("-json", "package", &truth.packages, &read.packages);
    let truth = as_text_can_tell(truth);
    let read = parse(&text);
    note("text of -json", "case", &truth.cases, &read.cases);
    note("text of -json", "package", &truth.packages, &read.packages);
    if module.steady {
        let read = parse(&run.go_test("v", &["-v"]));
        note("-v", "case", &truth.cases, &read.cases);
        note("-v", "package", &truth.packages, &read.packages);
        let read = parse(&run.go_test("plain", &[]));
        note("plain", "failing case", &failing(&truth.cases), &failing(&read.cases));
        note("plain", "package", &truth.packages, &read.packages);
    }
    wrong
}

/// A module's source in a job's folder.
struct Run {
    job: Job,
    folder: PathBuf,
}

impl Run {
    fn prepare(module: &Module, toolchain: &Toolchain, folder: &Path) -> Self {
        let job = Job::new(toolchain, folder, &folder.join("none.log"));
        let download = job.beforehand(&["mod", "download", "-json", &format!("{}@{}", module.path, module.version)]);
        let told: Value = serde_json::from_str(&download).unwrap();
        copy(Path::new(told["Dir"].as_str().unwrap()), &folder.join("src"));
        if !folder.join("src/go.mod").exists() {
            job.beforehand(&["mod", "init", module.path]);
        }
        Self { job, folder: folder.to_owned() }
    }

    /// What a run of all tests printed on both streams.
    fn go_test(&self, name: &str, flags: &[&str]) -> String {
        let log = self.folder.join(format!("{name}.log"));
        let args = [&["test", "-count=1", "-timeout=120s"], flags, &["./..."]].concat();
        self.job.run_into(&args, &log);
        String::from_utf8_lossy(&std::fs::read(log).unwrap()).into_owned()
    }
}

/// The truth as test2json tells it, and the text that the same run would have printed with `-v`.
fn read_test2json(json: &str) -> (Results, String) {
    let mut results = Results::default();
    // packages run at the same time; as text they come one after the other
    let mut texts: Vec<(String, String)> = Vec::new();
    for line in json.lines() {
        let Ok(event) = serde_json::from_str::<Value>(line) else {
            // what the go command says itself
            texts.push((String::new(), format!("{line}\n")));
            continue;
        };
        let field = |name: &str| event[name].as_str().unwrap_or("").to_owned();
        let (package, test) = (field("Package"), field("Test"));
        let of = if package.is_empty() { field("ImportPath") } else { package.clone() };
        if !texts.iter().any(|(it, _)| *it == of) {
            texts.push((of.clone(), String::new()));
        }
        let text = &mut texts.iter_mut().find(|(it, _)| *it == of).unwrap().1;
        match field("Action").as_str() {
            "output" | "build-output" => text.push_str(&field("Output")),
            status @ ("pass" | "fail" | "skip") if !test.is_empty() => {
                *results.cases.entry((package, test, status.to_owned())).or_default() += 1;
            }
            status @ ("pass" | "fail" | "skip") => {
                let status = package_status(status, text);
                *results.packages.entry((package, String::new(), status.to_owned())).or_default() += 1;
            }
            _ => {}
        }
    }
    (results, texts.into_iter().map(|(_, text)| text).collect())
}

/// Only the package's own last line says why it failed without a test.
fn package_status<'a>(action: &'a str, text: &str) -> &'a str {
    let last = text.lines().rfind(|line| line.starts_with("FAIL\t")).unwrap_or("");
    match action {
        "skip" => "no_test_files",
        "fail" if last.ends_with("[build failed]") => "build_failed",
        "fail" if last.ends_with("[setup failed]") => "setup_failed",
        other => other,
    }
}

/// What gobeacon reads.
fn parse(text: &str) -> Results {
    let mut child = Command::new(env!("CARGO_BIN_EXE_gobeacon"))
        .args(["parse", "--format", "json", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let text = text.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let out = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(out.status.success());
    let mut results = Results::default();
    for line in String::from_utf8(out.stdout).unwrap().lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let field = |name: &str| event[name].as_str().unwrap_or("").to_owned();
        let tally = match field("kind").as_str() {
            "test.case" => &mut results.cases,
            "test.package" => &mut results.packages,
            _ => continue,
        };
        *tally.entry((field("package"), field("name"), field("status"))).or_default() += 1;
    }
    results
}

/// A failure inside a package that passes is a test's play with the test framework; in text it cannot be told from
/// output that only looks like one, and is dropped.
fn as_text_can_tell(mut results: Results) -> Results {
    let passed = |package: &str| results.packages.contains_key(&(package.to_owned(), String::new(), "pass".to_owned()));
    results.cases.retain(|(package, _, status), _| status != "fail" || !passed(package));
    results
}

fn failing(cases: &Tally) -> Tally {
    cases.iter().filter(|((_, _, status), _)| status == "fail").map(|(key, n)| (key.clone(), *n)).collect()
}

fn difference(want: &Tally, got: &Tally) -> impl Iterator<Item = String> {
    let mut all: Vec<_> = want.keys().chain(got.keys()).collect();
    all.sort();
    all.dedup();
    let count = |of: &Tally, key| of.get(key).copied().unwrap_or(0);
    let lines: Vec<_> = all
        .into_iter()
        .map(|key| (key, count(want, key), count(got, key)))
        .filter(|(_, want, got)| want != got)
        .map(|(key, want, got)| format!("{key:?}: wanted {want}, read {got}"))
        .collect();
    lines.into_iter()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            // the module cache is read-only, the copy is not: some tests write beside themselves
            std::fs::write(target, std::fs::read(entry.path()).unwrap()).unwrap();
        }
    }
}
