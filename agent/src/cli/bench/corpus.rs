//! A CI log of Go jobs, made up: the same bytes for the same seed, and the truth about them.
//!
//! The mix is that of the log with which other agents were measured. Of 100 lines 24 are `output` objects of
//! `go test -json`, 10 its other objects, 10 `=== RUN`, 8 downloads, 8 `---` and 2 such lines of subtests, 7 results of
//! packages, and the rest is what compilers, shells, containers and tests print; a line has about 140 bytes. The pieces
//! belong together as they do in real logs: a job is three go commands with their echoes; each module is downloaded
//! once in a command; each test that runs ends, each package with its tests has its result; with `-json` four packages
//! are tested at a time and their lines interleave.
//!
//! Invariant: what [`Corpus::counts`] says is counted where lines are written, not by reading them.

use std::io::Write as _;

use super::counts::Counts;

mod noise;

/// Parts of 100 lines in which all packages that interleave have ended.
const ROUND: u64 = 4;

/// The log in the making.
#[derive(Debug)]
pub(super) struct Corpus {
    out: Vec<u8>,
    random: u64,
    /// Milliseconds since the first line.
    clock: u64,
    counts: Counts,
    bytes: u64,
    /// Hundreds of lines in each job.
    hundreds: u64,
    /// What is left of the job: first downloads, then hundreds of each command.
    left: Left,
    /// Numbers the packages and modules of a command.
    number: u64,
}

/// What is left of a job.
#[derive(Debug, Default)]
struct Left {
    downloads: u64,
    verbose: u64,
    plain: u64,
    json: u64,
}

impl Corpus {
    /// A log that is still empty. `lines_per_job` is rounded up to what a job must have.
    pub(super) fn new(seed: u64, lines_per_job: u64) -> Self {
        Self {
            out: Vec::new(),
            // 0 stays 0 in this generator
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            clock: 0,
            counts: Counts::default(),
            bytes: 0,
            hundreds: lines_per_job.div_ceil(100).next_multiple_of(ROUND).max(ROUND),
            left: Left::default(),
            number: 0,
        }
    }

    /// The next part: whole lines, after which no test and no package is open.
    pub(super) fn next(&mut self) -> &[u8] {
        self.out.clear();
        let left = &mut self.left;
        if left.downloads > 0 {
            left.downloads -= 1;
            self.downloads();
        } else if left.verbose > 0 {
            left.verbose -= 1;
            self.verbose();
        } else if left.plain > 0 {
            left.plain -= 1;
            if left.plain + 1 == self.hundreds {
                self.command("go test -cover ./...");
            }
            self.plain();
        } else if left.json > 0 {
            left.json -= 1;
            if left.json + 1 == self.hundreds / ROUND {
                self.command("go test -json ./...");
            }
            self.json();
        } else {
            let all = self.hundreds;
            *left = Left { downloads: all, verbose: all, plain: all, json: all / ROUND };
            self.command("go test -v ./...");
        }
        self.bytes += self.out.len() as u64;
        self.counts.lines += memchr::memchr_iter(b'\n', &self.out).count() as u64;
        &self.out
    }

