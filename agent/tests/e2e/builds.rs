//! The scenarios. Each runs on every Go version; between them both protocols of OTLP are used on both.

use crate::backends::Protocol;
use crate::go::{Toolchain, toolchains};
use crate::goproxy::{self, Broken};
use crate::otlp::Span;
use crate::stage::{Arrived, Stage};

const GO_MOD: &str = "module corp.example/app\n\ngo 1.21\n";

/// Runs a scenario on each Go version, over gRPC and HTTP in turn; `first` says with which it begins.
fn on_every_go(first: Protocol, scenario: impl Fn(&Toolchain, Stage)) {
    let second = if first == Protocol::Grpc { Protocol::Http } else { Protocol::Grpc };
    for (toolchain, protocol) in toolchains().iter().zip([first, second].into_iter().cycle()) {
        eprintln!("{} over {}", toolchain.version, protocol.id());
        scenario(toolchain, Stage::new(toolchain, protocol));
    }
}

#[test]
fn a_cold_build_shows_every_module_that_it_downloads() {
    on_every_go(Protocol::Grpc, |_, mut stage| {
        stage.job.cold();
        stage.job.file("go.mod", &format!("{GO_MOD}\nrequire rsc.io/quote v1.5.2\n"));
        stage
            .job
            .file("main.go", "package main\n\nimport \"rsc.io/quote\"\n\nfunc main() { println(quote.Hello()) }\n");
        stage.job.beforehand(&["mod", "tidy"]);
        stage.job.forget_modules();
        assert_eq!(stage.job.step(&["build", "-o", "app", "."]), 0);
        stage.expect_metrics(&[
            ("sum(gobuild_commands_total{subcommand=\"build\"})", 1.0),
            ("sum(gobuild_command_failures_total)", 0.0),
            ("sum(gobuild_failures_total)", 0.0),
            ("sum(gobuild_module_downloads_total)", 3.0),
            ("sum(gobuild_module_download_failures_total)", 0.0),
            ("count(count by (class) (gobuild_failures_total)) > bool 50", 1.0),
        ]);
        let arrived = stage.finish();
        let root = arrived.root("go build");
        assert_eq!(root.get("process.command_args"), "go build -o app .");
        assert_eq!(root.get("gobuild.confidence"), "inferred");
        assert!(!root.failed);
        let mut downloads: Vec<_> =
            arrived.below(root, "module download").iter().map(|span| span.get("artifact.purl").to_owned()).collect();
        downloads.sort();
        assert_eq!(downloads.len(), 3, "{downloads:?}");
        assert!(downloads[0].starts_with("pkg:golang/golang.org/x/text@v"), "{downloads:?}");
        assert_eq!(downloads[1], "pkg:golang/rsc.io/quote@v1.5.2");
        assert!(downloads[2].starts_with("pkg:golang/rsc.io/sampler@v"), "{downloads:?}");
    });
}

#[test]
fn failing_tests_in_json_are_spans_with_their_failures() {
    on_every_go(Protocol::Http, |_, mut stage| {
        write_tests(&stage);
        assert_eq!(stage.job.step(&["test", "-count=1", "-json", "./..."]), 1);
        stage.expect_metrics(&test_metrics());
        check_tests(&stage.finish());
    });
}

#[test]
fn failing_tests_in_verbose_text_give_the_same_as_in_json() {
    on_every_go(Protocol::Grpc, |_, mut stage| {
        write_tests(&stage);
        assert_eq!(stage.job.step(&["test", "-count=1", "-v", "./..."]), 1);
        stage.expect_metrics(&test_metrics());
        check_tests(&stage.finish());
    });
}

