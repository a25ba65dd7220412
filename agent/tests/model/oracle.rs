//! What must have arrived, against what did.
//!
//! It compares names and counts that the generator decided with spans, records and counters that came out of the
//! agent, and knows nothing of how the agent makes them.

use std::collections::{BTreeMap, BTreeSet};

use crate::backend::{self, Arrived, Record};
use crate::golog::Counts;
use crate::lives::Lives;
use crate::otlp_receiver::Seen;
use crate::world::{Part, World};

/// What is wrong, and what there is to say of what is not.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// What has not come. It may still.
    pub(crate) missing: Vec<String>,
    /// What must not be, and does not go away by waiting.
    pub(crate) wrong: Vec<String>,
    /// Deliveries of spans that were there before, by the same id.
    pub(crate) twice: usize,
    pub(crate) spans: usize,
}

type Id = (Vec<u8>, Vec<u8>);

/// All that arrived, in order.
pub(crate) struct Arrivals {
    /// The deliveries of each thing that is no root, by what it says of itself.
    things: BTreeMap<String, BTreeMap<Id, Arrived>>,
    /// The roots, by trace.
    roots: BTreeMap<Vec<u8>, BTreeMap<Id, Arrived>>,
    records: Vec<Record>,
    twice: usize,
    spans: usize,
    /// Spans and log records that the backend said it did not take.
    rejected: [u64; 2],
}

impl Arrivals {
    pub(crate) fn new(taken: &[Seen]) -> Self {
        let (mut things, mut roots) = (BTreeMap::<_, BTreeMap<_, _>>::new(), BTreeMap::<_, BTreeMap<_, _>>::new());
        let (mut seen, mut twice) = (BTreeSet::new(), 0);
        for span in backend::spans(taken) {
            let id = (span.trace.clone(), span.id.clone());
            twice += usize::from(!seen.insert(id.clone()));
            let of = if span.parent.is_empty() {
                roots.entry(span.trace.clone()).or_default()
            } else {
                things.entry(key(&span)).or_default()
            };
            // the last one counts, as at a backend that replaces
            of.insert(id, span);
        }
        let rejected = [false, true].map(|logs| backend::rejected(taken, logs));
        Self { things, roots, records: backend::records(taken), twice, spans: seen.len(), rejected }
    }

    /// What one trace tells, for people.
    fn told_in(&self, trace: &Vec<u8>) -> String {
        let roots = self.roots.get(trace).into_iter().flat_map(BTreeMap::values);
        let of_roots = roots.map(|root| format!("{} {:?}", root.name, root.attributes));
        let is_it = |ids: &BTreeMap<Id, Arrived>| ids.keys().any(|(other, _)| other == trace);
        let things = self.things.iter().filter(|(_, ids)| is_it(ids)).map(|(key, _)| key.clone());
        of_roots.chain(things).collect::<Vec<_>>().join(", ")
    }

    /// Trace and span ids of all that arrived of a part.
    pub(crate) fn ids(&self, part: &Part) -> BTreeSet<(String, String)> {
        let things = part.pieces.iter().flat_map(|piece| &piece.spans).filter_map(|span| self.things.get(&span.key));
        let traces = self.traces(part);
        let roots = traces.iter().filter_map(|trace| self.roots.get(trace));
        things.chain(roots).flat_map(BTreeMap::keys).map(|(trace, id)| (hex(trace), hex(id))).collect()
    }

    /// The traces in which something of a part arrived.
    fn traces(&self, part: &Part) -> BTreeSet<Vec<u8>> {
        let things = part.pieces.iter().flat_map(|piece| &piece.spans).filter_map(|span| self.things.get(&span.key));
        let mut traces: BTreeSet<_> = things.flat_map(BTreeMap::keys).map(|(trace, _)| trace.clone()).collect();
        if let Some((_, word)) = part.opens() {
            let is_it = |span: &Arrived| {
                span.attributes.get("process.command_args").is_some_and(|words| words.split(' ').any(|it| it == word))
            };
            let roots = self.roots.iter().filter(|(_, roots)| roots.values().any(is_it));
            traces.extend(roots.map(|(trace, _)| trace.clone()));
        }
        for failure in part.pieces.iter().flat_map(|piece| &piece.failures) {
            let of = |record: &&Record| record.attributes.values().any(|text| *text == failure.about);
            traces.extend(self.records.iter().filter(of).map(|record| record.trace.clone()));
        }
        traces
    }
}

/// What tells a span from all others.
fn key(span: &Arrived) -> String {
    let of = |name: &str| span.attributes.get(name).cloned().unwrap_or_default();
    match span.name.as_str() {
        "module download" => {
            format!("module download {}@{}", of("gobuild.module.path"), of("gobuild.module.version"))
        }
        "test package" => format!("test package {}", of("gobuild.package.import_path")),
        "test" => format!("test {}", of("test.case.name")),
        other => format!("{other} {:?}", span.attributes),
    }
}

