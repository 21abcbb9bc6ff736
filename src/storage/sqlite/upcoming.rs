//! The runs that a queue lane claims next, as far as the memory knows them.
//!
//! `lanes` decides when they change, and `claim` reads them from the rows.

use std::collections::VecDeque;

use crate::model::{BackfillOrder, RunId};

/// A pending run at the head of its lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) run: RunId,
    pub(super) key: i64,
}

/// The first runs of a lane in its order, without a gap. It may know none of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Upcoming(VecDeque<Head>);

impl Upcoming {
    /// The most runs that it knows, so that a claim of many runs reads the rows once.
    pub(super) const MAX: u8 = 64;

    /// Creates it from the first runs of a lane.
    pub(super) fn new(heads: Vec<Head>) -> Self {
        Self(heads.into())
    }

    /// Returns the next run, or `None` if it must be read.
    pub(super) fn first(&self) -> Option<Head> {
        self.0.front().copied()
    }

    /// Adds a run to a lane that had `count` runs before.
    ///
    /// Behind runs that it does not know, a run remains unknown.
    pub(super) fn add(&mut self, run: Head, order: BackfillOrder, count: u64) {
        let knows_all = self.0.len() as u64 == count;
        let place = self.0.partition_point(|head| match order {
            BackfillOrder::Ascending => head.run < run.run,
            BackfillOrder::Descending => head.run > run.run,
        });
        if knows_all || place < self.0.len() {
            self.0.insert(place, run);
            self.0.truncate(Self::MAX.into());
        }
    }

    /// Removes a run that leaves the lane.
    pub(super) fn remove(&mut self, run: RunId) {
        if let Some(place) = self.0.iter().position(|head| head.run == run) {
            self.0.remove(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn head(number: u64) -> Head {
        Head {
            run: RunId::from_uuid(Uuid::from_u64_pair(0, number)),
            key: 0,
        }
    }

    #[test]
    fn it_forgets_the_last_runs_beyond_its_maximum() {
        let order = BackfillOrder::Ascending;
        let mut upcoming = Upcoming::default();
        for number in 0..80 {
            upcoming.add(head(number), order, number);
        }
        assert_eq!(upcoming.0.len(), usize::from(Upcoming::MAX));
        upcoming.add(head(100), order, 80);
        assert_eq!(upcoming.0.back(), Some(&head(63)), "run 64 is before it");
    }

    proptest! {
        /// Whatever joins and leaves a lane, it knows the first runs of the lane, without a gap.
        #[test]
        fn it_is_always_a_prefix_of_the_lane(
            steps in prop::collection::vec((0_u64..40, prop::bool::ANY, prop::bool::ANY), 0..120),
            is_descending in prop::bool::ANY,
            known in 0_u64..20,
        ) {
            let order = if is_descending { BackfillOrder::Descending } else { BackfillOrder::Ascending };
            let mut lane: Vec<u64> = (0..known).map(|number| number * 2).collect();
            let sorted = |lane: &[u64]| {
                let mut sorted = lane.to_vec();
                sorted.sort_unstable();
                if is_descending { sorted.reverse(); }
                sorted
            };
            let mut upcoming = Upcoming::default();
            for (number, is_added, is_read) in steps {
                if is_added && !lane.contains(&number) {
                    upcoming.add(head(number), order, lane.len() as u64);
                    lane.push(number);
                } else if !is_added {
                    upcoming.remove(head(number).run);
                    lane.retain(|other| *other != number);
                }
                if is_read && upcoming.first().is_none() {
                    upcoming = Upcoming::new(sorted(&lane).into_iter().take(5).map(head).collect());
                }
                let first: Vec<_> = sorted(&lane).into_iter().map(head).take(upcoming.0.len()).collect();
                prop_assert_eq!(Vec::from(upcoming.0.clone()), first);
            }
        }
    }
}