#[test]
fn a_go_sum_that_was_edited_is_a_checksum_mismatch_with_both_hashes() {
    on_every_go(Protocol::Http, |_, mut stage| {
        use_uuid(&stage);
        stage.job.beforehand(&["mod", "tidy"]);
        let sums = stage.job.read("go.sum");
        let line = sums.lines().find(|line| line.contains("uuid v1.6.0 h1:")).unwrap();
        let real = line.rsplit(' ').next().unwrap();
        let edited = "h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        stage.job.file("go.sum", &sums.replace(real, edited));
        stage.job.forget_modules();
        assert_eq!(stage.job.step(&["build", "./..."]), 1);
        stage.expect_metrics(&[
            ("sum(gobuild_command_failures_total{subcommand=\"build\",class=\"checksum.gosum_mismatch\"})", 1.0),
            ("sum(gobuild_failures_total{class=\"checksum.gosum_mismatch\"})", 1.0),
            ("sum(gobuild_failures_total)", 1.0),
            ("sum(gobuild_checksum_mismatches_total{verifier=\"go_sum\",artifact=\"zip\"})", 1.0),
            ("sum(gobuild_checksum_mismatches_total)", 1.0),
        ]);
        let arrived = stage.finish();
        let root = failed_root(&arrived, "go build", "checksum.gosum_mismatch");
        let mismatches = arrived.events_of(root, "gobuild.checksum.mismatch");
        assert_eq!(mismatches.len(), 1, "{:#?}", arrived.events);
        let told: Vec<_> = mismatches[0].attributes.values().map(String::as_str).collect();
        for fact in [real, edited, "github.com/google/uuid", "v1.6.0"] {
            assert!(told.contains(&fact), "{fact} is not in {told:?}");
        }
    });
}

#[test]
fn each_way_in_which_a_proxy_is_broken_has_its_own_class() {
    let ways = [
        (Broken::Status(403, "Forbidden"), "proxy.forbidden", "403"),
        (Broken::Status(404, "Not Found"), "proxy.not_found", "404"),
        (Broken::Status(500, "Internal Server Error"), "proxy.server_error", "500"),
        (Broken::Garbage, "proxy.invalid_content", ""),
        (Broken::Nothing, "network.reset", ""),
    ];
    on_every_go(Protocol::Grpc, |_, mut stage| {
        stage.job.file("go.mod", GO_MOD);
        stage.job.set("GONOSUMDB", "*");
        for (broken, _, _) in ways {
            stage.job.set("GOPROXY", &goproxy::start(broken));
            let module = "mod.example/some/thing@v1.2.3";
            assert_eq!(stage.job.step(&["mod", "download", module]), 1, "{broken:?}");
        }
        let each = ways.map(|(_, class, _)| format!("sum(gobuild_failures_total{{class=\"{class}\"}})"));
        let mut wanted: Vec<_> = each.iter().map(|query| (query.as_str(), 1.0)).collect();
        wanted.push(("sum(gobuild_failures_total)", ways.len() as f64));
        wanted.push(("sum(gobuild_commands_total{subcommand=\"mod\"})", ways.len() as f64));
        wanted.push(("sum(gobuild_command_failures_total{subcommand=\"mod\"})", ways.len() as f64));
        stage.expect_metrics(&wanted);
        let arrived = stage.finish();
        for (broken, class, status) in ways {
            let roots: Vec<&Span> = arrived.spans.iter().filter(|span| span.get("error.type") == class).collect();
            let root = roots.iter().find(|span| span.parent.is_empty());
            let root = root.unwrap_or_else(|| panic!("{broken:?}: no root with {class} in {:#?}", arrived.spans));
            assert_eq!(root.name, "go mod download");
            let failures = arrived.events_of(root, "gobuild.failure");
            assert_eq!(failures.len(), 1, "{broken:?}: {failures:#?}");
            if !status.is_empty() {
                assert_eq!(failures[0].get("http.response.status_code"), status, "{failures:#?}");
            }
        }
    });
}

#[test]
fn a_checksum_database_out_of_reach_is_told_apart_from_a_proxy_out_of_reach() {
    on_every_go(Protocol::Http, |_, mut stage| {
        use_uuid(&stage);
        stage.job.set("GOSUMDB", "sum.golang.org https://127.0.0.1:9");
        assert_eq!(stage.job.step(&["mod", "download", "github.com/google/uuid@v1.6.0"]), 1);
        stage.job.set("GOPROXY", "https://127.0.0.1:9");
        stage.job.forget_modules();
        assert_eq!(stage.job.step(&["mod", "tidy"]), 1);
        stage.expect_metrics(&[
            ("sum(gobuild_failures_total{class=\"checksum.sumdb_unreachable\"})", 1.0),
            ("sum(gobuild_failures_total{class=\"network.refused\"})", 1.0),
            ("sum(gobuild_failures_total)", 2.0),
        ]);
        let arrived = stage.finish();
        let root = failed_root(&arrived, "go mod download", "checksum.sumdb_unreachable");
        assert_eq!(arrived.events_of(root, "gobuild.sumdb.unavailable").len(), 1, "{:#?}", arrived.events);
        failed_root(&arrived, "go mod tidy", "network.refused");
    });
}

