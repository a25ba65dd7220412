//! What a piece of test output tells beyond its test2json event: one line in, one meaning out.
//!
//! Under `-json` the `Output` text is read for nothing that an action says; it is the only place of what is here.
//! Pure functions; it must not know packages, events or what came before.
//!
//! Sources: cmd/go/internal/test/test.go (`ok`, `FAIL`, `?` lines, `*** Test killed`), testing/testing.go (alarm,
//! race), runtime/panic.go (panic and fatal texts), testing/benchmark.go (results).

use memchr::memmem;

use super::scan::Str;
use crate::stack;

/// What the lines of a package say of its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hint {
    /// Nothing beyond its action.
    None,
    /// `[build failed]`.
    BuildFailed,
    /// `[setup failed]`.
    SetupFailed,
    /// A package without tests under `-cover`: it "passes".
    NoTests,
}

/// The meaning of one line.
#[derive(Debug, PartialEq)]
pub(crate) enum Told<'a> {
    /// `panic: ...`, `fatal error: ...`, `SIGSEGV: ...`: the program dies.
    Crash,
    /// The same words inside a line: printed behind output without a newline, or only quoted.
    MaybeCrash,
    /// `goroutine 7 [running]:`.
    Stack,
    /// `panic: test timed out after 1s`, `*** Test killed ...`.
    Timeout,
    /// A data race was reported.
    Race,
    /// A result line of a benchmark.
    Benchmark(Benchmark<'a>),
    /// `FILE.go:LINE: message`, as testing prints logs and errors.
    Position(&'a str),
    /// Bare `PASS` or `FAIL`: the test binary came to its end.
    Ended,
    /// The `ok` line.
    Ok {
        /// Out of the test cache.
        cached: bool,
        /// Percent.
        coverage: Option<f64>,
    },
    /// `FAIL\tP\t0.1s`, `FAIL\tP [build failed]` and the like.
    Failed(Hint),
    /// A package without tests under `-cover`, with its coverage.
    NoTests(Option<f64>),
    /// `coverage: 12.3% of statements`.
    Coverage(Option<f64>),
    /// `exit status 3`, `signal: killed`, `fork/exec ...`.
    Exit,
}

/// One result line.
#[derive(Debug, PartialEq)]
pub(crate) struct Benchmark<'a> {
    /// As printed, with the `-N` of GOMAXPROCS.
    pub(crate) name: &'a str,
    pub(crate) iterations: u64,
    pub(crate) ns_per_op: Option<f64>,
}

/// Finds the lines of a test's output that can mean anything: a look at the first bytes and at most one search.
#[derive(Debug)]
pub(crate) struct Sieve {
    position: memmem::Finder<'static>,
    panic: memmem::Finder<'static>,
}

impl Default for Sieve {
    fn default() -> Self {
        Self { position: memmem::Finder::new(".go:"), panic: memmem::Finder::new("panic: ") }
    }
}

impl Sieve {
    /// False only where `of_test` gives nothing.
    #[inline]
    pub(crate) fn may_tell(&self, output: &Str<'_>) -> bool {
        let raw = output.raw();
        match raw.first() {
            Some(b' ') => raw.starts_with(b"    ") && self.position.find(raw).is_some(),
            Some(b'=' | b'-') | None => false,
            Some(b'g') if raw.starts_with(b"goroutine ") => true,
            Some(b'B') if raw.starts_with(b"Benchmark") => true,
            Some(b'f') if raw.starts_with(b"fatal error: ") || raw.starts_with(b"fork/exec ") => true,
            Some(b'S') if raw.starts_with(b"SIG") => true,
            Some(b's') if raw.starts_with(b"signal: ") => true,
            Some(b'e') if raw.starts_with(b"exit status ") => true,
            Some(b'W') if raw.starts_with(b"WARNING: DATA RACE") => true,
            Some(b'*') if raw.starts_with(b"*** Test killed") => true,
            Some(_) => self.panic.find(raw).is_some(),
        }
    }
}

/// What a line of a test's output tells.
pub(crate) fn of_test(line: &str) -> Option<Told<'_>> {
    let line = line.trim_end_matches(['\n', '\r']);
    // most of what comes here; nothing else begins with a blank
    if line.starts_with("    ") {
        let text = line.trim_start_matches(' ');
        if text.ends_with(": race detected during execution of test") {
            return Some(Told::Race);
        }
        return is_position(text).then_some(Told::Position(text));
    }
    if let Some(told) = of_any(line) {
        return Some(told);
    }
    if line.starts_with("Benchmark") {
        return benchmark(line).map(Told::Benchmark);
    }
    memmem::find(line.as_bytes(), b"panic: ").map(|_| Told::MaybeCrash)
}

