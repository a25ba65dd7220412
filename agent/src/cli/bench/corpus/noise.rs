//! What is no word of Go: the lines of compilers, shells, containers and of tests themselves.
//!
//! Invariant: none of these lines counts as anything.

use super::{AREAS, Corpus, NAMES};

impl Corpus {
    /// A line between packages: what a step of a job prints.
    pub(super) fn noise(&mut self) {
        let (a, b, name) = (self.below(1000), self.below(100_000), self.pick(NAMES));
        match self.below(8) {
            0 | 1 => self.line(format_args!(
                "/usr/local/go/pkg/tool/linux_amd64/compile -o $WORK/b{a:03}/_pkg_.a -trimpath \"$WORK/b{a:03}=>\" -p \
                 github.com/example-org/{name}{b} -lang=go1.24 -complete -buildid x{b}/x{b} -goversion go1.26.6 -c=4 -shared \
                 -nolocalimports -importcfg $WORK/b{a:03}/importcfg -pack ./{name}.go ./{name}_linux.go"
            )),
            2 => self.line(format_args!(
                "#{a} {b}.3 Get:{a} http://deb.example/debian bookworm/main amd64 lib{name}-dev amd64 1.{a}.0-3+deb12u2 [{b} kB]"
            )),
            3 => self.line(format_args!(
                "Step {a}/1000 : RUN apt-get update && apt-get install -y --no-install-recommends {name}-{b} && rm -rf \
                 /var/lib/apt/lists/* # layer cache miss"
            )),
            4 => self.line(format_args!(
                "time=\"2026-11-20T23:11:02Z\" level=info msg=\"container {b} started\" component=runner job={a} \
                 namespace=ci-builds image=registry.example/golang:1.26 node=worker-{a}"
            )),
            5 => self.line(format_args!(
                "remote: Compressing objects: {a}/{b}, done. delta reused {a}, pack-reused objects transferred at 12.1 MiB/s"
            )),
            6 => self.line(format_args!(
                "\u{1b}[36;1mINFO\u{1b}[0m [{name}] uploaded artifact {b} of {a} to s3://ci-artifacts.example/{name}/{b}.tar.zst, \
                 checksum crc32c:{b:08x}"
            )),
            _ => self.line(format_args!(
                "mkdir -p $WORK/b{a:03}/ && cat >$WORK/go-link-{b}/importcfg.link <<< packagefile github.com/example-org/{name}{b}=\
                 /var/cache/go-build/{a:02x}/{b:064x}-d"
            )),
        }
    }

    /// A line that a test prints.
    pub(super) fn test_output(&mut self) {
        let (a, b) = (self.below(900), self.below(100_000));
        let (area, name) = (self.pick(AREAS), self.pick(NAMES));
        match self.below(4) {
            0 => self.line(format_args!("    {name}_test.go:{a}: request {b} to /v1/{area}/{name} took 3ms")),
            1 => self.line(format_args!(
                "2026/11/20 23:11:02 INFO request done method=GET path=/v1/{area}/{name}/{b} status=200 bytes={b} \
                 duration=1.{a:03}ms trace={b:032x}"
            )),
            2 => self.line(format_args!(
                "{{\"level\":\"debug\",\"ts\":1700000{a:03}.5,\"logger\":\"{area}\",\"msg\":\"cache {name} was warmed\",\
                 \"entries\":{b},\"caller\":\"{name}/{name}.go:{a}\"}}"
            )),
            _ => self.line(format_args!(
                "level=warn ts=2026-11-20T23:11:02.{a:03}Z caller={name}.go:{a} msg=\"retrying after a short wait\" attempt=2 \
                 backend={area}-{b}.svc.cluster.local"
            )),
        }
    }

    /// The text of an `output` object, as its encoder writes it.
    pub(super) fn json_text(&mut self) -> String {
        let (a, b) = (self.below(900), self.below(100_000));
        let (area, name) = (self.pick(AREAS), self.pick(NAMES));
        match self.below(3) {
            0 => format!(r#"    {name}_test.go:{a}: got \u003c{b}\u003e for \"/v1/{area}\""#),
            1 => {
                format!(r#"level=info msg=\"request done\" status=200 path=/v1/{area}/{name}/{b} duration=1.{a:03}ms"#)
            }
            _ => format!(r"2026/11/20 23:11:02 cache {name}: {b} entries of {area} were warmed in {a}ms"),
        }
    }
}
