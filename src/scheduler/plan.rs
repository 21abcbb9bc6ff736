//! The decision about the pending ticks of one schedule: which cursor moves follow, and which of
//! them create a run. Pure.
//!
//! `cron` computes fire times.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::cron::Schedule;
use crate::model::Trigger;

/// The maximum age of a missed tick that gets a catch-up run.
const CATCH_UP_AGE_MAX: TimeDelta = TimeDelta::hours(24);

/// The inputs of the decision about the pending ticks of a schedule.
pub(super) struct TickPlan {
    pub(super) cursor: DateTime<Utc>,
    pub(super) now: DateTime<Utc>,
    /// How late a tick may be and still count as on time.
    pub(super) grace: Duration,
    pub(super) catches_up: bool,
}

/// A move of the cursor, which creates a run if it has a trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CursorMove {
    pub(super) until: DateTime<Utc>,
    pub(super) trigger: Option<Trigger>,
}

impl TickPlan {
    /// Returns at most two moves: one for all missed ticks, one for a tick on time.
    pub(super) fn moves(&self, schedule: &Schedule) -> Vec<CursorMove> {
        if self.cursor > self.now {
            // The clock was set back. Ticks after `now` are open again; storage does not repeat a
            // run that exists.
            return vec![CursorMove {
                until: self.now,
                trigger: None,
            }];
        }
        let Some(latest) = schedule.latest(self.cursor, self.now) else {
            return Vec::new();
        };
        if !self.is_on_time(latest) {
            return vec![self.catch_up(latest).unwrap_or(CursorMove {
                until: self.now,
                trigger: None,
            })];
        }
        let before = latest.checked_sub_signed(TimeDelta::milliseconds(1));
        let missed = before
            .and_then(|before| schedule.latest(self.cursor, before))
            .and_then(|missed| self.catch_up(missed));
        let on_time = CursorMove {
            until: latest,
            trigger: Some(Trigger::Schedule),
        };
        missed.into_iter().chain([on_time]).collect()
    }

    fn is_on_time(&self, tick: DateTime<Utc>) -> bool {
        let late = self.now.signed_duration_since(tick).to_std();
        late.is_ok_and(|late| late <= self.grace)
    }

    /// Returns the catch-up run of a missed tick, if the pipeline wants one and the tick is recent.
    fn catch_up(&self, tick: DateTime<Utc>) -> Option<CursorMove> {
        let is_recent = self.now.signed_duration_since(tick) <= CATCH_UP_AGE_MAX;
        (self.catches_up && is_recent).then_some(CursorMove {
            until: tick,
            trigger: Some(Trigger::Catchup),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn moves(catches_up: bool, cursor: &str, now: &str) -> Vec<CursorMove> {
        let schedule = Schedule::new("0 * * * *", None).unwrap();
        let plan = TickPlan {
            cursor: at(cursor),
            now: at(now),
            grace: Duration::from_secs(60),
            catches_up,
        };
        plan.moves(&schedule)
    }

    fn cursor_move(until: &str, trigger: Option<Trigger>) -> CursorMove {
        CursorMove {
            until: at(until),
            trigger,
        }
    }

    #[test]
    fn a_tick_is_on_time_for_a_minute_and_missed_afterwards() {
        let on_time = [cursor_move("2024-01-15T07:00:00Z", Some(Trigger::Schedule))];
        for now in ["2024-01-15T07:00:00Z", "2024-01-15T07:01:00Z"] {
            for catches_up in [true, false] {
                assert_eq!(moves(catches_up, "2024-01-15T06:00:00Z", now), on_time);
            }
        }
        let late = "2024-01-15T07:01:00.001Z";
        let passed = [cursor_move(late, None)];
        assert_eq!(moves(false, "2024-01-15T06:00:00Z", late), passed);
        let caught_up = [cursor_move("2024-01-15T07:00:00Z", Some(Trigger::Catchup))];
        assert_eq!(moves(true, "2024-01-15T06:00:00Z", late), caught_up);
    }

    #[test]
    fn the_latest_missed_tick_gets_a_catch_up_run_beside_a_tick_on_time() {
        let on_time = cursor_move("2024-01-15T12:00:00Z", Some(Trigger::Schedule));
        let now = "2024-01-15T12:00:30Z";
        let both = [
            cursor_move("2024-01-15T11:00:00Z", Some(Trigger::Catchup)),
            cursor_move("2024-01-15T12:00:00Z", Some(Trigger::Schedule)),
        ];
        assert_eq!(moves(true, "2024-01-10T06:00:00Z", now), both);
        assert_eq!(moves(false, "2024-01-10T06:00:00Z", now), [on_time]);
    }

    #[test]
    fn no_tick_is_pending_before_the_next_fire_time() {
        for now in ["2024-01-15T06:59:59.999Z", "2024-01-15T06:00:00Z"] {
            assert_eq!(moves(true, "2024-01-15T06:00:00Z", now), []);
        }
    }

    #[test]
    fn a_tick_missed_more_than_a_day_ago_gets_no_run() {
        let daily = Schedule::new("0 6 * * *", None).unwrap();
        let weekly = Schedule::new("0 6 * * 1", None).unwrap();
        let plan = |now| TickPlan {
            cursor: at("2024-01-08T06:00:00Z"),
            now: at(now),
            grace: Duration::from_secs(60),
            catches_up: true,
        };
        let caught_up = |until| [cursor_move(until, Some(Trigger::Catchup))];
        let now = "2024-01-16T06:00:00Z";
        assert_eq!(
            plan(now).moves(&weekly),
            caught_up("2024-01-15T06:00:00Z"),
            "24 hours ago"
        );
        let now = "2024-01-16T06:00:00.001Z";
        assert_eq!(plan(now).moves(&weekly), [cursor_move(now, None)]);
        let now = "2034-01-16T12:00:00Z";
        assert_eq!(plan(now).moves(&daily), caught_up("2034-01-16T06:00:00Z"));
    }
}
