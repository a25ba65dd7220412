//! One sequence: writers, a backend and a disk that do what a seed says, while a real agent looks on.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::backend::{Backend, Mood};
use crate::disk::SmallDisk;
use crate::lives::{Lives, PATIENCE, Setup};
use crate::oracle::{self, Verdict};
use crate::random::Random;
use crate::replayed;
use crate::world::World;

/// A command whose log is silent for so long is over.
const IDLE: Duration = Duration::from_secs(6);
/// What of a piece waits for more lines waits so long.
const FLUSH: Duration = Duration::from_secs(3);
/// A file that no glob finds is read so long.
const LINGER: Duration = Duration::from_secs(3);
/// The agent may take so long to end in order.
const SHUTDOWN: Duration = Duration::from_secs(6);
/// On a disk that has room again everything is written after so long.
const REMEMBERED: Duration = Duration::from_secs(4);
/// More logs make a sequence no harder.
const MOST_LOGS: usize = 8;
/// Prometheus asks so often here.
const SCRAPE: Duration = Duration::from_millis(100);

/// What may be done to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Write,
    WriteSome,
    FinishPiece,
    RenameInGlob,
    RenameOut,
    CopyTruncate,
    TruncateAndRegrow,
    Delete,
    SwapLink,
    Compress,
    NewLog,
    Pause,
    LongPause,
    Mood,
    FillDisk,
    FreeDisk,
    Kill,
    Terminate,
}

/// What a sequence may do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope {
    pub(crate) steps: u64,
    /// So many of a hundred actions kill the agent.
    pub(crate) kills: u64,
}

/// How a sequence went.
#[derive(Debug, Default, Clone)]
pub(crate) struct Report {
    pub(crate) kills: u64,
    pub(crate) terminations: u64,
    pub(crate) spans: usize,
    pub(crate) twice: usize,
    pub(crate) bytes: u64,
    /// Spans that were dropped, and counted, because so little might wait.
    pub(crate) dropped: u64,
    /// The machine stood still for so long that the outcome says nothing.
    pub(crate) stalled: Option<Duration>,
    pub(crate) without_disk: Option<String>,
}

/// Why a sequence failed, and all that helps to see why.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) why: Vec<String>,
    pub(crate) trace: Vec<String>,
    pub(crate) complaints: Vec<String>,
}

struct Sequence {
    random: Random,
    world: World,
    backend: Backend,
    lives: Lives,
    disk: Option<SmallDisk>,
    mood: Mood,
    scraped: Instant,
    began: Instant,
    trace: Vec<String>,
    report: Report,
    folder: PathBuf,
    is_full: bool,
    freed: Option<Instant>,
    /// So many stretches were read and shown.
    remembered: usize,
    /// Little may wait for the backend.
    is_tight: bool,
}

/// Plays a sequence.
pub(crate) fn play(seed: u64, scope: Scope, folder: &Path) -> Result<Report, Failed> {
    let mut sequence = Sequence::new(seed, folder);
    let played = sequence.play(scope);
    let report = sequence.report.clone();
    match played {
        Ok(()) => Ok(report),
        Err(_) if sequence.world.worst_gap > FLUSH / 2 => {
            Ok(Report { stalled: Some(sequence.world.worst_gap), ..report })
        }
        // it had backend and disk for all of that time, and says what neither took
        Err(_) if sequence.lives.sum("gobeacon_dropped_total{reason=\"shutdown\"}") > 0 => {
            Ok(Report { stalled: Some(SHUTDOWN), ..report })
        }
        Err(why) => {
            sequence.keep_state();
            let complaints = Lives::complaints(folder, sequence.lives.count);
            let trace = std::mem::take(&mut sequence.trace);
            Err(Failed { why, trace, complaints })
        }
    }
}