/// What a line tells that test2json lays to no test.
pub(crate) fn of_package<'a>(line: &'a str, package: &str) -> Option<Told<'a>> {
    let line = line.trim_end_matches(['\n', '\r']);
    if let "PASS" | "FAIL" = line {
        return Some(Told::Ended);
    }
    if let Some(rest) = line.strip_prefix("ok  \t").and_then(|rest| rest.strip_prefix(package)) {
        let mut fields = rest.strip_prefix('\t')?.split('\t');
        let cached = fields.next()?.starts_with("(cached)");
        return Some(Told::Ok { cached, coverage: fields.find_map(coverage) });
    }
    if let Some(rest) = line.strip_prefix("FAIL\t").and_then(|rest| rest.strip_prefix(package)) {
        return Some(Told::Failed(match rest {
            " [build failed]" => Hint::BuildFailed,
            " [setup failed]" => Hint::SetupFailed,
            _ => Hint::None,
        }));
    }
    if let Some(rest) = line.strip_prefix('\t').and_then(|rest| rest.strip_prefix(package)) {
        return rest.strip_prefix("\t\t").map(|rest| Told::NoTests(coverage(rest)));
    }
    if line.starts_with("coverage: ") {
        return Some(Told::Coverage(coverage(line)));
    }
    if line == "testing: race detected outside of test execution" {
        return Some(Told::Race);
    }
    if let Some(told) = of_any(line) {
        return Some(told);
    }
    if line.starts_with("Benchmark") {
        return benchmark(line).map(Told::Benchmark);
    }
    memmem::find(line.as_bytes(), b"panic: ").map(|_| Told::MaybeCrash)
}

fn of_any(line: &str) -> Option<Told<'_>> {
    if line.starts_with("panic: test timed out after ") || line.starts_with("*** Test killed") {
        Some(Told::Timeout)
    } else if line.starts_with("panic: ") || line.starts_with("fatal error: ") || is_signal(line) {
        Some(Told::Crash)
    } else if stack::is_goroutine(line) {
        Some(Told::Stack)
    } else if line == "WARNING: DATA RACE" {
        Some(Told::Race)
    } else if line.starts_with("exit status ") || line.starts_with("signal: ") || line.starts_with("fork/exec ") {
        Some(Told::Exit)
    } else {
        None
    }
}

/// `SIGSEGV: segmentation violation`. SIGQUIT is somebody's kill, not the program's fault.
fn is_signal(line: &str) -> bool {
    let name = line.split_once(": ").map_or("", |(name, _)| name);
    name.starts_with("SIG") && name != "SIGQUIT" && name.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// `FILE.go:LINE: ...`.
fn is_position(text: &str) -> bool {
    let bytes = text.as_bytes();
    let Some(colon) = memchr::memchr(b':', bytes) else { return false };
    let (file, rest) = bytes.split_at_checked(colon).unwrap_or_default();
    let rest = rest.get(1..).unwrap_or_default();
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    file.len() > 3
        && file.ends_with(b".go")
        && !file.contains(&b' ')
        && digits > 0
        && rest.get(digits..).is_some_and(|rest| rest.starts_with(b": "))
}

/// Percent out of `coverage: 12.3% of statements`.
fn coverage(field: &str) -> Option<f64> {
    let percent = field.strip_prefix("coverage: ")?.split_once('%')?.0;
    percent.parse().ok().filter(|percent: &f64| percent.is_finite())
}

/// `BenchmarkX-8   \t     100\t     123.4 ns/op\t ...`.
fn benchmark(line: &str) -> Option<Benchmark<'_>> {
    let mut fields = line.split_whitespace();
    let name = fields.next()?;
    let iterations = fields.next()?.parse().ok()?;
    let mut ns_per_op = None;
    let mut results = 0;
    while let (Some(value), Some(unit)) = (fields.next(), fields.next()) {
        let value: f64 = value.parse().ok()?;
        results += 1;
        if unit == "ns/op" {
            ns_per_op = Some(value);
        }
    }
    (results > 0).then_some(Benchmark { name, iterations, ns_per_op })
}

/// The list of running tests that an alarm prints, as far as it has been read.
#[derive(Debug, Default)]
pub(crate) struct Running {
    names: Vec<String>,
    done: bool,
}

/// Names kept of one list.
const MAX_RUNNING: usize = 256;

impl Running {
    /// Reads the next line behind the alarm's own.
    pub(crate) fn line(&mut self, line: &str) {
        let text = line.trim_end_matches(['\n', '\r']).trim_start_matches('\t');
        if text.is_empty() || self.done {
            self.done = true;
        } else if text != "running tests:" {
            match text.rsplit_once(" (") {
                Some((name, _)) if self.names.len() < MAX_RUNNING && name.len() <= 4096 => self.names.push(name.into()),
                Some(_) | None => self.done = true,
            }
        }
    }

