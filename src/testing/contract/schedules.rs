//! Schedules: what a step of one makes and notes, when one begins anew, and that its runs execute
//! in turn.
//!
//! When ticks are due is no question to a storage: instants are given.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::fixtures::{
    Driver, at, claim, claim_one, claimed_ids, create, definition, end_of, events_of, found,
    listed, new_run, pipeline_id, put, refused, run_id, save, scope,
};
use crate::error::ErrorKind;
use crate::model::{
    EventKind, Overlap, Pipeline, RunStatus, Scope, SkipReason, StoredPipeline, TenantId, Trigger,
};
use crate::storage::{
    Advance, DeletePipeline, NewRun, PutPipeline, RunFilter, Storage, StoredSchedule, TickOutcome,
};

fn hourly() -> Pipeline {
    definition("daily").schedule("0 * * * *")
}

fn put_of(pipeline: Pipeline, seconds: i64) -> PutPipeline {
    let mut put = put(&pipeline.id);
    put.definition = Arc::new(pipeline);
    put.now = at(seconds);
    put
}

async fn save_as(storage: &dyn Storage, pipeline: Pipeline, seconds: i64) -> StoredPipeline {
    let put = put_of(pipeline, seconds);
    storage.put_pipeline(put).await.unwrap()
}

/// The one schedule that there is.
async fn only(storage: &dyn Storage) -> StoredSchedule {
    let mut all = storage.schedules(&Scope::All).await.unwrap();
    let one = all.pop().unwrap();
    assert_eq!(all, []);
    one
}

/// The tick at a second, made as run `n`.
fn tick(schedule: &StoredSchedule, n: u64, seconds: i64) -> Advance {
    let mut run = new_run(n, schedule.pipeline.id.as_str());
    run.trigger = Trigger::Schedule;
    run.pipeline_version = schedule.pipeline.version;
    let mut new = NewRun::new(run);
    new.fire_at = Some(at(seconds));
    let mut advance = Advance::new(schedule, at(seconds));
    advance.run = Some(new);
    advance
}

async fn advance(storage: &dyn Storage, advance: Advance) -> TickOutcome {
    storage.advance(advance).await.unwrap().tick
}

/// How far it is: cursor, last tick with a run, why the last one made none.
fn state(schedule: &StoredSchedule) -> (DateTime<Utc>, Option<DateTime<Utc>>, Option<SkipReason>) {
    (schedule.cursor, schedule.last_run, schedule.skipped)
}

async fn count_runs(storage: &dyn Storage) -> usize {
    listed(storage, RunFilter::default()).await.len()
}

/// A schedule begins at the save that brings it; a pipeline without one has none.
pub async fn a_schedule_begins_at_its_save(storage: &dyn Storage) {
    save(storage, "other").await;
    assert_eq!(storage.schedules(&Scope::All).await.unwrap(), []);
    let stored = save_as(storage, hourly(), 30).await;
    let schedule = only(storage).await;
    assert_eq!(state(&schedule), (at(30), None, None));
    assert_eq!(schedule.pipeline, stored);
}

/// A tick makes its run with its event, moves the cursor and is remembered, in one step.
pub async fn a_tick_makes_its_run_and_moves_the_cursor(storage: &dyn Storage) {
    let mut put = put_of(hourly(), 0);
    put.scope = scope("ann");
    storage.put_pipeline(put).await.unwrap();
    let answer = storage.advance(tick(&only(storage).await, 1, 60)).await;
    let answer = answer.unwrap();
    let events = events_of(storage, run_id(1)).await;
    assert_eq!(
        (answer.tick, answer.seq),
        (TickOutcome::Created, events[0].seq)
    );
    assert_eq!(events[0].kind, EventKind::RunCreated);
    let run = found(storage, run_id(1)).await.run;
    assert_eq!(
        (run.status, run.trigger),
        (RunStatus::Pending, Trigger::Schedule)
    );
    assert_eq!(run.tenant, Some(TenantId::new("ann").unwrap()));
    let schedule = only(storage).await;
    assert_eq!(state(&schedule), (at(60), Some(at(60)), None));
}

