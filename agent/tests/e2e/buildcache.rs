//! Build caches of real go commands under watch: hits and puts against a cache that counts for itself, and what CI
//! steps and the go command's own cleaning do to a cache.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::go::{Job, Toolchain, toolchains};
use crate::machine::{Running, free_address, http_get, wait_for};

/// The same build once with a cache that counts, once with one that is watched.
const STEPS: &[(&str, &[&str])] = &[
    ("cold", &["build", "-p", "4", "-o", "OUT", "."]),
    ("warm", &["build", "-o", "OUT", "."]),
    ("sixteen at once, with another tag", &["build", "-p", "16", "-tags", "x1", "-o", "OUT", "."]),
    ("tests, cold", &["test", "-p", "16", "strings", "encoding/json", "encoding/xml", "."]),
    ("tests, warm", &["test", "-p", "16", "strings", "encoding/json", "encoding/xml", "."]),
    ("vet", &["vet", "."]),
];

#[test]
fn hits_and_puts_are_those_that_a_counting_cache_counts() {
    let toolchains = toolchains();
    let newest = toolchains.last().unwrap();
    let trial = Trial::new(newest);
    let program = trial.counting_cache(newest);
    let (mut hits, mut puts) = (0, 0);
    for (what, args) in STEPS {
        let truth = trial.counted(&program, args);
        trial.go(args);
        (hits, puts) = (hits + truth.hits, puts + truth.puts);
        wait_for(&format!("{what}: {truth:?}, {hits} hits and {puts} puts in all"), || trial.has(hits, puts));
    }
    assert!(hits > 500 && puts > 500, "{hits} hits and {puts} puts prove something");
    assert_eq!(trial.settled(), hits, "nothing comes late");
}

#[test]
fn a_cold_build_puts_what_is_there_afterwards_and_warm_ones_find_the_same_each_time() {
    for toolchain in toolchains() {
        let trial = Trial::new(&toolchain);
        let build = ["build", "-o", "OUT", "."];
        trial.go(&build);
        let files = trial.files("-a");
        let before = trial.settled();
        // the mark of `settled` is one; an action may be put a second time
        let puts = trial.value("gobuild_cache_puts_total") - 1;
        assert!((files..files + 3).contains(&puts), "{}: {puts} puts, {files} files", toolchain.version);
        trial.go(&build);
        let once = trial.settled() - before;
        assert!(once > 100, "{}: a warm build finds all that it needs: {once}", toolchain.version);
        trial.go(&build);
        assert_eq!(trial.settled() - before, 2 * once, "{}", toolchain.version);
    }
}

#[test]
fn a_restore_by_tar_is_no_put_and_what_it_was_worth_is_counted() {
    let toolchains = toolchains();
    let trial = Trial::new(toolchains.last().unwrap());
    let build = ["build", "-o", "OUT", "."];
    trial.go(&build);
    let (entries, bytes) = (trial.files("-a") + trial.files("-d"), trial.bytes());
    trial.expect("gobuild_cache_entries{cache=\"build\"}", entries);
    trial.expect("gobuild_cache_size_bytes{cache=\"build\"}", bytes);
    trial.tar(&["cf", "saved.tar", "gocache"]);
    trial.go(&["clean", "-cache"]);
    trial.expect("gobuild_cache_entries{cache=\"build\"}", 0);
    trial.tar(&["xf", "saved.tar"]);
    trial.expect("gobuild_cache_restored_entries_total", entries);
    trial.expect("gobuild_cache_restored_bytes_total", bytes);
    trial.expect("gobuild_cache_entries{cache=\"build\"}", entries);
    let (before, puts) = (trial.settled(), trial.value("gobuild_cache_puts_total"));
    trial.go(&build);
    let found = trial.settled() - before;
    assert!(found > 100, "the build finds what was restored: {found}");
    trial.expect("gobuild_cache_restored_hits_total", found);
    // the mark of `settled` is one, and a build puts one action each time
    let built = trial.value("gobuild_cache_puts_total") - puts - 1;
    assert!(built < 3, "nothing is built anew: {built} puts");
    assert_eq!(trial.value("gobuild_cache_trimmed_entries_total"), 0, "a clean is no trim");
}

