//! What all that is known of one version comes to.
//!
//! Invariant: the same files give the same verdict and the same essence, whenever they are read.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher as _};

use gobeacon_formats::h1::H1;
use gobeacon_formats::{Artifact, Timestamp};

use super::check::Checked;
use super::entries::Key;
use super::records::GoSums;
use super::{Conflict, Corrupt, Side, Witness};

/// What is wrong with one version.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Verdict {
    pub(super) conflicts: Vec<Conflict>,
    pub(super) faults: Vec<Corrupt>,
}

impl Verdict {
    /// Of what was read in each cache, with the time when it was seen there first.
    pub(super) fn of(module: &str, version: &str, read: Vec<(Timestamp, Checked)>, go_sums: &GoSums) -> Self {
        let key = Key::of(module, version);
        let mut verdict = Self::default();
        let mut sides: BTreeMap<Artifact, BTreeMap<H1, Vec<Witness>>> = BTreeMap::new();
        for (first_seen, checked) in read {
            for claim in checked.claims {
                let witness = Witness { source: claim.source, place: claim.place, written: claim.written, first_seen };
                sides.entry(claim.artifact).or_default().entry(claim.sum).or_default().push(witness);
            }
            verdict.faults.extend(checked.faults);
        }
        for (artifact, mut sums) in sides {
            for (sum, witness) in go_sums.witnesses(key, artifact) {
                sums.entry(sum).or_default().push(witness);
            }
            if sums.len() > 1 {
                let mut sides: Vec<_> = sums.into_iter().map(|(sum, witnesses)| Side { sum, witnesses }).collect();
                sides.iter_mut().for_each(|side| side.witnesses.sort());
                sides.sort_by_key(|side| (usize::MAX - side.witnesses.len(), side.sum));
                let (module, version) = (module.to_owned(), version.to_owned());
                verdict.conflicts.push(Conflict { module, version, artifact, sides });
            }
        }
        verdict.faults.sort();
        verdict
    }

    pub(super) fn is_good(&self) -> bool {
        self.conflicts.is_empty() && self.faults.is_empty()
    }

    /// A number for each thing that is wrong; times do not count.
    pub(super) fn essence(&self) -> Vec<u64> {
        let conflicts = self.conflicts.iter().map(conflict_essence);
        conflicts.chain(self.faults.iter().map(hashed)).collect()
    }
}

pub(super) fn conflict_essence(conflict: &Conflict) -> u64 {
    let sides: Vec<_> = conflict
        .sides
        .iter()
        .map(|side| (side.sum, side.witnesses.iter().map(|it| (it.source, &it.place)).collect::<Vec<_>>()))
        .collect();
    hashed(&(conflict.artifact, sides))
}

fn hashed(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}
