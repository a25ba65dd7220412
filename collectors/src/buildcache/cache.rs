//! One cache: what happened to it, told apart and counted.
//!
//! It gets records in order and looks at files where a record does not say enough. Time comes in.
//!
//! Invariant: a put that an event tells and a look finds, in whichever order, is one put.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::Arc;

use gobeacon_formats::Timestamp;
use gobeacon_formats::cache_entry::Name;

use super::known::{Entry, Known};
use super::look::{self, Looks, OLD_SECONDS, is_old, is_touched, note};
use super::queue::{Record, What, first_byte};
use super::removals::Removals;
use super::restore::Restores;
use super::walk::Walk;
use super::{Event, How, Restore, Settings, Used, Worth, sweep};
use crate::Root;
use crate::harness::Health;
use crate::os::{self, Stat};

/// How far apart the times of the file system's clock and ours may be.
const SLACK_SECONDS: f64 = 1.0;
/// How long after its last change an output that looks written now may yet be given the time that it had elsewhere.
const UNSETTLED_SECONDS: f64 = 0.25;
/// Most puts remembered so that a look does not count them again, 50 bytes each.
const MOST_TOLD: usize = 128 << 10;

pub(super) struct Cache {
    pub(super) root: Arc<Root>,
    pub(super) number: u32,
    pub(super) path: Arc<Path>,
    pub(super) how: How,
    pub(super) known: Known,
    pub(super) walk: Walk,
    pub(super) removals: Removals,
    restores: Restores,
    looks: Looks,
    /// Entries that events told as written lately.
    told: VecDeque<(Timestamp, Name)>,
    /// What was found by looking, whose event may still come; and when the last was.
    found: HashMap<Name, Timestamp>,
    /// Directories to look at for what no event told: what is younger than the time.
    to_look: VecDeque<(u8, Timestamp)>,
    /// Puts that looks found since the overflow that they repair.
    repairing: Option<u64>,
    pub(super) used: Used,
    pub(super) events: Vec<Event>,
}

/// How a file came to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// By a go command.
    Put,
    /// By something that kept older times.
    Restored,
    /// Not at all: its times were set, or it was only used, or it is not whole.
    Nothing,
}

impl Cache {
    pub(super) fn new(root: Arc<Root>, number: u32, how: How, walk: Walk) -> Self {
        Self {
            path: Arc::from(root.path.as_path()),
            root,
            number,
            how,
            known: Known::default(),
            walk,
            removals: Removals::default(),
            restores: Restores::default(),
            looks: Looks::default(),
            told: VecDeque::new(),
            found: HashMap::new(),
            to_look: VecDeque::new(),
            repairing: None,
            used: Used::default(),
            events: vec![Event::Seen(how)],
        }
    }

    /// Takes in what happened here.
    pub(super) fn apply(&mut self, records: &[Record], health: &Health) {
        self.read(records);
        let written: Vec<Name> = records.iter().filter_map(|record| written(&record.what)).collect();
        let mut of_copies = written.iter().zip(sweep::of_copies(&written));
        let mut outputs = Vec::new();
        for Record { at, what, .. } in records {
            match what {
                What::Read(_) => {}
                What::Written(name) | What::Arrived(name) => {
                    self.removals.written(name);
                    let in_copy = of_copies.next().is_some_and(|(_, in_copy)| in_copy);
                    match name {
                        Name::Action(_) if matches!(what, What::Arrived(_)) => self.restored_action(name, *at),
                        Name::Action(_) => self.written_action(name, *at, in_copy, health),
                        Name::Output(_) => outputs.push((*name, *at, in_copy)),
                    }
                }
                What::Removed(name) => self.removed(name, *at),
                What::DirCame(dir) => self.to_look.push_front((*dir, at.plus_seconds(-10.0 * SLACK_SECONDS))),
                What::DirWent(dir) => {
                    self.removals.dir_went(*dir);
                    // moved away as a whole: nothing was said of the entries
                    let left = self.known.replace(*dir, &[]);
                    left.iter().for_each(|entry| self.removals.missed(entry.bytes, true, *at));
                }
                What::TrimNoted => self.removals.noted(*at),
                What::RootWent | What::NotWatched => {}
            }
        }
        // by now it is known whether this is a restore
        for (name, at, in_copy) in outputs {
            self.written_output(&name, at, in_copy, health);
        }
    }

    /// Everything that was queued before this has been read.
    pub(super) fn read_until(&mut self, read_until: Timestamp) {
        self.looks.read_until(read_until);
        self.found.retain(|_, at| read_until.seconds_since(*at) < SLACK_SECONDS);
        let oldest_look = self.to_look.iter().map(|(_, since)| *since).min().unwrap_or(read_until);
        let needed_from = oldest_look.min(read_until).plus_seconds(-2.0 * SLACK_SECONDS);
        while self.told.front().is_some_and(|(at, _)| *at < needed_from) || self.told.len() > MOST_TOLD {
            self.told.pop_front();
        }
    }

