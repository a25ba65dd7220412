//! An explanation for people.
//!
//! The page is made with as much detail as fits on a screen: if it is too long it is made again with less.

use std::collections::BTreeMap;

use gobeacon_formats::{Failure, FailureClass};

use super::super::style::{self, ADVICE, BAD, FAINT, GOOD, NAME, PLAIN, Page};
use super::Log;
use crate::builds::summary::{BuildOutcome, BuildSummary, FailureSeen};

/// Most lines of a page.
pub(in crate::cli) const SCREEN: usize = 40;

/// How much is said about one build.
#[derive(Debug, Clone, Copy)]
struct Detail {
    /// Classes of failures.
    classes: usize,
    /// Places of each class.
    places: usize,
    /// Lines of each message.
    message_lines: usize,
    /// What the class means.
    meaning: bool,
    /// Tests, packages, what was slow, downloads.
    facts: bool,
}

const EVERYTHING: Detail =
    Detail { classes: usize::MAX, places: usize::MAX, message_lines: 8, meaning: true, facts: true };

/// From much to little.
const DETAILS: [Detail; 5] = [
    Detail { classes: 6, places: 6, message_lines: 6, meaning: true, facts: true },
    Detail { classes: 5, places: 4, message_lines: 3, meaning: true, facts: true },
    Detail { classes: 3, places: 3, message_lines: 2, meaning: true, facts: true },
    Detail { classes: 2, places: 2, message_lines: 1, meaning: false, facts: false },
    Detail { classes: 1, places: 1, message_lines: 1, meaning: false, facts: false },
];

/// The page; at most so many lines, where a bound is given.
pub(in crate::cli) fn page(log: &Log, columns: usize, most_lines: Option<usize>) -> Page {
    let Some(most) = most_lines else { return with_detail(log, columns, EVERYTHING) };
    let pages = DETAILS.iter().map(|detail| with_detail(log, columns, *detail));
    let mut shortest = None;
    for page in pages {
        if page.len() <= most {
            return page;
        }
        shortest = Some(page);
    }
    let mut page = shortest.unwrap_or_else(|| Page::new(columns));
    page.truncate(most, "… there is more: --all shows everything");
    page
}

fn with_detail(log: &Log, columns: usize, detail: Detail) -> Page {
    let mut page = Page::new(columns);
    if log.commands() == 0 {
        nothing_found(log, &mut page);
        return page;
    }
    headline(log, &mut page);
    for build in log.builds.iter().filter(|build| build.outcome == BuildOutcome::Failed) {
        page.gap();
        heading(build, &mut page);
        failures(build, detail, &mut page);
        if detail.facts {
            facts(build, &mut page);
        }
    }
    if log.failed() == 0 {
        for build in log.builds.iter().take(detail.classes) {
            page.gap();
            heading(build, &mut page);
            facts(build, &mut page);
        }
    }
    page
}

fn nothing_found(log: &Log, page: &mut Page) {
    let lines = style::count(log.lines.lines, "line");
    page.line(0, &[(NAME, &log.name), (PLAIN, ": no Go build was found in "), (PLAIN, &lines)]);
    let hint = "gobeacon reads what go build, go test, go vet, go mod and go get print, with or without -v, -x and \
                -json. A build that says nothing on success leaves nothing to explain.";
    page.wrapped(2, "", FAINT, hint);
}

fn headline(log: &Log, page: &mut Page) {
    let commands = style::count(log.commands(), "go command");
    let (style, verdict) = match log.failed() {
        0 => (GOOD, ", none failed".to_owned()),
        failed => (BAD, format!(", {failed} failed")),
    };
    page.line(0, &[(NAME, &log.name), (PLAIN, ": "), (PLAIN, &commands), (style, &verdict)]);
}

