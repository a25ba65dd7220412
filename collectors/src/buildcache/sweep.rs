//! Tells who goes through a cache directory by directory from a go command.
//!
//! A go command asks for actions by their hashes: each lies in any of 256 directories, whichever the one before was.
//! Who copies, packs or unpacks a cache takes one directory after the other. So many neighbours in one directory, one
//! after the other, are no builds.
//!
//! Invariant: what a go command does is taken for a copy in less than one of 10^8 looks.

use gobeacon_formats::cache_entry::Name;

use super::queue::first_byte;

/// Fewer neighbours than this prove nothing.
const LEAST_NEIGHBOURS: usize = 8;

/// For each of these entries, in the order in which they were touched, whether a copy touched it. A go command that is
/// at work meanwhile breaks the neighbourhoods; what stands alone between them is its own.
pub(super) fn of_copies(touched: &[Name]) -> Vec<bool> {
    // the same entry again is no neighbour: many go commands at once ask for the same
    let is_neighbour = |pair: &[Name]| match pair {
        [one, next] => one != next && first_byte(one) == first_byte(next),
        _ => false,
    };
    let neighbours: Vec<bool> = touched.windows(2).map(is_neighbour).collect();
    let count = neighbours.iter().filter(|it| **it).count();
    if count < LEAST_NEIGHBOURS.max(touched.len() / 8) {
        return vec![false; touched.len()];
    }
    if count >= touched.len() * 2 / 3 {
        return vec![true; touched.len()];
    }
    let next = neighbours.iter().copied().chain([false]);
    let before = [false].into_iter().chain(neighbours.iter().copied());
    next.zip(before).take(touched.len()).map(|(next, before)| next || before).collect()
}

#[cfg(test)]
mod tests {
    use gobeacon_formats::cache_entry::Id;
    use proptest::prelude::*;

    use super::*;

    fn name(dir: u8, n: u32) -> Name {
        let mut id = [0; 32];
        id[0] = dir;
        id[1..5].copy_from_slice(&n.to_be_bytes());
        Name::Action(Id(id))
    }

    #[test]
    fn one_directory_after_the_other_is_a_copy() {
        let copied: Vec<_> = (0..=255).flat_map(|dir| (0..4).map(move |n| name(dir, n))).collect();
        assert!(of_copies(&copied).iter().all(|it| *it));
    }

    #[test]
    fn sixteen_commands_that_ask_for_the_same_are_no_copy() {
        let asked: Vec<_> = (0..500_u32)
            .flat_map(|n| {
                let dir = (n.wrapping_mul(2_654_435_761) >> 24) as u8;
                std::iter::repeat_n(name(dir, n), 16)
            })
            .collect();
        assert!(!of_copies(&asked).iter().any(|it| *it));
    }

    #[test]
    fn a_build_within_a_copy_keeps_its_own() {
        let mut touched = Vec::new();
        for dir in 0..=255_u8 {
            touched.extend((0..6).map(|n| name(dir, n)));
            touched.extend((0..4_u8).map(|n| name(dir.wrapping_mul(7).wrapping_add(n * 50 + 1), 1000)));
        }
        let builds = of_copies(&touched).iter().filter(|it| !**it).count();
        assert!((900..=1024).contains(&builds), "{builds} of 1024");
    }

    proptest! {
        #[test]
        fn hashes_in_any_order_are_no_copy(ids in prop::collection::vec(any::<[u8; 32]>(), 0..2000)) {
            let touched: Vec<_> = ids.into_iter().map(|id| Name::Action(Id(id))).collect();
            prop_assert!(!of_copies(&touched).contains(&true));
        }
    }
}
