//! The page of events, made from the source of the vocabulary: its doc comments are the page.

use std::fmt::Write;

use gobeacon_formats::EventKind;

/// The vocabulary as it is written.
const SOURCE: &str = include_str!("../../../collectors/formats/src/event.rs");
/// The record of a failure as it is written.
const FAILURE: &str = include_str!("../../../collectors/formats/src/failure.rs");

/// `docs/reference/events.md`
pub(super) fn page() -> String {
    let mut page = super::head("Events");
    page.push_str(
        "`gobeacon parse --format json` prints one object a line: `{\"kind\": ..., ...}`. A field that is unknown is \
         left out, never null\nor empty. The kinds are the `kind` label of `gobeacon_events_total`. Every event also \
         has:\n\n",
    );
    for field in fields(&body(SOURCE, "pub struct Event {")).iter().filter(|field| field.name != "kind") {
        let _ = writeln!(page, "- `{}`{}: {}", field.name, optional(field), field.doc);
    }
    page.push_str("- `log`: The log file; not for standard input.\n");
    for kind in EventKind::NAMES {
        let _ = write!(page, "\n## `{kind}`\n\n");
        let (doc, fields) = if kind == "failure" {
            let doc = "A distinct cause of failure. [The classes](failures.md) say what each means and what to do.";
            (doc.to_owned(), fields(&body(FAILURE, "pub struct Failure {")))
        } else {
            variant(kind)
        };
        let _ = write!(page, "{doc}\n\n");
        for field in fields {
            let _ = writeln!(page, "- `{}`{}: {}", field.name, optional(&field), field.doc);
        }
    }
    page
}

struct Field {
    name: String,
    doc: String,
    optional: bool,
}

fn optional(field: &Field) -> &'static str {
    if field.optional { " (where known)" } else { "" }
}

/// What stands between the line and the brace that closes it.
fn body(source: &str, opening: &str) -> String {
    let mut lines = source.lines().skip_while(|line| line.trim() != opening);
    let first = lines.next().unwrap_or_else(|| panic!("there is no `{opening}`"));
    let indent = &first[..first.len() - first.trim_start().len()];
    let close = [format!("{indent}}}"), format!("{indent}}},")];
    lines.take_while(|line| !close.iter().any(|it| it == line)).collect::<Vec<_>>().join("\n")
}

/// The doc comment and the fields of the variant with this name.
fn variant(kind: &str) -> (String, Vec<Field>) {
    let rename = format!("#[serde(rename = \"{kind}\")]");
    let (before, after) = SOURCE.split_once(&rename).unwrap_or_else(|| panic!("there is no `{kind}`"));
    let opening = after.lines().find(|line| !line.trim().is_empty()).unwrap().trim().to_owned();
    let docs: Vec<_> = before.trim_end().lines().rev().map_while(|line| line.trim().strip_prefix("/// ")).collect();
    let doc = docs.into_iter().rev().collect::<Vec<_>>().join(" ");
    (doc, fields(&body(SOURCE, &opening)))
}

fn fields(body: &str) -> Vec<Field> {
    let mut found = Vec::new();
    let mut doc: Vec<&str> = Vec::new();
    for line in body.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("/// ") {
            doc.push(text);
        } else if let Some((name, kind)) = line.strip_suffix(',').and_then(|line| line.split_once(": ")) {
            let name = name.trim_start_matches("pub ").to_owned();
            let text = std::mem::take(&mut doc).join(" ");
            if name == "answer" {
                found.extend(answer());
            } else {
                found.push(Field { name, doc: text, optional: kind.starts_with("Option<") });
            }
        }
    }
    found
}

/// The fields of an HTTP answer, which stand in the request itself.
fn answer() -> Vec<Field> {
    let both = ["Answered {", "Failed {"].into_iter().flat_map(|opening| fields(&body(SOURCE, opening)));
    both.map(|field| Field { optional: true, ..field }).collect()
}