#[test]
fn a_trim_of_the_go_command_is_counted_with_its_bytes() {
    let toolchains = toolchains();
    let trial = Trial::new(toolchains.last().unwrap());
    trial.go(&["test", "encoding/json"]);
    let before = (trial.files("-a") + trial.files("-d"), trial.bytes());
    trial.expect("gobuild_cache_size_bytes{cache=\"build\"}", before.1);
    let long_ago = SystemTime::now() - Duration::from_secs(10 * 86_400);
    trial.each_entry(|path| set_time(path, long_ago));
    let seconds = long_ago.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    fs::write(trial.cache().join("trim.txt"), seconds.to_string()).unwrap();
    trial.go(&["build", "-o", "OUT", "."]);
    let gone = wait_for("the go command trims", || match trial.value("gobuild_cache_trimmed_entries_total") {
        0 => Err("nothing is trimmed".to_owned()),
        gone => Ok(gone),
    });
    let puts = trial.value("gobuild_cache_puts_total");
    assert!(gone > 100, "{gone} of {} entries are trimmed, after {puts} puts", before.0);
    trial.expect("gobuild_cache_entries{cache=\"build\"}", trial.files("-a") + trial.files("-d"));
    trial.expect("gobuild_cache_size_bytes{cache=\"build\"}", trial.bytes());
}

/// A cache, the agent on it, and go commands.
struct Trial {
    job: Job,
    _agent: Running,
    listen: SocketAddr,
    folder: tempfile::TempDir,
}

#[derive(Debug)]
struct Counted {
    hits: u64,
    puts: u64,
}

