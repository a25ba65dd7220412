//! A CI log of Go jobs, made up: the same bytes for the same seed, of any size.
//!
//! The mix is that of the logs with which other agents were measured: of 100 lines 24 are `output` objects of
//! `go test -json`, 10 its `run` and `pass` objects, 10 `=== RUN`, 8 downloads, 8 `---`, 7 `ok`, and the rest is what
//! compilers and shells print. A line has about 140 bytes.
#![allow(dead_code, reason = "each program uses its part of it")]

use std::io::Write;

/// What a log is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mix {
    /// Everything, as above.
    Everything,
    /// Only objects of `go test -json`: of 17 lines 12 `output`, of packages that are tested four at a time.
    TestJson,
    /// Everything but the objects.
    Text,
    /// Lines that mean nothing.
    Noise,
}

/// A log of at least `size` bytes, that ends with a whole line.
pub(crate) fn log(mix: Mix, size: usize) -> Vec<u8> {
    let mut log = Log { out: Vec::with_capacity(size + 4096), random: 0x9e37_79b9_7f4a_7c15, clock: 0, line: 0 };
    while log.out.len() < size {
        log.turn(mix);
    }
    log.out
}

struct Log {
    out: Vec<u8>,
    random: u64,
    clock: u64,
    line: u64,
}

impl Log {
    fn turn(&mut self, mix: Mix) {
        match (mix, self.random(100)) {
            (Mix::TestJson, _) | (Mix::Everything, 0..34) => self.test_json(),
            (Mix::Everything | Mix::Text, 34..44) => self.run(),
            (Mix::Everything | Mix::Text, 44..52) => self.download(),
            (Mix::Everything | Mix::Text, 52..60) => self.result(),
            (Mix::Everything | Mix::Text, 60..67) => self.package(),
            (Mix::Noise | Mix::Everything | Mix::Text, _) => self.noise(),
        }
    }

    /// xorshift*: good enough to mix lines.
    fn random(&mut self, below: u64) -> u64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        self.line += 1;
        (self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % below.max(1)
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        // a Vec takes all that is written
        let _ = self.out.write_fmt(text);
    }

    fn time(&mut self) -> String {
        self.clock += 1 + self.line % 7;
        let (seconds, nanos) = (self.clock / 1000 % 60, self.clock * 7_919_113 % 1_000_000_000);
        format!("2026-11-20T23:{:02}:{seconds:02}.{nanos:09}Z", self.clock / 60_000 % 60)
    }

    fn test_json(&mut self) {
        let package = format!("github.com/example/service/internal/pkg{:02}", self.random(4) + self.line / 40_000 % 80);
        let test = format!("TestHandler{}/case_{:03}", self.random(40), self.random(1000));
        let time = self.time();
        let head = format!(r#"{{"Time":"{time}","Action":"#);
        let subject = format!(r#""Package":"{package}","Test":"{test}""#);
        match self.random(17) {
            0..2 => self.write(format_args!("{head}\"run\",{subject}}}\n")),
            2..5 => self.write(format_args!("{head}\"pass\",{subject},\"Elapsed\":0.01}}\n")),
            5..7 => self.write(format_args!("{head}\"output\",{subject},\"Output\":\"=== RUN   {test}\\n\"}}\n")),
            7..9 => self.write(format_args!("{head}\"output\",{subject},\"Output\":\"--- PASS: {test} (0.01s)\\n\"}}\n")),
            9..13 => self.write(format_args!(
                "{head}\"output\",{subject},\"Output\":\"    handler_test.go:{}: got \\u003c200\\u003e for \\\"/v1\\\"\\n\"}}\n",
                time.len()
            )),
            _ => self.write(format_args!(
                "{head}\"output\",{subject},\"Output\":\"level=info msg=\\\"request done\\\" status=200 path=/v1/x\\n\"}}\n"
            )),
        }
    }

    fn run(&mut self) {
        let (a, b) = (self.random(60), self.random(500));
        self.write(format_args!(
            "=== RUN   TestHandler{a}/the_case_with_a_rather_long_name_that_says_what_it_promises_{b}\n"
        ));
    }

    fn result(&mut self) {
        let (a, b) = (self.random(60), self.random(500));
        self.write(format_args!(
            "    --- PASS: TestHandler{a}/the_case_with_a_rather_long_name_that_says_what_it_promises_{b} (0.01s)\n"
        ));
    }

    fn download(&mut self) {
        let (a, b) = (self.random(400), self.random(30));
        self.write(format_args!("go: downloading github.com/example-organisation/library-number-{a}/v2 v2.{b}.1\n"));
    }

    fn package(&mut self) {
        let (a, b) = (self.random(400), self.random(900));
        self.write(format_args!("ok  \tgithub.com/example/service/internal/a/rather/deep/package{a}\t0.{b:03}s\tcoverage: 71.4% of statements\n"));
    }

    fn noise(&mut self) {
        let (a, b) = (self.random(1000), self.random(100_000));
        match self.random(4) {
            0 => self.write(format_args!(
                "/usr/local/go/pkg/tool/linux_amd64/compile -o $WORK/b{a:03}/_pkg_.a -trimpath \"$WORK/b{a:03}=>\" -p github.com/example/lib{b} -std -complete -buildid x{b} -goversion go1.26.6 -c=4 -nolocalimports -importcfg $WORK/b{a:03}/importcfg -pack ./a.go\n"
            )),
            1 => self.write(format_args!("Step {a}/1000 : RUN apt-get install -y --no-install-recommends package-{b} && rm -rf /var/lib/apt/lists/* # layer cache miss\n")),
            2 => self.write(format_args!("time=\"2026-11-20T23:11:02Z\" level=info msg=\"container {b} started\" component=runner job={a} namespace=ci-builds image=registry.example/golang\n")),
            _ => self.write(format_args!("remote: Compressing objects: {a}/{b}, done. delta reused, pack-reused objects transferred at 12.1 MiB/s over the wire\n")),
        }
    }
}