    /// Events were lost: what was put since is looked for.
    pub(super) fn lost_since(&mut self, since: Timestamp) {
        self.repairing.get_or_insert(0);
        self.to_look.retain(|(_, earlier)| *earlier < since);
        self.to_look.extend((0..=255).map(|dir| (dir, since)));
    }

    /// The cache came while it was not watched: what was put since is looked for.
    pub(super) fn came_since(&mut self, since: Timestamp) {
        self.to_look.extend((0..=255).map(|dir| (dir, since)));
    }

    /// Whether there are directories to look at.
    pub(super) fn has_to_look(&self) -> bool {
        !self.to_look.is_empty()
    }

    /// Looks at the next directory for what no event told.
    pub(super) fn look_at_next(&mut self, now: Timestamp, health: &Health) {
        let Some((dir, since)) = self.to_look.pop_front() else { return };
        self.look_at(dir, since.plus_seconds(-SLACK_SECONDS), now, health);
        if self.to_look.is_empty()
            && let Some(puts_found) = self.repairing.take()
        {
            self.events.push(Event::HitsLost { puts_found });
        }
    }

    /// An action of a directory that was looked at, which was not there at the last look. Where it is watched by now
    /// its event may still come.
    pub(super) fn appeared(&mut self, name: &Name, stat: &Stat, now: Timestamp) {
        let origin = self.origin(name, stat, true);
        if self.how == How::Watched {
            self.found.insert(*name, now);
        }
        self.count_action(name, origin, stat.size, now);
    }

    /// What is over by now.
    pub(super) fn tick(&mut self, now: Timestamp, settings: &Settings) {
        let removals = self.removals.over(now);
        self.events.extend(removals.into_iter().map(Event::Removed));
        let restore = self.restores.over(now);
        self.tell_restore(restore);
        let worth = self.restores.worth(now, settings.restore_quiet.as_secs_f64());
        self.tell_worth(worth);
    }

    /// Nothing more will come.
    pub(super) fn finish(&mut self, now: Timestamp) {
        let removals = self.removals.finish();
        self.events.extend(removals.into_iter().map(Event::Removed));
        let (restore, worth) = self.restores.finish(now);
        self.tell_restore(restore);
        self.tell_worth(worth);
    }

    fn read(&mut self, records: &[Record]) {
        let mut read = Vec::new();
        let mut at_last = None;
        for record in records {
            if let What::Read(name) = record.what
                && !self.looks.is_own(&name)
            {
                read.push(name);
                at_last = Some(record.at);
            }
        }
        let Some(at) = at_last else { return };
        for (name, in_copy) in read.iter().zip(sweep::of_copies(&read)) {
            let (Name::Action(id) | Name::Output(id)) = name;
            if in_copy {
                self.used.copied += 1;
            } else {
                self.used.hits += 1;
                self.used.restored_hits += u64::from(self.restores.hit(id, at));
            }
        }
    }

    fn written_action(&mut self, name: &Name, at: Timestamp, in_copy: bool, health: &Health) {
        self.told.push_back((at, *name));
        if self.found.remove(name).is_some() {
            return;
        }
        match os::stat(&look::path_of(&self.path, name)) {
            Ok(stat) => {
                let origin = self.origin(name, &stat, in_copy || self.restores.is_open());
                self.count_action(name, origin, stat.size, at);
            }
            // written and removed again: it was put all the same
            Err(error) => {
                note(&error, health);
                self.used.puts += 1;
            }
        }
    }

    fn restored_action(&mut self, name: &Name, at: Timestamp) {
        if self.found.remove(name).is_none() {
            self.count_action(name, Origin::Restored, Entry::ACTION.bytes, at);
        }
        self.told.push_back((at, *name));
    }

    fn count_action(&mut self, name: &Name, origin: Origin, bytes: u64, at: Timestamp) {
        match origin {
            Origin::Put => self.used.puts += 1,
            Origin::Restored => self.restored(name, bytes, at),
            Origin::Nothing => {}
        }
        self.known.put(name, Entry { bytes, kind: None });
    }

    fn written_output(&mut self, name: &Name, at: Timestamp, in_copy: bool, health: &Health) {
        let was_found = self.found.remove(name).is_some();
        let path = look::path_of(&self.path, name);
        let entry = os::stat(&path).and_then(|stat| Ok((stat, look::output(&path, &stat, None)?)));
        match entry {
            Ok((stat, entry)) => {
                self.known.put(name, entry);
                let is_restored = is_old(&stat) || (in_copy && self.restores.is_open_without_times());
                if is_restored && !is_touched(&stat) && !was_found {
                    self.restored(name, entry.bytes, at);
                }
            }
            Err(error) => note(&error, health),
        }
        self.told.push_back((at, *name));
    }

