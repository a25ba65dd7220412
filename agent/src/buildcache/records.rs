//! Log events of build caches: a sentence, with the facts in attributes.

use gobeacon_collectors::buildcache::{Event, Inventory, Removal, RemovedBy, Restore, Stock, Worth};
use gobeacon_collectors::inventory::Age;
use gobeacon_formats::Timestamp;
use gobeacon_formats::cache_entry::OutputKind;

use crate::builds::build::{Attributes, LogRecord, LogSeverity, Value};

/// What is to be told of an event, but for which cache it is about.
pub(super) fn of(event: &Event, observed: Timestamp) -> Option<LogRecord> {
    match event {
        Event::Removed(removal) => Some(removed(removal, observed)),
        Event::Restored(restore) => Some(restored(restore, observed)),
        Event::Worth(worth) => Some(worth_of(worth, observed)),
        Event::Inventory(inventory) => Some(inventoried(inventory, observed)),
        Event::HitsLost { puts_found } => Some(hits_lost(*puts_found, observed)),
        Event::Seen(_) | Event::Used(_) | Event::Stock { .. } | Event::Gone => None,
    }
}

/// `gobuild.cache.trimmed`, `gobuild.cache.cleaned`
fn removed(removal: &Removal, observed: Timestamp) -> LogRecord {
    let size = megabytes(removal.bytes);
    let (name, body, by) = match removal.by {
        RemovedBy::GoTrim => {
            let body =
                format!("the go command trimmed {} entries of {size} that were not used lately.", removal.entries);
            ("gobuild.cache.trimmed", body, Some("go_command"))
        }
        RemovedBy::Unknown => {
            let body = format!("{} entries of {size} were removed, by no go command.", removal.entries);
            ("gobuild.cache.trimmed", body, Some("other"))
        }
        RemovedBy::Clean => {
            let body = format!("the cache was cleaned: {} entries of {size} are gone.", removal.entries);
            ("gobuild.cache.cleaned", body, None)
        }
    };
    let mut attributes = vec![
        ("gobuild.cache.entries", whole(removal.entries)),
        ("gobuild.cache.bytes", whole(removal.bytes)),
        ("gobuild.cache.seconds", seconds(removal.start, removal.end)),
    ];
    if removal.unknown > 0 {
        attributes.push(("gobuild.cache.entries_of_unknown_size", whole(removal.unknown)));
    }
    attributes.extend(by.map(|by| ("gobuild.cache.removed_by", Value::Str(by.into()))));
    record(name, removal.start, observed, body, attributes)
}

/// `gobuild.cache.restored`
fn restored(restore: &Restore, observed: Timestamp) -> LogRecord {
    let entries = restore.actions + restore.outputs;
    let took = restore.end.seconds_since(restore.start);
    let body = format!("{entries} entries of {} were restored within {took:.1} s.", megabytes(restore.bytes));
    let attributes = vec![
        ("gobuild.cache.entries", whole(entries)),
        ("gobuild.cache.actions", whole(restore.actions)),
        ("gobuild.cache.bytes", whole(restore.bytes)),
        ("gobuild.cache.seconds", seconds(restore.start, restore.end)),
        ("gobuild.cache.end_time_unix_nano", Value::Int(restore.end.as_nanos())),
    ];
    record("gobuild.cache.restored", restore.start, observed, body, attributes)
}

/// `gobuild.cache.restore_used`
fn worth_of(worth: &Worth, observed: Timestamp) -> LogRecord {
    let body = format!(
        "of {} actions that were restored ({}) go commands found {}; {} of their {} hits were on what was restored.",
        worth.actions,
        megabytes(worth.bytes),
        worth.found,
        worth.restored_hits,
        worth.hits
    );
    let mut attributes = vec![
        ("gobuild.cache.actions", whole(worth.actions)),
        ("gobuild.cache.actions_found", whole(worth.found)),
        ("gobuild.cache.bytes", whole(worth.bytes)),
        ("gobuild.cache.hits", whole(worth.hits)),
        ("gobuild.cache.restored_hits", whole(worth.restored_hits)),
    ];
    attributes.extend(worth.restored_at.map(|at| ("gobuild.cache.end_time_unix_nano", Value::Int(at.as_nanos()))));
    record("gobuild.cache.restore_used", observed, observed, body, attributes)
}

/// `gobuild.cache.inventory`
fn inventoried(inventory: &Inventory, observed: Timestamp) -> LogRecord {
    let Inventory { stock, ages, growth_bytes, unreadable, seconds } = inventory;
    let body = format!("{} entries of {}.", stock.entries(), megabytes(stock.bytes()));
    let mut attributes = vec![
        ("gobuild.cache.entries", whole(stock.entries())),
        ("gobuild.cache.actions", whole(stock.actions.entries)),
        ("gobuild.cache.bytes", whole(stock.bytes())),
        ("gobuild.cache.seconds", Value::Float(*seconds)),
    ];
    attributes.extend(of_kinds(stock));
    for (age, name) in Age::ALL.into_iter().zip(OF_AGES) {
        attributes.push((name, whole(ages.of(age).bytes)));
    }
    attributes.extend(growth_bytes.map(|growth| ("gobuild.cache.growth_bytes", Value::Int(growth))));
    if *unreadable > 0 {
        attributes.push(("gobuild.cache.unreadable_entries", whole(*unreadable)));
    }
    record("gobuild.cache.inventory", observed, observed, body, attributes)
}

/// `gobuild.cache.hits_lost`
fn hits_lost(puts_found: u64, observed: Timestamp) -> LogRecord {
    let body = format!(
        "the kernel's queue of file events overflowed: hits went by uncounted; {puts_found} puts were found by looking."
    );
    let attributes = vec![("gobuild.cache.puts_found", whole(puts_found))];
    LogRecord { severity: LogSeverity::Warn, ..record("gobuild.cache.hits_lost", observed, observed, body, attributes) }
}

const OF_AGES: [&str; Age::ALL.len()] = [
    "gobuild.cache.bytes.under_1h",
    "gobuild.cache.bytes.under_1d",
    "gobuild.cache.bytes.under_5d",
    "gobuild.cache.bytes.under_30d",
    "gobuild.cache.bytes.over_30d",
];

fn of_kinds(stock: &Stock) -> impl Iterator<Item = (&'static str, Value)> {
    OutputKind::ALL.into_iter().zip(stock.outputs).map(|(kind, count)| {
        let name = match kind {
            OutputKind::Archive => "gobuild.cache.bytes.archive",
            OutputKind::Index => "gobuild.cache.bytes.index",
            OutputKind::TestResult => "gobuild.cache.bytes.test_result",
            OutputKind::Executable => "gobuild.cache.bytes.executable",
            OutputKind::Vet => "gobuild.cache.bytes.vet",
            OutputKind::Other => "gobuild.cache.bytes.other",
        };
        (name, whole(count.bytes))
    })
}

fn record(
    event_name: &'static str,
    time: Timestamp,
    observed: Timestamp,
    body: String,
    attributes: Attributes,
) -> LogRecord {
    let severity = LogSeverity::Info;
    LogRecord { event_name, time, observed, severity, body, trace_id: None, span_id: None, attributes }
}

fn whole(count: u64) -> Value {
    Value::Int(i64::try_from(count).unwrap_or(i64::MAX))
}

fn seconds(start: Timestamp, end: Timestamp) -> Value {
    Value::Float(end.seconds_since(start).max(0.0))
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
