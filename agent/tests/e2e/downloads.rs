//! Downloads of real go commands from a proxy that knows the truth, seen in the module cache, with a log and without.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;

use crate::go::{Job, Toolchain, toolchains};
use crate::machine::{Running, free_address, http_get, wait_for};
use crate::modproxy::{ModProxy, Pace, Served, nanos};
use crate::otlp_receiver::Receiver;

const MODULES: usize = 200;

/// An agent that watches one module cache, and a job with that cache.
struct Scene {
    job: Job,
    agent: Running,
    listen: std::net::SocketAddr,
    receiver: Receiver,
    proxy: ModProxy,
    cache: PathBuf,
    folder: tempfile::TempDir,
}

impl Scene {
    fn new(toolchain: &Toolchain, pace: Pace, modules: usize) -> Self {
        let folder = tempfile::Builder::new().prefix("gobeacon-downloads-").tempdir().unwrap();
        let (receiver, proxy, listen) = (Receiver::start(), ModProxy::start(pace), free_address());
        let (cache, logs) = (folder.path().join("modcache"), folder.path().join("logs"));
        std::fs::create_dir_all(&logs).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_gobeacon"));
        let ours = |name: &str| name.starts_with("OTEL_") || name.starts_with("GOBEACON_");
        std::env::vars().filter(|(name, _)| ours(name)).for_each(|(name, _)| _ = command.env_remove(name));
        command.env("GOBEACON_DISCOVERY_ENABLED", "false").env("GOBEACON_MODCACHE_STALL_AFTER", "2s");
        command.args(["agent", "--listen", &listen.to_string(), "--otlp-protocol", "http/protobuf", "--otlp-endpoint"]);
        command.arg(receiver.url()).arg("--state-dir").arg(folder.path().join("state"));
        command.arg("--modcache").arg(&cache).arg("--logs").arg(logs.join("*.log"));
        let mut agent = Running::start("agent", folder.path(), &mut command);
        wait_for("the agent is ready", || {
            agent.alive()?;
            http_get(listen, "/readyz")
        });
        let mut job = Job::new(toolchain, folder.path(), &logs.join("job.log"));
        job.set("GOMODCACHE", &cache.display().to_string());
        job.set("GOPROXY", &proxy.url);
        job.set("GOSUMDB", "off");
        job.set("GOFLAGS", "-mod=mod -modcacherw");
        let (mut go_mod, mut main) = ("module corp.example/job\n\ngo 1.21\n".to_owned(), "package main\n".to_owned());
        for n in 0..modules {
            writeln!(go_mod, "\nrequire corp.example/m{n} v1.0.0").unwrap();
            writeln!(main, "\nimport _ \"corp.example/m{n}\"").unwrap();
        }
        job.file("go.mod", &go_mod);
        job.file("main.go", &(main + "\nfunc main() {}\n"));
        Self { job, agent, listen, receiver, proxy, cache, folder }
    }

    /// Waits until the page of metrics has all these lines.
    #[track_caller]
    fn wait_for_lines(&mut self, lines: &[String]) {
        wait_for(&format!("the page has {lines:?}"), || {
            self.agent.alive()?;
            let page = http_get(self.listen, "/metrics")?;
            let has = |line: &String| page.lines().any(|it| it == line);
            let of_modules =
                || page.lines().filter(|line| line.contains("module_download")).collect::<Vec<_>>().join("\n");
            if lines.iter().all(has) { Ok(()) } else { Err(of_modules()) }
        });
    }

    /// Ends the agent; the spans that arrived, checked for what holds for all.
    #[track_caller]
    fn finish(mut self) -> Vec<Seen> {
        assert_eq!(self.agent.terminate().code(), Some(0), "{}", self.agent.output());
        let spans: Vec<_> = self.receiver.spans().into_iter().map(|(_, span)| Seen::of(&span)).collect();
        let by_id: BTreeMap<_, _> = spans.iter().map(|span| (span.id.clone(), span)).collect();
        assert_eq!(by_id.len(), spans.len(), "each span once: {spans:#?}");
        for span in spans.iter().filter(|span| !span.parent.is_empty()) {
            let parent = by_id.get(&span.parent).unwrap_or_else(|| panic!("no parent of {span:?}"));
            assert!(parent.start <= span.start && span.end <= parent.end, "{span:?} outlives {parent:?}");
        }
        drop(self.folder);
        spans
    }

    /// When the hash of a module's zip was written, just before the zip got its name.
    fn hashed(cache: &Path, module: &str) -> u64 {
        let path = cache.join("cache/download").join(module).join("@v/v1.0.0.ziphash");
        nanos(std::fs::metadata(path).unwrap().modified().unwrap())
    }
}

/// What of a span is looked at here.
#[derive(Debug, Clone)]
struct Seen {
    id: Vec<u8>,
    parent: Vec<u8>,
    name: String,
    module: String,
    error: String,
    bytes: i64,
    start: u64,
    end: u64,
}

impl Seen {
    fn of(span: &Span) -> Self {
        let value = |name: &str| {
            let attribute = span.attributes.iter().find(|it| it.key == name);
            attribute.and_then(|it| it.value.clone()).and_then(|it| it.value)
        };
        let text = |name| if let Some(Value::StringValue(text)) = value(name) { text } else { String::new() };
        let whole = |name| if let Some(Value::IntValue(number)) = value(name) { number } else { -1 };
        Self {
            id: span.span_id.clone(),
            parent: span.parent_span_id.clone(),
            name: span.name.clone(),
            module: text("gobuild.module.path"),
            error: text("error.type"),
            bytes: whole("gobuild.download.bytes"),
            start: span.start_time_unix_nano,
            end: span.end_time_unix_nano,
        }
    }
}

