//! Finding logs: what hints and walks say becomes files that are followed.
//!
//! Every hint is a reason to look at a path again, and what is seen counts, not what the hint said: hints come late,
//! merged and out of step. A rename is the one exception, as only it tells where a file went. It must not read a log.
//!
//! Invariant: after a pass over everything, every file that a glob finds is known under every name it has there, and
//! no file keeps a name that it lost.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::file::File;
use super::follow::Follower;
use super::hints::{Hint, Told};
use super::walk::{Found, Walk, is_absent};
use crate::harness::{Problem, State};
use crate::os::{self, Key, Kind, Stat};

/// How many steps a walk takes between two turns of reading: about a millisecond.
const STEPS: usize = 256;

/// How many hints are followed between two turns of reading: about a millisecond too.
const HINTS: usize = 256;

/// Where files went that no glob finds: so many names are remembered to follow the next rename.
const MOST_TRAILS: usize = 1024;

/// Who says that a file is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Hint,
    Walk,
}

impl Follower<'_> {
    /// Follows all hints.
    pub(crate) fn heed(&mut self, told: Told) {
        if told.overflows > 0 {
            self.health.overflowed(told.overflows);
            self.passes.soon();
        }
        for _ in 0..told.failures {
            self.complain(None, Problem::WatchFailed);
        }
        for (n, hint) in told.hints.into_iter().enumerate() {
            match hint {
                Hint::Look(path) => self.look(&path),
                Hint::Renamed(from, to) => self.renamed(&from, &to),
            }
            // a storm of hints delays no line
            if n % HINTS == HINTS - 1 && self.send() {
                self.read_on();
            }
        }
    }

    /// Takes some steps of the walk, if one is under way.
    pub(crate) fn walk_on(&mut self) {
        let began = Instant::now();
        // what hints found comes first
        for walk in [Which::Hinted, Which::Pass] {
            for _ in 0..STEPS {
                let Some(found) = self.walk(walk).and_then(|(walk, patterns)| walk.step(patterns)) else { break };
                let by = if walk == Which::Pass { By::Walk } else { By::Hint };
                self.found(found, by);
            }
        }
        if let Some(pass) = &mut self.passes.under_way {
            let done = pass.is_done();
            self.passes.took += began.elapsed();
            if done {
                self.end_of_pass();
            }
        }
    }

    fn walk(&mut self, which: Which) -> Option<(&mut Walk, &super::Patterns)> {
        match which {
            Which::Hinted => Some((&mut self.hinted, &self.patterns)),
            Which::Pass => self.passes.under_way.as_mut().map(|it| (it, &self.patterns)),
        }
    }

    fn found(&mut self, found: Found, by: By) {
        match found {
            Found::Directory(path) => self.watch(&path),
            Found::Candidate(path) => match os::stat(&path) {
                Ok(stat) if stat.kind == Kind::File => self.file_at(&path, &stat, by),
                Ok(_) => {}
                Err(error) => self.failed(&path, &error),
            },
            Found::Failed(path, error) => self.failed(&path, &error),
        }
    }

    fn watch(&mut self, path: &Path) {
        if let Ok(stat) = os::stat(path)
            && let Err(problem) = self.watches.want(path, stat.key, self.passes.number)
        {
            self.complain(Some(path), problem);
        }
    }

    /// Something may have happened at this path.
    fn look(&mut self, path: &Path) {
        self.look_at(path);
        // what a link leads to: perhaps it leads to another file now
        if let Some(link) = self.targets.get(path).cloned() {
            self.look_at(&link);
        }
    }

    fn look_at(&mut self, path: &Path) {
        let known = self.files.at(path).is_some() || self.watches.contains(path);
        if !known && !self.is_wanted(path) && !self.patterns.leads_to_base(path) {
            return;
        }
        match os::stat(path) {
            Ok(stat) => match stat.kind {
                Kind::File => self.file_at(path, &stat, By::Hint),
                Kind::Directory => self.directory_at(path),
                Kind::Other => {}
            },
            Err(error) if is_absent(&error) => self.nothing_at(path),
            Err(error) => self.failed(path, &error),
        }
    }

    /// What had one name has another one now: the only way to learn where a file went that no glob finds any more,
    /// perhaps before it was ever opened.
    fn renamed(&mut self, from: &Path, to: &Path) {
        let is_ours = self.files.at(from).is_some() || self.targets.contains_key(from);
        let was_ours = is_ours || self.is_wanted_file(from) || self.leave_trail(from);
        if self.watches.contains(from) {
            self.watches.forget(from);
            self.passes.soon();
        }
        self.look(from);
        if !was_ours || self.is_wanted_file(to) {
            return self.look(to);
        }
        match os::stat(to) {
            Ok(stat) if stat.kind == Kind::File => {
                self.file_elsewhere(to, &stat);
                if self.is_wanted_file(from) {
                    self.came_from(stat.key, from);
                }
            }
            Ok(_) => {}
            // renamed again: that hint is on its way
            Err(_) => self.trail(to.to_owned()),
        }
    }

    /// A directory is there: whatever is in it came perhaps before it was watched.
    fn directory_at(&mut self, path: &Path) {
        if self.patterns.excludes(path) {
            return;
        }
        let places = self.patterns.path(path).inside;
        if !places.is_empty() {
            self.hinted.add(path.to_owned(), places);
        } else if self.patterns.leads_to_base(path) {
            self.passes.soon();
        }
    }

    fn nothing_at(&mut self, path: &Path) {
        self.lose_name(path);
        if self.watches.contains(path) {
            self.watches.forget(path);
            self.passes.soon();
        }
    }

    /// A file is at a path that a glob finds, or under which hints about a known file come.
    fn file_at(&mut self, path: &Path, stat: &Stat, by: By) {
        let pass = self.passes.number;
        if self.files.at(path) != Some(stat.key) {
            self.lose_name(path);
            if by == By::Walk || self.is_wanted_file(path) {
                self.passes.is_surprised |= by == By::Walk && self.has_had_time(stat);
                self.adopt(path, stat, true, by);
            }
            return;
        }
        let wanted = by == By::Walk;
        let changed = self.files.with(stat.key, |file| {
            file.saw(stat);
            if let Some(name) = file.names.iter_mut().find(|it| *it.path == *path) {
                name.pass = pass;
                name.by_glob |= wanted;
            }
            if wanted {
                file.orphaned = None;
            }
            (file.has_changed() || (by == By::Hint && file.may_be_rewritten())) && !file.queued
        });
        if changed == Some(true) {
            self.passes.is_surprised |= by == By::Walk && self.has_had_time(stat);
            self.enqueue(stat.key, by == By::Hint);
        }
    }

    /// A file of ours went where no glob finds it: it is read to its end.
    pub(crate) fn file_elsewhere(&mut self, path: &Path, stat: &Stat) {
        let was_read = self.files.parked(stat.key).is_some_and(|it| it.offset == stat.size);
        if !was_read || self.files.get(stat.key).is_some() {
            if self.files.at(path) != Some(stat.key) {
                self.lose_name(path);
            }
            self.adopt(path, stat, false, By::Hint);
        }
    }

    /// A log of an earlier life has another name now.
    pub(crate) fn came_back(&mut self, path: &Path, stat: &Stat) {
        match self.is_wanted_file(path) {
            true => self.adopt(path, stat, true, By::Walk),
            false => self.file_elsewhere(path, stat),
        }
    }

    fn adopt(&mut self, path: &Path, stat: &Stat, by_glob: bool, by: By) {
        let key = stat.key;
        if self.files.get(key).is_none() {
            if by_glob && !self.known_names.is_empty() {
                self.look_for_elder(path, key);
            }
            let Some(mut file) = self.file_for(path, stat) else { return };
            // one that an earlier life has read began with what was before it then
            file.elder = self.elder_at(path).filter(|_| by_glob && file.was_read_to() == 0);
            self.files.insert(key, file);
            if !by_glob {
                self.orphan(key);
            }
        }
        self.files.with(key, |file| file.saw(stat));
        self.files.add_name(key, path, by_glob, self.passes.number);
        if fs::symlink_metadata(path).is_ok_and(|it| it.is_symlink()) {
            self.follow_link(key, path);
        }
        // open before its turn: whatever is done to its name from now on, it will be read
        self.open(key);
        if self.files.get(key).is_some_and(File::has_changed) {
            self.enqueue(key, by == By::Hint);
        }
    }

    /// Writing to the target of a link is told only by the directory of the target.
    fn follow_link(&mut self, key: Key, path: &Path) {
        let Ok(target) = fs::canonicalize(path) else { return };
        let (Some(dir), Some(name)) = (target.parent(), target.file_name()) else { return };
        let Ok(stat) = os::stat(dir) else { return };
        let dir = match self.watches.name_of(stat.key) {
            Some(watched) => watched.to_owned(),
            None => {
                if let Err(problem) = self.watches.want(dir, stat.key, self.passes.number) {
                    self.complain(Some(dir), problem);
                }
                dir.to_owned()
            }
        };
        let known_as = dir.join(name);
        self.targets.insert(known_as.clone(), path.to_owned());
        if self.files.at(&known_as) != Some(key) {
            self.lose_name(&known_as);
            self.files.add_name(key, &known_as, false, self.passes.number);
        }
        self.files.with(key, |file| file.target_dir = Some(dir));
    }

    fn lose_name(&mut self, path: &Path) {
        let Some((key, by_glob)) = self.files.drop_name(path) else { return };
        match by_glob {
            true => self.leave_name(key, path),
            false => self.trail(path.to_owned()),
        }
        if self.files.get(key).is_some_and(|it| !it.names.iter().any(|name| name.by_glob)) {
            self.orphan(key);
        }
    }

    pub(crate) fn orphan(&mut self, key: Key) {
        let is_news = self.files.with(key, |file| file.orphaned.replace(Instant::now()).is_none());
        if is_news == Some(true) {
            self.orphans.push(key);
        }
        self.enqueue(key, true);
    }

    fn end_of_pass(&mut self) {
        let pass = self.passes.number;
        for path in self.files.unseen(pass) {
            // perhaps its directory could not be listed: only what is surely not there is taken away
            match os::stat(&path) {
                Ok(stat) if self.files.at(&path) == Some(stat.key) => {}
                Err(error) if !is_absent(&error) => {}
                Ok(_) | Err(_) => self.lose_name(&path),
            }
        }
        for key in self.files.links() {
            let dir = self.files.get(key).and_then(|it| it.target_dir.clone()).unwrap_or_default();
            let link = self.files.get(key).and_then(|it| it.names.iter().find(|name| name.by_glob));
            let link = link.map(|it| it.path.to_path_buf());
            if self.watches.contains(&dir) {
                self.watches.keep(&dir, pass);
            } else if let Some(link) = link {
                self.follow_link(key, &link);
            }
        }
        let files = &self.files;
        self.targets
            .retain(|_, link| files.at(link).is_some() || fs::symlink_metadata(link).is_ok_and(|it| it.is_symlink()));
        self.look_for_missing();
        self.watches.end_of_pass(pass);
        self.health.set_pass(self.passes.took);
        self.passes.ended(self.settings.rescan_interval, self.watches.are_missing());
        let state = if self.watches.are_missing() { State::Polling } else { State::Running };
        self.set_state(state);
    }

    fn is_wanted(&self, path: &Path) -> bool {
        let what = self.patterns.path(path);
        (what.file || !what.inside.is_empty()) && !self.patterns.excludes(path)
    }

    pub(crate) fn is_wanted_file(&self, path: &Path) -> bool {
        self.patterns.path(path).file && !self.patterns.excludes(path)
    }

    /// Whether a hint about the last change would have come by now.
    fn has_had_time(&self, stat: &Stat) -> bool {
        self.passes.number > 1 && crate::now().seconds_since(stat.modified) > 1.0
    }

    fn trail(&mut self, path: PathBuf) {
        if self.trails.len() >= MOST_TRAILS {
            self.trails.pop_front();
        }
        self.trails.push_back(path);
    }

    /// Whether a file of ours was last known at this path, which no glob finds.
    fn leave_trail(&mut self, path: &Path) -> bool {
        let at = self.trails.iter().position(|it| it == path);
        at.is_some_and(|at| self.trails.remove(at).is_some())
    }

    fn failed(&mut self, path: &Path, error: &io::Error) {
        self.complain(Some(path), Problem::of(error));
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Hinted,
    Pass,
}
