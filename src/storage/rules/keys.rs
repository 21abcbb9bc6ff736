//! The order in which the runs of a concurrency key become ready. Finding them is left to the
//! backends.
//!
//! A pending run of a key is ready, so that a claim may start it, or held back. The ready and the
//! running runs of a key are never more than a held one allows, and no held one has a better rank
//! than a ready one.

use std::collections::BTreeMap;

use crate::model::{OnConflict, Rank, RunConcurrency};
use crate::storage::{NewRun, ReplacedRun};

/// The first run of a key that is held back.
#[derive(Debug, Clone, Copy)]
pub(in crate::storage) struct FirstHeld {
    pub(in crate::storage) rank: Rank,
    /// How many runs of the key may be ready or running by this one.
    pub(in crate::storage) max: u64,
}

/// What happens to the first run of a key that is held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::storage) enum KeyStep {
    /// It becomes ready.
    Release,
    /// It becomes ready in place of the last one that is.
    Replace,
    /// It waits.
    Wait,
}

impl KeyStep {
    /// Decides by the ready and the running runs of the key, and by the rank of the last ready one.
    pub(in crate::storage) fn of(first: FirstHeld, occupied: u64, last: Option<Rank>) -> Self {
        if occupied < first.max {
            Self::Release
        } else if occupied == first.max && last.is_some_and(|last| last > first.rank) {
            Self::Replace
        } else {
            Self::Wait
        }
    }
}

/// Returns how many runs of a key may be ready or running by one of them. One always may.
pub(in crate::storage) fn key_max(concurrency: &RunConcurrency) -> u64 {
    u64::from(concurrency.max.max(1))
}

/// Returns the key of a run that is not created while its key is taken.
pub(in crate::storage) fn skipping_key(new: &NewRun) -> Option<&RunConcurrency> {
    let own = new.run.concurrency.as_ref();
    own.filter(|_| new.on_conflict == OnConflict::Skip)
}

/// New runs of a key that replace earlier ones.
#[derive(Debug, Clone, Copy)]
pub(in crate::storage) struct Replacing {
    /// How many runs of the key may be ready or running by each of them.
    max: u64,
    count: usize,
}

impl Replacing {
    /// Returns how many of the earlier runs of the key that are unfinished are too many.
    pub(in crate::storage) fn surplus(self, unfinished: usize) -> usize {
        let max = usize::try_from(self.max).unwrap_or(usize::MAX);
        unfinished
            .saturating_add(self.count)
            .saturating_sub(max)
            .min(unfinished)
    }
}

/// Returns the new runs that replace earlier ones, by the texts of their keys. A delayed run
/// replaces none.
pub(in crate::storage) fn replacing(new: &[NewRun]) -> BTreeMap<&str, Replacing> {
    let mut by_text = BTreeMap::new();
    let replacing = new
        .iter()
        .filter(|new| new.on_conflict == OnConflict::CancelRunning)
        .filter(|new| new.run.run_after.is_none());
    for own in replacing.filter_map(|new| new.run.concurrency.as_ref()) {
        let max = key_max(own);
        let one = by_text
            .entry(own.key.as_str())
            .or_insert(Replacing { max, count: 0 });
        (one.max, one.count) = (one.max.min(max), one.count.saturating_add(1));
    }
    by_text
}

/// Puts runs that were replaced for two reasons into one list, the oldest first, each once.
pub(in crate::storage) fn merge_replaced(
    mut replaced: Vec<ReplacedRun>,
    more: Vec<ReplacedRun>,
) -> Vec<ReplacedRun> {
    replaced.extend(more);
    replaced.sort_unstable_by_key(|one| one.run);
    replaced.dedup_by_key(|one| one.run);
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{LaneClass, Priority};

    #[test]
    fn the_first_run_becomes_ready_within_its_maximum_or_in_place_of_a_worse_one() {
        const HIGH: Rank = Rank::new(LaneClass::Manual, Priority::High);
        const LOW: Rank = Rank::new(LaneClass::Backfill, Priority::Low);
        for (rank, max, occupied, last, expected) in [
            (LOW, 1, 0, None, KeyStep::Release),
            (LOW, 2, 1, Some(HIGH), KeyStep::Release),
            (LOW, 1, 1, None, KeyStep::Wait),
            (LOW, 1, 1, Some(LOW), KeyStep::Wait),
            (LOW, 1, 1, Some(HIGH), KeyStep::Wait),
            (HIGH, 1, 1, Some(LOW), KeyStep::Replace),
            // A place that the worse one leaves is still one too many.
            (HIGH, 1, 2, Some(LOW), KeyStep::Wait),
        ] {
            let first = FirstHeld { rank, max };
            assert_eq!(KeyStep::of(first, occupied, last), expected, "{first:?}");
        }
        assert_eq!(key_max(&RunConcurrency::new("acme", 0)), 1);
    }

    #[test]
    fn new_runs_replace_those_that_are_too_many() {
        for (unfinished, new, max, expected) in [
            (0, 1, 1, 0),
            (1, 1, 1, 1),
            (3, 1, 1, 3),
            (1, 1, 2, 0),
            (2, 1, 2, 1),
            (2, 5, 2, 2),
            (1, 0, 1, 0),
        ] {
            let replacing = Replacing { max, count: new };
            assert_eq!(replacing.surplus(unfinished), expected, "{replacing:?}");
        }
    }
}
