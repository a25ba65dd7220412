//! The writers: logs on disk, what was done to them, and what is true of each stretch of them.
//!
//! A stretch is what one file held from its first byte until it was truncated: what the agent takes for one log. A part
//! is what one stretch has of one command. Here nothing knows the agent.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::golog::{Counts, Generator, Piece};
use crate::random::Random;

/// What one stretch has of one command.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) pieces: Vec<Piece>,
    /// Its log was silent for so long that the command may have been taken to be over, and what came behind for
    /// another one.
    pub(crate) may_be_cut: bool,
}

impl Part {
    /// The name of its root and a word of its command line, where the shell said them.
    pub(crate) fn opens(&self) -> Option<&(&'static str, String)> {
        self.pieces.first().and_then(|piece| piece.opens.as_ref())
    }
}

/// What one file held until it was truncated.
#[derive(Debug)]
pub(crate) struct Stretch {
    /// For people: which log, which file of it.
    pub(crate) label: String,
    pub(crate) parts: Vec<Part>,
    /// Where the file is; `None` once nobody can read it any more from its start.
    pub(crate) path: Option<PathBuf>,
    /// A glob finds it.
    pub(crate) is_in_glob: bool,
    /// It is what the file held first.
    pub(crate) is_first: bool,
    wrote_at: Instant,
}

/// How lines are wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Bare,
    Cri,
}

/// One log that somebody writes.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) name: String,
    path: PathBuf,
    /// The path is a link to one file after another.
    pub(crate) is_link: bool,
    framing: Framing,
    file: Option<File>,
    /// Of what it writes to.
    pub(crate) stretch: usize,
    commands: VecDeque<Piece>,
    /// What of the present piece is still to be written.
    rest: Vec<u8>,
    files: u64,
}

/// All logs of one sequence.
#[derive(Debug)]
pub(crate) struct World {
    folder: PathBuf,
    pub(crate) stretches: Vec<Stretch>,
    pub(crate) logs: Vec<Log>,
    generator: Generator,
    /// A silence of this length may end a command.
    idle: Duration,
    pub(crate) bytes: u64,
    pub(crate) lines: u64,
    /// The longest time for which a piece was half written: on a machine that stalls nothing can be said.
    pub(crate) worst_gap: Duration,
    watched: Instant,
}

impl World {
    pub(crate) fn new(folder: &Path, idle: Duration) -> Self {
        for name in ["logs", "old", "data"] {
            std::fs::create_dir_all(folder.join(name)).unwrap();
        }
        Self {
            folder: folder.to_owned(),
            stretches: Vec::new(),
            logs: Vec::new(),
            generator: Generator::new(),
            idle,
            bytes: 0,
            lines: 0,
            worst_gap: Duration::ZERO,
            watched: Instant::now(),
        }
    }

    /// The globs that find the logs.
    pub(crate) fn globs(&self) -> [String; 2] {
        ["*.log", "*.log.*"].map(|glob| self.folder.join("logs").join(glob).to_str().unwrap().to_owned())
    }

    /// A log more. It has no file until something is written.
    pub(crate) fn add_log(&mut self, random: &mut Random) -> usize {
        let name = format!("job{}", self.logs.len());
        self.logs.push(Log {
            path: self.folder.join("logs").join(format!("{name}.log")),
            name,
            is_link: random.chance(25),
            framing: random.pick(&[Framing::Bare, Framing::Bare, Framing::Cri]),
            file: None,
            stretch: usize::MAX,
            commands: VecDeque::new(),
            rest: Vec::new(),
            files: 0,
        });
        self.logs.len() - 1
    }

    /// The agent looks on, again: what was silent before was not seen to be.
    pub(crate) fn watched_again(&mut self) {
        self.watched = Instant::now();
    }

    /// Writes pieces, whole.
    pub(crate) fn write(&mut self, log: usize, pieces: u64, random: &mut Random) {
        self.finish_piece(log);
        for _ in 0..pieces {
            self.begin_piece(log, random);
            self.finish_piece(log);
        }
    }

    /// Writes something of a piece, most often not to the end of a line.
    pub(crate) fn write_some(&mut self, log: usize, random: &mut Random) {
        if self.logs[log].rest.is_empty() {
            self.begin_piece(log, random);
        }
        let most = self.logs[log].rest.len() as u64;
        let bytes = random.between(1, most.max(1)) as usize;
        self.put(log, bytes);
    }

    /// Writes what is left of the present piece.
    pub(crate) fn finish_piece(&mut self, log: usize) {
        let bytes = self.logs[log].rest.len();
        self.put(log, bytes);
    }