    /// Whether more of it may come.
    pub(crate) fn is_open(&self) -> bool {
        !self.done
    }

    /// The first that is no other's parent; the list is sorted.
    pub(crate) fn leaf(&self) -> Option<&str> {
        let is_parent = |name: &str| {
            self.names.iter().any(|other| other.strip_prefix(name).is_some_and(|rest| rest.starts_with('/')))
        };
        self.names.iter().map(String::as_str).find(|name| !is_parent(name))
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.names.iter().map(|name| name.capacity() + size_of::<String>()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_lines_of_every_form_are_told() {
        let cover = |c| Told::Ok { cached: false, coverage: Some(c) };
        for (line, told) in [
            ("ok  \ta/b\t0.005s\tcoverage: 100.0% of statements\n", Some(cover(100.0))),
            ("ok  \ta/b\t(cached)\tcoverage: [no statements]\n", Some(Told::Ok { cached: true, coverage: None })),
            ("ok  \ta/b\t0.005s\tcoverage: 33.3% of statements in ./... [no tests to run]\n", Some(cover(33.3))),
            ("ok  \ta/bc\t(cached)\n", None),
            ("FAIL\ta/b [build failed]\n", Some(Told::Failed(Hint::BuildFailed))),
            ("FAIL\ta/b [setup failed]\n", Some(Told::Failed(Hint::SetupFailed))),
            ("FAIL\ta/b\t0.003s\n", Some(Told::Failed(Hint::None))),
            ("\ta/b\t\tcoverage: 0.0% of statements\n", Some(Told::NoTests(Some(0.0)))),
            ("\ta/b\t\t", Some(Told::NoTests(None))),
            ("PASS\n", Some(Told::Ended)),
            ("coverage: 50.0% of statements\n", Some(Told::Coverage(Some(50.0)))),
            ("signal: killed\n", Some(Told::Exit)),
            ("TestA\n", None),
        ] {
            assert_eq!(of_package(line, "a/b"), told, "{line}");
        }
    }

    #[test]
    fn lines_of_tests_are_told_and_others_are_not() {
        for (line, told) in [
            ("panic: boom [recovered, repanicked]\n", Some(Told::Crash)),
            ("fatal error: concurrent map writes\n", Some(Told::Crash)),
            ("SIGSEGV: segmentation violation\n", Some(Told::Crash)),
            ("SIGQUIT: quit\n", None),
            ("panic: test timed out after 1s\n", Some(Told::Timeout)),
            ("*** Test killed with quit: ran too long (11m0s).\n", Some(Told::Timeout)),
            ("goroutine 18 [chan receive, 2 minutes]:\n", Some(Told::Stack)),
            ("goroutine 0 gp=0x7 m=3 mp=0xc001 [idle]:\n", Some(Told::Stack)),
            ("goroutine pool\n", None),
            ("partial panic: in goroutine\n", Some(Told::MaybeCrash)),
            ("WARNING: DATA RACE\n", Some(Told::Race)),
            ("    testing.go:1490: race detected during execution of test\n", Some(Told::Race)),
            // the fuzzing engine has caught it: the target failed
            ("        testing.go:9: panic: no\n", Some(Told::Position("testing.go:9: panic: no"))),
            ("    a_test.go:3: bad 1\n", Some(Told::Position("a_test.go:3: bad 1"))),
            ("    see main.go: nothing\n", None),
            ("=== RUN   TestA\n", None),
        ] {
            assert_eq!(of_test(line), told, "{line}");
            let may = Sieve::default().may_tell(&Str::Owned(line.to_owned()));
            assert!(may || told.is_none(), "{line}");
        }
    }

    #[test]
    fn benchmark_lines_give_iterations_and_time_whatever_else_was_measured() {
        let line = "BenchmarkSub/n=1/x-2-8   \t      10\t       985.4 ns/op\t  3.000 widgets/op\t 26 B/op\n";
        let Some(Told::Benchmark(b)) = of_test(line) else { panic!() };
        assert_eq!((b.name, b.iterations, b.ns_per_op), ("BenchmarkSub/n=1/x-2-8", 10, Some(985.4)));
        assert_eq!(of_test("BenchmarkA\n"), None);
        assert_eq!(of_test("Benchmark results are 3 fold better\n"), None);
    }

    #[test]
    fn the_running_test_is_the_first_leaf_of_the_list_of_any_version() {
        for lines in [
            ["running tests:", "\tTestS (1s)", "\tTestS/sub (1s)", ""],
            ["\trunning tests:", "\t\tTestS (1s)", "\t\tTestS/sub (1s)", ""],
        ] {
            let mut running = Running::default();
            lines.iter().for_each(|line| running.line(&format!("{line}\n")));
            assert_eq!((running.leaf(), running.is_open()), (Some("TestS/sub"), false));
        }
    }
}