/// Median, 95th percentile and the greatest distance, in milliseconds.
fn spread(what: &str, mut distances: Vec<f64>) -> f64 {
    distances.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    let at = |part: f64| distances[((distances.len() - 1) as f64 * part) as usize];
    eprintln!("{what}: p50 {:.1} ms, p95 {:.1} ms, max {:.1} ms", at(0.5), at(0.95), at(1.0));
    at(1.0).abs()
}

fn milliseconds(later: u64, earlier: u64) -> f64 {
    (later as f64 - earlier as f64) / 1e6
}

/// Each module's download is told once, to the byte, and when the proxy says it was.
#[track_caller]
fn check_downloads(spans: &[Seen], served: &BTreeMap<String, Served>, hashed: &BTreeMap<String, u64>) {
    let downloads: Vec<_> = spans.iter().filter(|span| span.name == "module download").collect();
    let by_module: BTreeMap<_, _> = downloads.iter().map(|span| (span.module.clone(), *span)).collect();
    assert_eq!((served.len(), downloads.len(), by_module.len()), (MODULES, MODULES, MODULES));
    let (mut starts, mut ends, mut sent) = (Vec::new(), Vec::new(), Vec::new());
    for (module, truth) in served {
        let span = by_module[module];
        assert_eq!((span.bytes, span.error.as_str()), (truth.bytes as i64, ""), "{span:?}");
        starts.push(milliseconds(span.start, truth.asked));
        ends.push(milliseconds(span.end, hashed[module]));
        sent.push(milliseconds(span.end, truth.sent));
    }
    // a loaded machine may stop the go command between its file and its request
    assert!(spread("start, against the proxy being asked", starts) < 2_000.0);
    assert!(spread("end, against the hash being written", ends) < 2_000.0);
    spread("end, against the proxy having sent all", sent);
}

fn two_hundred(with_log: bool) {
    for toolchain in toolchains() {
        eprintln!("{}, {}", toolchain.version, if with_log { "with a log" } else { "without a log" });
        let mut scene = Scene::new(&toolchain, Pace::Fast, MODULES);
        let (arguments, quiet): (&[&str], _) = (&["list", "-deps", "./..."], scene.folder.path().join("quiet.txt"));
        let code = if with_log { scene.job.step(arguments) } else { scene.job.run_into(&["mod", "download"], &quiet) };
        assert_eq!(code, 0, "{}", std::fs::read_to_string(&quiet).unwrap_or_else(|_| scene.job.log_text()));
        let served = scene.proxy.served();
        let hashed = served.keys().map(|module| (module.clone(), Scene::hashed(&scene.cache, module))).collect();
        if with_log {
            assert_eq!(scene.job.log_text().matches("go: downloading ").count(), MODULES);
            // its echo ends the build before
            assert_eq!(scene.job.step(&["version"]), 0);
        }
        let bytes: u64 = served.values().map(|it| it.bytes).sum();
        scene.wait_for_lines(&[
            format!("gobuild_module_downloads_total{{host=\"unknown\"}} {MODULES}"),
            format!("gobuild_module_download_bytes_total{{host=\"unknown\"}} {bytes}"),
            format!("gobuild_module_download_duration_seconds_count{{host=\"unknown\"}} {MODULES}"),
            "gobuild_module_redundant_download_bytes_total 0".to_owned(),
            "gobuild_module_downloads_stalled 0".to_owned(),
        ]);
        let spans = scene.finish();
        check_downloads(&spans, &served, &hashed);
        let bursts = spans.iter().filter(|span| span.name == "module downloads").count();
        assert_eq!(bursts > 0, !with_log, "only what no log explains has a root of its own");
    }
}

#[test]
fn two_hundred_downloads_of_a_command_with_a_log_are_told_once_to_the_byte() {
    two_hundred(true);
}

#[test]
fn two_hundred_downloads_of_go_mod_download_which_prints_nothing_are_told_once_to_the_byte() {
    two_hundred(false);
}

#[test]
fn a_proxy_that_hangs_is_a_stall_and_a_go_command_that_is_killed_then_a_failure() {
    for toolchain in toolchains() {
        let mut scene = Scene::new(&toolchain, Pace::Hangs, 2);
        let out = std::fs::File::create(scene.folder.path().join("out.txt")).unwrap();
        let mut go = scene.job.command(&["mod", "download"], &out).spawn().unwrap();
        scene.wait_for_lines(&["gobuild_module_downloads_stalled 2".to_owned()]);
        go.kill().unwrap();
        go.wait().unwrap();
        scene.wait_for_lines(&[
            "gobuild_module_downloads_stalled 0".to_owned(),
            "gobuild_module_downloads_total{host=\"unknown\"} 2".to_owned(),
            "gobuild_module_download_failures_total{class=\"interrupted\",host=\"unknown\"} 2".to_owned(),
        ]);
        let spans = scene.finish();
        let errors: Vec<_> = spans.iter().filter(|span| span.name == "module download").map(|it| &*it.error).collect();
        assert_eq!(errors, ["interrupted", "interrupted"]);
    }
}
