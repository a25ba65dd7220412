//! The second oracle: `gobeacon replay`, on a log that is still there, gives the ids that the agent gave.
//!
//! It knows no more than the agent does, but it reads each log once, in one go, and from its start.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::lives;
use crate::oracle::{Arrivals, hex};
use crate::otlp_receiver::Seen;
use crate::world::{Stretch, World};

/// So many logs of a sequence are replayed.
const MOST: usize = 3;

/// What differs, for logs whose commands nobody can have cut.
pub(crate) fn differences(world: &World, taken: &[Seen], variables: &[(&'static str, String)]) -> Vec<String> {
    let arrivals = Arrivals::new(taken);
    let whole =
        |stretch: &&Stretch| stretch.is_first && stretch.is_in_glob && stretch.parts.iter().all(|it| !it.may_be_cut);
    let mut found = Vec::new();
    for stretch in world.stretches.iter().filter(whole).take(MOST) {
        let live: BTreeSet<_> = stretch.parts.iter().flat_map(|part| arrivals.ids(part)).collect();
        let replayed = replay(stretch, variables);
        let names = |ids: BTreeSet<&(String, String)>| format!("{ids:?}");
        if live != replayed {
            let only_live = names(live.difference(&replayed).collect());
            let only_replayed = names(replayed.difference(&live).collect());
            found.push(format!("{}: only the agent gave {only_live}, only a replay {only_replayed}", stretch.label));
        }
    }
    found
}

/// Trace and span ids of all spans.
fn replay(stretch: &Stretch, variables: &[(&'static str, String)]) -> BTreeSet<(String, String)> {
    let mut command = Command::new(lives::program());
    command.args(["replay", "--format", "json"]).arg(stretch.path.as_ref().unwrap()).envs(variables.iter().cloned());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut ids = BTreeSet::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let build: Value = serde_json::from_str(line).unwrap();
        let trace = build["trace_id"].as_str().unwrap();
        for span in build["spans"].as_array().unwrap() {
            ids.insert((trace.to_owned(), span["span_id"].as_str().unwrap().to_owned()));
        }
    }
    assert!(ids.iter().all(|(trace, _)| trace.len() == hex(&[0; 16]).len()));
    ids
}