impl Sequence {
    fn new(seed: u64, folder: &Path) -> Self {
        let mut random = Random::new(seed);
        let world = World::new(folder, IDLE);
        let backend = Backend::new(random.chance(50));
        let state = folder.join("state");
        let mut report = Report::default();
        let disk = random.chance(40).then(|| SmallDisk::mount(&state, random.between(1, 4)));
        let disk = disk.and_then(|disk| disk.map_err(|why| report.without_disk = Some(why)).ok());
        // an outage drops what is oldest: what is dropped then is counted
        let is_tight = disk.is_none() && random.chance(20);
        let globs = world.globs();
        let [endpoint, protocol] = backend.arguments();
        let mut arguments: Vec<String> =
            ["--listen", "127.0.0.1:0", "--log-format", "json", "--state-dir"].into_iter().map(str::to_owned).collect();
        arguments.push(state.to_str().unwrap().to_owned());
        arguments.extend([endpoint, protocol]);
        arguments.extend(globs.into_iter().flat_map(|glob| ["--logs".to_owned(), glob]));
        let millis = |time: Duration| format!("{}ms", time.as_millis());
        let mut variables = vec![
            ("GOBEACON_BUILD_IDLE_TIMEOUT", millis(IDLE)),
            ("GOBEACON_LOGS_FLUSH_AFTER", millis(FLUSH)),
            ("GOBEACON_LOGS_LINGER", millis(LINGER)),
            ("GOBEACON_OTLP_TIMEOUT", "1s".to_owned()),
            ("GOBEACON_BUILD_ON_SHUTDOWN", "keep".to_owned()),
            ("GOBEACON_SHUTDOWN_TIMEOUT", millis(SHUTDOWN)),
            ("GOBEACON_HOST_ID", "model".to_owned()),
            ("GOBEACON_DISCOVERY_ENABLED", "false".to_owned()),
        ];
        if is_tight {
            variables.push(("GOBEACON_OTLP_SPOOL_BYTES", "0".to_owned()));
            variables.push(("GOBEACON_OTLP_QUEUE_RECORDS", "1000".to_owned()));
        }
        let lives = Lives::new(Setup { folder: folder.to_owned(), arguments, variables });
        let now = Instant::now();
        let (mood, trace, folder) = (Mood::Well, Vec::new(), folder.to_owned());
        let (scraped, began, is_full, freed, remembered) = (now, now, false, None, 0);
        Self {
            random,
            world,
            backend,
            lives,
            disk,
            mood,
            scraped,
            began,
            trace,
            report,
            folder,
            is_full,
            freed,
            remembered,
            is_tight,
        }
    }

    fn play(&mut self, mut scope: Scope) -> Result<(), Vec<String>> {
        if self.is_tight {
            // what a restart sends again may be dropped again
            scope.kills = 0;
            self.note("little may wait for the backend, which is away");
            self.backend.be(Mood::Down);
        }
        for _ in 0..self.random.between(1, 4) {
            self.world.add_log(&mut self.random);
        }
        self.start()?;
        if self.is_tight {
            let pieces = self.random.between(200, 1500);
            self.note(&format!("job0: {pieces} pieces"));
            self.world.write(0, pieces, &mut self.random);
        }
        for _ in 0..scope.steps {
            self.act(scope)?;
            self.look()?;
        }
        self.settle()
    }

    /// One action of somebody.
    fn act(&mut self, scope: Scope) -> Result<(), Vec<String>> {
        let action = self.random.weighed(&[
            (30, Action::Write),
            (14, Action::WriteSome),
            (8, Action::FinishPiece),
            (4, Action::RenameInGlob),
            (4, Action::RenameOut),
            (3, Action::CopyTruncate),
            (3, Action::TruncateAndRegrow),
            (3, Action::Delete),
            (3, Action::SwapLink),
            (3, Action::Compress),
            (3, Action::NewLog),
            (10, Action::Pause),
            (1, Action::LongPause),
            (8, Action::Mood),
            (2, Action::FillDisk),
            (4, Action::FreeDisk),
            (scope.kills, Action::Kill),
            (scope.kills.div_ceil(8), Action::Terminate),
        ]);
        match action {
            Action::Pause => self.pause(),
            Action::LongPause => self.long_pause()?,
            Action::Mood => self.change_mood(),
            Action::FillDisk | Action::FreeDisk => self.change_disk(action),
            Action::Compress => {
                self.read_up("a rotated file is compressed")?;
                if let Some(stretch) = self.world.compress_one() {
                    self.note(&format!("{} is compressed", self.world.stretches[stretch].label));
                }
            }
            Action::NewLog => {
                if self.world.logs.len() < MOST_LOGS {
                    let log = self.world.add_log(&mut self.random);
                    self.note(&format!("{}: it is new", self.world.logs[log].name));
                    self.world.write(log, 1, &mut self.random);
                }
            }
            Action::Kill => self.kill()?,
            Action::Terminate => self.terminate()?,
            other => self.act_on_log(other)?,
        }
        Ok(())
    }

