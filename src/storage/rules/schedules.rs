//! How a save changes the schedule of its pipeline, and the overlap rule for its runs.
//!
//! Storing the cursor is left to the backends.

use crate::model::{LaneClass, Pipeline, SkipReason, Trigger};

/// How a save changes the row of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::storage) enum ScheduleChange {
    /// The schedule starts at the time of the save.
    Start,
    /// It keeps its cursor.
    Keep,
    /// The pipeline has no schedule.
    Remove,
}

pub(in crate::storage) fn schedule_change(
    before: Option<&Pipeline>,
    after: &Pipeline,
) -> ScheduleChange {
    if after.schedule.is_none() {
        return ScheduleChange::Remove;
    }
    let is_same = |before: &Pipeline| {
        before.schedule == after.schedule
            && zone_of(before) == zone_of(after)
            && (before.enabled || !after.enabled)
    };
    if before.is_some_and(is_same) {
        ScheduleChange::Keep
    } else {
        ScheduleChange::Start
    }
}

/// Returns whether the overlap rule applies to this class.
///
/// Only one run of a pipeline in such a class executes at a time.
pub(in crate::storage) const fn runs_one_at_a_time(class: LaneClass) -> bool {
    match class {
        LaneClass::Schedule => true,
        LaneClass::Manual | LaneClass::Backfill => false,
    }
}

/// Returns whether a run with this trigger belongs to a schedule.
pub(in crate::storage) const fn is_scheduled(trigger: Trigger) -> bool {
    match trigger {
        Trigger::Schedule | Trigger::Catchup => true,
        Trigger::Manual
        | Trigger::Backfill
        | Trigger::Resume
        | Trigger::Webhook
        | Trigger::Dependency => false,
    }
}

/// Returns why a tick creates no run while a run of its schedule is unfinished. `is_blocked` says
/// whether that run waits for another pipeline.
pub(in crate::storage) const fn overlap_reason(is_blocked: bool) -> SkipReason {
    if is_blocked {
        SkipReason::Blocked
    } else {
        SkipReason::Overlap
    }
}

fn zone_of(pipeline: &Pipeline) -> &str {
    pipeline.schedule_timezone.as_deref().unwrap_or("UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_or_enabled_schedule_starts_again() {
        let none = Pipeline::new("p");
        let daily = none.clone().schedule("@daily");
        let hourly = none.clone().schedule("@hourly");
        let mut disabled = daily.clone();
        disabled.enabled = false;
        let utc = daily.clone().schedule_timezone("UTC");
        let berlin = daily.clone().schedule_timezone("Europe/Berlin");
        let catching_up = daily.clone().catch_up();
        for (before, after, expected) in [
            (None, &none, ScheduleChange::Remove),
            (Some(&daily), &none, ScheduleChange::Remove),
            (None, &daily, ScheduleChange::Start),
            (Some(&none), &daily, ScheduleChange::Start),
            (Some(&daily), &daily, ScheduleChange::Keep),
            (Some(&daily), &hourly, ScheduleChange::Start),
            (Some(&daily), &utc, ScheduleChange::Keep),
            (Some(&daily), &berlin, ScheduleChange::Start),
            (Some(&daily), &catching_up, ScheduleChange::Keep),
            (Some(&daily), &disabled, ScheduleChange::Keep),
            (Some(&disabled), &daily, ScheduleChange::Start),
            (Some(&disabled), &disabled, ScheduleChange::Keep),
        ] {
            assert_eq!(
                schedule_change(before, after),
                expected,
                "{before:?} {after:?}"
            );
        }
    }
}
