//! What no operation on files can bring about at will: an overflow, and the order of events and looks.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gobeacon_formats::Timestamp;
use gobeacon_formats::cache_entry::{Id, Name};

use super::cache::Cache;
use super::queue::{Record, What};
use super::walk::Walk;
use super::{Event, How};
use crate::Root;
use crate::harness::Health;
use crate::now;

struct Trial {
    cache: Cache,
    health: Health,
    folder: tempfile::TempDir,
}

impl Trial {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = Arc::new(Root { id: [1; 16], path: folder.path().to_owned() });
        let walk = Walk::new(Duration::from_secs(60), Instant::now());
        let cache = Cache::new(root, 0, How::Watched, walk);
        Self { cache, health: Health::default(), folder }
    }

    fn path(&self, n: u8) -> PathBuf {
        let dir = self.folder.path().join(format!("{n:02x}"));
        std::fs::create_dir_all(&dir).unwrap();
        dir.join(format!("{}-a", Id([n; 32])))
    }

    /// Writes an action that says that it was put then.
    fn write(&self, n: u8, put: Timestamp) -> Name {
        let id = Id([n; 32]);
        let entry = format!("v1 {id} {id} {:>20} {:>20}\n", 1, put.as_nanos());
        std::fs::write(self.path(n), entry).unwrap();
        Name::Action(id)
    }

    fn told(&mut self, what: What) {
        self.cache.apply(&[Record { root: 0, at: now(), what }], &self.health);
    }

    fn look(&mut self) {
        while self.cache.has_to_look() {
            self.cache.look_at_next(now(), &self.health);
        }
    }

    fn counted(&self) -> (u64, u64) {
        (self.cache.used.hits, self.cache.used.puts)
    }
}

#[test]
fn puts_that_an_overflow_hid_are_found_and_hits_are_said_to_be_lost() {
    let mut trial = Trial::new();
    let before = now();
    let told = trial.write(1, now());
    trial.told(What::Written(told));
    let (hidden, late) = (trial.write(2, now()), trial.write(3, now()));
    trial.cache.lost_since(before);
    trial.look();
    assert_eq!(trial.counted(), (0, 3));
    assert!(trial.cache.events.contains(&Event::HitsLost { puts_found: 2 }), "{:?}", trial.cache.events);
    // an event of one that the look found comes all the same
    trial.told(What::Written(late));
    assert_eq!(trial.counted(), (0, 3));
    trial.told(What::Written(late));
    assert_eq!(trial.counted(), (0, 4), "and then it is put again");
    // our own looks into the two that were found
    trial.told(What::Read(hidden));
    trial.told(What::Read(late));
    assert_eq!(trial.counted(), (0, 4));
    trial.told(What::Read(hidden));
    assert_eq!(trial.counted(), (1, 4), "and then a go command's");
}

#[test]
fn looks_whose_events_were_lost_do_not_hide_a_hit_later() {
    let mut trial = Trial::new();
    let before = now();
    let hidden = trial.write(2, now());
    trial.cache.lost_since(before);
    trial.look();
    trial.cache.read_until(now().plus_seconds(0.1));
    trial.told(What::Read(hidden));
    assert_eq!(trial.counted(), (1, 1));
}
