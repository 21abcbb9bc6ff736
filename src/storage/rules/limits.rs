//! The limits on pending runs: whether the next run of a queue lane may start.
//!
//! Orphans are running already, and `orphans` chooses among them. Counting is left to the backends.

use super::runs_one_at_a_time;
use crate::model::LaneClass;
use crate::storage::Claim;

/// How many runs execute under one limit.
#[derive(Debug, Clone, Copy)]
pub(in crate::storage) struct Usage {
    pub(in crate::storage) running: u64,
    /// `None` if the number is not limited.
    pub(in crate::storage) max: Option<u64>,
}

impl Usage {
    pub(in crate::storage) fn has_room(self) -> bool {
        self.max.is_none_or(|max| self.running < max)
    }
}

/// The limits on the runs of a queue lane. Orphans count as running.
#[derive(Debug, Clone, Copy)]
pub(in crate::storage) struct LaneLimits {
    pub(in crate::storage) class: LaneClass,
    /// Limited by `max_concurrent_runs` of the pipeline's newest definition.
    pub(in crate::storage) pipeline: Usage,
    /// Limited by `max_parallel`. `None` if the lane belongs to no backfill.
    pub(in crate::storage) backfill: Option<Usage>,
    /// Whether a run of the pipeline's schedule is still executing. Read only if the overlap rule
    /// applies.
    pub(in crate::storage) is_schedule_executing: bool,
}

impl LaneLimits {
    /// Returns whether one more run of the lane may start.
    pub(in crate::storage) fn has_room(self) -> bool {
        let overlaps = runs_one_at_a_time(self.class) && self.is_schedule_executing;
        self.pipeline.has_room() && self.backfill.is_none_or(Usage::has_room) && !overlaps
    }
}

/// Returns how many runs of a pipeline or of a backfill may execute. One that waits, because it is
/// paused or a gate of it is closed, starts none.
pub(in crate::storage) const fn usage_max(waits: bool, max: Option<u64>) -> Option<u64> {
    if waits { Some(0) } else { max }
}

/// Returns whether a claim's own limits allow one more pending run to start.
pub(in crate::storage) fn may_start(claim: &Claim, claimed_count: usize, running: u64) -> bool {
    claimed_count < claim.count_max as usize && running < u64::from(claim.runs_max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_has_room_within_all_of_its_limits() {
        const NONE: Option<u64> = None;
        let lane = |class, pipeline, backfill, is_schedule_executing| LaneLimits {
            class,
            pipeline: usage(pipeline),
            backfill,
            is_schedule_executing,
        };
        let two = |running| Some(usage((running, Some(2))));
        for (limits, expected) in [
            (lane(LaneClass::Manual, (100, NONE), None, false), true),
            (lane(LaneClass::Manual, (1, Some(2)), None, false), true),
            (lane(LaneClass::Manual, (2, Some(2)), None, false), false),
            (lane(LaneClass::Manual, (3, Some(2)), None, false), false),
            (lane(LaneClass::Manual, (1, NONE), None, true), true),
            (lane(LaneClass::Schedule, (0, NONE), None, false), true),
            (lane(LaneClass::Schedule, (1, NONE), None, true), false),
            (lane(LaneClass::Schedule, (2, Some(2)), None, false), false),
            (lane(LaneClass::Backfill, (1, NONE), two(1), true), true),
            (lane(LaneClass::Backfill, (2, NONE), two(2), false), false),
            (
                lane(LaneClass::Backfill, (2, Some(2)), two(1), false),
                false,
            ),
        ] {
            assert_eq!(limits.has_room(), expected, "{limits:?}");
        }
    }

    const fn usage((running, max): (u64, Option<u64>)) -> Usage {
        Usage { running, max }
    }

    #[test]
    fn a_claim_starts_runs_within_its_own_limits() {
        let owner = crate::model::OwnerId::from_uuid(uuid::Uuid::nil());
        let mut claim = Claim::new(owner, 2, chrono::DateTime::UNIX_EPOCH);
        claim.runs_max = 5;
        for (claimed_count, running, expected) in
            [(0, 0, true), (1, 4, true), (2, 4, false), (1, 5, false)]
        {
            assert_eq!(may_start(&claim, claimed_count, running), expected);
        }
    }
}
