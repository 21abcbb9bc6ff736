//! What a save does to the schedule of its pipeline, and the overlap rule for its runs.
//!
//! Where the cursor is kept is left to the backends.

use crate::model::{Pipeline, Priority, Trigger};

/// What becomes of a schedule's row when its pipeline is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::storage) enum Saved {
    /// It begins at the save.
    Begins,
    /// It stays as it is, where it is.
    Stays,
    /// There is none.
    Ends,
}

pub(in crate::storage) fn saved_schedule(before: Option<&Pipeline>, after: &Pipeline) -> Saved {
    if after.schedule.is_none() {
        return Saved::Ends;
    }
    let is_same = |before: &Pipeline| {
        before.schedule == after.schedule
            && zone(before) == zone(after)
            && (before.enabled || !after.enabled)
    };
    if before.is_some_and(is_same) {
        Saved::Stays
    } else {
        Saved::Begins
    }
}

/// Returns whether the overlap rule applies to this priority.
///
/// Of a pipeline's runs with such a priority one executes at a time.
pub(in crate::storage) const fn runs_one_at_a_time(priority: Priority) -> bool {
    match priority {
        Priority::Schedule => true,
        Priority::Manual | Priority::Backfill => false,
    }
}

/// Whether such a run belongs to a schedule.
pub(in crate::storage) const fn is_of_schedule(trigger: Trigger) -> bool {
    match trigger {
        Trigger::Schedule | Trigger::Catchup => true,
        Trigger::Manual
        | Trigger::Backfill
        | Trigger::Resume
        | Trigger::Webhook
        | Trigger::Dependency => false,
    }
}

fn zone(pipeline: &Pipeline) -> &str {
    pipeline.schedule_timezone.as_deref().unwrap_or("UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_begins_anew_when_it_is_changed_or_enabled() {
        let none = Pipeline::new("p");
        let daily = none.clone().schedule("@daily");
        let hourly = none.clone().schedule("@hourly");
        let mut disabled = daily.clone();
        disabled.enabled = false;
        let utc = daily.clone().schedule_timezone("UTC");
        let berlin = daily.clone().schedule_timezone("Europe/Berlin");
        let catching_up = daily.clone().catch_up();
        for (before, after, expected) in [
            (None, &none, Saved::Ends),
            (Some(&daily), &none, Saved::Ends),
            (None, &daily, Saved::Begins),
            (Some(&none), &daily, Saved::Begins),
            (Some(&daily), &daily, Saved::Stays),
            (Some(&daily), &hourly, Saved::Begins),
            (Some(&daily), &utc, Saved::Stays),
            (Some(&daily), &berlin, Saved::Begins),
            (Some(&daily), &catching_up, Saved::Stays),
            (Some(&daily), &disabled, Saved::Stays),
            (Some(&disabled), &daily, Saved::Begins),
            (Some(&disabled), &disabled, Saved::Stays),
        ] {
            assert_eq!(
                saved_schedule(before, after),
                expected,
                "{before:?} {after:?}"
            );
        }
    }
}