    /// Logs whose present piece is half written.
    pub(crate) fn half_written(&self) -> Vec<usize> {
        (0..self.logs.len()).filter(|log| !self.logs[*log].rest.is_empty()).collect()
    }

    /// Of those, the ones that are for so long.
    pub(crate) fn half_written_for(&self, time: Duration) -> Vec<usize> {
        let long = |log: &usize| self.stretches[self.logs[*log].stretch].wrote_at.elapsed() >= time;
        self.half_written().into_iter().filter(long).collect()
    }

    /// Of the file that it writes to, in bytes.
    pub(crate) fn size(&self, log: usize) -> u64 {
        self.logs[log].file.as_ref().map_or(0, |file| file.metadata().unwrap().len())
    }

    /// Renames the file to where a glob finds it, or does not.
    pub(crate) fn rename(&mut self, log: usize, in_glob: bool) {
        let old = self.rotated_name(log, in_glob);
        let stretch = self.logs[log].stretch;
        let now = self.stretches[stretch].path.clone().unwrap();
        std::fs::rename(now, &old).unwrap();
        if self.logs[log].is_link {
            // where the link led is gone: the writer makes another one
            let _ = std::fs::remove_file(&self.logs[log].path);
        }
        self.stretches[stretch].path = Some(old);
        self.stretches[stretch].is_in_glob = in_glob;
    }

    /// Renames the file to where no glob finds it, beside its old name, and makes a new one.
    pub(crate) fn rename_beside(&mut self, log: usize) {
        self.logs[log].files |= 1;
        self.rename(log, false);
        self.reopen(log);
    }

    /// Takes the name of the file away; who has it open goes on.
    pub(crate) fn delete(&mut self, log: usize) {
        let stretch = &mut self.stretches[self.logs[log].stretch];
        std::fs::remove_file(stretch.path.take().unwrap()).unwrap();
        stretch.is_in_glob = false;
        if self.logs[log].is_link {
            let _ = std::fs::remove_file(&self.logs[log].path);
        }
    }

    /// The writer notices that its file went away: the next bytes go to a new one.
    pub(crate) fn reopen(&mut self, log: usize) {
        self.finish_piece(log);
        self.logs[log].file = None;
    }

    /// Points the link to a new file; the writer still has the old one open.
    pub(crate) fn swap_link(&mut self, log: usize) {
        self.finish_piece(log);
        self.stretches[self.logs[log].stretch].is_in_glob = false;
        self.logs[log].file = None;
    }

    /// Copies the file away, perhaps, and makes it empty. The writer goes on at its end.
    pub(crate) fn truncate(&mut self, log: usize, copied: bool) {
        let stretch = self.logs[log].stretch;
        let path = self.stretches[stretch].path.take().unwrap();
        if copied {
            std::fs::copy(&path, self.rotated_name(log, false)).unwrap();
        }
        self.logs[log].file.as_ref().unwrap().set_len(0).unwrap();
        self.stretches[stretch].is_in_glob = false;
        self.new_stretch(log, path, false);
    }

    /// Compresses a rotated file and removes it. Says which, if there was one.
    pub(crate) fn compress_one(&mut self) -> Option<usize> {
        let current: Vec<_> = self.logs.iter().map(|log| log.stretch).collect();
        let rotated = |(at, stretch): &(usize, &Stretch)| stretch.is_in_glob && !current.contains(at);
        let (at, _) = self.stretches.iter().enumerate().find(rotated)?;
        let path = self.stretches[at].path.take().unwrap();
        let gz = File::create(path.with_file_name(format!("{}.gz", path.file_name().unwrap().to_str().unwrap())));
        let mut gz = flate2::write::GzEncoder::new(gz.unwrap(), flate2::Compression::fast());
        gz.write_all(&std::fs::read(&path).unwrap()).unwrap();
        gz.finish().unwrap();
        std::fs::remove_file(path).unwrap();
        self.stretches[at].is_in_glob = false;
        Some(at)
    }

    /// Whether the log has a file that something was written to.
    pub(crate) fn has_file(&self, log: usize) -> bool {
        self.logs[log].file.is_some() && self.stretches[self.logs[log].stretch].path.is_some()
    }

    /// All that was written, as counters.
    pub(crate) fn counts(&self) -> Counts {
        let mut sum = Counts::new();
        let parts = self.stretches.iter().flat_map(|stretch| &stretch.parts);
        for (series, count) in parts.flat_map(|part| &part.pieces).flat_map(|piece| &piece.counts) {
            *sum.entry(series.clone()).or_default() += count;
        }
        sum.insert("gobeacon_log_bytes_total".to_owned(), self.bytes);
        sum.insert("gobeacon_log_lines_total".to_owned(), self.lines);
        sum
    }

