//! Fires schedules: sleeps until the next tick, has the engine create its run, and repeats.
//!
//! `parsed` keeps the schedules and plans their ticks with `plan`. Storage ensures that no tick
//! fires twice, whatever clocks and other schedulers do. `dependencies` starts the runs of
//! pipelines that depend on others.

mod answers;
mod dependencies;
mod parsed;
mod plan;
mod together;

use std::time::Duration;

use self::parsed::{ParsedSchedules, PlannedMove};
use self::together::decide_all;
use crate::engine::{Engine, SchedulerHandle};
use crate::error::{Result, log};
use crate::storage::{StoredSchedule, TickOutcome};
use chrono::{DateTime, Utc};

/// The pause after an error of storage.
const RETRY: Duration = Duration::from_millis(200);

/// The longest rest between a change and the round that reads it.
const REST_MAX: Duration = Duration::from_secs(1);

/// Fires the schedules of an engine, and starts dependent runs, until it drains.
pub(crate) fn start(engine: &Engine) {
    let handle = engine.scheduler_handle();
    engine.spawn_loop(move || run(handle.clone()));
    let handle = engine.scheduler_handle();
    engine.spawn_loop(move || dependencies::run(handle.clone()));
}

async fn run(handle: SchedulerHandle) {
    let mut parsed = ParsedSchedules::default();
    loop {
        let began_at = handle.clock().real_time();
        let next = process_schedules(&handle, &mut parsed).await;
        let took = handle.clock().real_time().saturating_sub(began_at);
        let pause = async {
            match next {
                Ok(Some(fire_at)) => sleep_until(&handle, fire_at).await,
                Ok(None) => std::future::pending().await,
                Err(error) => {
                    log::warn!(%error, "schedules cannot fire while storage is unavailable");
                    handle.clock().sleep(RETRY).await;
                }
            }
        };
        tokio::select! {
            biased;
            () = handle.wait_for_drain() => return,
            () = handle.wait_for_change() => rest(&handle, took).await,
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

/// Rests for as long as the last round took, so that saves in a row share the next round.
///
/// The rest is real time: it depends on the load of the machine, which no manual clock has.
async fn rest(handle: &SchedulerHandle, took: Duration) {
    let pause = took.min(REST_MAX);
    if !pause.is_zero() {
        tokio::select! {
            biased;
            () = handle.wait_for_drain() => {}
            () = handle.clock().real_time_sleep(pause) => {}
        }
    }
}

/// Decides every pending tick and returns the next fire time.
async fn process_schedules(
    handle: &SchedulerHandle,
    parsed: &mut ParsedSchedules,
) -> Result<Option<DateTime<Utc>>> {
    let schedules = handle.schedules().await?;
    // One instant for all, so that no tick is late because others were decided first.
    let now = handle.clock().now();
    let mut earliest: Option<DateTime<Utc>> = None;
    let mut pending = Vec::new();
    parsed.begin_round();
    for stored in schedules {
        if stored.pipeline.definition.enabled {
            let planned = parsed.plan(&stored, now, handle.limits());
            earliest = earliest.into_iter().chain(planned.next).min();
            if !planned.moves.is_empty() {
                pending.push((stored, planned.moves));
            }
        }
    }
    parsed.end_round();
    let decide = |handle, (stored, moves)| decide(handle, stored, moves);
    decide_all(handle, pending, decide).await.map(|_| earliest)
}

/// Decides the pending ticks of one schedule.
async fn decide(
    handle: SchedulerHandle,
    mut stored: StoredSchedule,
    moves: Vec<PlannedMove>,
) -> Result<()> {
    for PlannedMove { until, tick } in moves {
        let tick = match tick {
            None => handle.skip_until(&stored, until).await?,
            Some(tick) => handle.fire(&stored, tick).await?,
        };
        log::debug!(pipeline_id = %stored.pipeline.id, at = %until, ?tick, "a tick is decided");
        if tick == TickOutcome::Stale {
            // Another scheduler decided the tick, or the definition has changed. The change has
            // already woken its scheduler.
            break;
        }
        stored.cursor = until;
    }
    Ok(())
}
