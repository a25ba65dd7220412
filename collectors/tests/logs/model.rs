//! Anything a writer may do, in any order, against what must come out.
//!
//! The promise has one limit, which the model respects: a file that is deleted or truncated before anybody could look
//! at it is lost, so the writer waits there until it was seen.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::FileExt;

use proptest::prelude::*;

use crate::support::{Followed, line};

#[derive(Debug, Clone)]
enum Action {
    /// Whole lines.
    Append {
        file: u8,
        lines: u8,
    },
    /// The first bytes of a line, whose rest comes with the next append.
    AppendPart {
        file: u8,
        bytes: u8,
    },
    /// Renamed to where no glob finds it; the next append makes a new file.
    RotateOut {
        file: u8,
    },
    /// Renamed to a name that the glob finds too.
    RotateIn {
        file: u8,
    },
    Delete {
        file: u8,
    },
    Truncate {
        file: u8,
    },
    /// Copied, and written anew in one write, to any length: also to the very same one.
    Rewrite {
        file: u8,
        lines: u8,
    },
    /// Nothing is written for so many bytes.
    Gap {
        file: u8,
        pages: u8,
    },
    /// Another name of the same file.
    Link {
        file: u8,
    },
    /// Everything is read before the next action.
    Wait,
}

fn action() -> impl Strategy<Value = Action> {
    let file = 0..3_u8;
    prop_oneof![
        6 => (file.clone(), 1..40_u8).prop_map(|(file, lines)| Action::Append { file, lines }),
        2 => (file.clone(), 1..25_u8).prop_map(|(file, bytes)| Action::AppendPart { file, bytes }),
        2 => file.clone().prop_map(|file| Action::RotateOut { file }),
        2 => file.clone().prop_map(|file| Action::RotateIn { file }),
        1 => file.clone().prop_map(|file| Action::Delete { file }),
        1 => file.clone().prop_map(|file| Action::Truncate { file }),
        2 => (file.clone(), 1..60_u8).prop_map(|(file, lines)| Action::Rewrite { file, lines }),
        1 => (file.clone(), 1..200_u8).prop_map(|(file, pages)| Action::Gap { file, pages }),
        1 => file.prop_map(|file| Action::Link { file }),
        1 => Just(Action::Wait),
    ]
}

/// The writer: it keeps its handles open over renames and deletions, as writers do.
struct Writer {
    followed: Followed,
    open: BTreeMap<u8, Open>,
    next: u64,
    rotated: u32,
    /// Lines without a number.
    noise: u64,
}

struct Open {
    file: fs::File,
    /// What is missing of the last line.
    rest: String,
}

impl Writer {
    fn act(&mut self, action: &Action) {
        match action {
            Action::Append { file, lines } => {
                for _ in 0..*lines {
                    let text = self.rest_or_new_line(*file);
                    self.write(*file, &text);
                }
            }
            Action::AppendPart { file, bytes } => {
                let text = self.rest_or_new_line(*file);
                let (head, rest) = text.split_at(usize::from(*bytes).min(text.len() - 1));
                self.write(*file, head);
                self.open.get_mut(file).unwrap().rest = rest.to_owned();
            }
            Action::RotateOut { file } => self.rotate(*file, "out"),
            Action::RotateIn { file } => self.rotate(*file, "in.log"),
            Action::Delete { file } => {
                self.finish_line(*file);
                self.wait();
                if self.open.remove(file).is_some() {
                    fs::remove_file(self.followed.path(&format!("{file}.log"))).unwrap();
                }
            }
            Action::Truncate { file } => {
                self.finish_line(*file);
                self.wait();
                if let Some(open) = self.open.get(file) {
                    let before = self.followed.health().truncations;
                    let was_empty = open.file.metadata().unwrap().len() == 0;
                    open.file.set_len(0).unwrap();
                    self.followed.until("the truncation is seen", |it| was_empty || it.health().truncations > before);
                }
            }
            Action::Rewrite { file, lines } => self.rewrite(*file, *lines),
            Action::Gap { file, pages } => {
                self.finish_line(*file);
                if let Some(open) = self.open.get(file) {
                    let length = open.file.metadata().unwrap().len();
                    open.file.set_len(length + u64::from(*pages) * 4096).unwrap();
                }
            }
            Action::Link { file } => {
                if self.open.contains_key(file) {
                    self.rotated += 1;
                    let (from, to) = (format!("{file}.log"), format!("{file}.{}.link.log", self.rotated));
                    fs::hard_link(self.followed.path(&from), self.followed.path(&to)).unwrap();
                }
            }
            Action::Wait => self.wait(),
        }
    }

