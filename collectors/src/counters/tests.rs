//! Folders of counters as Go leaves them, and as nobody should.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use super::*;

const GO: &str = "go@go1.27.3-go1.27.3-linux-amd64-2026-11-21.v1.count";
const OLDER: &str = "go@go1.24.1-go1.24.1-linux-amd64-2026-11-14.v1.count";
const HIT: &str = "go/buildcache/hit";
const MISS: &str = "go/buildcache/miss";

/// A file of counters as Go writes it: one page.
fn counts(program: &str, counts: &[(&str, u64)]) -> Vec<u8> {
    let meta = format!("Program: {program}\nVersion: go1.27.3\n\n");
    let header = (32 + meta.len()).next_multiple_of(32);
    let mut file = b"# telemetry/counter file v1\n".to_vec();
    file.extend_from_slice(&(header as u32).to_le_bytes());
    file.extend_from_slice(meta.as_bytes());
    file.resize(16 << 10, 0);
    let mut at = (header + 4 + 4 * 512).next_multiple_of(32);
    for (name, count) in counts {
        let hash = name.bytes().fold(2_166_136_261_u32, |hash, b| (hash ^ u32::from(b)).wrapping_mul(16_777_619));
        let head = header + 4 + 4 * ((hash ^ (hash >> 16)) as usize % 512);
        let next: [u8; 4] = file[head..head + 4].try_into().unwrap();
        let record =
            [&count.to_le_bytes()[..], &(name.len() as u32 | 0xff00_0000).to_le_bytes(), &next, name.as_bytes()];
        let record = record.concat();
        file[at..at + record.len()].copy_from_slice(&record);
        file[head..head + 4].copy_from_slice(&(at as u32).to_le_bytes());
        at = (at + record.len()).next_multiple_of(32);
    }
    file[header..header + 4].copy_from_slice(&(at as u32).to_le_bytes());
    file
}

struct Trial {
    folder: tempfile::TempDir,
    health: Arc<Health>,
}

impl Trial {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("local")).unwrap();
        Self { folder, health: Arc::default() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("local").join(name)
    }

    /// Writes in place, as a mapping does.
    fn count(&self, name: &str, numbers: &[(&str, u64)]) {
        use std::io::Write;
        let mut file = fs::File::options().write(true).create(true).truncate(false).open(self.path(name)).unwrap();
        file.write_all(&counts("cmd/go", numbers)).unwrap();
    }

    fn places(&self) -> Places {
        Places { dirs: vec![self.folder.path().to_str().unwrap().to_owned()], ..Places::default() }
    }

    fn reader(&self) -> Reader<'_> {
        let mut reader = Reader::new(self.places(), &self.health);
        reader.discover();
        reader
    }

    fn malformed(&self) -> u64 {
        self.health.read().errors.iter().find(|(problem, _)| *problem == Problem::Malformed).unwrap().1
    }
}

fn grown(reader: &mut Reader<'_>) -> Vec<(String, u64)> {
    reader.look().map(|report| report.grown.into_iter().collect()).unwrap_or_default()
}

fn told(numbers: &[(&str, u64)]) -> Vec<(String, u64)> {
    numbers.iter().map(|(name, by)| ((*name).to_owned(), *by)).collect()
}

/// Makes a file look as if it had been there long before.
fn age(path: &Path) {
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
}

#[test]
fn what_was_counted_before_is_not_new_and_what_is_counted_after_is_summed_over_files() {
    let trial = Trial::new();
    trial.count(GO, &[(HIT, 100), ("go/flag:C", 7)]);
    trial.count(OLDER, &[(HIT, 5)]);
    [GO, OLDER].iter().for_each(|name| age(&trial.path(name)));
    let mut reader = trial.reader();
    let first = reader.look().unwrap();
    assert_eq!((first.folders, first.grown.len()), ([1, 0, 0, 0], 0));
    assert_eq!(reader.look(), None);
    trial.count(GO, &[(HIT, 103), ("go/flag:C", 9), (MISS, 2)]);
    trial.count(OLDER, &[(HIT, 6)]);
    assert_eq!(grown(&mut reader), told(&[(HIT, 4), (MISS, 2)]));
    assert_eq!(reader.look(), None);
}

#[test]
fn a_new_week_begins_at_zero_and_one_that_is_over_takes_nothing_back() {
    let trial = Trial::new();
    trial.count(OLDER, &[(HIT, 100)]);
    age(&trial.path(OLDER));
    let mut reader = trial.reader();
    assert_eq!(grown(&mut reader), []);
    trial.count(GO, &[(HIT, 2)]);
    trial.count(OLDER, &[(HIT, 101)]);
    assert_eq!(grown(&mut reader), told(&[(HIT, 3)]));
    fs::remove_file(trial.path(OLDER)).unwrap();
    assert_eq!(reader.look(), None);
    // all is thrown away, and go begins again under the same name
    fs::remove_dir_all(trial.folder.path().join("local")).unwrap();
    assert_eq!(grown(&mut reader), []);
    fs::create_dir(trial.folder.path().join("local")).unwrap();
    trial.count(GO, &[(HIT, 1)]);
    assert_eq!(grown(&mut reader), told(&[(HIT, 1)]));
}

#[test]
fn a_file_that_was_restored_from_elsewhere_tells_only_what_grows() {
    let trial = Trial::new();
    let mut reader = trial.reader();
    let _ = reader.look();
    trial.count(GO, &[(HIT, 1000)]);
    age(&trial.path(GO));
    assert_eq!(grown(&mut reader), []);
    trial.count(GO, &[(HIT, 1001)]);
    assert_eq!(grown(&mut reader), told(&[(HIT, 1)]));
}

