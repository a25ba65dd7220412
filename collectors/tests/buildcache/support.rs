//! A cache and what is done to it; the collector on it, and all that it said.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use gobeacon_collectors::buildcache::{Event, How, Settings, Stock, Used, start};
use gobeacon_collectors::{HealthReading, Observation, Places, Running};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, futimens, utimensat};
use tokio::sync::mpsc;

/// How long anything may take on a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A folder that go commands take for their cache.
#[derive(Debug, Clone)]
pub(crate) struct Cache(pub(crate) PathBuf);

impl Cache {
    /// What `cache.Open` does: all 256 directories.
    pub(crate) fn open(&self) {
        for dir in 0..256 {
            fs::create_dir_all(self.0.join(format!("{dir:02x}"))).unwrap();
        }
    }

    pub(crate) fn path(&self, n: u32, part: char) -> PathBuf {
        let id = id(n);
        self.0.join(&id[..2]).join(format!("{id}-{part}"))
    }

    /// What `cache.put` does, with the output beside its action.
    pub(crate) fn put(&self, n: u32) {
        self.put_as(n, n);
    }

    /// What `cache.put` does.
    pub(crate) fn put_as(&self, n: u32, output: u32) {
        let content = content(n);
        let output = self.path(output, 'd');
        if fs::metadata(&output).is_err() {
            let mut file =
                OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&output).unwrap();
            file.write_all(&content[..content.len() - 1]).unwrap();
            file.write_all(&content[content.len() - 1..]).unwrap();
            drop(file);
            set_time(&output, SystemTime::now());
        }
        let action = self.path(n, 'a');
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(&action).unwrap();
        file.write_all(entry(n, SystemTime::now()).as_bytes()).unwrap();
        file.set_len(175).unwrap();
        drop(file);
        set_time(&action, SystemTime::now());
    }

    /// What `cache.get` does with the output beside its action; says whether it was a hit.
    pub(crate) fn get(&self, n: u32) -> bool {
        self.get_as(n, n)
    }

    /// What `cache.get` does; says whether it was a hit.
    pub(crate) fn get_as(&self, n: u32, output: u32) -> bool {
        let path = self.path(n, 'a');
        let Ok(mut file) = File::open(&path) else { return false };
        let mut entry = [0; 176];
        let length = file.read(&mut entry).unwrap();
        drop(file);
        assert_eq!(length, 175);
        fs::metadata(&path).is_ok() && fs::metadata(self.path(output, 'd')).is_ok()
    }

    /// What `tar` does: an entry of `age` with its times.
    pub(crate) fn unpack(&self, n: u32, age: Duration, keeps_times: bool) {
        let then = SystemTime::now() - age;
        for (part, content) in [('a', entry(n, then).into_bytes()), ('d', content(n))] {
            let path = self.path(n, part);
            // an existing file is replaced
            let _ = fs::remove_file(&path);
            let mut file = File::create_new(&path).unwrap();
            file.write_all(&content).unwrap();
            if keeps_times {
                futimens(&file, &times(then)).unwrap();
            }
        }
    }
}

/// Something that looks like a hash, the same for the same number.
pub(crate) fn id(n: u32) -> String {
    let mut x = u64::from(n).wrapping_add(0x9e37_79b9_7f4a_7c15);
    (0..4)
        .map(|_| {
            x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            x ^= x >> 31;
            format!("{x:016x}")
        })
        .collect()
}

/// Numbers in the order of their directories, as who reads the folders meets them.
pub(crate) fn by_directory(count: u32) -> Vec<u32> {
    let mut numbers: Vec<_> = (0..count).collect();
    numbers.sort_by_key(|n| id(*n));
    numbers
}

pub(crate) fn content(n: u32) -> Vec<u8> {
    format!("!<arch>\ncompiled {n}").into_bytes()
}

pub(crate) fn entry(n: u32, put: SystemTime) -> String {
    let nanos = put.duration_since(UNIX_EPOCH).unwrap().as_nanos();
    format!("v1 {} {} {:>20} {nanos:>20}\n", id(n), id(n), content(n).len())
}

/// Sets the time of a file without opening it.
pub(crate) fn set_time(path: &Path, to: SystemTime) {
    utimensat(CWD, path, &times(to), AtFlags::empty()).unwrap();
}

fn times(to: SystemTime) -> Timestamps {
    let since = to.duration_since(UNIX_EPOCH).unwrap();
    let time = Timespec { tv_sec: since.as_secs() as i64, tv_nsec: since.subsec_nanos().into() };
    Timestamps { last_access: time, last_modification: time }
}

/// The collector at work.
pub(crate) struct Watching {
    running: Running,
    receiver: mpsc::Receiver<Observation>,
    pub(crate) said: Said,
}

/// All that it said.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) used: Used,
    pub(crate) stock: Option<Stock>,
    pub(crate) events: Vec<Event>,
}

pub(crate) fn settings(cache: &Path) -> Settings {
    let dirs = vec![cache.to_str().unwrap().to_owned()];
    Settings {
        places: Places { dirs, ..Places::default() },
        find_interval: Duration::from_millis(200),
        ..Settings::default()
    }
}

impl Watching {
    pub(crate) fn start(settings: Settings) -> Self {
        let (sender, receiver) = mpsc::channel(16);
        let running = start(settings, sender).unwrap();
        let watching = Self { running, receiver, said: Said::default() };
        let begin = Instant::now();
        while !watching.health().state.is_up() {
            assert!(begin.elapsed() < PATIENCE, "it never starts");
            std::thread::yield_now();
        }
        watching
    }

    /// Watches a cache that is there, and has looked at all of it.
    pub(crate) fn settled(cache: &Cache) -> Self {
        let mut watching = Self::start(settings(&cache.0));
        watching.until("all was looked at", |said| said.stock.is_some());
        watching
    }

    pub(crate) fn health(&self) -> HealthReading {
        self.running.health().read()
    }

    /// Listens until it is so.
    #[track_caller]
    pub(crate) fn until(&mut self, what: &str, is_so: impl Fn(&Said) -> bool) {
        let begin = Instant::now();
        while !is_so(&self.said) {
            assert!(begin.elapsed() < PATIENCE, "not after {PATIENCE:?}: {what}: {:#?}", self.said);
            match self.receiver.try_recv() {
                Ok(observation) => self.said.hear(observation),
                Err(_) => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    /// Ends it; all that happened until now is said.
    pub(crate) fn end(mut self) -> Said {
        self.running.stop(PATIENCE);
        while let Some(observation) = self.receiver.blocking_recv() {
            self.said.hear(observation);
        }
        self.running.join();
        self.said
    }
}

impl Said {
    fn hear(&mut self, observation: Observation) {
        let Observation::BuildCache(report) = observation else { panic!("{observation:?}") };
        for event in report.events {
            match event {
                Event::Used(used) => {
                    self.used.hits += used.hits;
                    self.used.puts += used.puts;
                    self.used.restored_hits += used.restored_hits;
                    self.used.copied += used.copied;
                    self.used.restored += used.restored;
                    self.used.restored_bytes += used.restored_bytes;
                }
                Event::Stock { stock, .. } => self.stock = Some(stock),
                other @ (Event::Seen(_)
                | Event::Inventory(_)
                | Event::Removed(_)
                | Event::Restored(_)
                | Event::Worth(_)
                | Event::HitsLost { .. }
                | Event::Gone) => self.events.push(other),
            }
        }
    }

    pub(crate) fn is_seen(&self, how: How) -> bool {
        self.events.contains(&Event::Seen(how))
    }
}