/// Who decides a tick by a cursor that has moved since changes nothing.
pub async fn a_tick_that_is_decided_twice_makes_one_run(storage: &dyn Storage) {
    save_as(storage, hourly(), 0).await;
    let seen = only(storage).await;
    assert_eq!(
        advance(storage, tick(&seen, 1, 60)).await,
        TickOutcome::Created
    );
    let moved = only(storage).await;
    for again in [tick(&seen, 2, 60), tick(&seen, 3, 120)] {
        assert_eq!(advance(storage, again).await, TickOutcome::Stale);
    }
    let passed = Advance::new(&seen, at(500));
    assert_eq!(advance(storage, passed).await, TickOutcome::Stale);
    assert_eq!(only(storage).await, moved);
    assert_eq!(count_runs(storage).await, 1);
}

/// A tick whose instant has a run already makes no other, and the cursor moves, back too.
pub async fn a_tick_whose_instant_has_a_run_makes_none(storage: &dyn Storage) {
    save_as(storage, hourly(), 0).await;
    advance(storage, tick(&only(storage).await, 1, 60)).await;
    advance(storage, tick(&only(storage).await, 2, 120)).await;
    let again = tick(&only(storage).await, 3, 60);
    assert_eq!(advance(storage, again).await, TickOutcome::Taken);
    assert_eq!(state(&only(storage).await), (at(60), Some(at(120)), None));
    assert_eq!(count_runs(storage).await, 2);
}

/// Missed ticks are passed over without a run.
pub async fn missed_ticks_are_passed_over(storage: &dyn Storage) {
    save_as(storage, hourly(), 0).await;
    let pass = Advance::new(&only(storage).await, at(90));
    assert_eq!(advance(storage, pass).await, TickOutcome::Passed);
    assert_eq!(state(&only(storage).await), (at(90), None, None));
    assert_eq!(count_runs(storage).await, 0);
}

/// With `skip` no run is made while one of the schedule is unfinished, pending or running; others
/// do not count.
pub async fn a_tick_that_overlaps_is_skipped_and_noted(storage: &dyn Storage) {
    save_as(storage, hourly().overlap(Overlap::Skip), 0).await;
    create(storage, new_run(1, "daily")).await.unwrap();
    let first = tick(&only(storage).await, 2, 60);
    assert_eq!(advance(storage, first).await, TickOutcome::Created);
    let skipped = TickOutcome::Skipped(SkipReason::Overlap);
    let second = tick(&only(storage).await, 3, 120);
    assert_eq!(advance(storage, second).await, skipped);
    let noted = (at(120), Some(at(60)), Some(SkipReason::Overlap));
    assert_eq!(state(&only(storage).await), noted);
    claim_one(storage, claim(1, 130), run_id(1)).await;
    let mut driver = Driver::of(&claim_one(storage, claim(1, 130), run_id(2)).await);
    let third = tick(&only(storage).await, 3, 180);
    assert_eq!(advance(storage, third).await, skipped);
    driver.append(storage, [end_of(2, RunStatus::Failed)]).await;
    let fourth = tick(&only(storage).await, 3, 240);
    assert_eq!(advance(storage, fourth).await, TickOutcome::Created);
    assert_eq!(state(&only(storage).await), (at(240), Some(at(240)), None));
}

/// With `queue` a run is made though one of the schedule is unfinished.
pub async fn a_tick_that_may_wait_is_made(storage: &dyn Storage) {
    save_as(storage, hourly(), 0).await;
    for n in 1..=3 {
        let next = tick(&only(storage).await, n, i64::try_from(n).unwrap() * 60);
        assert_eq!(advance(storage, next).await, TickOutcome::Created);
    }
    assert_eq!(count_runs(storage).await, 3);
}