/// Compares everything.
pub(crate) fn judge(world: &World, lives: &Lives, taken: &[Seen]) -> Verdict {
    let arrivals = Arrivals::new(taken);
    let mut verdict = Verdict { twice: arrivals.twice, spans: arrivals.spans, ..Verdict::default() };
    let mut traces = BTreeMap::new();
    for stretch in &world.stretches {
        for (n, part) in stretch.parts.iter().enumerate() {
            let name = format!("{} part {n}", stretch.label);
            judge_part(&name, part, &arrivals, &mut traces, &mut verdict);
        }
    }
    unexpected(world, &arrivals, &traces, &mut verdict);
    counters(world, lives, &arrivals, &mut verdict);
    verdict
}

/// The same where so little may wait that some of it must be dropped: what has not arrived is what was counted as dropped.
pub(crate) fn judge_with_drops(world: &World, lives: &Lives, taken: &[Seen]) -> Verdict {
    let mut verdict = judge(world, lives, taken);
    let is_of_drops = |line: &String| line.contains("gobeacon_dropped_total") || line.contains("roots arrived");
    verdict.missing.retain(|line| line.contains(" written") && !is_of_drops(line));
    // a root whose children were dropped says of itself whose it is only where the shell said so
    verdict.wrong.retain(|line| !is_of_drops(line) && !line.starts_with("nobody wrote what trace"));
    let parts = world.stretches.iter().flat_map(|stretch| &stretch.parts);
    let things = parts.flat_map(|part| &part.pieces).map(|piece| piece.spans.len() as u64).sum::<u64>();
    let told = things + lives.sum("gobuild_commands_total");
    let dropped = lives.sum("gobeacon_dropped_total{what=\"span\",reason=\"queue_full\"}");
    let arrived = verdict.spans as u64;
    if arrived + dropped != told {
        verdict.missing.push(format!("{arrived} spans arrived and {dropped} were counted as dropped, of {told}"));
    }
    verdict
}

/// Whether all has arrived of the files that nobody can read any more.
pub(crate) fn is_settled(world: &World, taken: &[Seen]) -> bool {
    let gone = || world.stretches.iter().filter(|stretch| !stretch.is_in_glob);
    if gone().next().is_none() {
        return true;
    }
    let (arrivals, mut traces, mut verdict) = (Arrivals::new(taken), BTreeMap::new(), Verdict::default());
    for part in gone().flat_map(|stretch| &stretch.parts) {
        judge_part("", part, &arrivals, &mut traces, &mut verdict);
    }
    verdict.missing.is_empty()
}

/// One part: each of its spans once, all of them under one root.
fn judge_part(
    name: &str,
    part: &Part,
    arrivals: &Arrivals,
    known: &mut BTreeMap<Vec<u8>, String>,
    verdict: &mut Verdict,
) {
    for truth in part.pieces.iter().flat_map(|piece| &piece.spans) {
        let found = arrivals.things.get(&truth.key);
        match found.map_or(0, BTreeMap::len) {
            0 => verdict.missing.push(format!("{name}: {}", truth.key)),
            1 => {}
            ids => verdict.wrong.push(format!("{name}: {} has {ids} ids", truth.key)),
        }
        for (attribute, value) in &truth.attributes {
            let others =
                found.into_iter().flat_map(BTreeMap::values).filter(|it| it.attributes.get(*attribute) != Some(value));
            for other in others {
                let there = other.attributes.get(*attribute);
                verdict.wrong.push(format!("{name}: {}: {attribute} is {there:?}, not {value}", truth.key));
            }
        }
    }
    for failure in part.pieces.iter().flat_map(|piece| &piece.failures) {
        let is_it = |record: &Record| {
            record.name == "gobuild.failure"
                && record.attributes.get("error.type").is_some_and(|class| class == failure.class)
                && record.attributes.values().any(|text| *text == failure.about)
        };
        if !arrivals.records.iter().any(is_it) {
            verdict.missing.push(format!("{name}: a record of {} of {}", failure.class, failure.about));
        }
    }
    let traces = arrivals.traces(part);
    if traces.len() > 1 && !part.may_be_cut {
        let of = |trace: &Vec<u8>| arrivals.told_in(trace);
        let told: Vec<_> = traces.iter().map(of).collect();
        verdict.wrong.push(format!("{name}: {} traces: {}", traces.len(), told.join(" | ")));
    }
    if traces.is_empty() {
        verdict.missing.push(format!("{name}: the root"));
    }
    for trace in traces {
        if let Some(other) = known.insert(trace.clone(), name.to_owned()).filter(|other| other != name) {
            verdict.wrong.push(format!("{name}: in one trace with {other}"));
        }
        match arrivals.roots.get(&trace).map_or(0, BTreeMap::len) {
            0 => verdict.missing.push(format!("{name}: the root of trace {}", hex(&trace))),
            1 => {}
            roots => verdict.wrong.push(format!("{name}: {roots} roots in trace {}", hex(&trace))),
        }
    }
    let failed = part.pieces.iter().any(|piece| !piece.failures.is_empty());
    let outcome = if failed { "failed" } else { "ok" };
    for root in arrivals.traces(part).iter().filter_map(|trace| arrivals.roots.get(trace)).flat_map(BTreeMap::values) {
        let says = root.attributes.get("gobuild.outcome").map_or("", String::as_str);
        if !part.may_be_cut && says != outcome {
            verdict.wrong.push(format!("{name}: the outcome is {says}, not {outcome}"));
        }
        if let Some((expected, _)) = part.opens().filter(|(expected, _)| !part.may_be_cut && root.name != **expected) {
            verdict.wrong.push(format!("{name}: the root is {}, not {expected}", root.name));
        }
    }
}

