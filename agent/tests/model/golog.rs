//! Logs of Go commands that were never run, and what is true of them.
//!
//! The shapes are those that the go command prints (`testdata/corpus` of the parser has recordings of each); every
//! name in them is there once in a whole sequence, so that a span can be told by what it says of itself. What is true
//! is known because it was decided here, not because anything read it.
//!
//! Invariant: a piece is whole: between two pieces a log may be rotated, truncated or rest, within one it may not.

use std::collections::BTreeMap;

use crate::random::Random;

/// How much of which counter, by the name of its series on the page of metrics.
pub(crate) type Counts = BTreeMap<String, u64>;

/// What must arrive of one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SpanTruth {
    /// Its name and what tells it from all others: `test TestX`.
    pub(crate) key: String,
    /// Attributes that it must have, among others.
    pub(crate) attributes: Vec<(&'static str, String)>,
}

/// A failure that must be told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FailureTruth {
    pub(crate) class: &'static str,
    /// A word that stands in an attribute of its record and nowhere else.
    pub(crate) about: String,
}

/// Lines that belong together, and all that is true of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Piece {
    pub(crate) lines: Vec<String>,
    pub(crate) spans: Vec<SpanTruth>,
    pub(crate) failures: Vec<FailureTruth>,
    pub(crate) counts: Counts,
    /// It begins a command: the name of the root, and a word of the command that stands in no other.
    pub(crate) opens: Option<(&'static str, String)>,
    /// It says something of a command at all.
    pub(crate) tells: bool,
}

/// What a command prints tests as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Plain,
    Verbose,
    Json,
}

/// Makes commands for one sequence.
#[derive(Debug)]
pub(crate) struct Generator {
    next: u64,
    /// Microseconds since the epoch: time stamps of all logs go on from here, one by one, and no log shows a rest.
    clock: u64,
}

