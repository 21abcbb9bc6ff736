//! The decision about the pending ticks of one schedule: which cursor moves follow, and which of
//! them create a run. Pure.
//!
//! `cron` computes fire times.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::cron::Schedule;
use crate::model::{CATCH_UP_MAX, Pipeline, Trigger};

/// The maximum age of a missed tick that gets a catch-up run, unless all of them do.
const CATCH_UP_AGE_MAX: TimeDelta = TimeDelta::hours(24);

/// The inputs of the decision about the pending ticks of a schedule.
pub(super) struct TickPlan {
    pub(super) cursor: DateTime<Utc>,
    pub(super) now: DateTime<Utc>,
    /// How late a tick may be and still count as on time.
    pub(super) grace: Duration,
    pub(super) catch_up: CatchUp,
}

/// Which missed ticks get a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CatchUp {
    Nothing,
    /// The latest one, if it is recent.
    Latest,
    /// The newest ones, up to this number.
    All(usize),
}

impl CatchUp {
    pub(super) fn of(pipeline: &Pipeline) -> Self {
        match (pipeline.catch_up_all, pipeline.catch_up) {
            (true, _) => {
                let max = pipeline.catch_up_max.unwrap_or(CATCH_UP_MAX);
                Self::All(usize::try_from(max.min(CATCH_UP_MAX)).unwrap_or_default())
            }
            (false, true) => Self::Latest,
            (false, false) => Self::Nothing,
        }
    }
}

/// A move of the cursor, which creates a run if it has a trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CursorMove {
    pub(super) until: DateTime<Utc>,
    pub(super) trigger: Option<Trigger>,
}

impl TickPlan {
    /// Returns the moves for the missed ticks, the oldest first, and then one for a tick on time.
    pub(super) fn moves(&self, schedule: &Schedule) -> Vec<CursorMove> {
        let pass = CursorMove {
            until: self.now,
            trigger: None,
        };
        if self.cursor > self.now {
            // The clock was set back. Ticks after `now` are open again; storage does not repeat a
            // run that exists.
            return vec![pass];
        }
        let Some(latest) = schedule.latest(self.cursor, self.now) else {
            return Vec::new();
        };
        if self.is_on_time(latest) {
            let mut moves = self.catch_up(schedule, self.before(schedule, latest));
            moves.push(CursorMove {
                until: latest,
                trigger: Some(Trigger::Schedule),
            });
            return moves;
        }
        let moves = self.catch_up(schedule, Some(latest));
        if moves.is_empty() {
            return vec![pass];
        }
        moves
    }

    /// Returns the pending tick before another one.
    fn before(&self, schedule: &Schedule, tick: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let before = tick.checked_sub_signed(TimeDelta::milliseconds(1))?;
        schedule.latest(self.cursor, before)
    }

    fn is_on_time(&self, tick: DateTime<Utc>) -> bool {
        let late = self.now.signed_duration_since(tick).to_std();
        late.is_ok_and(|late| late <= self.grace)
    }

    /// Returns the catch-up runs, of which `latest` is the latest missed tick.
    fn catch_up(&self, schedule: &Schedule, latest: Option<DateTime<Utc>>) -> Vec<CursorMove> {
        let ticks = std::iter::successors(latest, |tick| self.before(schedule, *tick));
        let mut ticks: Vec<_> = match self.catch_up {
            CatchUp::Nothing => Vec::new(),
            CatchUp::Latest => ticks.take(1).filter(|tick| self.is_recent(*tick)).collect(),
            CatchUp::All(max) => ticks.take(max).collect(),
        };
        ticks.reverse();
        let moves = ticks.into_iter().map(|tick| CursorMove {
            until: tick,
            trigger: Some(Trigger::Catchup),
        });
        moves.collect()
    }

    fn is_recent(&self, tick: DateTime<Utc>) -> bool {
        self.now.signed_duration_since(tick) <= CATCH_UP_AGE_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn moves(catches_up: bool, cursor: &str, now: &str) -> Vec<CursorMove> {
        let catch_up = if catches_up {
            CatchUp::Latest
        } else {
            CatchUp::Nothing
        };
        moves_with(catch_up, cursor, now)
    }

    fn moves_with(catch_up: CatchUp, cursor: &str, now: &str) -> Vec<CursorMove> {
        let schedule = Schedule::new("0 * * * *", None).unwrap();
        let plan = TickPlan {
            cursor: at(cursor),
            now: at(now),
            grace: Duration::from_secs(60),
            catch_up,
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
            catch_up: CatchUp::Latest,
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

    #[test]
    fn every_missed_tick_gets_a_run_up_to_the_maximum_the_oldest_first() {
        let (cursor, on_time, late) = (
            "2024-01-10T06:00:00Z",
            "2024-01-10T10:00:30Z",
            "2024-01-10T10:30:00Z",
        );
        let caught_up = |hours: &[u32]| -> Vec<_> {
            let until = hours
                .iter()
                .map(|hour| format!("2024-01-10T{hour:02}:00:00Z"));
            let moves = until.map(|until| cursor_move(&until, Some(Trigger::Catchup)));
            moves.collect()
        };
        let fires = cursor_move("2024-01-10T10:00:00Z", Some(Trigger::Schedule));
        let all = |max, now| moves_with(CatchUp::All(max), cursor, now);
        assert_eq!(all(100, late), caught_up(&[7, 8, 9, 10]));
        assert_eq!(all(2, late), caught_up(&[9, 10]));
        assert_eq!(
            all(100, on_time),
            [caught_up(&[7, 8, 9]), vec![fires]].concat()
        );
        assert_eq!(all(1, on_time), [caught_up(&[9]), vec![fires]].concat());
        let years_later = moves_with(CatchUp::All(100), cursor, "2034-01-10T10:30:00Z");
        assert_eq!(years_later.len(), 100);
        assert_eq!(
            years_later[99],
            cursor_move("2034-01-10T10:00:00Z", Some(Trigger::Catchup))
        );
    }

    #[test]
    fn a_pipeline_says_which_missed_ticks_get_a_run() {
        let pipeline = Pipeline::new("p");
        for (pipeline, expected) in [
            (pipeline.clone(), CatchUp::Nothing),
            (pipeline.clone().catch_up(), CatchUp::Latest),
            (
                pipeline.clone().catch_up().catch_up_all(),
                CatchUp::All(100),
            ),
            (
                pipeline.clone().catch_up_all().catch_up_max(7),
                CatchUp::All(7),
            ),
            (
                pipeline.clone().catch_up_all().catch_up_max(u32::MAX),
                CatchUp::All(100),
            ),
            (pipeline.catch_up_max(7), CatchUp::Nothing),
        ] {
            assert_eq!(CatchUp::of(&pipeline), expected);
        }
    }
}
