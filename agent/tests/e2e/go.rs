//! Real go commands that write a job's log, the way a CI runner's shell does: an echo of the command, then what it
//! prints, both streams in one file.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::machine::variable_or_fail;

/// One Go distribution.
#[derive(Debug, Clone)]
pub(crate) struct Toolchain {
    root: PathBuf,
    /// `go1.22.10`.
    pub(crate) version: String,
}

/// The distributions that `.ci/setup` installed, oldest first; at least two.
pub(crate) fn toolchains() -> Vec<Toolchain> {
    let roots = variable_or_fail("GOBEACON_GO_ROOTS");
    let found: Vec<_> = roots.split(':').map(|root| Toolchain::at(Path::new(root))).collect();
    assert!(found.len() >= 2, "GOBEACON_GO_ROOTS names {} Go version, wanted are two", found.len());
    found
}

/// One that counts for itself (Go 1.23 or newer) besides the newest of [`toolchains`].
pub(crate) fn another_that_counts() -> Toolchain {
    Toolchain::at(Path::new(&variable_or_fail("GOBEACON_GO_COUNTING")))
}

impl Toolchain {
    fn at(root: &Path) -> Self {
        let text = std::fs::read_to_string(root.join("VERSION"))
            .unwrap_or_else(|error| panic!("{}: {error}: run .ci/setup", root.display()));
        Self { root: root.to_owned(), version: text.lines().next().unwrap().to_owned() }
    }
}

/// One CI job: a module, caches of its own, and a log that go commands write.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    toolchain: Toolchain,
    folder: PathBuf,
    log: PathBuf,
    env: Vec<(String, String)>,
}

impl Job {
    /// A job in `folder` with an empty module cache and HOME, that writes to `log`. Compiled packages of the standard
    /// library come from a build cache that all jobs of one Go version share.
    pub(crate) fn new(toolchain: &Toolchain, folder: &Path, log: &Path) -> Self {
        let shared = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("gocache-{}", toolchain.version));
        for made in [folder.join("src"), folder.join("home"), shared.clone()] {
            std::fs::create_dir_all(made).unwrap();
        }
        let mut job =
            Self { toolchain: toolchain.clone(), folder: folder.to_owned(), log: log.to_owned(), env: Vec::new() };
        job.set("HOME", &folder.join("home").display().to_string());
        job.set("GOPATH", &folder.join("gopath").display().to_string());
        job.set("GOCACHE", &shared.display().to_string());
        job.set("GOROOT", &toolchain.root.display().to_string());
        job.set("GOTOOLCHAIN", "local");
        // so that the folder can be deleted; it changes nothing that is printed
        job.set("GOFLAGS", "-modcacherw");
        job
    }

    /// An environment variable of every go command from here on.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.env.retain(|(it, _)| it != name);
        self.env.push((name.to_owned(), value.to_owned()));
    }

    /// Empty caches: the first build on a new machine.
    pub(crate) fn cold(&mut self) {
        let cache = self.folder.join("gocache").display().to_string();
        self.set("GOCACHE", &cache);
    }

    /// Writes a file of the module.
    pub(crate) fn file(&self, name: &str, text: &str) {
        let path = self.folder.join("src").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Reads a file of the module.
    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.join("src").join(name)).unwrap()
    }

    /// Deletes what was downloaded.
    pub(crate) fn forget_modules(&self) {
        std::fs::remove_dir_all(self.folder.join("gopath")).unwrap();
    }

    /// Runs a go command as a step of the job; returns its exit code.
    pub(crate) fn step(&self, args: &[&str]) -> i32 {
        let mut log = OpenOptions::new().create(true).append(true).open(&self.log).unwrap();
        writeln!(log, "+ go {}", args.join(" ")).unwrap();
        self.go(args, &log)
    }

    /// Runs a go command that is no part of the job: nothing of it is in the log. It must succeed; returns what it
    /// printed.
    pub(crate) fn beforehand(&self, args: &[&str]) -> String {
        let path = self.folder.join("beforehand.log");
        let code = self.run_into(args, &path);
        let printed = std::fs::read_to_string(&path).unwrap();
        assert_eq!(code, 0, "go {args:?}: {printed}");
        printed
    }

    /// Runs a go command with both streams in a new file of its own; returns its exit code.
    pub(crate) fn run_into(&self, args: &[&str], file: &Path) -> i32 {
        self.go(args, &File::create(file).unwrap())
    }

    /// The lines of the log so far.
    pub(crate) fn log_lines(&self) -> usize {
        self.log_text().lines().count()
    }

    /// The log so far.
    pub(crate) fn log_text(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    fn go(&self, args: &[&str], out: &File) -> i32 {
        self.command(args, out).status().unwrap().code().unwrap_or(-1)
    }

    /// A go command, ready to run.
    pub(crate) fn command(&self, args: &[&str], out: &File) -> Command {
        let mut command = Command::new(self.toolchain.root.join("bin/go"));
        command.args(args).current_dir(self.folder.join("src")).env_clear();
        // how this machine reaches the module proxy is its own affair
        for name in ["GOPROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", self.toolchain.root.join("bin").display());
        command.env("PATH", path).envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(std::process::Stdio::null()).stdout(out.try_clone().unwrap()).stderr(out.try_clone().unwrap());
        command
    }
}
