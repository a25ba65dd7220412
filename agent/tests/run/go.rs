//! Real go commands: nothing that is built, cached or printed changes.
//!
//! The toolchains are those that `GOBEACON_GO_ROOTS` lists (`.ci/test` sets it), or the go on the PATH.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use super::{GOBEACON, output, text};

/// A module on one toolchain. Its cache is kept between tests, unless it is a cold one.
struct Module {
    root: PathBuf,
    folder: tempfile::TempDir,
    cache: PathBuf,
}

impl Module {
    /// The same module for every toolchain.
    fn on_each(files: &[(&str, &str)]) -> Vec<Self> {
        let module = |root: PathBuf| {
            let folder = tempfile::tempdir().unwrap();
            for (name, text) in [("go.mod", "module example.com/m\n\ngo 1.20\n")].iter().chain(files) {
                let path = folder.path().join("src").join(name);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(&path, text).unwrap();
                // what is younger than two seconds go does not index, and later it does: a new cache entry
                let file = std::fs::File::options().write(true).open(&path).unwrap();
                file.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
            }
            Self { root, folder, cache: Path::new(env!("CARGO_TARGET_TMPDIR")).join("run-gocache") }
        };
        roots().into_iter().map(module).collect()
    }

    /// A new and empty build cache.
    fn cold(&mut self, name: &str) {
        self.cache = self.folder.path().join(name);
    }

    fn environment(&self, mut command: Command) -> Command {
        let path = format!("{}:/usr/bin:/bin", self.root.join("bin").display());
        command.current_dir(self.folder.path().join("src")).env_clear().env("PATH", path);
        command.env("HOME", self.folder.path()).env("GOPATH", self.folder.path().join("gopath"));
        command.env("GOCACHE", &self.cache).env("TMPDIR", self.folder.path());
        command.envs([("GOFLAGS", ""), ("GOENV", "off"), ("GOTOOLCHAIN", "local"), ("GOPROXY", "off")]);
        command
    }

    fn bare(&self, arguments: &[&str]) -> Command {
        let mut go = Command::new(self.root.join("bin/go"));
        go.args(arguments);
        self.environment(go)
    }

    fn wrapped(&self, options: &[&str], arguments: &[&str]) -> Command {
        let mut run = Command::new(GOBEACON);
        run.arg("run").args(options).args(["--", "go"]).args(arguments);
        self.environment(run)
    }

    /// Names of all entries of the build cache: action ids and the hashes of what they made.
    fn entries(&self) -> BTreeSet<String> {
        let folders = std::fs::read_dir(&self.cache).unwrap().map(|it| it.unwrap().path()).filter(|it| it.is_dir());
        let files = folders.flat_map(|it| std::fs::read_dir(it).unwrap().map(|file| file.unwrap().file_name()));
        let names = files.map(|name| name.into_string().unwrap());
        names.filter(|name| name.ends_with("-a") || name.ends_with("-d")).collect()
    }
}

fn roots() -> Vec<PathBuf> {
    match std::env::var("GOBEACON_GO_ROOTS") {
        Ok(roots) if !roots.is_empty() => roots.split(':').map(PathBuf::from).collect(),
        _ => {
            let asked = Command::new("go").args(["env", "GOROOT"]).output().unwrap();
            vec![PathBuf::from(text(&asked.stdout).trim())]
        }
    }
}

const MAIN: (&str, &str) = (
    "main.go",
    "package main\n\nimport \"os\"\n\nfunc main() {\n\tprintln(len(os.Args))\n\tif len(os.Args) > 1 {\n\t\tos.Exit(3)\n\t}\n}\n",
);
const PASSES: (&str, &str) =
    ("ok/ok_test.go", "package ok\n\nimport \"testing\"\n\nfunc TestPasses(t *testing.T) {}\n");
const FAILS: (&str, &str) = (
    "bad/bad_test.go",
    "package bad\n\nimport \"testing\"\n\nfunc TestFails(t *testing.T) {\n\tt.Error(\"three is not four\")\n}\n",
);

/// What does not differ from run to run.
fn timeless(output: &Output) -> (Option<i32>, String, String) {
    let clean = |bytes: &[u8]| {
        let lines = text(bytes).lines().map(|line| line.split(['\t', '(', ',']).next().unwrap_or_default().to_owned());
        lines.collect::<Vec<_>>().join("\n")
    };
    (output.status.code(), clean(&output.stdout), clean(&output.stderr))
}