fn heading(build: &BuildSummary, page: &mut Page) {
    let command = build.command.as_deref().unwrap_or(build.name);
    let took = build.duration_seconds.filter(|it| *it > 0.0).map(|it| format!("  {}", style::seconds(it)));
    let (style, mark) = match build.outcome {
        BuildOutcome::Failed => (BAD, "✗ "),
        BuildOutcome::Ok => (GOOD, "✓ "),
    };
    let unsure = if build.command.is_none() { "  (the log does not show the command)" } else { "" };
    let took = took.as_deref().unwrap_or_default();
    page.line(0, &[(style, mark), (NAME, command), (FAINT, took), (FAINT, unsure)]);
}

/// The failures of one class.
struct Class<'a> {
    class: FailureClass,
    seen: Vec<&'a FailureSeen>,
    total: u64,
}

impl Class<'_> {
    fn is_consequence(&self) -> bool {
        self.seen.iter().all(|it| it.consequence)
    }
}

/// The class of the primary failure, then other causes, then consequences; each in the order of the log.
fn classes(build: &BuildSummary) -> Vec<Class<'_>> {
    let mut found: BTreeMap<FailureClass, Class<'_>> = BTreeMap::new();
    for seen in &build.failures {
        let class = seen.failure.class;
        let total = build.failure_counts.iter().find(|it| it.class == class).map_or(1, |it| it.count);
        found.entry(class).or_insert_with(|| Class { class, seen: Vec::new(), total }).seen.push(seen);
    }
    let primary = build.primary_failure.and_then(|nth| build.failures.get(nth)).map(|seen| seen.failure.class);
    let mut classes: Vec<_> = found.into_values().collect();
    classes.sort_by_key(|it| {
        let first = it.seen.first().map_or(u64::MAX, |seen| seen.offset);
        (Some(it.class) != primary, it.is_consequence(), first)
    });
    classes
}

fn failures(build: &BuildSummary, detail: Detail, page: &mut Page) {
    let classes = classes(build);
    let (shown, rest) = classes.split_at(detail.classes.min(classes.len()));
    for (nth, class) in shown.iter().enumerate() {
        // a consequence is named and not explained, unless there is nothing else
        if nth > 0 && class.is_consequence() {
            brief(class, page);
        } else {
            explain(class, detail, page);
        }
    }
    if !rest.is_empty() {
        let names: Vec<_> = rest.iter().map(|it| format!("{} ({})", it.class.id(), it.total)).collect();
        page.line(2, &[(FAINT, "also "), (FAINT, &names.join(", "))]);
    }
    if classes.is_empty() {
        page.line(2, &[(FAINT, "the log does not say why")]);
    }
}

fn explain(class: &Class<'_>, detail: Detail, page: &mut Page) {
    let row = class.class.row();
    let times = if class.total > 1 { format!(" ({})", class.total) } else { String::new() };
    page.line(2, &[(BAD, row.id), (PLAIN, &times)]);
    if detail.meaning {
        page.wrapped(4, "", PLAIN, row.meaning);
    }
    for seen in class.seen.iter().take(detail.places) {
        place(&seen.failure, detail.message_lines, page);
    }
    let more = class.total.saturating_sub(class.seen.len().min(detail.places) as u64);
    if more > 0 {
        page.line(4, &[(FAINT, &format!("and {more} more"))]);
    }
    page.wrapped(4, "→ ", ADVICE, row.remedy);
}

/// One line for all consequences of one class.
fn brief(class: &Class<'_>, page: &mut Page) {
    let place = class.seen.first().map(|seen| [where_it_is(&seen.failure), what_it_is(&seen.failure)].concat());
    let place = place.unwrap_or_default().join("  ");
    let total = if class.total > 1 { format!(" ({})", class.total) } else { String::new() };
    page.line(2, &[(FAINT, "then "), (PLAIN, class.class.id()), (PLAIN, &total), (FAINT, "  "), (FAINT, &place)]);
}

