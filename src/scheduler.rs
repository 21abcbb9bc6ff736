//! Fires schedules: sleeps until the next tick, has the engine create its run, and repeats.
//!
//! `cron` computes fire times. Storage ensures that no tick fires twice, whatever clocks and other
//! schedulers do.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::cron::Schedule;
use crate::engine::{Engine, PendingTick, SchedulerHandle};
use crate::error::Result;
use crate::model::Trigger;
use crate::storage::{StoredSchedule, TickOutcome};

/// The pause after an error of storage.
const RETRY: Duration = Duration::from_millis(200);

/// The maximum age of a missed tick that gets a catch-up run.
const CATCH_UP_AGE_MAX: TimeDelta = TimeDelta::hours(24);

/// Fires the schedules of an engine until it drains.
pub(crate) fn start(engine: &Engine) {
    let handle = engine.scheduler_handle();
    engine.spawn_loop(move || run(handle.clone()));
}

async fn run(handle: SchedulerHandle) {
    loop {
        let next = process_schedules(&handle).await;
        let pause = async {
            match next {
                Ok(Some(fire_at)) => sleep_until(&handle, fire_at).await,
                Ok(None) => std::future::pending().await,
                Err(error) => {
                    tracing::warn!(%error, "schedules cannot fire while storage is unavailable");
                    handle.clock().sleep(RETRY).await;
                }
            }
        };
        tokio::select! {
            biased;
            () = handle.wait_for_drain() => return,
            () = handle.wait_for_change() => {}
            () = pause => {}
        }
    }
}

/// Waits until the wall clock shows `fire_at` or is set back.
async fn sleep_until(handle: &SchedulerHandle, fire_at: DateTime<Utc>) {
    let clock = handle.clock();
    let mut before = clock.now();
    // The wall clock is read repeatedly, because it may be set while the monotonic clock runs on.
    let step = handle.limits().clock_check.max(Duration::from_millis(1));
    while let Ok(rest) = fire_at.signed_duration_since(before).to_std()
        && !rest.is_zero()
    {
        clock.sleep(rest.min(step)).await;
        let now = clock.now();
        if now < before {
            return;
        }
        before = now;
    }
}

/// Decides every pending tick and returns the next fire time.
async fn process_schedules(handle: &SchedulerHandle) -> Result<Option<DateTime<Utc>>> {
    let mut earliest: Option<DateTime<Utc>> = None;
    let mut failed = None;
    for stored in handle.schedules().await? {
        if handle.is_draining() {
            return Ok(None);
        }
        if stored.pipeline.definition.enabled
            && let Some(schedule) = parse_schedule(&stored)
        {
            match process_schedule(handle, stored, &schedule).await {
                Ok(next) => earliest = earliest.into_iter().chain(next).min(),
                // A failure must not keep the other schedules from firing.
                Err(error) => failed = Some(error),
            }
        }
    }
    failed.map_or(Ok(earliest), Err)
}

/// Parses the schedule of a pipeline. A stored schedule that is no longer valid never fires.
fn parse_schedule(stored: &StoredSchedule) -> Option<Schedule> {
    let definition = &stored.pipeline.definition;
    let expression = definition.schedule.as_deref()?;
    Schedule::new(expression, definition.schedule_timezone.as_deref())
        .inspect_err(|refusal| {
            let (pipeline_id, why) = (&stored.pipeline.id, &refusal.detail);
            tracing::warn!(%pipeline_id, why, "a stored schedule cannot be read and does not fire");
        })
        .ok()
}

/// Decides the pending ticks of one schedule and returns its next fire time.
async fn process_schedule(
    handle: &SchedulerHandle,
    mut stored: StoredSchedule,
    schedule: &Schedule,
) -> Result<Option<DateTime<Utc>>> {
    let now = handle.clock().now();
    if stored.cursor > now {
        // The clock was set back. Ticks after `now` are open again; storage does not repeat a run
        // that exists.
        handle.skip_until(&stored, now).await?;
        return Ok(schedule.next(now));
    }
    let plan = TickPlan {
        cursor: stored.cursor,
        now,
        grace: handle.limits().tick_grace,
        catches_up: stored.pipeline.definition.catch_up,
    };
    for cursor_move in plan.moves(schedule) {
        let tick = match cursor_move.trigger {
            None => handle.skip_until(&stored, cursor_move.until).await?,
            Some(trigger) => {
                let pending = PendingTick {
                    fire_at: cursor_move.until,
                    date: schedule.date(cursor_move.until),
                    trigger,
                };
                handle.fire(&stored, pending).await?
            }
        };
        tracing::debug!(pipeline_id = %stored.pipeline.id, at = %cursor_move.until, ?tick, "a tick is decided");
        if tick == TickOutcome::Stale {
            // Another scheduler decided the tick, or the definition has changed. The change has
            // already woken its scheduler.
            break;
        }
        stored.cursor = cursor_move.until;
    }
    Ok(schedule.next(now))
}

/// The inputs of the decision about the pending ticks of a schedule.
struct TickPlan {
    cursor: DateTime<Utc>,
    now: DateTime<Utc>,
    /// How late a tick may be and still count as on time.
    grace: Duration,
    catches_up: bool,
}

/// A move of the cursor, which creates a run if it has a trigger.
#[derive(Debug, PartialEq, Eq)]
struct CursorMove {
    until: DateTime<Utc>,
    trigger: Option<Trigger>,
}

impl TickPlan {
    /// Returns at most two moves: one for all missed ticks, one for a tick on time.
    fn moves(&self, schedule: &Schedule) -> Vec<CursorMove> {
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