/// Where no more runs may wait none is made, and that is noted.
pub async fn a_tick_into_a_full_queue_is_noted_as_blocked(storage: &dyn Storage) {
    save_as(storage, hourly(), 0).await;
    create(storage, new_run(1, "daily")).await.unwrap();
    for (pipeline_max, max, seconds) in [(1, 10, 60), (10, 1, 120)] {
        let mut full = tick(&only(storage).await, 2, seconds);
        (full.queued_pipeline_max, full.queued_max) = (pipeline_max, max);
        let blocked = TickOutcome::Skipped(SkipReason::Blocked);
        assert_eq!(advance(storage, full).await, blocked);
        let noted = (at(seconds), None, Some(SkipReason::Blocked));
        assert_eq!(state(&only(storage).await), noted);
    }
    assert_eq!(count_runs(storage).await, 1);
}

/// Another expression or zone begins at its save, and so does a schedule that is enabled.
pub async fn a_changed_schedule_begins_anew(storage: &dyn Storage) {
    save_as(storage, hourly(), 0).await;
    advance(storage, tick(&only(storage).await, 1, 60)).await;
    let zone = || hourly().schedule_timezone("Europe/Berlin");
    let mut disabled = zone().schedule("@daily");
    disabled.enabled = false;
    let mut enabled = disabled.clone();
    enabled.enabled = true;
    for (changed, seconds) in [
        (zone(), 100),
        (zone().schedule("@daily"), 200),
        (disabled.clone(), 200),
        (enabled.clone(), 300),
    ] {
        save_as(storage, changed, seconds + i64::from(seconds == 200)).await;
        let cursor = only(storage).await.cursor;
        assert!(cursor >= at(seconds) && cursor <= at(seconds + 1));
    }
    let schedule = only(storage).await;
    assert_eq!(
        schedule.last_run,
        Some(at(60)),
        "it is the pipeline's still"
    );
    save_as(storage, definition("daily"), 400).await;
    assert_eq!(storage.schedules(&Scope::All).await.unwrap(), []);
    save_as(storage, enabled, 500).await;
    assert_eq!(only(storage).await.cursor, at(500));
}

/// A save that leaves schedule and zone as they are keeps the cursor, and so does a disabling one.
pub async fn another_change_keeps_the_cursor(storage: &dyn Storage) {
    save_as(storage, hourly(), 0).await;
    advance(storage, tick(&only(storage).await, 1, 60)).await;
    let mut disabled = hourly();
    disabled.enabled = false;
    for (seconds, changed) in [
        (100, hourly()),
        (200, hourly().param("x", "1")),
        (300, hourly().schedule_timezone("UTC")),
        (400, hourly().catch_up().overlap(Overlap::Skip)),
        (500, disabled),
    ] {
        let stored = save_as(storage, changed, seconds).await;
        let schedule = only(storage).await;
        assert_eq!(state(&schedule), (at(60), Some(at(60)), None));
        assert_eq!(schedule.pipeline, stored);
    }
}

/// A tick that was decided by a version that was replaced meanwhile changes nothing.
pub async fn a_tick_decided_by_another_version_is_stale(storage: &dyn Storage) {
    save_as(storage, hourly(), 0).await;
    let seen = only(storage).await;
    save_as(storage, hourly().param("x", "1"), 30).await;
    assert_eq!(
        advance(storage, tick(&seen, 1, 60)).await,
        TickOutcome::Stale
    );
    assert_eq!(only(storage).await.cursor, at(0));
    assert_eq!(count_runs(storage).await, 0);
}