    /// One action of one writer.
    fn act_on_log(&mut self, action: Action) -> Result<(), Vec<String>> {
        let log = self.random.below(self.world.logs.len() as u64) as usize;
        let name = self.world.logs[log].name.clone();
        match action {
            Action::Write => {
                let pieces = self.random.between(1, 6);
                self.note(&format!("{name}: {pieces} pieces"));
                self.world.write(log, pieces, &mut self.random);
            }
            Action::WriteSome => {
                self.note(&format!("{name}: a part of a piece"));
                self.world.write_some(log, &mut self.random);
            }
            Action::FinishPiece => {
                self.note(&format!("{name}: the rest of a piece"));
                self.world.finish_piece(log);
            }
            // all that follows is done to a file
            _ if !self.world.has_file(log) => {}
            Action::RenameInGlob | Action::RenameOut => self.rename(log, action)?,
            Action::CopyTruncate | Action::TruncateAndRegrow => self.truncate(log, action)?,
            Action::Delete => self.delete(log)?,
            Action::SwapLink if self.world.logs[log].is_link => {
                self.read_up("the link is swapped")?;
                self.note(&format!("{name}: the link leads to a new file"));
                self.world.swap_link(log);
                self.world.write(log, 1, &mut self.random);
            }
            other => debug_assert_eq!(other, Action::SwapLink),
        }
        Ok(())
    }

    fn change_disk(&mut self, action: Action) {
        let Some(disk) = &self.disk else { return };
        if action == Action::FillDisk {
            disk.fill();
            self.is_full = true;
            self.note("the disk of the state is full");
        } else if self.is_full {
            disk.free();
            (self.is_full, self.freed) = (false, Some(Instant::now()));
            self.note("the disk of the state has room");
        }
    }

    fn rename(&mut self, log: usize, action: Action) -> Result<(), Vec<String>> {
        let in_glob = action == Action::RenameInGlob;
        // a file that the agent never saw and that no glob finds is lost to everybody
        if !in_glob {
            self.read_up("a file is renamed out of the glob")?;
        }
        let name = self.world.logs[log].name.clone();
        self.note(&format!("{name}: renamed {}", if in_glob { "within the glob" } else { "out of the glob" }));
        self.world.rename(log, in_glob);
        if self.random.chance(50) {
            self.note(&format!("{name}: the writer goes on in the renamed file"));
            self.world.write(log, 2, &mut self.random);
        }
        self.world.reopen(log);
        Ok(())
    }

    fn truncate(&mut self, log: usize, action: Action) -> Result<(), Vec<String>> {
        self.world.finish_piece(log);
        self.read_up("a file is truncated")?;
        let name = self.world.logs[log].name.clone();
        let (before, regrown) = (self.world.size(log), action == Action::TruncateAndRegrow);
        self.world.truncate(log, !regrown);
        self.note(&format!("{name}: truncated at {before} bytes"));
        if regrown {
            while self.world.size(log) <= before {
                self.world.write(log, 1, &mut self.random);
            }
            self.note(&format!("{name}: regrown to {} bytes", self.world.size(log)));
        }
        Ok(())
    }

    fn delete(&mut self, log: usize) -> Result<(), Vec<String>> {
        self.read_up("a file is deleted")?;
        let name = self.world.logs[log].name.clone();
        self.note(&format!("{name}: deleted, and written on"));
        self.world.delete(log);
        let pieces = self.random.below(3);
        self.world.write(log, pieces, &mut self.random);
        self.world.reopen(log);
        Ok(())
    }

    fn pause(&mut self) {
        let time = Duration::from_millis(self.random.between(10, 400));
        self.note(&format!("nothing for {time:?}"));
        self.sleep(time);
    }

    /// So long that commands are over.
    fn long_pause(&mut self) -> Result<(), Vec<String>> {
        for log in self.world.half_written() {
            self.world.finish_piece(log);
        }
        self.note("nothing for so long that commands are over");
        let until = Instant::now() + IDLE + Duration::from_secs(1);
        while Instant::now() < until {
            self.sleep(Duration::from_millis(50));
            self.look()?;
        }
        Ok(())
    }

    fn change_mood(&mut self) {
        if self.is_tight {
            return;
        }
        let mood = if self.mood == Mood::Well { self.random.pick(&Mood::ALL) } else { Mood::Well };
        if mood != self.mood {
            self.note(&format!("the backend is {mood:?}"));
            self.backend.be(mood);
            self.mood = mood;
        }
    }