impl Generator {
    pub(crate) fn new() -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Self { next: 0, clock: now.as_micros() as u64 }
    }

    /// One go command, piece by piece. With `echoed` the shell says it first.
    pub(crate) fn command(&mut self, random: &mut Random, echoed: bool) -> Vec<Piece> {
        self.next += 1;
        let command = format!("c{}", self.next);
        let mut pieces = Vec::new();
        let is_test = !echoed || random.chance(70);
        if echoed {
            pieces.push(echo(random, &command, is_test));
        }
        if random.chance(60) {
            pieces.push(self.downloads(random, &command));
        }
        if random.chance(12) {
            pieces.push(if random.chance(50) { not_found(&command) } else { mismatch(&command) });
        }
        let style = random.pick(&[Style::Plain, Style::Verbose, Style::Json]);
        let parts = random.between(1, 5);
        for part in 0..parts {
            let package = format!("corp.example/{command}/p{part}");
            match (is_test, random.below(10)) {
                (true, 0) if style != Style::Json => pieces.push(build_failed(&package)),
                (true, _) => pieces.push(self.package(random, &command, part, &package, style)),
                (false, 0..2) => {
                    // the go command goes no further
                    pieces.push(compile_error(&package));
                    return pieces;
                }
                (false, _) => pieces.push(compiled(random, &package)),
            }
            if random.chance(20) {
                pieces.push(noise(random));
            }
        }
        pieces
    }

    /// A time stamp, a little later than the last.
    pub(crate) fn stamp(&mut self) -> String {
        self.clock += 1;
        let seconds = i64::try_from(self.clock / 1_000_000).unwrap();
        let time = jiff::Timestamp::from_second(seconds).unwrap();
        format!("{}.{:06}000Z", time.strftime("%Y-%m-%dT%H:%M:%S"), self.clock % 1_000_000)
    }

    fn downloads(&mut self, random: &mut Random, command: &str) -> Piece {
        let mut piece = Piece { tells: true, ..Piece::default() };
        for n in 0..random.between(1, 4) {
            let (module, version) = (format!("corp.example/lib/{command}-m{n}"), format!("v1.{n}.0"));
            piece.lines.push(format!("go: downloading {module} {version}"));
            piece.download(&module, &version, "unknown", &[("gobuild.download.signal", "log_line".to_owned())]);
            piece.count("gobeacon_events_total{kind=\"module.download\"}", 1);
        }
        piece
    }

    /// One package under `go test`.
    fn package(&mut self, random: &mut Random, command: &str, part: u64, package: &str, style: Style) -> Piece {
        let how = random.below(10);
        let mut piece = Piece { tells: true, ..Piece::default() };
        if how == 0 && style != Style::Json {
            piece.lines.push(format!("?   \t{package}\t[no test files]"));
            piece.package(package, "skipped", "no_test_files", false);
            return piece;
        }
        if how == 1 && style == Style::Plain {
            piece.lines.push(format!("ok  \t{package}\t(cached)"));
            piece.package(package, "success", "pass", true);
            return piece;
        }
        let tests = random.between(1, 6);
        let mut cases = Vec::new();
        for n in 0..tests {
            let status = random.pick(&["pass", "pass", "pass", "pass", "skip", "fail"]);
            cases.push((format!("Test{}P{part}N{n}", command.to_uppercase()), status));
        }
        let failed = cases.iter().any(|(_, status)| *status == "fail");
        match style {
            Style::Plain => plain(&mut piece, random, package, &cases),
            Style::Verbose => verbose(&mut piece, random, package, &cases),
            Style::Json => self.json(&mut piece, random, package, &cases),
        }
        let (status, verdict) = if failed { ("failure", "fail") } else { ("success", "pass") };
        piece.package(package, status, verdict, false);
        piece
    }

    /// As `go test -json` prints it.
    fn json(&mut self, piece: &mut Piece, random: &mut Random, package: &str, cases: &[(String, &'static str)]) {
        let mut say = |action: &str, test: Option<&str>, rest: &str| {
            let test = test.map(|test| format!(",\"Test\":\"{test}\"")).unwrap_or_default();
            let time = self.stamp();
            format!("{{\"Time\":\"{time}\",\"Action\":\"{action}\",\"Package\":\"{package}\"{test}{rest}}}")
        };
        let mut lines = vec![say("start", None, "")];
        for (name, status) in cases {
            let test = Some(name.as_str());
            let output = |text: &str| format!(",\"Output\":\"{text}\\n\"");
            lines.push(say("run", test, ""));
            lines.push(say("output", test, &output(&format!("=== RUN   {name}"))));
            for n in 0..random.below(4) {
                lines.push(say("output", test, &output(&format!("    x_test.go:{n}: got \\u003c200\\u003e"))));
            }
            lines.push(say("output", test, &output(&format!("--- {}: {name} (0.01s)", status.to_uppercase()))));
            lines.push(say(status, test, ",\"Elapsed\":0.01"));
            piece.case(name, status, package);
        }
        let failed = cases.iter().any(|(_, status)| *status == "fail");
        let output = |text: String| format!(",\"Output\":\"{text}\\n\"");
        if failed {
            lines.push(say("output", None, &output("FAIL".to_owned())));
            lines.push(say("output", None, &output(format!("FAIL\\t{package}\\t0.021s"))));
            lines.push(say("fail", None, ",\"Elapsed\":0.021"));
        } else {
            lines.push(say("output", None, &output("PASS".to_owned())));
            lines.push(say("output", None, &output(format!("ok  \\t{package}\\t0.021s"))));
            lines.push(say("pass", None, ",\"Elapsed\":0.021"));
        }
        piece.lines.extend(lines);
    }
}

impl Piece {
    /// What arrives of it says which command it is of.
    pub(crate) fn has_a_name(&self) -> bool {
        self.opens.is_some() || !self.spans.is_empty() || !self.failures.is_empty()
    }

    pub(crate) fn count(&mut self, series: &str, by: u64) {
        *self.counts.entry(series.to_owned()).or_default() += by;
    }

    fn download(&mut self, module: &str, version: &str, host: &str, more: &[(&'static str, String)]) {
        let mut attributes =
            vec![("gobuild.module.path", module.to_owned()), ("gobuild.module.version", version.to_owned())];
        attributes.extend_from_slice(more);
        self.spans.push(SpanTruth { key: format!("module download {module}@{version}"), attributes });
        self.count(&format!("gobuild_module_downloads_total{{host=\"{host}\"}}"), 1);
    }

    fn failure(&mut self, class: &'static str, about: String) {
        self.count(&format!("gobuild_failures_total{{class=\"{class}\"}}"), 1);
        self.count("gobeacon_events_total{kind=\"failure\"}", 1);
        self.failures.push(FailureTruth { class, about });
    }

    fn case(&mut self, name: &str, status: &'static str, package: &str) {
        let attributes = vec![("test.case.result.status", status.to_owned()), ("test.suite.name", package.to_owned())];
        self.spans.push(SpanTruth { key: format!("test {name}"), attributes });
        self.count("gobuild_tests_total{repository=\"unknown\"}", 1);
        self.count("gobuild_test_duration_seconds_count", 1);
        self.count("gobeacon_events_total{kind=\"test.case\"}", 1);
        if status == "fail" {
            self.count("gobuild_test_failures_total{repository=\"unknown\"}", 1);
            self.failure("test.failed", name.to_owned());
        }
    }

    fn package(&mut self, package: &str, status: &str, verdict: &str, cached: bool) {
        let mut attributes = vec![
            ("gobuild.package.import_path", package.to_owned()),
            ("test.suite.run.status", status.to_owned()),
            ("gobuild.test.package_status", verdict.to_owned()),
        ];
        if verdict == "pass" {
            attributes.push(("gobuild.test.cached", cached.to_string()));
        }
        self.spans.push(SpanTruth { key: format!("test package {package}"), attributes });
        self.count("gobeacon_events_total{kind=\"test.package\"}", 1);
        self.count("gobuild_test_packages_total", u64::from(verdict != "no_test_files"));
        self.count("gobuild_test_packages_cached_total", u64::from(cached));
    }
}

/// What the shell or the CI system says before a command.
fn echo(random: &mut Random, command: &str, is_test: bool) -> Piece {
    let name = if is_test { "go test" } else { random.pick(&["go build", "go install"]) };
    let prompt = random.pick(&["+", "$", "++"]);
    let mut piece = Piece {
        lines: vec![format!("{prompt} {name} -tags={command} ./...")],
        opens: Some((name, format!("-tags={command}"))),
        tells: true,
        ..Piece::default()
    };
    piece.count("gobeacon_events_total{kind=\"command.started\"}", 1);
    piece
}

/// As `go test` prints it: passed tests are silent.
fn plain(piece: &mut Piece, random: &mut Random, package: &str, cases: &[(String, &'static str)]) {
    let failed: Vec<_> = cases.iter().filter(|(_, status)| *status == "fail").collect();
    for (name, _) in &failed {
        piece.lines.push(format!("--- FAIL: {name} (0.02s)"));
        piece.lines.push("    x_test.go:11: want 1".to_owned());
        piece.lines.push("        got 2".to_owned());
        piece.case(name, "fail", package);
    }
    if failed.is_empty() {
        piece.lines.push(format!("ok  \t{package}\t0.{:03}s", random.below(900)));
    } else {
        piece.lines.push("FAIL".to_owned());
        piece.lines.push(format!("FAIL\t{package}\t0.{:03}s", random.below(900)));
    }
}

/// As `go test -v` prints it.
fn verbose(piece: &mut Piece, random: &mut Random, package: &str, cases: &[(String, &'static str)]) {
    for (name, status) in cases {
        piece.lines.push(format!("=== RUN   {name}"));
        for n in 0..random.below(3) {
            piece.lines.push(format!("    x_test.go:{n}: request done status=200 path=/v1/{n}"));
        }
        piece.lines.push(format!("--- {}: {name} (0.01s)", status.to_uppercase()));
        piece.case(name, status, package);
    }
    if cases.iter().any(|(_, status)| *status == "fail") {
        piece.lines.push("FAIL".to_owned());
        piece.lines.push(format!("FAIL\t{package}\t0.{:03}s", random.below(900)));
    } else {
        piece.lines.push("PASS".to_owned());
        piece.lines.push(format!("ok  \t{package}\t0.{:03}s", random.below(900)));
    }
}

/// A package that does not compile, under `go test`.
fn build_failed(package: &str) -> Piece {
    let mut piece = compile_error(package);
    piece.lines.push(format!("FAIL\t{package} [build failed]"));
    piece.package(package, "failure", "build_failed", false);
    piece
}

fn compile_error(package: &str) -> Piece {
    let mut piece = Piece { tells: true, ..Piece::default() };
    piece.lines.push(format!("# {package}"));
    for line in 7..9 {
        piece.lines.push(format!("svc/svc.go:{line}:13: undefined: missing{line}"));
    }
    piece.count("gobeacon_events_total{kind=\"diagnostic\"}", 2);
    piece.failure("compile.error", package.to_owned());
    piece
}

/// What `go build -v` says: the packages that it compiles.
fn compiled(random: &mut Random, package: &str) -> Piece {
    let packages = random.between(2, 5);
    let mut piece = Piece { tells: true, ..Piece::default() };
    piece.lines = (0..packages).map(|n| format!("{package}/x{n}")).collect();
    piece.count("gobeacon_events_total{kind=\"package.compiled\"}", packages);
    piece
}

/// A module that the proxy does not have.
fn not_found(command: &str) -> Piece {
    let (module, version) = (format!("corp.example/lib/{command}-gone"), "v1.0.0");
    let mut piece = Piece { tells: true, ..Piece::default() };
    let url = format!("https://proxy.corp.example/{module}/@v/{version}.mod");
    piece.lines.push(format!("go: {module}@{version}: reading {url}: 404 Not Found"));
    piece.lines.push("\tserver response: not found".to_owned());
    piece.download(&module, version, "unknown", &[("error.type", "proxy.not_found".to_owned())]);
    piece.count("gobuild_module_download_failures_total{class=\"proxy.not_found\"}", 1);
    piece.failure("proxy.not_found", module);
    piece
}

/// A module that is not what `go.sum` knows.
fn mismatch(command: &str) -> Piece {
    let (module, version) = (format!("corp.example/lib/{command}-moved"), "v1.0.0");
    let mut piece = Piece { tells: true, ..Piece::default() };
    piece.lines = [
        &format!("go: downloading {module} {version}"),
        &format!("verifying {module}@{version}: checksum mismatch"),
        "\tdownloaded: h1:n7S6uFbtgpdgHYVTW3pD1HykMZ59L8BN4GOKVzVt1Iw=",
        "\tgo.sum:     h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "",
        "SECURITY ERROR",
        "This download does NOT match an earlier download recorded in go.sum.",
        "The bits may have been replaced on the origin server, or an attacker may",
        "have intercepted the download attempt.",
        "",
        "For more information, see 'go help module-auth'.",
    ]
    .map(str::to_owned)
    .to_vec();
    piece.download(&module, version, "unknown", &[("error.type", "checksum.gosum_mismatch".to_owned())]);
    piece.count("gobeacon_events_total{kind=\"module.download\"}", 1);
    piece.count("gobuild_module_download_failures_total{class=\"checksum.gosum_mismatch\"}", 1);
    piece.count("gobuild_checksum_mismatches_total{artifact=\"zip\",verifier=\"go_sum\"}", 1);
    piece.failure("checksum.gosum_mismatch", module);
    piece
}

/// What says nothing of Go.
fn noise(random: &mut Random) -> Piece {
    let (a, b) = (random.below(1000), random.below(100_000));
    let long = "0123456789abcdef".repeat(random.below(200) as usize);
    let lines = match random.below(3) {
        0 => vec![format!("Step {a}/1000 : RUN apt-get install -y --no-install-recommends package-{b} && true")],
        1 => vec![format!("time=\"2026-11-20T23:11:02Z\" level=info msg=\"container {b} started\" dump={long}")],
        _ => (0..random.between(1, 30)).map(|n| format!("remote: Compressing objects: {n}/{b}, done.")).collect(),
    };
    Piece { lines, ..Piece::default() }
}
