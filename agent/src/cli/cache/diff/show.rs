//! A difference, for people and for programs.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::super::entries::Key;
use super::super::style::{BAD, GOOD, NAME, PLAIN, Page, columns};
use super::super::table::{remark, thousands};
use super::compare::{Conflict, Difference};

/// How many entries of each kind people see unless they want all.
pub(super) const MOST_SHOWN: usize = 20;

/// For people.
pub(super) fn page(found: &Difference<'_>, names: [&PathBuf; 2], most: usize) -> Page {
    let mut page = Page::new(columns());
    for (letter, name) in ["A", "B"].iter().zip(names) {
        page.line(0, &[(NAME, letter), (PLAIN, " "), (PLAIN, &name.display().to_string())]);
    }
    let numbers = [
        (found.same, "the same"),
        (found.missing.len() as u64, "missing (in A only)"),
        (found.extra.len() as u64, "extra (in B only)"),
        (found.conflicting.len() as u64, "conflicting"),
    ];
    let text: Vec<_> = numbers.iter().map(|(number, what)| format!("{} {what}", thousands(*number))).collect();
    page.line(0, &[(if found.is_same() { GOOD } else { BAD }, &text.join(", "))]);
    if !found.conflicting.is_empty() {
        page.line(0, &[(NAME, "conflicting")]);
        for Conflict { key, what, a, b } in found.conflicting.iter().take(most) {
            page.line(2, &[(PLAIN, &name(key)), (PLAIN, " "), (PLAIN, what.name())]);
            page.line(4, &[(PLAIN, "A "), (PLAIN, a)]);
            page.line(4, &[(PLAIN, "B "), (PLAIN, b)]);
        }
        rest(found.conflicting.len(), most, &mut page);
    }
    for (title, keys) in [("missing", &found.missing), ("extra", &found.extra)] {
        if !keys.is_empty() {
            page.line(0, &[(NAME, title)]);
            keys.iter().take(most).for_each(|key| page.line(2, &[(PLAIN, &name(key))]));
            rest(keys.len(), most, &mut page);
        }
    }
    page
}

fn rest(number: usize, most: usize, page: &mut Page) {
    if let Some(more) = number.checked_sub(most).filter(|more| *more > 0) {
        remark(&format!("and {} more: --all shows them", thousands(more as u64)), page);
    }
}

/// For programs.
pub(super) fn json(found: &Difference<'_>) -> Value {
    let keys = |keys: &[&Key]| -> Vec<Value> { keys.iter().map(|key| key_json(key)).collect() };
    let conflicts = found.conflicting.iter().map(|conflict| {
        let mut value = key_json(conflict.key);
        if let Some(object) = value.as_object_mut() {
            object.insert("what".to_owned(), json!(conflict.what.name()));
            object.insert("a".to_owned(), json!(conflict.a));
            object.insert("b".to_owned(), json!(conflict.b));
        }
        value
    });
    json!({
        "same": found.same,
        "missing": keys(&found.missing),
        "extra": keys(&found.extra),
        "conflicting": conflicts.collect::<Vec<_>>(),
    })
}

fn key_json(key: &Key) -> Value {
    match key {
        Key::Module { path, version } => json!({ "kind": "module", "path": path, "version": version }),
        Key::Action(id) => json!({ "kind": "action", "id": id.to_string() }),
        Key::Output(id) => json!({ "kind": "output", "id": id.to_string() }),
    }
}

fn name(key: &Key) -> String {
    match key {
        Key::Module { path, version } => format!("{path}@{version}"),
        Key::Action(id) => format!("{id}-a"),
        Key::Output(id) => format!("{id}-d"),
    }
}