    /// The agent is killed at any instant; what happens while it is dead is what it must find.
    fn kill(&mut self) -> Result<(), Vec<String>> {
        // what was open in a file that is gone cannot be read again by anybody: it must have arrived before
        if !self.what_is_gone_has_arrived()? {
            return Ok(());
        }
        self.what_is_shown_is_remembered()?;
        let micros = self.random.pick(&[1_000, 30_000, 1_200_000]);
        let micros = self.random.below(micros);
        self.sleep(Duration::from_micros(micros));
        loop {
            self.lives.kill();
            self.report.kills += 1;
            let (read, wrote) = (self.lives.sum("gobeacon_log_bytes_total"), self.world.bytes);
            self.note(&format!("the agent is killed; it has shown {read} of {wrote} bytes"));
            self.while_it_is_dead();
            if !self.random.chance(15) {
                return self.start();
            }
            self.lives.start();
            self.note(&format!("life {}, which does not get far", self.lives.count));
            let micros = self.random.below(300_000);
            self.sleep(Duration::from_micros(micros));
        }
    }

    /// What a page shows while nothing can be written is shown again by the next life, and counted again.
    fn what_is_shown_is_remembered(&mut self) -> Result<(), Vec<String>> {
        if self.is_full {
            self.change_disk(Action::FreeDisk);
        }
        let late = self.lives.showed_late.then(Instant::now);
        let Some(freed) = self.freed.take().max(late) else { return Ok(()) };
        self.lives.showed_late = false;
        while freed.elapsed() < REMEMBERED {
            self.sleep(Duration::from_millis(50));
            self.look()?;
        }
        self.lives.scrape();
        Ok(())
    }

    /// Waits for it now and then. Else there will be better times for a kill.
    fn what_is_gone_has_arrived(&mut self) -> Result<bool, Vec<String>> {
        let is_patient = self.random.chance(50) && self.mood == Mood::Well;
        let begin = Instant::now();
        loop {
            if oracle::is_settled(&self.world, &self.backend.taken()) {
                // what it has counted is shown, and remembered
                let is_shown = self.lives.scrape();
                if self.lives.sum("gobeacon_log_bytes_total") == self.world.bytes {
                    self.remembered = self.world.stretches.len();
                }
                return Ok(is_shown);
            }
            if !is_patient || begin.elapsed() > PATIENCE {
                return Ok(false);
            }
            self.sleep(Duration::from_millis(50));
            self.look()?;
        }
    }

    fn terminate(&mut self) -> Result<(), Vec<String>> {
        // what no backend takes and no disk holds is lost by an end in order, and said to be
        self.what_is_shown_is_remembered()?;
        // in the middle of commands, of pieces and of lines: the next life goes on with all of them
        self.lives.scrape();
        let status = self.lives.terminate();
        self.report.terminations += 1;
        self.note(&format!("the agent is told to end: {status:?}"));
        if !status.is_some_and(|status| status.success()) {
            return Err(vec![format!("SIGTERM ended with {status:?}")]);
        }
        self.while_it_is_dead();
        self.start()
    }

    fn while_it_is_dead(&mut self) {
        for _ in 0..self.random.below(4) {
            let log = self.random.below(self.world.logs.len() as u64) as usize;
            let name = self.world.logs[log].name.clone();
            match self.random.below(6) {
                // nobody else can know of it
                4 if self.world.has_file(log)
                    && !self.world.logs[log].is_link
                    && self.world.logs[log].stretch < self.remembered =>
                {
                    self.note(&format!("{name}: renamed out of the glob while the agent is dead"));
                    self.world.rename_beside(log);
                }
                0 if self.world.has_file(log) => {
                    self.note(&format!("{name}: renamed within the glob while the agent is dead"));
                    self.world.rename(log, true);
                    self.world.reopen(log);
                }
                1 => {
                    self.note(&format!("{name}: a part of a piece while the agent is dead"));
                    self.world.write_some(log, &mut self.random);
                }
                _ => {
                    self.note(&format!("{name}: 2 pieces while the agent is dead"));
                    self.world.write(log, 2, &mut self.random);
                }
            }
        }
    }

    fn start(&mut self) -> Result<(), Vec<String>> {
        self.lives.start();
        self.note(&format!("life {}", self.lives.count));
        self.lives.wait_until_ready().map_err(|why| vec![why])?;
        self.world.watched_again();
        Ok(())
    }