    /// What all parts so far hold.
    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// Bytes of all parts so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn command(&mut self, command: &str) {
        self.number = 0;
        self.line(format_args!("+ {command}"));
    }

    fn downloads(&mut self) {
        for _ in 0..8 {
            self.number += 1;
            let (n, name) = (self.number, self.pick(NAMES));
            let (org, minor, patch) = (n % 89, self.below(40), self.below(12));
            self.line(format_args!("go: downloading github.com/example-org-{org}/go-{name}-{n}/v2 v2.{minor}.{patch}"));
            self.counts.downloads += 1;
        }
    }

    /// Two packages with `-v`: four tests and a subtest each.
    fn verbose(&mut self) {
        for _ in 0..2 {
            let package = self.package();
            let mut is_bad = false;
            for n in 0..4 {
                let (name, fails) = (self.test(n), self.below(200) == 0);
                self.line(format_args!("=== RUN   {name}"));
                let case = (n == 0).then(|| self.below(90));
                if let Some(case) = case {
                    self.line(format_args!("=== RUN   {name}/the_case_that_is_number_{case}"));
                }
                if n < 3 {
                    self.test_output();
                }
                if fails {
                    let line = self.below(900);
                    self.line(format_args!("    service_test.go:{line}: got status 502, want 200: upstream is away"));
                } else {
                    self.test_output();
                }
                let elapsed = self.below(90);
                let verdict = if fails { "FAIL" } else { "PASS" };
                self.line(format_args!("--- {verdict}: {name} (0.{elapsed:02}s)"));
                self.ended(fails);
                if let Some(case) = case {
                    self.line(format_args!("    --- PASS: {name}/the_case_that_is_number_{case} (0.00s)"));
                    self.ended(false);
                }
                is_bad |= fails;
            }
            self.line(format_args!("{}", if is_bad { "FAIL" } else { "PASS" }));
            self.result(&package, is_bad, "");
        }
    }

    /// Five packages without `-v`, and what is compiled for them.
    fn plain(&mut self) {
        for n in 0..12 {
            self.noise();
            if n % 2 == 0 && n < 10 {
                let (package, share) = (self.package(), self.below(60) + 40);
                self.result(&package, false, &format!("\tcoverage: {share}.7% of statements"));
            }
        }
    }

    /// Four packages with `-json` whose lines interleave, with what else stands between them.
    fn json(&mut self) {
        let mut packages = [(); ROUND as usize].map(|()| self.json_package().into_iter());
        let mut open = packages.len();
        while open > 0 {
            open = 0;
            for lines in &mut packages {
                let some = self.below(4) as usize + 1;
                for line in lines.by_ref().take(some) {
                    self.stamped(&line);
                }
                open += usize::from(lines.len() > 0);
            }
        }
        (0..3 * ROUND).for_each(|_| self.noise());
    }

    /// The objects of one package without their times.
    fn json_package(&mut self) -> Vec<String> {
        let package = self.package();
        let object = |action: &str, rest: &str| format!(r#""Action":"{action}","Package":"{package}"{rest}}}"#);
        let mut lines = vec![object("start", "")];
        let mut is_bad = false;
        for n in 0..4 {
            let (name, fails) = (self.test(n), self.below(200) == 0);
            let test = |rest: &str| format!(r#","Test":"{name}"{rest}"#);
            let output = |text: &str| object("output", &test(&format!(r#","Output":"{text}\n""#)));
            lines.push(object("run", &test("")));
            lines.push(output(&format!("=== RUN   {name}")));
            for _ in 0..3 {
                lines.push(output(&self.json_text()));
            }
            let (elapsed, verdict) = (self.below(90), if fails { "FAIL" } else { "PASS" });
            lines.push(output(&format!("--- {verdict}: {name} (0.{elapsed:02}s)")));
            let action = if fails { "fail" } else { "pass" };
            lines.push(object(action, &test(&format!(r#","Elapsed":0.{elapsed:02}"#))));
            self.ended(fails);
            is_bad |= fails;
        }
        let output = |text: &str| object("output", &format!(r#","Output":"{text}\n""#));
        let (verdict, elapsed) = (if is_bad { "FAIL" } else { "PASS" }, self.below(900));
        lines.push(output(verdict));
        lines.push(output("coverage: 71.4% of statements"));
        lines.push(output(&self.json_text()));
        let verdict = if is_bad { "FAIL" } else { "ok  " };
        lines.push(output(&format!(r"{verdict}\t{package}\t0.{elapsed:03}s")));
        lines.push(object(if is_bad { "fail" } else { "pass" }, &format!(r#","Elapsed":0.{elapsed:03}"#)));
        self.counts.packages += 1;
        lines
    }

    /// A line of test2json, with its time as Go writes it: without zeros at its end.
    fn stamped(&mut self, rest: &str) {
        self.clock += self.below(40);
        let (hours, minutes) = (self.clock / 3_600_000 % 24, self.clock / 60_000 % 60);
        let (seconds, nanos) = (self.clock / 1000 % 60, self.clock * 7_919_113 % 1_000_000_000);
        let nanos = format!("{nanos:09}");
        let nanos = nanos.trim_end_matches('0');
        let point = if nanos.is_empty() { "" } else { "." };
        self.line(format_args!(r#"{{"Time":"2026-11-20T{hours:02}:{minutes:02}:{seconds:02}{point}{nanos}Z",{rest}"#));
    }

    fn result(&mut self, package: &str, is_bad: bool, more: &str) {
        let (verdict, elapsed) = (if is_bad { "FAIL" } else { "ok  " }, self.below(900));
        self.line(format_args!("{verdict}\t{package}\t0.{elapsed:03}s{more}"));
        self.counts.packages += 1;
    }

    fn ended(&mut self, fails: bool) {
        self.counts.tests += 1;
        self.counts.failed += u64::from(fails);
    }

    /// Another package of the command.
    fn package(&mut self) -> String {
        self.number += 1;
        let (area, name) = (self.pick(AREAS), self.pick(NAMES));
        format!("github.com/example-corp/platform/services/{area}/internal/{name}{}", self.number)
    }

    fn test(&mut self, n: u64) -> String {
        let (name, area) = (self.pick(NAMES), self.pick(AREAS));
        let (first, rest) = name.split_at_checked(1).unwrap_or(("", name));
        format!("Test{}{rest}_{area}_{n}", first.to_ascii_uppercase())
    }

    fn pick(&mut self, of: &'static [&'static str]) -> &'static str {
        let at = self.below(of.len() as u64) as usize;
        of.get(at).copied().unwrap_or_default()
    }

    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        // a Vec takes all that is written
        let _ = self.out.write_fmt(text);
        self.out.push(b'\n');
    }

    /// xorshift*: good enough to mix lines.
    fn below(&mut self, end: u64) -> u64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        (self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % end.max(1)
    }
}

const AREAS: &[&str] = &["billing", "identity", "gateway", "search", "orders", "inventory", "messaging", "reports"];

const NAMES: &[&str] = &[
    "ledger", "session", "router", "parser", "cache", "queue", "store", "client", "limiter", "codec", "schema",
    "worker", "planner", "tracer", "signer", "resolver",
];

#[cfg(test)]
mod tests;
