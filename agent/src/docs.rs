//! The reference pages that are made from the program, so that they cannot say anything else than it does.
//!
//! `UPDATE_DOCS=1 cargo test -p gobeacon docs` writes them; the tests compare. Nothing of this is in the product.

use std::fmt::Write;
use std::path::Path;

use gobeacon_formats::failure::Matcher;
use gobeacon_formats::{FAILURES, FailureRow, Severity};

use crate::cli;
use crate::config::{self, Key, Kind};

mod events;
mod spans;

/// What every page begins with.
pub(crate) fn head(title: &str) -> String {
    format!("# {title}\n\n<!-- Made from the program: `UPDATE_DOCS=1 cargo test -p gobeacon docs` writes it. -->\n\n")
}

/// `docs/reference/configuration.md`
fn configuration() -> String {
    let mut page = head("Configuration");
    page.push_str(
        "One YAML file, given by `--config` or `GOBEACON_CONFIG`. Every key has a default, so the agent runs without \
         one. Every key is\nalso an environment variable, some are flags of `gobeacon agent`: a flag wins over the \
         variable, the variable over the\nfile, the file over the default. A variable that is empty counts as not \
         set. Lists are parted by commas in a variable.\n\n`gobeacon config check FILE` tells what is wrong and where; \
         `gobeacon config example` prints a file with every key;\n`gobeacon config schema` prints the JSON schema for \
         editors. Keys that nobody knows are refused.\n\nThe agent reads \
         the file again when it changes and on SIGHUP: see [changing the configuration of a running \
         agent](../how-to/reload.md). Variables\nand flags stay as they were at the start.\n",
    );
    let mut section = None;
    for key in config::keys() {
        let (parent, _) = key.path.rsplit_once('.').unwrap_or_default();
        if section.as_deref() != Some(parent) && !parent.is_empty() {
            let _ = write!(page, "\n## {parent}\n");
        }
        section = Some(parent.to_owned());
        let _ = write!(page, "\n### `{}`\n\n{}\n\n{}\n", key.path, key.doc, facts(&key));
    }
    page
}

fn facts(key: &Key) -> String {
    let kind = match &key.kind {
        Kind::Text => "a text".to_owned(),
        Kind::Time => "a time: `10s`, `1m30s`, `250ms`".to_owned(),
        Kind::OneOf(values) => values.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(" or "),
        Kind::Whole => "a whole number".to_owned(),
        Kind::Truth => "`true` or `false`".to_owned(),
        Kind::List => "a list of texts".to_owned(),
        Kind::Table => "texts by name".to_owned(),
    };
    let default = if key.default.is_null() { "unset".to_owned() } else { format!("`{}`", config::plain(&key.default)) };
    let flag = key.flag.as_ref().map(|flag| format!("\n- Flag: `{flag}`")).unwrap_or_default();
    let change = if key.is_live { "while the agent runs" } else { "at the next start" };
    format!(
        "- Value: {kind}\n- Default: {default}\n- Variable: `{}`{flag}\n- A change takes effect {change}",
        key.variable
    )
}

/// `docs/reference/cli.md`
fn command_line() -> String {
    let mut page = head("Command line");
    page.push_str(
        "What `gobeacon --help` and `gobeacon COMMAND --help` print. Exit codes: see [there](exit-codes.md).\n",
    );
    let mut root = cli::command().term_width(100);
    root.build();
    help(&mut root, "gobeacon", &mut page);
    page
}

fn help(command: &mut clap::Command, name: &str, page: &mut String) {
    let text = command.clone().bin_name(name).render_long_help().to_string();
    let text: Vec<_> = text.lines().map(str::trim_end).collect();
    let _ = write!(page, "\n## {name}\n\n```text\n{}\n```\n", text.join("\n").trim());
    for sub in command.get_subcommands_mut().filter(|sub| sub.get_name() != "help") {
        let name = format!("{name} {}", sub.get_name());
        help(sub, &name, page);
    }
}

/// `docs/reference/exit-codes.md`
fn exit_codes() -> String {
    let mut page = head("Exit codes");
    page.push_str("| code | meaning |\n|---|---|\n");
    for (code, meaning) in cli::EXIT_CODES {
        let _ = writeln!(page, "| {code} | {meaning} |");
    }
    page
}

/// `docs/reference/failures.md`
fn failures() -> String {
    let mut page = head("Failures");
    page.push_str(
        "What can go wrong in a Go build, as gobeacon tells it apart. The class is the `class` label of the metrics, \
         the\n`error.type` of spans and log events, and the `class` of `gobeacon parse`. It names the cause, not the \
         message around it.\n",
    );
    for row in FAILURES {
        failure(row, &mut page);
    }
    page
}

fn failure(row: &FailureRow, page: &mut String) {
    let severity = match row.severity {
        Severity::Info => "info: everyday work of a developer",
        Severity::Warning => "warning: the environment or the supply of modules needs a person",
        Severity::Critical => "critical: what is built may not be what it should be",
    };
    let told_by = match row.told_by {
        Matcher::Cause { .. } => "what the error text says".to_owned(),
        Matcher::Status(statuses) => {
            let statuses: Vec<_> = statuses.iter().map(u16::to_string).collect();
            format!("the HTTP status {}", statuses.join(", "))
        }
        Matcher::Dialect => "the structure of the text around it".to_owned(),
    };
    let (meaning, remedy) = (row.meaning, row.remedy);
    let _ = write!(page, "\n## `{}`\n\n{meaning}\n\n**What to do:** {remedy}\n\n", row.id);
    let _ = write!(page, "- Severity: {severity}\n- Told by: {told_by}\n");
    if !row.example.trim().is_empty() {
        let lines: Vec<_> = row.example.trim_end().lines().map(str::trim_end).collect();
        let _ = write!(page, "\n```text\n{}\n```\n", lines.join("\n"));
    }
}

/// Compares a page with the file, or writes the file.
#[track_caller]
fn same(name: &str, page: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs/reference").join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, page).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(there == page, "docs/reference/{name} is out of date: UPDATE_DOCS=1 cargo test -p gobeacon docs");
}

mod tests {
    use super::*;

    #[test]
    fn the_page_of_the_configuration_is_what_the_types_say() {
        same("configuration.md", &configuration());
        same("agent.yaml", &config::example());
    }

    #[test]
    fn the_page_of_the_command_line_is_what_the_help_says() {
        same("cli.md", &command_line());
    }

    #[test]
    fn the_page_of_exit_codes_is_the_table() {
        same("exit-codes.md", &exit_codes());
    }

    #[test]
    fn the_page_of_failures_is_the_table() {
        same("failures.md", &failures());
    }

    #[test]
    fn the_page_of_metrics_is_the_catalogue() {
        same("metrics.md", &crate::metrics::reference());
    }

    #[test]
    fn the_page_of_events_is_the_vocabulary() {
        same("events.md", &events::page());
    }

    #[test]
    fn the_page_of_spans_is_the_catalogue() {
        same("spans.md", &spans::page());
    }
}