    /// The content becomes other lines at one moment, of which no other can be seen.
    fn rewrite(&mut self, file: u8, lines: u8) {
        self.finish_line(file);
        self.wait();
        let Some(open) = self.open.get(&file) else { return };
        let length = open.file.metadata().unwrap().len();
        let before = self.followed.health().truncations;
        let mut text = String::new();
        for _ in 0..lines {
            text += &line(self.next);
            self.next += 1;
        }
        // lines of other lengths would leave a part of the old ones
        let fill = usize::try_from(length).unwrap().saturating_sub(text.len());
        if fill > 0 {
            text.insert_str(0, &format!("{}\n", "x".repeat(fill - 1)));
            self.noise += 1;
        }
        // the other handle appends, wherever it is told to write
        let path = self.followed.path(&format!("{file}.log"));
        fs::File::options().write(true).open(path).unwrap().write_all_at(text.as_bytes(), 0).unwrap();
        self.followed.until("it is seen", |it| length == 0 || it.health().truncations > before);
    }

    fn rotate(&mut self, file: u8, to: &str) {
        self.finish_line(file);
        if self.open.remove(&file).is_some() {
            self.rotated += 1;
            self.followed.rename(&format!("{file}.log"), &format!("{file}.{}.{to}", self.rotated));
        }
    }

    fn finish_line(&mut self, file: u8) {
        if let Some(open) = self.open.get_mut(&file) {
            let rest = std::mem::take(&mut open.rest);
            open.file.write_all(rest.as_bytes()).unwrap();
        }
    }

    fn rest_or_new_line(&mut self, file: u8) -> String {
        match self.open.get_mut(&file).map(|it| std::mem::take(&mut it.rest)) {
            Some(rest) if !rest.is_empty() => rest,
            _ => {
                self.next += 1;
                line(self.next - 1)
            }
        }
    }

    fn write(&mut self, file: u8, text: &str) {
        let open = self
            .open
            .entry(file)
            .or_insert_with(|| Open { file: self.followed.open(&format!("{file}.log")), rest: String::new() });
        open.file.write_all(text.as_bytes()).unwrap();
    }

    fn wait(&mut self) {
        let partial = self.open.values().filter(|it| !it.rest.is_empty()).count() as u64;
        let whole = self.next - partial;
        self.followed.until("all whole lines", |it| it.numbers().len() as u64 >= whole);
        let files = self.open.len() as u64;
        self.followed.until("all files are found", |it| it.health().files >= files);
    }
}

/// Enough for every run; `PROPTEST_CASES` asks for more.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|it| it.parse().ok()).unwrap_or(24)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_writer_does_each_line_comes_out_exactly_once(
        actions in prop::collection::vec(action(), 1..40),
        handles in prop_oneof![Just(1_usize), 2..5_usize, Just(512)],
    ) {
        let dir = tempfile::tempdir().unwrap();
        let followed = Followed::start_in(dir, |settings| settings.max_open_files = handles);
        let mut writer = Writer { followed, open: BTreeMap::new(), next: 0, rotated: 0, noise: 0 };
        for action in &actions {
            writer.act(action);
        }
        for file in 0..3 {
            writer.finish_line(file);
        }
        let written = writer.next;
        writer.followed.until_numbers(0..written);
        writer.followed.stop();
        prop_assert_eq!(writer.followed.numbers(), (0..written).collect::<Vec<_>>());
        prop_assert_eq!(writer.followed.lines(), written + writer.noise);
    }
}
