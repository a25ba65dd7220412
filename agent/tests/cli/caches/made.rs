//! A module cache and a build cache as go commands leave them, with times that are so many days ago.

use std::fs::{self, File, FileTimes};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime};

use crate::gobeacon;

/// The ids of the actions and outputs, by their first digit.
pub(crate) fn id(digit: char) -> String {
    digit.to_string().repeat(64)
}

/// A folder with both caches, `mod` and `build`.
pub(crate) struct Caches {
    folder: tempfile::TempDir,
}

impl Caches {
    pub(crate) fn new() -> Self {
        let caches = Self { folder: tempfile::tempdir().unwrap() };
        caches.modules();
        caches.builds();
        caches
    }

    /// Two versions of a library, one of them not used for long; a toolchain; a go.mod; a download and an extraction
    /// that did not end.
    fn modules(&self) {
        let lib = "mod/cache/download/example.com/lib/@v";
        self.file(&format!("{lib}/list"), b"v1.0.0\nv1.1.0\n", 3);
        for (version, days) in [("v1.0.0", 60), ("v1.1.0", 3)] {
            self.version("example.com/lib", "example.com/lib", version, days);
        }
        self.version("github.com/!burnt!sushi/toml", "github.com/!burnt!sushi/toml", "v1.3.2", 40);
        self.version("golang.org/toolchain", "golang.org/toolchain", "v0.0.1-go1.24.1.linux-amd64", 50);
        self.file("mod/cache/download/example.com/graph/@v/v2.0.0+incompatible.mod", b"module example.com/graph\n", 90);
        self.file("mod/cache/download/example.com/slow/@v/v1.0.0.zip123456789.tmp", &[0; 500], 0);
        self.file("mod/cache/download/example.com/slow/@v/v1.0.0.lock", b"", 0);
        self.file("mod/cache/download/sumdb/sum.golang.org/lookup/example.com/lib@v1.0.0", &[b'x'; 300], 60);
        self.file("mod/cache/lock", b"", 0);
    }

    fn version(&self, module: &str, tree: &str, version: &str, days: u64) {
        let stem = format!("mod/cache/download/{module}/@v/{version}");
        self.file(&format!("{stem}.info"), format!("{{\"Version\":\"{version}\"}}").as_bytes(), days);
        self.file(&format!("{stem}.mod"), format!("module {module}\n").as_bytes(), days);
        self.file(&format!("{stem}.zip"), &[b'z'; 2000], days);
        self.file(&format!("{stem}.ziphash"), format!("h1:of {module} {version}=").as_bytes(), days);
        self.file(&format!("{stem}.lock"), b"", days);
        let tree = format!("mod/{tree}@{version}");
        self.file(&format!("{tree}/go.mod"), format!("module {module}\n").as_bytes(), days);
        self.file(&format!("{tree}/deep/lib.go"), &[b'g'; 5000], days);
        for dir in [format!("{tree}/deep"), tree] {
            fs::set_permissions(self.path(&dir), fs::Permissions::from_mode(0o555)).unwrap();
        }
    }

    /// Six actions and seven outputs, one of which no action names.
    fn builds(&self) {
        self.entry('1', Some(b"!<arch>\n__.PKGDEF compiled\n"), 'a', 10);
        self.entry('2', Some(b"go index v2\n"), 'b', 2);
        self.entry('3', Some(b"PASS\nok  \texample.com/lib\t0.01s\n"), 'c', 0);
        self.entry('4', Some(b"\x0d\xff\x81\x02\x01gobFact"), 'd', 0);
        self.entry('5', Some(b"./lib.go\n"), 'e', 40);
        self.entry('6', None, 'f', 20);
        let program = format!("build/ff/{}-d", id('f'));
        self.file(&format!("{program}/tool"), b"\x7fELF and so on", 20);
        self.touch(&program, 20);
        self.file(&format!("build/00/{}-d", id('0')), b"!<arch>\nnobody names it\n", 10);
        self.file(&format!("build/77/{}-a", id('7')), b"v1 777", 0);
        self.file("build/README", b"This directory holds cached build artifacts.\n", 100);
        self.file("build/trim.txt", self.seconds_ago(30 * 3600).as_bytes(), 1);
        self.file("build/fuzz/example.com/FuzzA/0123", b"go test fuzz v1\n", 100);
        self.file("build/00/strange", b"no entry", 100);
    }

    fn entry(&self, action: char, output: Option<&[u8]>, digit: char, days: u64) {
        let (name, to) = (id(action), id(digit));
        let bytes = output.map_or(13, <[u8]>::len);
        let line = format!("v1 {name} {to} {bytes:>20} {:>20}\n", 1_790_000_000_000_000_000_i64);
        self.file(&format!("build/{action}{action}/{name}-a"), line.as_bytes(), days);
        if let Some(output) = output {
            self.file(&format!("build/{digit}{digit}/{to}-d"), output, days);
        }
    }

    /// Writes a file that was used so many days ago, and an hour.
    pub(crate) fn file(&self, name: &str, content: &[u8], days: u64) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        self.touch(name, days);
    }

    /// Makes it so many days old, and half an hour.
    pub(crate) fn touch(&self, name: &str, days: u64) {
        let then = SystemTime::now() - Duration::from_secs(days * 86_400 + 1800);
        let times = FileTimes::new().set_modified(then).set_accessed(then);
        File::open(self.path(name)).unwrap().set_times(times).unwrap();
    }

    fn seconds_ago(&self, seconds: u64) -> String {
        let then = SystemTime::now() - Duration::from_secs(seconds);
        then.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs().to_string()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        fs::symlink_metadata(self.path(name)).is_ok()
    }

    /// Every file, link and folder of a cache.
    pub(crate) fn everything(&self, below: &str) -> Vec<String> {
        fn walk(path: &Path, found: &mut Vec<String>) {
            found.push(path.to_str().unwrap().to_owned());
            if fs::symlink_metadata(path).unwrap().is_dir() {
                fs::read_dir(path).unwrap().for_each(|entry| walk(&entry.unwrap().path(), found));
            }
        }
        let mut found = Vec::new();
        walk(&self.path(below), &mut found);
        found.sort();
        found
    }

    /// The binary, in the folder.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = gobeacon(arguments);
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Without what differs from machine to machine and from day to day: times and free space.
    pub(crate) fn without_machine(&self, text: &str) -> String {
        let masked = text.lines().map(|line| {
            let keep = |end: &str| line.find(end).map(|at| &line[..at + end.len()]);
            let comma = if line.ends_with(',') { "," } else { "" };
            let json =
                ["\"free_bytes\": ", "\"total_bytes\": ", "\"last_trim\": ", "\"last_used\": \"", "\"notes_reads\": "];
            if line.contains(" free of ") {
                "  SPACE".to_owned()
            } else if line.contains("does not note when files are read") {
                String::new()
            } else if let Some(start) = json.iter().find_map(|it| keep(it)) {
                format!("{start}MASKED{comma}")
            } else if let Some((start, _)) = line.split_once("\"used\":\"") {
                format!("{start}\"used\":MASKED}}")
            } else {
                line.to_owned()
            }
        });
        masked.collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Caches {
    /// Folders that may not be written cannot be emptied, except by root.
    fn drop(&mut self) {
        for path in self.everything("") {
            if fs::symlink_metadata(&path).is_ok_and(|it| it.is_dir()) {
                let _ = fs::set_permissions(&path, fs::Permissions::from_mode(0o755));
            }
        }
    }
}