/// What nobody wrote.
fn unexpected(world: &World, arrivals: &Arrivals, known: &BTreeMap<Vec<u8>, String>, verdict: &mut Verdict) {
    let pieces = || world.stretches.iter().flat_map(|stretch| &stretch.parts).flat_map(|part| &part.pieces);
    let expected: BTreeSet<_> = pieces().flat_map(|piece| &piece.spans).map(|span| &span.key).collect();
    for (key, spans) in arrivals.things.iter().filter(|(key, _)| !expected.contains(key)) {
        verdict.wrong.push(format!("nobody wrote {key}: {} ids", spans.len()));
    }
    for (trace, roots) in arrivals.roots.iter().filter(|(trace, _)| !known.contains_key(*trace)) {
        let told: Vec<_> = roots.values().map(|root| format!("{} {:?}", root.name, root.attributes)).collect();
        verdict.wrong.push(format!("nobody wrote what trace {} tells: {}", hex(trace), told.join("; ")));
    }
    let parents: BTreeSet<_> =
        arrivals.roots.values().chain(arrivals.things.values()).flat_map(BTreeMap::keys).collect();
    for span in arrivals.things.values().flat_map(BTreeMap::values) {
        if !parents.contains(&(span.trace.clone(), span.parent.clone())) {
            verdict.missing.push(format!("the parent of {}", key(span)));
        }
    }
}

/// Every counter, summed over all lives, is what was written.
fn counters(world: &World, lives: &Lives, arrivals: &Arrivals, verdict: &mut Verdict) {
    let mut expected = world.counts();
    let of_class = |(series, count): (&String, &u64)| series.starts_with("gobuild_failures_total{").then_some(*count);
    let failures = expected.iter().filter_map(of_class).sum();
    expected.insert("gobuild_failures_total".to_owned(), failures);
    for (series, wanted) in expected {
        let counted = lives.sum(&series);
        if counted < wanted {
            verdict.missing.push(format!("{series}: {counted} counted, {wanted} written"));
        } else if counted > wanted {
            verdict.wrong.push(format!("{series}: {counted} counted, {wanted} written"));
        }
    }
    commands(lives, arrivals, verdict);
    let lost = ["gobeacon_dropped_total", "gobeacon_log_lost_bytes_total"].map(|series| lives.not_zero(series));
    verdict.wrong.extend(lost.into_iter().flatten().filter(|series| !series.contains("partial_success")));
    for (what, rejected) in ["span", "event"].into_iter().zip(arrivals.rejected) {
        let series = format!("gobeacon_dropped_total{{reason=\"partial_success\",what=\"{what}\"}}");
        let counted = lives.sum(&series);
        // who is killed before it has read the answer sends it again, and may be told something else
        if counted > rejected || (counted < rejected && lives.count == 1) {
            verdict.missing.push(format!("{series}: {counted} counted, {rejected} rejected"));
        }
    }
}

/// How often commands were cut is the agent's to say, but its spans and its counters must say the same.
fn commands(lives: &Lives, arrivals: &Arrivals, verdict: &mut Verdict) {
    let mut told = Counts::new();
    for root in arrivals.roots.values().flat_map(BTreeMap::values) {
        let subcommand = root.attributes.get("gobuild.subcommand").map_or("", String::as_str);
        *told.entry("gobuild_commands_total".to_owned()).or_default() += 1;
        *told.entry(format!("gobuild_commands_total{{subcommand=\"{subcommand}\"}}")).or_default() += 1;
        let failed = root.attributes.get("gobuild.outcome").is_some_and(|it| it == "failed");
        let series = format!("gobuild_command_failures_total{{subcommand=\"{subcommand}\"}}");
        *told.entry(series).or_default() += u64::from(failed);
    }
    for (series, roots) in told {
        let counted = lives.sum(&series);
        if counted != roots {
            verdict.missing.push(format!("{series}: {counted} counted, {roots} roots arrived"));
        }
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