    /// Waits until all that was written was read: whoever does away with a file before loses what was not.
    fn read_up(&mut self, why: &str) -> Result<(), Vec<String>> {
        let begin = Instant::now();
        loop {
            self.lives.scrape();
            let read = self.lives.sum("gobeacon_log_bytes_total");
            if read >= self.world.bytes {
                return Ok(());
            }
            if begin.elapsed() > PATIENCE {
                let wanted = self.world.bytes;
                let what = format!("before {why}: {read} of {wanted} bytes were read after {PATIENCE:?}");
                return Err(std::iter::once(what).chain(told(self.judge())).collect());
            }
            self.alive()?;
            self.sleep(Duration::from_millis(2));
        }
    }

    /// What goes on beside the actions: Prometheus scrapes, and a dead agent is noticed.
    fn look(&mut self) -> Result<(), Vec<String>> {
        if self.scraped.elapsed() >= SCRAPE {
            self.lives.scrape();
            self.scraped = Instant::now();
        }
        // nobody leaves half a piece for so long that it is taken for whole
        for log in self.world.half_written_for(FLUSH / 4) {
            self.world.finish_piece(log);
        }
        self.alive()
    }

    fn alive(&mut self) -> Result<(), Vec<String>> {
        self.lives.died().map_or(Ok(()), |why| Err(vec![why]))
    }

    /// All is well again, and everything must arrive.
    fn settle(&mut self) -> Result<(), Vec<String>> {
        for log in self.world.half_written() {
            self.world.finish_piece(log);
        }
        if let Some(disk) = &self.disk {
            disk.free();
        }
        self.backend.be(Mood::Well);
        self.note("all is well, and everything must arrive");
        let begin = Instant::now();
        loop {
            self.lives.scrape();
            let verdict = self.judge();
            // what is still open then has told nothing
            let is_over = !self.is_tight || begin.elapsed() > IDLE * 2;
            if is_over && verdict.missing.is_empty() && verdict.wrong.is_empty() {
                break;
            }
            if begin.elapsed() > PATIENCE || (!verdict.wrong.is_empty() && begin.elapsed() > IDLE * 2) {
                return Err(told(verdict));
            }
            self.alive()?;
            self.sleep(Duration::from_millis(200));
        }
        let status = self.lives.terminate();
        self.note(&format!("the end: {status:?}"));
        if !status.is_some_and(|status| status.success()) {
            return Err(vec![format!("SIGTERM ended with {status:?}")]);
        }
        let verdict = self.judge();
        self.report.spans = verdict.spans;
        self.report.twice = verdict.twice;
        self.report.bytes = self.world.bytes;
        self.report.dropped = self.lives.sum("gobeacon_dropped_total{what=\"span\",reason=\"queue_full\"}");
        let may_come_twice = self.report.kills > 0 || self.backend.moods.iter().any(|mood| mood != "Well");
        if !verdict.wrong.is_empty() || !verdict.missing.is_empty() || (verdict.twice > 0 && !may_come_twice) {
            return Err(told(verdict));
        }
        let differ = |it: &Self| replayed::differences(&it.world, &it.backend.taken(), &it.lives.setup.variables);
        let differences = if self.is_tight { Vec::new() } else { differ(self) };
        if differences.is_empty() { Ok(()) } else { Err(differences) }
    }

    /// A small disk goes with the sequence.
    fn keep_state(&mut self) {
        self.lives.kill();
        if self.disk.is_some() {
            let mut copy = std::process::Command::new("cp");
            let _ = copy.arg("-r").arg(self.folder.join("state")).arg(self.folder.join("state-at-the-end")).status();
        }
    }

    fn judge(&self) -> Verdict {
        let judge = if self.is_tight { oracle::judge_with_drops } else { oracle::judge };
        judge(&self.world, &self.lives, &self.backend.taken())
    }

    fn note(&mut self, what: &str) {
        let line = format!("{:9.3} s  {what}", self.began.elapsed().as_secs_f64());
        // kept as it comes: a test that is killed leaves it too
        let path = self.folder.join("actions.txt");
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
        std::io::Write::write_all(&mut file.unwrap(), format!("{line}\n").as_bytes()).unwrap();
        self.trace.push(line);
    }

    /// Time is what is waited for here.
    fn sleep(&self, time: Duration) {
        let until = Instant::now() + time;
        while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            std::thread::park_timeout(left);
        }
    }
}

fn told(verdict: Verdict) -> Vec<String> {
    let twice = (verdict.twice > 0).then(|| format!("{} deliveries of spans that were there before", verdict.twice));
    let missing = verdict.missing.into_iter().map(|it| format!("missing: {it}"));
    verdict.wrong.into_iter().chain(missing).chain(twice).collect()
}
