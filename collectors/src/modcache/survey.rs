//! The thread that counts what module caches hold, from time to time and at low pace.
//!
//! Invariant: counting takes at most one part in ten of one core while it goes on, and none in between.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::drain::Control;
use super::inventory::{Inventory, inventory};
use super::{Event, Holdings, Report, Settings};
use crate::harness::Health;
use crate::inventory::space;
use crate::now;
use crate::roots::{self, Wanted};
use crate::stopping::Over;
use crate::{Observation, Root};

/// For each moment of work so many of rest.
const REST: u32 = 9;
/// Work that is too short to rest for.
const SHORT: Duration = Duration::from_millis(5);

/// Counts until it is told to stop, or nobody receives.
pub(super) fn run(settings: &Settings, control: &Control, health: &Health, to: &mpsc::Sender<Observation>) {
    let mut counted: BTreeMap<Arc<Root>, Instant> = BTreeMap::new();
    loop {
        let found: BTreeSet<_> = roots::find(Wanted::ModuleCache, &settings.places).into_iter().flatten().collect();
        let gone: Vec<_> = counted.keys().filter(|root| !found.contains(*root)).cloned().collect();
        for root in gone {
            counted.remove(&root);
            if send(control, to, &root, Event::Gone) == Err(Over) {
                return;
            }
        }
        for root in found {
            if counted.get(&root).is_some_and(|at| at.elapsed() < settings.inventory_interval) {
                continue;
            }
            let Some(holdings) = holdings(&root, control, health) else { return };
            if send(control, to, &root, Event::Counted(Box::new(holdings))) == Err(Over) {
                return;
            }
            counted.insert(root, Instant::now());
        }
        if control.stop.wait(settings.rescan_interval.min(settings.inventory_interval)) {
            return;
        }
    }
}

/// `None`: it was told to stop.
fn holdings(root: &Root, control: &Control, health: &Health) -> Option<Holdings> {
    let mut working_since = Instant::now();
    let mut pace = |_: &Inventory| {
        let worked = working_since.elapsed();
        if worked < SHORT {
            return ControlFlow::Continue(());
        }
        let is_over = control.stop.wait(worked.saturating_mul(REST));
        working_since = Instant::now();
        if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let counted = inventory(&root.path, true, now(), &mut pace);
    for (problem, count) in counted.problems.counts() {
        (0..count.min(1)).for_each(|_| health.problem(problem));
    }
    counted.is_complete.then(|| Holdings {
        versions: counted.versions + counted.toolchains.entries,
        bytes: counted.bytes(),
        free_bytes: space(&root.path).ok().map(|space| space.free_bytes),
    })
}

fn send(control: &Control, to: &mpsc::Sender<Observation>, root: &Arc<Root>, event: Event) -> Result<(), Over> {
    let report = Report { root: Arc::clone(root), observed: now(), events: vec![event] };
    control.stop.send(to, Observation::ModCache(report))
}
