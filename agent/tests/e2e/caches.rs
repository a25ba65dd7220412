//! Caches of real go commands, pruned while more go commands use them.

use std::fs::{self, File, FileTimes};
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::go::{Job, Toolchain, toolchains};

const MODULES: &[(&str, &str)] =
    &[("github.com/pkg/errors", "v0.9.1"), ("golang.org/x/sync", "v0.5.0"), ("gopkg.in/yaml.v3", "v3.0.1")];

/// A job that builds with three modules, all in caches of its own.
fn job(toolchain: &Toolchain, folder: &Path) -> Job {
    let mut job = Job::new(toolchain, folder, &folder.join("log"));
    job.cold();
    // as go commands do by default: folders of the module cache may not be written
    job.set("GOFLAGS", "-mod=mod");
    let requires: Vec<_> = MODULES.iter().map(|(path, version)| format!("require {path} {version}")).collect();
    job.file("go.mod", &format!("module example.com/pruned\n\ngo 1.21\n\n{}\n", requires.join("\n")));
    job.file(
        "main.go",
        "package main\n\nimport (\n\t\"github.com/pkg/errors\"\n\t\"golang.org/x/sync/errgroup\"\n\t\"gopkg.in/yaml.v3\"\n)\n\n\
         func main() {\n\tvar g errgroup.Group\n\t_, err := yaml.Marshal(1)\n\tprintln(errors.Cause(err), g.Wait())\n}\n",
    );
    job.file("main_test.go", "package main\n\nimport \"testing\"\n\nfunc TestNothing(t *testing.T) {}\n");
    job
}

fn prune(folder: &Path, more: &[&str]) -> Output {
    let (modules, builds) = (folder.join("gopath/pkg/mod"), folder.join("gocache"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_gobeacon"));
    command.args(["cache", "prune", "--older-than", "7d", "--format", "json", "--modcache"]).arg(modules);
    command.arg("--gocache").arg(builds).args(more).env_clear().output().unwrap()
}

fn removed(output: &Output) -> u64 {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let caches = found["caches"].as_array().unwrap();
    caches.iter().map(|it| it["removed"]["entries"].as_u64().unwrap_or_default()).sum()
}

/// Makes everything in the caches 40 days old.
fn age(path: &Path) {
    let then = SystemTime::now() - Duration::from_secs(40 * 86_400);
    if fs::symlink_metadata(path).unwrap().is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| age(&entry.unwrap().path()));
    }
    let times = FileTimes::new().set_modified(then).set_accessed(then);
    // links and sockets have no times that matter
    if let Ok(file) = File::open(path) {
        file.set_times(times).unwrap();
    }
}

fn age_all(folder: &Path) {
    ["gopath", "gocache"].iter().for_each(|name| age(&folder.join(name)));
}

#[test]
fn what_was_pruned_is_fetched_and_built_again() {
    for toolchain in toolchains() {
        let folder = tempfile::tempdir().unwrap();
        let job = job(&toolchain, folder.path());
        job.beforehand(&["mod", "tidy"]);
        job.beforehand(&["build", "./..."]);
        // young: nothing goes
        assert_eq!(removed(&prune(folder.path(), &["--yes"])), 0, "{}", toolchain.version);
        age_all(folder.path());
        // a build that has nothing to do uses all the same: what it used stays
        job.beforehand(&["build", "./..."]);
        removed(&prune(folder.path(), &["--yes"]));
        let again = job.beforehand(&["build", "-v", "./..."]);
        assert!(!again.contains("downloading"), "{}: {again}", toolchain.version);
        age_all(folder.path());
        assert!(removed(&prune(folder.path(), &["--yes"])) > 100, "{}", toolchain.version);
        let again = job.beforehand(&["build", "./..."]);
        for (module, version) in MODULES {
            assert!(again.contains(&format!("downloading {module} {version}")), "{}: {again}", toolchain.version);
        }
        job.beforehand(&["mod", "verify"]);
        make_writable(folder.path());
    }
}

#[test]
fn builds_succeed_while_their_caches_are_pruned() {
    for toolchain in toolchains() {
        let folder = tempfile::tempdir().unwrap();
        let job = job(&toolchain, folder.path());
        job.beforehand(&["mod", "tidy"]);
        job.beforehand(&["build", "./..."]);
        for round in 0..2 {
            age_all(folder.path());
            let commands: [&[&str]; 3] = [&["build", "./..."], &["test", "-count=1", "./..."], &["vet", "./..."]];
            std::thread::scope(|scope| {
                let running: Vec<_> = commands
                    .iter()
                    .enumerate()
                    .map(|(nth, arguments)| {
                        let log = folder.path().join(format!("log-{nth}"));
                        let job = &job;
                        scope.spawn(move || (job.run_into(arguments, &log), log))
                    })
                    .collect();
                while running.iter().any(|it| !it.is_finished()) {
                    removed(&prune(folder.path(), &["--yes"]));
                }
                for it in running {
                    let (code, log) = it.join().unwrap();
                    let text = fs::read_to_string(log).unwrap();
                    assert_eq!(code, 0, "{} in round {round}: {text}", toolchain.version);
                }
            });
        }
        make_writable(folder.path());
    }
}

/// So that who is not root can remove it.
fn make_writable(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    if fs::symlink_metadata(path).unwrap().is_dir() {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        fs::read_dir(path).unwrap().for_each(|entry| make_writable(&entry.unwrap().path()));
    }
}
