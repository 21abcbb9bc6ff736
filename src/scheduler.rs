//! Fires schedules: sleeps until the next tick is due, has the engine make its run, and begins again.
//!
//! When ticks are due is told by `cron`; that one is never fired twice is held by storage, whatever clocks and other schedulers do.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::cron::Schedule;
use crate::engine::{Engine, PendingTick, SchedulerHandle};
use crate::error::Result;
use crate::model::Trigger;
use crate::storage::{StoredSchedule, Tick};

/// How long storage is left alone after it failed.
const RETRY: Duration = Duration::from_millis(200);

/// How long ago a missed tick may be that is made up for.
const CATCH_UP_AGE_MAX: TimeDelta = TimeDelta::hours(24);

/// Fires the schedules of an engine until it drains.
pub(crate) fn start(engine: &Engine) {
    engine.spawn(run(engine.scheduler_handle()));
}

async fn run(handle: SchedulerHandle) {
    loop {
        let next = process_schedules(&handle).await;
        let pause = async {
            match next {
                Ok(Some(fire_at)) => sleep_until(&handle, fire_at).await,
                Ok(None) => std::future::pending().await,
                Err(error) => {
                    tracing::warn!(%error, "the schedules wait for storage");
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

/// Ends once the wall clock shows `fire_at`, or has stepped back.
async fn sleep_until(handle: &SchedulerHandle, fire_at: DateTime<Utc>) {
    let clock = handle.clock();
    let mut before = clock.now();
    // The wall clock is looked at again and again, since it may be set while the other one goes on as ever.
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

/// Decides every tick that is due and answers when the next one is.
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
                // The others fire all the same.
                Err(error) => failed = Some(error),
            }
        }
    }
    failed.map_or(Ok(earliest), Err)
}

/// The schedule of a pipeline that was accepted; one that cannot be read any more never fires.
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

/// Decides what is due of one schedule and answers when its next tick is.
async fn process_schedule(
    handle: &SchedulerHandle,
    mut stored: StoredSchedule,
    schedule: &Schedule,
) -> Result<Option<DateTime<Utc>>> {
    let now = handle.clock().now();
    if stored.cursor > now {
        // The clock has stepped back: what was decided in its future is open again; storage knows the runs that there are.
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
        if tick == Tick::Stale {
            // Somebody else decided it, or the definition is another by now and its save has woken its scheduler.
            break;
        }
        stored.cursor = cursor_move.until;
    }
    Ok(schedule.next(now))
}

/// What is known when ticks are decided.
struct TickPlan {
    cursor: DateTime<Utc>,
    now: DateTime<Utc>,
    /// How late a tick may be and yet be on time.
    grace: Duration,
    catches_up: bool,
}

/// A move of the cursor, with a run where there is a trigger.
#[derive(Debug, PartialEq, Eq)]
struct CursorMove {
    until: DateTime<Utc>,
    trigger: Option<Trigger>,
}

impl TickPlan {
    /// At most two steps: one for all that was missed, one for a tick that is on time.
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

    /// Makes up for a missed tick, where that is wanted and not too late.
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
    fn the_latest_missed_tick_is_made_up_for_beside_one_on_time() {
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
    fn nothing_is_due_before_the_next_tick() {
        for now in ["2024-01-15T06:59:59.999Z", "2024-01-15T06:00:00Z"] {
            assert_eq!(moves(true, "2024-01-15T06:00:00Z", now), []);
        }
    }

    #[test]
    fn what_was_missed_more_than_a_day_ago_is_left_out() {
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
