//! Looking at everything in a cache, one directory after the other, at a low pace.
//!
//! Actions are not opened, and outputs only once: their kinds do not change.
//!
//! Invariant: a walk takes at most one part in ten of the time of one core.

use std::time::{Duration, Instant};

use gobeacon_formats::Timestamp;
use gobeacon_formats::cache_entry::Name;

use super::cache::Cache;
use super::known::Entry;
use super::look::{self, note};
use super::{Event, How, Inventory};
use crate::harness::Health;
use crate::inventory::Age;
use crate::os::{self, Stat};

/// How long a step is waited after, as a multiple of how long it took.
const REST: u32 = 9;

/// A walk at work, or the time until the next.
#[derive(Debug)]
pub(super) struct Walk {
    interval: Duration,
    next: Instant,
    /// The directory to look at next; `None` between walks.
    dir: Option<u8>,
    began: Instant,
    so_far: Inventory,
    bytes_before: Option<u64>,
}

impl Walk {
    /// The first one begins at once.
    pub(super) fn new(interval: Duration, now: Instant) -> Self {
        Self { interval, next: now, dir: None, began: now, so_far: Inventory::default(), bytes_before: None }
    }

    /// When the next step is due.
    pub(super) fn due(&self) -> Instant {
        self.next
    }
}

impl Cache {
    /// Looks at one directory.
    pub(super) fn walk_step(&mut self, now: Timestamp, health: &Health) {
        let began = Instant::now();
        let dir = self.walk.dir.unwrap_or(0);
        if self.walk.dir.is_none() {
            self.known.walk_begins();
            (self.walk.began, self.walk.so_far) = (began, Inventory::default());
        }
        self.walk_dir(dir, now, health);
        let step = began.elapsed();
        self.walk.dir = dir.checked_add(1);
        self.walk.next = Instant::now() + (step * REST).max(Duration::from_millis(1));
        if self.walk.dir.is_none() {
            self.end_walk();
            health.set_pass(self.walk.began.elapsed());
        }
    }

    fn walk_dir(&mut self, dir: u8, now: Timestamp, health: &Health) {
        let names = match look::names(&self.path, dir) {
            Ok(names) => names,
            Err(error) => {
                // a cache that was cleaned has no directories
                self.walk.so_far.unreadable += u64::from(error.kind() != std::io::ErrorKind::NotFound);
                note(&error, health);
                Vec::new()
            }
        };
        let mut found = Vec::with_capacity(names.len());
        let mut appeared = Vec::new();
        for name in names {
            match self.walk_entry(&name) {
                Ok((stat, entry)) => {
                    if self.how == How::Polled && self.known.is_sure() && self.known.get(&name).is_none() {
                        appeared.push((name, stat));
                    }
                    self.walk.so_far.ages.add(Age::of(stat.modified, now), entry.bytes);
                    found.push((name, entry));
                }
                Err(error) => {
                    self.walk.so_far.unreadable += u64::from(error.kind() != std::io::ErrorKind::NotFound);
                    note(&error, health);
                }
            }
        }
        self.keep(dir, &found, false, now);
        for (name, stat) in appeared.iter().filter(|(name, _)| matches!(name, Name::Action(_))) {
            self.appeared(name, stat, now);
        }
    }

    /// Takes what was found in a directory for what is there. Where the kernel tells of removals, what is missing is
    /// about to be told.
    pub(super) fn keep(&mut self, dir: u8, found: &[(Name, Entry)], is_gone: bool, now: Timestamp) {
        if self.how == How::Watched && self.known.has_each() {
            found.iter().for_each(|(name, entry)| self.known.put(name, *entry));
        } else {
            let missed = self.known.replace(dir, found);
            missed.iter().for_each(|entry| self.removals.missed(entry.bytes, is_gone, now));
        }
    }

    pub(super) fn walk_entry(&self, name: &Name) -> std::io::Result<(Stat, Entry)> {
        let path = look::path_of(&self.path, name);
        let stat = os::stat(&path)?;
        let entry = match name {
            Name::Action(_) => Entry { bytes: stat.size, kind: None },
            Name::Output(_) => {
                let kind = self.known.get(name).filter(|it| it.bytes == stat.size).and_then(|it| it.kind);
                look::output(&path, &stat, kind)?
            }
        };
        Ok((stat, entry))
    }

    fn end_walk(&mut self) {
        self.known.complete = true;
        self.walk.next = self.walk.began + self.walk.interval;
        let mut inventory = self.walk.so_far;
        inventory.stock = self.known.stock;
        inventory.seconds = self.walk.began.elapsed().as_secs_f64();
        let bytes = inventory.stock.bytes();
        let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        inventory.growth_bytes = self.walk.bytes_before.replace(bytes).map(|before| signed(bytes) - signed(before));
        self.events.push(Event::Inventory(Box::new(inventory)));
    }
}
