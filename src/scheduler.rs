//! Fires schedules: sleeps until the next tick is due, has the engine make its run, and begins again.
//!
//! When ticks are due is told by `cron`; that one is never fired twice is held by storage, whatever clocks and other schedulers do.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::cron::Schedule;
use crate::engine::{Due, Engine, Ticks};
use crate::error::Result;
use crate::model::Trigger;
use crate::storage::{StoredSchedule, TickOutcome};

/// How long storage is left alone after it failed.
const RETRY: Duration = Duration::from_millis(200);

/// How long ago a missed tick may be that is made up for.
const CATCH_UP_MAX: TimeDelta = TimeDelta::hours(24);

/// Fires the schedules of an engine until it drains.
pub(crate) fn start(engine: &Engine) {
    engine.own(run(engine.ticks()));
}

async fn run(ticks: Ticks) {
    loop {
        let next = look(&ticks).await;
        let pause = async {
            match next {
                Ok(Some(due)) => sleep_until(&ticks, due).await,
                Ok(None) => std::future::pending().await,
                Err(error) => {
                    tracing::warn!(%error, "the schedules wait for storage");
                    ticks.clock().sleep(RETRY).await;
                }
            }
        };
        tokio::select! {
            biased;
            () = ticks.drained() => return,
            () = ticks.changed() => {}
            () = pause => {}
        }
    }
}

