//! Pending runs as the writer counts them: by priority and pipeline, each lane with its oldest run where that is known.
//!
//! The rows stay the truth: all of this is counted from them when a store is opened. Which lane goes first is left to `claim`.

use std::collections::BTreeMap;

use crate::model::RunId;

/// The oldest pending run of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) run: RunId,
    pub(super) key: i64,
}

/// One lane; it has a run at least.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lane {
    count: u64,
    head: Option<Head>,
}

/// All lanes.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    /// By priority and pipeline, so that a claim's cost is their number and not that of the runs.
    by_key: BTreeMap<(u8, i64), Lane>,
    total: u64,
}

/// Priorities that runs have.
const PRIORITIES: std::ops::RangeInclusive<u8> = 0..=2;

impl Lanes {
    /// A lane that was counted; which run is its oldest is not known yet.
    pub(super) fn count(&mut self, priority: u8, pipeline: i64, count: u64) {
        self.total += count;
        self.by_key
            .insert((priority, pipeline), Lane { count, head: None });
    }

    pub(super) fn add(&mut self, priority: u8, pipeline: i64, run: Head) {
        self.total += 1;
        let lane = self.by_key.entry((priority, pipeline)).or_insert(Lane {
            count: 0,
            head: Some(run),
        });
        lane.count += 1;
        lane.head = lane
            .head
            .map(|head| if run.run < head.run { run } else { head });
    }

    pub(super) fn remove(&mut self, priority: u8, pipeline: i64, run: RunId) {
        let Some(lane) = self.by_key.get_mut(&(priority, pipeline)) else {
            return;
        };
        self.total = self.total.saturating_sub(1);
        lane.count -= 1;
        if lane.head.is_some_and(|head| head.run == run) {
            lane.head = None;
        }
        if lane.count == 0 {
            self.by_key.remove(&(priority, pipeline));
        }
    }

    /// Notes the oldest run of a lane.
    pub(super) fn note_head(&mut self, priority: u8, pipeline: i64, head: Head) {
        if let Some(lane) = self.by_key.get_mut(&(priority, pipeline)) {
            lane.head = Some(head);
        }
    }

    /// The oldest run of a lane, where it is known.
    pub(super) fn head(&self, priority: u8, pipeline: i64) -> Option<Head> {
        self.by_key.get(&(priority, pipeline))?.head
    }

    /// Pipelines that have pending runs of a priority.
    pub(super) fn pipelines(&self, priority: u8) -> Vec<i64> {
        self.by_key
            .range((priority, i64::MIN)..=(priority, i64::MAX))
            .map(|((_, pipeline), _)| *pipeline)
            .collect()
    }

    /// Pending runs of a pipeline.
    pub(super) fn of_pipeline(&self, pipeline: i64) -> u64 {
        PRIORITIES
            .filter_map(|priority| self.by_key.get(&(priority, pipeline)))
            .map(|lane| lane.count)
            .sum()
    }

    /// Pending runs in all.
    pub(super) const fn total(&self) -> u64 {
        self.total
    }

    /// The priorities, first things first.
    pub(super) const fn priorities() -> std::ops::RangeInclusive<u8> {
        PRIORITIES
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn head(number: u64) -> Head {
        Head {
            run: RunId::from_uuid(Uuid::from_u64_pair(0, number)),
            key: 0,
        }
    }

    #[test]
    fn a_lane_knows_its_oldest_run_until_that_leaves() {
        let mut lanes = Lanes::default();
        lanes.add(0, 7, head(5));
        lanes.add(0, 7, head(3));
        lanes.add(2, 7, head(1));
        assert_eq!(lanes.head(0, 7), Some(head(3)));
        assert_eq!((lanes.of_pipeline(7), lanes.total()), (3, 3));
        lanes.remove(0, 7, head(3).run);
        assert_eq!(lanes.head(0, 7), None);
        lanes.add(0, 7, head(4));
        assert_eq!(lanes.head(0, 7), None, "an older one may be there");
        lanes.note_head(0, 7, head(4));
        lanes.remove(0, 7, head(5).run);
        assert_eq!(lanes.head(0, 7), Some(head(4)));
        lanes.remove(0, 7, head(4).run);
        assert_eq!(lanes.pipelines(0), Vec::<i64>::new());
        assert_eq!(lanes.pipelines(2), [7]);
    }
}