#[test]
fn a_test_that_was_cached_is_cached() {
    for module in Module::on_each(&[PASSES]) {
        let first = output(&mut module.wrapped(&[], &["test", "./..."]));
        assert!(first.status.success(), "{}", text(&first.stderr));
        let second = output(&mut module.wrapped(&[], &["test", "./..."]));
        assert_eq!(text(&second.stdout), "ok  \texample.com/m/ok\t(cached)\n");
        let bare = output(&mut module.bare(&["test", "./..."]));
        assert_eq!((bare.stdout, bare.stderr), (second.stdout, Vec::new()));
        let summary = text(&second.stderr);
        assert!(summary.lines().count() <= 8 && summary.contains("1 of them cached"), "{summary}");
    }
}

#[test]
fn the_same_is_built_under_the_same_action_ids_and_a_second_build_adds_nothing() {
    // without imports: a cold build of little
    for mut module in Module::on_each(&[("main.go", "package main\n\nfunc main() { println(1) }\n")]) {
        let mut built = Vec::new();
        for wrapped in [false, true] {
            module.cold(if wrapped { "wrapped" } else { "bare" });
            let program = module.folder.path().join("program");
            let arguments = ["build", "-o", program.to_str().unwrap(), "."];
            let go = |wrapped| if wrapped { module.wrapped(&[], &arguments) } else { module.bare(&arguments) };
            // the second finds the program there, and go notes its build id
            for _ in 0..2 {
                let ran = output(&mut go(wrapped));
                assert!(ran.status.success() && ran.stdout.is_empty(), "{}", text(&ran.stderr));
            }
            let entries = module.entries();
            assert!(!entries.is_empty() && output(&mut go(true)).status.success());
            assert!(module.entries() == entries, "{:?}", &module.entries() ^ &entries);
            built.push((entries, std::fs::read(&program).unwrap()));
            // a program that is there would not be linked again
            std::fs::remove_file(&program).unwrap();
        }
        assert!(built[0].0 == built[1].0, "{:?}", &built[0].0 ^ &built[1].0);
        assert!(built[0].1 == built[1].1, "the programs differ");
    }
}

#[test]
fn the_summary_of_a_failing_test_names_the_test_the_line_and_what_to_do() {
    for module in Module::on_each(&[PASSES, FAILS]) {
        let ran = output(&mut module.wrapped(&[], &["test", "./..."]));
        let summary = text(&ran.stderr);
        for part in ["go test ./...", "bad/bad_test.go:6", "TestFails", "three is not four", "→ ", "exit code 1"] {
            let found = summary.contains(part) || part == "bad/bad_test.go:6" && summary.contains("bad_test.go:6");
            assert!(found, "{part}: {summary}");
        }
        assert_eq!(timeless(&ran).1, timeless(&output(&mut module.bare(&["test", "./..."]))).1);
    }
}

#[test]
fn the_summary_of_a_failing_build_names_the_line_and_what_to_do() {
    let broken = ("broken.go", "package m\n\nvar number int = \"text\"\n");
    for module in Module::on_each(&[broken]) {
        let bare = output(&mut module.bare(&["build", "./..."]));
        let ran = output(&mut module.wrapped(&[], &["build", "./..."]));
        assert_eq!((ran.status.code(), &ran.stdout), (bare.status.code(), &bare.stdout));
        let summary = ran.stderr.strip_prefix(&bare.stderr[..]).map(text).unwrap();
        for part in ["✗ go build ./...", "broken.go:3", "cannot use", "→ "] {
            assert!(summary.contains(part), "{part}: {summary}");
        }
    }
}

#[test]
fn what_go_prints_and_how_it_ends_are_untouched() {
    let commands: &[&[&str]] = &[
        &["build", "./..."],
        &["build", "-C", "ok", "nosuch"],
        &["-C", "ok", "vet", "."],
        &["run", "."],
        &["run", ".", "a", "-debug-actiongraph"],
        &["vet", "./..."],
        &["test", "-v", "./ok"],
        &["test", "-list", ".", "./ok"],
        &["test", "-run", "Nothing", "./ok", "-args", "x"],
        &["version"],
        &["env", "GOFLAGS"],
        &["mod", "verify", "-nosuch"],
        &["nosuch"],
        &[],
    ];
    for module in Module::on_each(&[MAIN, PASSES, FAILS]) {
        for command in commands {
            let bare = timeless(&output(&mut module.bare(command)));
            assert_eq!(timeless(&output(&mut module.wrapped(&["-q"], command))), bare, "{command:?}");
        }
    }
}