/// Where it is, what it is about, and what was printed.
fn place(failure: &Failure, message_lines: usize, page: &mut Page) {
    let position = where_it_is(failure).join("  ");
    let about = what_it_is(failure).join("  ");
    let gap = if position.is_empty() || about.is_empty() { "" } else { "  " };
    if !position.is_empty() || !about.is_empty() {
        page.line(4, &[(NAME, &position), (PLAIN, gap), (PLAIN, &about)]);
    }
    let message = failure.message.as_deref().unwrap_or_default();
    for line in message.lines().filter(|line| !line.trim().is_empty()).take(message_lines) {
        page.wrapped(6, "", FAINT, line);
    }
    if message_lines > 1 {
        let verifier = failure.verifier.as_deref().unwrap_or("expected");
        for (name, hash) in [("downloaded", &failure.downloaded), (verifier, &failure.expected)] {
            if let Some(hash) = hash.as_deref().filter(|hash| !message.contains(*hash)) {
                page.line(6, &[(FAINT, &format!("{name}: {hash}"))]);
            }
        }
    }
}

fn where_it_is(failure: &Failure) -> Vec<String> {
    let position = failure.file.as_ref().map(|file| match failure.line {
        Some(line) => format!("{file}:{line}"),
        None => file.clone(),
    });
    position.into_iter().collect()
}

fn what_it_is(failure: &Failure) -> Vec<String> {
    let module = failure.module.as_ref().map(|module| match &failure.version {
        Some(version) => format!("{module}@{version}"),
        None => module.clone(),
    });
    let status = failure.status.map(|status| format!("HTTP {status}"));
    let parts = [&failure.test, &failure.package, &failure.variable, &failure.path, &failure.host];
    module.into_iter().chain(parts.into_iter().flatten().cloned()).chain(status).collect()
}

/// Tests, packages, what was slow, downloads: a line each, where there is something to say.
fn facts(build: &BuildSummary, page: &mut Page) {
    let tests = &build.tests;
    let packages = &build.packages;
    let slow = |slow: &[crate::builds::summary::Slow]| {
        let names = slow.iter().take(3).map(|it| {
            let name = it.test.as_deref().or(it.package.as_deref()).unwrap_or_default();
            format!("{} {name}", style::seconds(it.seconds))
        });
        names.collect::<Vec<_>>().join(", ")
    };
    let modules = if build.downloads_total == 1 { "module" } else { "modules" };
    let downloads = listed(&[(build.downloads_total, modules), (build.downloads_failed, "of them failed")]);
    let requests = build.requests.iter().take(3).map(|it| {
        let failed = if it.failed > 0 { format!(", {} failed", it.failed) } else { String::new() };
        format!("{} {} ({}{failed})", it.requests, it.host, style::seconds(it.seconds))
    });
    let lines = [
        (
            "tests",
            listed(&[
                (tests.passed, "passed"),
                (tests.failed, "failed"),
                (tests.skipped, "skipped"),
                (tests.flaky, "flaky"),
            ]),
        ),
        (
            "packages",
            listed(&[
                (packages.passed, "passed"),
                (packages.cached, "of them cached"),
                (packages.failed, "failed"),
                (packages.build_failed, "not built"),
                (packages.setup_failed, "not set up"),
                (packages.unfinished, "unfinished"),
                (packages.no_test_files, "without tests"),
            ]),
        ),
        ("slowest", slow(&build.slowest_packages)),
        ("slow tests", slow(&build.slowest_tests)),
        ("downloads", downloads),
        ("toolchains", build.toolchain_downloads.join(", ")),
        ("requests", requests.collect::<Vec<_>>().join(", ")),
    ];
    for (name, text) in lines.iter().filter(|(_, text)| !text.is_empty()) {
        page.line(2, &[(FAINT, &format!("{name:<11}")), (PLAIN, text)]);
    }
}

/// `3 passed, 1 failed`: the counts that are not 0.
fn listed(counts: &[(u64, &str)]) -> String {
    let shown = counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    shown.collect::<Vec<_>>().join(", ")
}