    fn restored(&mut self, name: &Name, bytes: u64, at: Timestamp) {
        self.used.restored += 1;
        self.used.restored_bytes += bytes;
        let worth = self.restores.restored(name, bytes, at);
        self.tell_worth(worth);
    }

    fn removed(&mut self, name: &Name, at: Timestamp) {
        let entry = self.known.remove(name);
        self.found.remove(name);
        // what was never there was not trimmed: a look has told it already, or it was gone before it was looked at
        if entry.is_some() || !self.known.is_sure() {
            self.removals.removed(*name, entry.map(|entry| entry.bytes), at);
        }
    }

    /// Where a written action comes from. `is_suspect`: its own word is looked up if its times say nothing.
    fn origin(&mut self, name: &Name, stat: &Stat, is_suspect: bool) -> Origin {
        if stat.size == 0 {
            return Origin::Nothing;
        }
        if is_old(stat) {
            if is_touched(stat) {
                return Origin::Nothing;
            }
            self.restores.keeps_times();
            return Origin::Restored;
        }
        let is_watched = self.how == How::Watched;
        let put = if is_suspect { self.looks.put_time(&self.path, name, is_watched) } else { None };
        match put {
            // such as by `touch`
            Some(put) if stat.changed.seconds_since(put) > OLD_SECONDS && is_touched(stat) => Origin::Nothing,
            Some(put) if stat.changed.seconds_since(put) > OLD_SECONDS => Origin::Restored,
            Some(_) | None => Origin::Put,
        }
    }

    fn look_at(&mut self, dir: u8, since: Timestamp, now: Timestamp, health: &Health) {
        let names = match look::names(&self.path, dir) {
            Ok(names) => names,
            // it may not be there yet
            Err(error) => return note(&error, health),
        };
        let of_dir = self.told.iter().filter(|(_, name)| first_byte(name) == dir);
        let told: HashMap<Name, Timestamp> = of_dir.map(|(at, name)| (*name, *at)).collect();
        let mut is_unsettled = false;
        for name in names {
            let path = look::path_of(&self.path, &name);
            let stat = match os::stat(&path) {
                Ok(stat) => stat,
                Err(error) => {
                    note(&error, health);
                    continue;
                }
            };
            // a write after the one that was told is another one
            let is_told = told.get(&name).is_some_and(|at| stat.changed.seconds_since(*at) < SLACK_SECONDS);
            let is_news = stat.changed >= since && !is_told && !self.found.contains_key(&name);
            match name {
                Name::Action(_) if is_news => self.found_action(&name, &stat, since, now),
                Name::Action(_) => self.known.put(&name, Entry { bytes: stat.size, kind: None }),
                Name::Output(_) => {
                    let kind = self.known.get(&name).filter(|it| it.bytes == stat.size).and_then(|it| it.kind);
                    is_unsettled |= is_news && !is_old(&stat) && now.seconds_since(stat.changed) < UNSETTLED_SECONDS;
                    match look::output(&path, &stat, kind) {
                        Ok(entry) => self.found_output(&name, entry, &stat, is_news, now),
                        Err(error) => note(&error, health),
                    }
                }
            }
        }
        // one that was closed before the watch, and whose times are about to be set, tells nothing more by itself
        if is_unsettled && self.how == How::Watched {
            self.to_look.push_back((dir, since.plus_seconds(SLACK_SECONDS)));
        }
    }

    fn found_action(&mut self, name: &Name, stat: &Stat, since: Timestamp, now: Timestamp) {
        let mut origin = self.origin(name, stat, true);
        let is_new = stat.key.born.is_none_or(|born| Timestamp::from_nanos(born) >= since);
        if origin == Origin::Restored && !is_new {
            // used again after more than an hour: its time was set, and nothing else
            origin = Origin::Nothing;
        }
        if origin != Origin::Nothing {
            self.found.insert(*name, now);
        }
        if origin == Origin::Put
            && let Some(puts) = &mut self.repairing
        {
            *puts += 1;
        }
        self.count_action(name, origin, stat.size, now);
    }

    fn found_output(&mut self, name: &Name, entry: Entry, stat: &Stat, is_news: bool, now: Timestamp) {
        self.known.put(name, entry);
        if is_news && is_old(stat) && !is_touched(stat) {
            self.found.insert(*name, now);
            self.restored(name, entry.bytes, now);
        }
    }

    fn tell_restore(&mut self, restore: Option<Restore>) {
        self.events.extend(restore.map(Event::Restored));
    }

    fn tell_worth(&mut self, worth: Option<Worth>) {
        self.events.extend(worth.filter(|worth| worth.restored_at.is_some()).map(Event::Worth));
    }
}

fn written(what: &What) -> Option<Name> {
    match what {
        What::Written(name) | What::Arrived(name) => Some(*name),
        What::Read(_)
        | What::Removed(_)
        | What::DirCame(_)
        | What::DirWent(_)
        | What::RootWent
        | What::NotWatched
        | What::TrimNoted => None,
    }
}