/// Deleting a pipeline ends its schedule; one that takes its id begins anew.
pub async fn a_schedule_ends_with_its_pipeline(storage: &dyn Storage) {
    save_as(storage, hourly(), 0).await;
    let seen = only(storage).await;
    let id = pipeline_id("daily");
    let deleted = storage
        .delete_pipeline(DeletePipeline::new(id.clone(), at(10)))
        .await;
    deleted.unwrap();
    assert_eq!(storage.schedules(&Scope::All).await.unwrap(), []);
    assert_eq!(
        advance(storage, tick(&seen, 1, 60)).await,
        TickOutcome::Stale
    );
    save_as(storage, hourly(), 100).await;
    assert_eq!(state(&only(storage).await), (at(100), None, None));
}

/// A tenant sees the schedules of its own pipelines; the order is that of their ids.
pub async fn schedules_are_those_of_the_scope(storage: &dyn Storage) {
    for (id, tenant) in [("b", None), ("a", Some("ann")), ("c", Some("ben"))] {
        let mut put = put_of(definition(id).schedule("@daily"), 0);
        put.scope = tenant.map_or(Scope::All, scope);
        storage.put_pipeline(put).await.unwrap();
    }
    let ids = async |scope: Scope| {
        let schedules = storage.schedules(&scope).await.unwrap();
        let ids = schedules.iter().map(|one| one.pipeline.id.to_string());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(ids(Scope::All).await, ["a", "b", "c"]);
    assert_eq!(ids(scope("ann")).await, ["a"]);
    assert_eq!(ids(scope("eve")).await, Vec::<String>::new());
}

/// Of a schedule's runs the next is claimed once the one before has ended; other runs of the
/// pipeline go past.
pub async fn runs_of_a_schedule_execute_one_at_a_time(storage: &dyn Storage) {
    save(storage, "daily").await;
    save(storage, "hourly").await;
    for (n, pipeline, trigger) in [
        (1, "daily", Trigger::Catchup),
        (2, "daily", Trigger::Schedule),
        (3, "daily", Trigger::Schedule),
        (4, "daily", Trigger::Manual),
        (5, "daily", Trigger::Backfill),
        (6, "hourly", Trigger::Schedule),
    ] {
        let mut run = new_run(n, pipeline);
        run.trigger = trigger;
        create(storage, run).await.unwrap();
    }
    let mut first = claim(1, 10);
    first.count_max = 2;
    let claims = storage.claim(first).await.unwrap().claimed;
    let claimed: Vec<_> = claims.iter().map(|claimed| claimed.run.id).collect();
    assert_eq!(claimed, [4, 1].map(run_id));
    assert_eq!(claimed_ids(storage, claim(1, 10)).await, [6, 5].map(run_id));
    let mut driver = Driver::of(&claims[1]);
    for n in [2, 3] {
        assert_eq!(claimed_ids(storage, claim(1, 20)).await, []);
        driver
            .append(storage, [end_of(n - 1, RunStatus::Success)])
            .await;
        driver = Driver::of(&claim_one(storage, claim(1, 30), run_id(n)).await);
    }
}

/// An orphan of a schedule goes on first; the next of its runs waits until it has ended.
pub async fn the_turn_of_a_schedule_outlives_a_crash(storage: &dyn Storage) {
    save(storage, "daily").await;
    for n in [1, 2] {
        let mut run = new_run(n, "daily");
        run.trigger = Trigger::Schedule;
        create(storage, run).await.unwrap();
    }
    assert_eq!(claimed_ids(storage, claim(1, 10)).await, [run_id(1)]);
    let again = claim_one(storage, claim(2, 1_000), run_id(1)).await;
    assert_eq!(claimed_ids(storage, claim(2, 1_000)).await, []);
    let mut driver = Driver::of(&again);
    let refusal = storage.append(Driver { epoch: 0, ..driver }.next([])).await;
    refused(refusal, ErrorKind::StaleEpoch);
    driver
        .append(storage, [end_of(1, RunStatus::Success)])
        .await;
    assert_eq!(claimed_ids(storage, claim(2, 1_100)).await, [run_id(2)]);
}