#[test]
fn json_of_tests_stays_json() {
    for module in Module::on_each(&[PASSES, FAILS]) {
        let ran = output(&mut module.wrapped(&[], &["test", "-json", "./..."]));
        assert_eq!(ran.status.code(), Some(1));
        for line in text(&ran.stdout).lines() {
            assert!(serde_json::from_str::<serde_json::Value>(line).unwrap().is_object());
        }
        assert!(text(&ran.stderr).contains("TestFails"), "{}", text(&ran.stderr));
    }
}

#[test]
fn a_graph_that_is_asked_for_is_written_where_it_was_asked_for() {
    for module in Module::on_each(&[MAIN]) {
        let graph = module.folder.path().join("graph.json");
        let flag = format!("-debug-actiongraph={}", graph.display());
        for by_variable in [false, true] {
            let mut run = if by_variable {
                let mut run = module.wrapped(&[], &["build", "./..."]);
                run.env("GOFLAGS", &flag);
                run
            } else {
                module.wrapped(&[], &["build", &flag, "./..."])
            };
            assert!(output(&mut run).status.success());
            assert!(std::fs::remove_file(&graph).is_ok(), "by variable: {by_variable}");
        }
    }
}

#[test]
fn without_a_place_for_the_graph_the_build_is_the_same() {
    for module in Module::on_each(&[MAIN]) {
        // go itself needs a temporary folder: GOTMPDIR is its own
        let temporary = module.folder.path().join("gotmp");
        std::fs::create_dir(&temporary).unwrap();
        for place in ["/nonexistent", "/proc", "/dev/null"] {
            let mut run = module.wrapped(&["-q"], &["build", "./..."]);
            let ran = output(run.env("TMPDIR", place).env("GOTMPDIR", &temporary));
            assert_eq!((ran.status.code(), text(&ran.stdout), text(&ran.stderr)), (Some(0), "", ""), "{place}");
        }
    }
}

#[test]
fn nothing_is_left_in_the_temporary_folder() {
    for module in Module::on_each(&[MAIN]) {
        assert!(output(&mut module.wrapped(&[], &["build", "-o", "/dev/null", "."])).status.success());
        let left = std::fs::read_dir(module.folder.path()).unwrap().map(|it| it.unwrap().file_name());
        let left: Vec<_> = left.filter(|name| name.to_string_lossy().contains("gobeacon")).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn the_summary_says_why_packages_were_compiled_again_and_nothing_when_nothing_is_known() {
    let leaf = |number: u8| format!("package leaf\n\nfunc One() int {{ return {number} }}\n");
    let main = "package main\n\nimport \"example.com/m/leaf\"\n\nfunc main() { println(leaf.One()) }\n";
    for module in Module::on_each(&[("main.go", main), ("leaf/leaf.go", &leaf(1))]) {
        let summary = |arguments: &[&str]| {
            let ran = output(&mut module.wrapped(&[], arguments));
            assert!(ran.status.success(), "{}", text(&ran.stderr));
            text(&ran.stderr).lines().find(|line| line.contains("rebuilt")).unwrap_or_default().trim().to_owned()
        };
        assert_eq!(summary(&["build", "./..."]), "", "the first time all is new");
        assert_eq!(summary(&["build", "./..."]), "");
        std::fs::write(module.folder.path().join("src/leaf/leaf.go"), leaf(2)).unwrap();
        let why = summary(&["build", "./..."]);
        assert_eq!(why, "rebuilt    2: 1 source, 1 dependency; example.com/m/leaf changed, 1 others for it");
        assert_eq!(summary(&["build", "-gcflags=-N", "./..."]), "rebuilt    2: 2 flags");
        assert_eq!(summary(&["build", "-tags", "x", "-o", "program", "."]), "rebuilt    1: 1 flags");
    }
}