    fn rotated_name(&mut self, log: usize, in_glob: bool) -> PathBuf {
        let log = &mut self.logs[log];
        log.files += 1;
        // beside the old name or elsewhere, in turns
        let (folder, name) = match (in_glob, log.files % 2) {
            (true, _) => ("logs", "log"),
            (false, 0) => ("logs", "txt"),
            (false, _) => ("old", "txt"),
        };
        self.folder.join(folder).join(format!("{}.{name}.{}", log.name, log.files))
    }

    fn new_stretch(&mut self, log: usize, path: PathBuf, is_first: bool) {
        let (label, number) = (self.logs[log].name.clone(), self.stretches.len());
        self.logs[log].stretch = number;
        self.stretches.push(Stretch {
            label: format!("{label}#{number}"),
            parts: Vec::new(),
            path: Some(path),
            is_in_glob: true,
            is_first,
            wrote_at: Instant::now(),
        });
    }

    /// Opens the file, and makes it where there is none.
    fn open(&mut self, at: usize) {
        let log = &mut self.logs[at];
        if log.file.is_some() {
            return;
        }
        log.files += 1;
        let (path, files, is_link) = (log.path.clone(), log.files, log.is_link);
        let real =
            if is_link { self.folder.join("data").join(format!("{}-{files}.txt", log.name)) } else { path.clone() };
        let options = OpenOptions::new().append(true).create_new(true).open(&real);
        log.file = Some(options.unwrap_or_else(|error| panic!("{}: {error}", real.display())));
        if is_link {
            let new = path.with_extension("new-link");
            symlink(&real, &new).unwrap();
            std::fs::rename(&new, &path).unwrap();
        }
        self.new_stretch(at, real, true);
    }

    fn begin_piece(&mut self, at: usize, random: &mut Random) {
        self.open(at);
        let stretch = &self.stretches[self.logs[at].stretch];
        let is_fresh = stretch.parts.is_empty();
        let may_be_cut =
            stretch.parts.last().is_some_and(|it| it.may_be_cut) || stretch.wrote_at.elapsed() > self.idle / 2;
        // a command that begins with this could not be told from others: the writer begins another one
        if (is_fresh || may_be_cut) && !self.logs[at].commands.front().is_some_and(Piece::has_a_name) {
            self.logs[at].commands.clear();
        }
        if self.logs[at].commands.is_empty() {
            let echoed = !is_fresh || random.chance(85);
            self.logs[at].commands.extend(self.generator.command(random, echoed));
        }
        let piece = self.logs[at].commands.pop_front().unwrap();
        let framing = self.logs[at].framing;
        for line in &piece.lines {
            let framed = match framing {
                Framing::Bare => vec![line.clone()],
                Framing::Cri => cri(line, &mut self.generator, random),
            };
            for line in framed {
                self.lines += 1;
                self.logs[at].rest.extend_from_slice(line.as_bytes());
                self.logs[at].rest.push(b'\n');
            }
        }
        let stretch = &mut self.stretches[self.logs[at].stretch];
        if let Some(part) = stretch.parts.last_mut() {
            part.may_be_cut |= stretch.wrote_at.elapsed() > self.idle / 2 && piece.opens.is_none();
        }
        match stretch.parts.last_mut().filter(|_| piece.opens.is_none()) {
            Some(part) => part.pieces.push(piece),
            None if piece.tells => stretch.parts.push(Part { pieces: vec![piece], may_be_cut: false }),
            None => {}
        }
        // what waits for its first byte is not half written
        stretch.wrote_at = Instant::now();
    }

    fn put(&mut self, at: usize, bytes: usize) {
        let log = &mut self.logs[at];
        if bytes == 0 {
            return;
        }
        let stretch = &mut self.stretches[log.stretch];
        self.worst_gap = self.worst_gap.max(stretch.wrote_at.max(self.watched).elapsed());
        let part: Vec<u8> = log.rest.drain(..bytes.min(log.rest.len())).collect();
        log.file.as_mut().unwrap().write_all(&part).unwrap();
        stretch.wrote_at = Instant::now();
        self.bytes += part.len() as u64;
    }
}

/// A line as container runtimes write it; a long one in several records.
fn cri(line: &str, generator: &mut Generator, random: &mut Random) -> Vec<String> {
    let mut records = Vec::new();
    let mut rest = line;
    while rest.len() > 8 && random.chance(15) {
        let at = (1..=random.between(1, rest.len() as u64 - 1) as usize).rev().find(|at| rest.is_char_boundary(*at));
        let (part, behind) = rest.split_at(at.unwrap());
        records.push(format!("{} stdout P {part}", generator.stamp()));
        rest = behind;
    }
    records.push(format!("{} stdout F {rest}", generator.stamp()));
    records
}
