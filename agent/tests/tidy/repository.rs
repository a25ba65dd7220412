//! The repository as a whole: what it weighs, and what must not stand in it.

use crate::{none, tree};

/// Crates in the lock file, ours included. Each new one is read before it comes in.
const MOST_CRATES: usize = 350;

/// Git keeps every version of a large file for ever.
const MOST_BYTES: u64 = 1024 * 1024;

#[test]
fn the_dependency_tree_stays_small() {
    let crates = tree::read("Cargo.lock").lines().filter(|line| *line == "[[package]]").count();
    assert!(crates > 3, "Cargo.lock was not read");
    assert!(crates <= MOST_CRATES, "{crates} crates in Cargo.lock, at most {MOST_CRATES}");
}

#[test]
fn no_file_is_larger_than_a_megabyte() {
    let offenders: Vec<_> = tree::all()
        .iter()
        .map(|path| (path, path.metadata().map_or(0, |it| it.len())))
        .filter(|(_, bytes)| *bytes > MOST_BYTES)
        .map(|(path, bytes)| format!("{}: {bytes} bytes", tree::relative(path)))
        .collect();
    none(&offenders, "generate it, compress it or leave it out");
}

#[test]
fn no_text_names_a_place_on_somebodys_machine() {
    // put together here, so that this file does not find itself
    let places = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("C:\\", "Users")];
    let mut offenders = Vec::new();
    for file in tree::texts() {
        for (n, line) in file.text.lines().enumerate() {
            if let Some(place) = places.iter().find(|place| names_place(line, place)) {
                offenders.push(format!("{}:{}: {place}", file.path, n + 1));
            }
        }
    }
    none(&offenders, "paths of one machine mean nothing on another");
}

#[test]
fn everything_ends_with_one_newline_and_no_line_ends_in_blanks() {
    let mut offenders = Vec::new();
    for file in
        tree::texts().iter().filter(|file| ["rs", "md", "toml", "yaml", "py"].iter().any(|it| file.has_extension(it)))
    {
        if !file.text.ends_with('\n') || file.text.ends_with("\n\n") {
            offenders.push(format!("{}: end it with one newline", file.path));
        }
        if !file.has_extension("rs") {
            let blank = file.text.lines().position(|line| line.ends_with(' ') || line.ends_with('\t'));
            offenders.extend(blank.map(|n| format!("{}:{}: blanks at the end", file.path, n + 1)));
        }
    }
    none(&offenders, "white space");
}

/// Whether a path begins with this place; `src/work/x` is something else.
fn names_place(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-".contains(c)))
}

#[test]
fn a_place_is_found_at_the_start_of_a_path_only() {
    assert!(names_place("cd /srv/x", "/srv/"));
    assert!(!names_place("cd a/srv/x", "/srv/"));
}