#[test]
fn a_compile_error_is_one_failure_of_its_package() {
    on_every_go(Protocol::Grpc, |_, mut stage| {
        stage.job.file("go.mod", GO_MOD);
        stage.job.file("a/a.go", "package a\n\nfunc A() int { return \"a\" }\n\nvar unknown = nowhere\n");
        stage.job.file("b/b.go", "package b\n");
        assert_eq!(stage.job.step(&["build", "./..."]), 1);
        stage.expect_metrics(&[
            ("sum(gobuild_failures_total{class=\"compile.error\"})", 1.0),
            ("sum(gobuild_failures_total)", 1.0),
        ]);
        let arrived = stage.finish();
        let root = failed_root(&arrived, "go build", "compile.error");
        let failures = arrived.events_of(root, "gobuild.failure");
        assert_eq!(failures.len(), 1, "{failures:#?}");
        assert_eq!(failures[0].get("gobuild.package.import_path"), "corp.example/app/a", "{failures:#?}");
    });
}

/// A module that needs one real module; its go.sum is complete.
fn use_uuid(stage: &Stage) {
    stage.job.file("go.mod", &format!("{GO_MOD}\nrequire github.com/google/uuid v1.6.0\n"));
    stage.job.file(
        "main.go",
        "package main\n\nimport \"github.com/google/uuid\"\n\nfunc main() { println(uuid.NewString()) }\n",
    );
}

/// Three packages: one passes, one has a failing subtest and a skipped test, one panics; and one without tests.
fn write_tests(stage: &Stage) {
    let test = |package: &str, body: &str| {
        let text = format!("package {package}\n\nimport \"testing\"\n\n{body}");
        stage.job.file(&format!("{package}/{package}_test.go"), &text);
    };
    stage.job.file("go.mod", GO_MOD);
    test("good", "func TestGood(t *testing.T) { t.Log(\"fine\") }\n");
    test(
        "bad",
        "func TestTable(t *testing.T) {\n\tt.Run(\"one\", func(t *testing.T) {})\n\tt.Run(\"two\", func(t *testing.T) { t.Error(\"not two\") })\n}\n\n\
         func TestSkipped(t *testing.T) { t.Skip(\"not here\") }\n",
    );
    test("boom", "func TestBoom(t *testing.T) {\n\tvar m map[string]int\n\tm[\"x\"] = 1\n}\n");
    stage.job.file("none/none.go", "package none\n");
}

/// Cases: TestGood, TestTable, its two subtests, TestSkipped, TestBoom.
fn test_metrics() -> [(&'static str, f64); 7] {
    [
        ("sum(gobuild_commands_total{subcommand=\"test\"})", 1.0),
        ("sum(gobuild_tests_total)", 6.0),
        ("sum(gobuild_test_failures_total)", 3.0),
        ("sum(gobuild_failures_total{class=\"test.failed\"})", 1.0),
        ("sum(gobuild_failures_total{class=\"test.panic\"})", 1.0),
        ("sum(gobuild_failures_total)", 2.0),
        ("sum(gobuild_test_packages_total)", 3.0),
    ]
}

fn check_tests(arrived: &Arrived) {
    let root = arrived.root("go test");
    assert!(root.failed);
    let mut packages: Vec<_> = arrived
        .below(root, "test package")
        .iter()
        .map(|span| (span.get("test.suite.name").to_owned(), span.get("test.suite.run.status").to_owned()))
        .collect();
    packages.sort();
    let of = |name: &str, status: &str| (format!("corp.example/app/{name}"), status.to_owned());
    let ran: Vec<_> = packages.into_iter().filter(|(name, _)| !name.ends_with("/none")).collect();
    assert_eq!(ran, [of("bad", "failure"), of("boom", "failure"), of("good", "success")]);
    let failed: Vec<_> = arrived.below(root, "test").into_iter().filter(|span| span.failed).collect();
    let mut names: Vec<_> = failed.iter().map(|span| span.get("test.case.name")).collect();
    names.sort_unstable();
    assert_eq!(names, ["TestBoom", "TestTable", "TestTable/two"]);
    assert_eq!(arrived.events_of(root, "gobuild.failure").len(), 2, "{:#?}", arrived.events);
}

#[track_caller]
fn failed_root<'a>(arrived: &'a Arrived, name: &str, class: &str) -> &'a Span {
    let root = arrived.root(name);
    assert!(root.failed, "{root:#?}");
    assert_eq!(root.get("error.type"), class, "{root:#?}");
    root
}
