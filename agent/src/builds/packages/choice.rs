//! Which spans of a build's tests go out where there are more than it may have.
//!
//! It must not know what a package is beyond its cases and their worth.
//!
//! Invariant: a package stands before its cases, and what is left out is counted.

use super::{Package, Worth};

/// What was left out of complete packages.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(in crate::builds) struct LeftOut {
    pub(in crate::builds) packages: u64,
    pub(in crate::builds) cases: u64,
    /// The least that was kept: of what is worth less, nothing would be.
    pub(in crate::builds) floor: Option<Worth>,
}

/// Chooses at most `limit` spans out of complete packages: failures first, then the longest.
pub(in crate::builds) fn choose(packages: &mut Vec<Package>, limit: usize) -> LeftOut {
    if packages.iter().map(Package::spans).sum::<usize>() <= limit {
        return LeftOut::default();
    }
    let mut order = Vec::new();
    for (at, package) in packages.iter().enumerate() {
        // a package stands before its cases: it is worth as much as the best of them
        order.push((package.worth(), true, at));
        order.extend(package.cases.iter().map(|case| (case.worth(), false, at)));
    }
    order.sort_unstable_by(|a, b| b.cmp(a));
    let mut left = limit;
    let mut kept = vec![false; packages.len()];
    let mut least = vec![None; packages.len()];
    let mut floor = None;
    for (worth, is_package, at) in order {
        let (Some(package), Some(kept), Some(least)) = (packages.get(at), kept.get_mut(at), least.get_mut(at)) else {
            continue;
        };
        if is_package {
            *kept = package.by_hand() || left > 0;
            if *kept && !package.by_hand() {
                left -= 1;
                floor = Some(worth);
            }
        } else if *kept && left > 0 {
            *least = Some(worth);
            left -= 1;
            floor = Some(worth);
        }
    }
    let (mut packages_out, mut cases_out) = (0, 0);
    let mut at = 0;
    packages.retain_mut(|package| {
        let (kept, least) = (kept.get(at) == Some(&true), least.get(at).copied().flatten());
        at += 1;
        cases_out += package.keep(|worth| kept && least.is_some_and(|least| worth >= least));
        packages_out += u64::from(!kept && !package.by_hand());
        kept
    });
    LeftOut { packages: packages_out, cases: cases_out, floor }
}