impl Trial {
    /// The cache is not there when the agent starts.
    fn new(toolchain: &Toolchain) -> Self {
        let folder = tempfile::Builder::new().prefix("gobeacon-e2e-").tempdir().unwrap();
        let listen = free_address();
        let mut command = Command::new(env!("CARGO_BIN_EXE_gobeacon"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("OTEL_") || name.starts_with("GOBEACON_"))
        {
            command.env_remove(name);
        }
        command.args(["agent", "--listen", &listen.to_string(), "--gocache"]).arg(folder.path().join("gocache"));
        command.env("GOBEACON_DISCOVERY_ENABLED", "false");
        let mut agent = Running::start("agent", folder.path(), &mut command);
        wait_for("the agent is ready", || {
            agent.alive()?;
            http_get(listen, "/readyz")
        });
        let mut job = Job::new(toolchain, folder.path(), &folder.path().join("job.log"));
        job.cold();
        job.file("go.mod", "module example.com/trial\n\ngo 1.21\n");
        job.file("main.go", "package main\n\nimport \"net/http\"\n\nfunc main() { println(http.StatusOK) }\n");
        job.file("main_test.go", "package main\n\nimport \"testing\"\n\nfunc TestIt(t *testing.T) {}\n");
        for name in ["go.mod", "main.go", "main_test.go"] {
            // the go command does not index what was written within the last seconds
            set_time(&folder.path().join("src").join(name), SystemTime::now() - Duration::from_secs(3600));
        }
        Self { job, _agent: agent, listen, folder }
    }

    fn cache(&self) -> PathBuf {
        self.folder.path().join("gocache")
    }

    fn go(&self, args: &[&str]) {
        self.job.beforehand(&self.with_output(args).iter().map(String::as_str).collect::<Vec<_>>());
    }

    /// A program that is there already is not linked again.
    fn with_output(&self, args: &[&str]) -> Vec<String> {
        let out = self.folder.path().join("out");
        let _ = fs::remove_file(&out);
        args.iter().map(|arg| if *arg == "OUT" { out.display().to_string() } else { (*arg).to_owned() }).collect()
    }

    fn counting_cache(&self, toolchain: &Toolchain) -> PathBuf {
        let (folder, program) = (self.folder.path().join("counting"), self.folder.path().join("cacheprog"));
        fs::create_dir_all(&folder).unwrap();
        let job = Job::new(toolchain, &folder, &folder.join("job.log"));
        job.file("go.mod", "module example.com/cacheprog\n\ngo 1.21\n");
        job.file("main.go", include_str!("../data/cacheprog.go.txt"));
        job.beforehand(&["build", "-o", &program.display().to_string(), "."]);
        program
    }

    /// The same with a cache that counts.
    fn counted(&self, program: &Path, args: &[&str]) -> Counted {
        let counts = self.folder.path().join("counts");
        let mut job = self.job.clone();
        job.set("GOCACHEPROG", &program.display().to_string());
        job.set("CACHEPROG_FOLDER", &self.folder.path().join("counted").display().to_string());
        job.set("CACHEPROG_COUNTS", &counts.display().to_string());
        job.set("GOCACHE", &self.folder.path().join("unused").display().to_string());
        job.beforehand(&self.with_output(args).iter().map(String::as_str).collect::<Vec<_>>());
        let text = fs::read_to_string(counts).unwrap();
        let numbers: Vec<u64> = text.split(' ').map(|it| it.parse().unwrap()).collect();
        Counted { hits: numbers[1], puts: numbers[2] }
    }

    fn tar(&self, args: &[&str]) {
        let status = Command::new("tar").args(args).current_dir(self.folder.path()).status().unwrap();
        assert!(status.success(), "tar {args:?}");
    }

    fn each_entry(&self, mut each: impl FnMut(&Path)) {
        for dir in fs::read_dir(self.cache()).unwrap().map(|it| it.unwrap().path()).filter(|it| it.is_dir()) {
            fs::read_dir(dir).unwrap().for_each(|it| each(&it.unwrap().path()));
        }
    }

    fn files(&self, ending: &str) -> u64 {
        let mut count = 0;
        self.each_entry(|path| count += u64::from(path.to_str().unwrap().ends_with(ending)));
        count
    }

    fn bytes(&self) -> u64 {
        let mut bytes = 0;
        self.each_entry(|path| bytes += fs::metadata(path).unwrap().len());
        bytes
    }

    fn value(&self, series: &str) -> u64 {
        self.found(series).unwrap_or_else(|| panic!("no {series}"))
    }

    /// A gauge is there once something was looked at.
    fn found(&self, series: &str) -> Option<u64> {
        let page = http_get(self.listen, "/metrics").unwrap();
        page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
    }

    fn hits(&self) -> u64 {
        self.value("gobuild_cache_hits_total{source=\"watch\"}")
    }

    fn has(&self, hits: u64, puts: u64) -> Result<(), String> {
        match (self.hits(), self.value("gobuild_cache_puts_total")) {
            got if got == (hits, puts) => Ok(()),
            got => Err(format!("it has {got:?}")),
        }
    }

    #[track_caller]
    fn expect(&self, series: &str, value: u64) {
        wait_for(&format!("{series} is {value}"), || match self.found(series) {
            Some(got) if got == value => Ok(()),
            got => Err(format!("it is {got:?}")),
        });
    }

    /// Hits, once an entry that is written now is among those that are told to be there: all that was before is counted
    /// then. It is a put.
    fn settled(&self) -> u64 {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos();
        // different within the first bytes, as hashes are
        let id = format!("00{now:016x}{:0>46}", 0);
        let entry = format!("v1 {id} {id} {:>20} {now:>20}\n", 0);
        fs::write(self.cache().join("00").join(format!("{id}-a")), entry).unwrap();
        self.expect("gobuild_cache_entries{cache=\"build\"}", self.files("-a") + self.files("-d"));
        self.hits()
    }
}

fn set_time(path: &Path, to: SystemTime) {
    let since = to.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let time = rustix::fs::Timespec { tv_sec: since.as_secs() as i64, tv_nsec: since.subsec_nanos().into() };
    let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
    // without opening it, as the go command does
    rustix::fs::utimensat(rustix::fs::CWD, path, &times, rustix::fs::AtFlags::empty()).unwrap();
}