/// Ends once the wall clock shows `due`, or has stepped back.
async fn sleep_until(ticks: &Ticks, due: DateTime<Utc>) {
    let clock = ticks.clock();
    let mut before = clock.now();
    // The wall clock is looked at again and again, since it may be set while the other one goes on as ever.
    let step = ticks.limits().clock_check.max(Duration::from_millis(1));
    while let Ok(rest) = due.signed_duration_since(before).to_std()
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
async fn look(ticks: &Ticks) -> Result<Option<DateTime<Utc>>> {
    let mut earliest: Option<DateTime<Utc>> = None;
    let mut failed = None;
    for stored in ticks.schedules().await? {
        if ticks.is_drained() {
            return Ok(None);
        }
        if stored.pipeline.definition.enabled
            && let Some(schedule) = schedule_of(&stored)
        {
            match decide(ticks, stored, &schedule).await {
                Ok(next) => earliest = earliest.into_iter().chain(next).min(),
                // The others fire all the same.
                Err(error) => failed = Some(error),
            }
        }
    }
    failed.map_or(Ok(earliest), Err)
}

/// The schedule of a pipeline that was accepted; one that cannot be read any more never fires.
fn schedule_of(stored: &StoredSchedule) -> Option<Schedule> {
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
async fn decide(
    ticks: &Ticks,
    mut stored: StoredSchedule,
    schedule: &Schedule,
) -> Result<Option<DateTime<Utc>>> {
    let now = ticks.clock().now();
    if stored.cursor > now {
        // The clock has stepped back: what was decided in its future is open again; storage knows the runs that there are.
        ticks.pass(&stored, now).await?;
        return Ok(schedule.next(now));
    }
    let plan = Plan {
        cursor: stored.cursor,
        now,
        grace: ticks.limits().tick_grace,
        catches_up: stored.pipeline.definition.catch_up,
    };
    for step in plan.steps(schedule) {
        let tick = match step.trigger {
            None => ticks.pass(&stored, step.until).await?,
            Some(trigger) => {
                let due = Due {
                    fire_at: step.until,
                    date: schedule.date(step.until),
                    trigger,
                };
                ticks.fire(&stored, due).await?
            }
        };
        tracing::debug!(pipeline_id = %stored.pipeline.id, at = %step.until, ?tick, "a tick is decided");
        if tick == TickOutcome::Stale {
            // Somebody else decided it, or the definition is another by now and its save has woken its scheduler.
            break;
        }
        stored.cursor = step.until;
    }
    Ok(schedule.next(now))
}

/// What is known when ticks are decided.
struct Plan {
    cursor: DateTime<Utc>,
    now: DateTime<Utc>,
    /// How late a tick may be and yet be on time.
    grace: Duration,
    catches_up: bool,
}

/// A move of the cursor, with a run where there is a trigger.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    until: DateTime<Utc>,
    trigger: Option<Trigger>,
}

impl Plan {
    /// At most two steps: one for all that was missed, one for a tick that is on time.
    fn steps(&self, schedule: &Schedule) -> Vec<Step> {
        let Some(latest) = schedule.latest(self.cursor, self.now) else {
            return Vec::new();
        };
        if !self.is_on_time(latest) {
            return vec![self.missed(latest).unwrap_or(Step {
                until: self.now,
                trigger: None,
            })];
        }
        let before = latest.checked_sub_signed(TimeDelta::milliseconds(1));
        let missed = before
            .and_then(|before| schedule.latest(self.cursor, before))
            .and_then(|missed| self.missed(missed));
        let on_time = Step {
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
    fn missed(&self, tick: DateTime<Utc>) -> Option<Step> {
        let is_recent = self.now.signed_duration_since(tick) <= CATCH_UP_MAX;
        (self.catches_up && is_recent).then_some(Step {
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

    fn steps(catches_up: bool, cursor: &str, now: &str) -> Vec<Step> {
        let schedule = Schedule::new("0 * * * *", None).unwrap();
        let plan = Plan {
            cursor: at(cursor),
            now: at(now),
            grace: Duration::from_secs(60),
            catches_up,
        };
        plan.steps(&schedule)
    }

    fn step(until: &str, trigger: Option<Trigger>) -> Step {
        Step {
            until: at(until),
            trigger,
        }
    }

    #[test]
    fn a_tick_is_on_time_for_a_minute_and_missed_afterwards() {
        let on_time = [step("2024-01-15T07:00:00Z", Some(Trigger::Schedule))];
        for now in ["2024-01-15T07:00:00Z", "2024-01-15T07:01:00Z"] {
            for catches_up in [true, false] {
                assert_eq!(steps(catches_up, "2024-01-15T06:00:00Z", now), on_time);
            }
        }
        let late = "2024-01-15T07:01:00.001Z";
        let passed = [step(late, None)];
        assert_eq!(steps(false, "2024-01-15T06:00:00Z", late), passed);
        let made_up = [step("2024-01-15T07:00:00Z", Some(Trigger::Catchup))];
        assert_eq!(steps(true, "2024-01-15T06:00:00Z", late), made_up);
    }

    #[test]
    fn the_latest_missed_tick_is_made_up_for_beside_one_on_time() {
        let on_time = step("2024-01-15T12:00:00Z", Some(Trigger::Schedule));
        let now = "2024-01-15T12:00:30Z";
        let both = [
            step("2024-01-15T11:00:00Z", Some(Trigger::Catchup)),
            step("2024-01-15T12:00:00Z", Some(Trigger::Schedule)),
        ];
        assert_eq!(steps(true, "2024-01-10T06:00:00Z", now), both);
        assert_eq!(steps(false, "2024-01-10T06:00:00Z", now), [on_time]);
    }

    #[test]
    fn nothing_is_due_before_the_next_tick() {
        for now in ["2024-01-15T06:59:59.999Z", "2024-01-15T06:00:00Z"] {
            assert_eq!(steps(true, "2024-01-15T06:00:00Z", now), []);
        }
    }

    #[test]
    fn what_was_missed_more_than_a_day_ago_is_left_out() {
        let daily = Schedule::new("0 6 * * *", None).unwrap();
        let weekly = Schedule::new("0 6 * * 1", None).unwrap();
        let plan = |now| Plan {
            cursor: at("2024-01-08T06:00:00Z"),
            now: at(now),
            grace: Duration::from_secs(60),
            catches_up: true,
        };
        let made_up = |until| [step(until, Some(Trigger::Catchup))];
        let now = "2024-01-16T06:00:00Z";
        assert_eq!(
            plan(now).steps(&weekly),
            made_up("2024-01-15T06:00:00Z"),
            "24 hours ago"
        );
        let now = "2024-01-16T06:00:00.001Z";
        assert_eq!(plan(now).steps(&weekly), [step(now, None)]);
        let now = "2034-01-16T12:00:00Z";
        assert_eq!(plan(now).steps(&daily), made_up("2034-01-16T06:00:00Z"));
    }
}