#[test]
fn a_file_that_is_half_made_is_told_once_it_is_whole() {
    let trial = Trial::new();
    let mut reader = trial.reader();
    let _ = reader.look();
    fs::write(trial.path(GO), b"").unwrap();
    assert_eq!(grown(&mut reader), []);
    trial.count(GO, &[(MISS, 3)]);
    assert_eq!(grown(&mut reader), told(&[(MISS, 3)]));
    assert_eq!(trial.malformed(), 0);
}

#[test]
fn a_broken_file_is_said_once_and_tells_nothing_wrong_then_or_later() {
    let trial = Trial::new();
    let mut reader = trial.reader();
    let _ = reader.look();
    trial.count(GO, &[(HIT, 1)]);
    assert_eq!(grown(&mut reader), told(&[(HIT, 1)]));
    let mut broken = counts("cmd/go", &[(HIT, 5)]);
    broken[28..32].copy_from_slice(&[0xff; 4]);
    fs::write(trial.path(GO), broken).unwrap();
    assert_eq!((grown(&mut reader), grown(&mut reader), trial.malformed()), (vec![], vec![], 1));
    trial.count(GO, &[(HIT, 6)]);
    assert_eq!(grown(&mut reader), told(&[(HIT, 5)]));
    // numbers that shrink, or jump beyond belief, are begun from anew
    trial.count(GO, &[(HIT, 2)]);
    assert_eq!((grown(&mut reader), trial.malformed()), (vec![], 2));
    trial.count(GO, &[(HIT, 3)]);
    assert_eq!(grown(&mut reader), told(&[(HIT, 1)]));
    trial.count(GO, &[(HIT, 1 << 40)]);
    assert_eq!((grown(&mut reader), trial.malformed()), (vec![], 3));
    trial.count(GO, &[(HIT, (1 << 40) + 1)]);
    assert_eq!(grown(&mut reader), told(&[(HIT, 1)]));
}

#[test]
fn off_empty_and_missing_are_said_as_such_and_never_counted() {
    let trial = Trial::new();
    let mut reader = trial.reader();
    assert_eq!(reader.look().unwrap().folders, [0, 0, 1, 0]);
    assert_eq!(trial.health.read().state, State::NotAvailable);
    trial.count(GO, &[(HIT, 1)]);
    let counting = reader.look().unwrap();
    assert!(counting.is_counting() && trial.health.read().state == State::Running);
    fs::write(trial.folder.path().join("mode"), "off 2026-11-21").unwrap();
    assert_eq!(reader.look().unwrap().folders, [0, 1, 0, 0]);
    assert_eq!(trial.health.read().state, State::SwitchedOff);
    fs::write(trial.folder.path().join("mode"), "local 2026-11-21").unwrap();
    assert!(reader.look().unwrap().is_counting());
    // between two weeks there is no file, and go counts all the same
    fs::remove_file(trial.path(GO)).unwrap();
    assert_eq!(reader.look(), None);
    let missing = Places { dirs: vec!["/nonexistent/telemetry".to_owned()], ..Places::default() };
    let mut reader = Reader::new(missing, &trial.health);
    reader.discover();
    assert_eq!(reader.look().unwrap().folders, [0, 0, 0, 1]);
    assert_eq!(trial.health.read().state, State::NotAvailable);
}

#[test]
fn a_folder_that_comes_later_is_counted_from_its_beginning() {
    let trial = Trial::new();
    let home = trial.folder.path().join("home");
    let dirs = vec![home.to_str().unwrap().to_owned()];
    let mut reader = Reader::new(Places { dirs, ..Places::default() }, &trial.health);
    reader.discover();
    assert_eq!(reader.look().unwrap().folders, [0, 0, 0, 1]);
    fs::create_dir_all(home.join("local")).unwrap();
    fs::write(home.join("local").join(GO), counts("cmd/go", &[(HIT, 4)])).unwrap();
    reader.discover();
    assert_eq!(grown(&mut reader), told(&[(HIT, 4)]));
}

#[test]
fn the_collector_tells_what_is_counted_while_it_runs_and_ends_when_told() {
    let trial = Trial::new();
    let (to, mut from) = mpsc::channel(8);
    let settings =
        Settings { places: trial.places(), interval: Duration::from_millis(5), rediscover: Duration::from_secs(60) };
    let running = start(settings, to).unwrap();
    let begin = Instant::now();
    let mut next = || loop {
        assert!(begin.elapsed() < Duration::from_secs(60), "the collector says nothing");
        match from.try_recv() {
            Ok(Observation::Counters(report)) => return Some(report),
            Ok(other) => panic!("{other:?}"),
            Err(mpsc::error::TryRecvError::Disconnected) => return None,
            Err(mpsc::error::TryRecvError::Empty) => std::thread::yield_now(),
        }
    };
    assert_eq!(next().unwrap().folders, [0, 0, 1, 0]);
    trial.count(GO, &[(HIT, 4)]);
    let mut sum = 0;
    while sum < 4 {
        sum += next().unwrap().grown.get(HIT).copied().unwrap_or_default();
    }
    assert_eq!(sum, 4);
    running.stop(Duration::from_secs(10));
    assert_eq!(next(), None);
    running.join();
}
