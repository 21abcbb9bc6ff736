//! Schedules: the steps of a schedule and its restarts.
//!
//! `schedule_claims` has the claims of the runs, and `replaced_ticks` the overlap rule that cancels
//! them. `src/cron/` computes fire times; the cases give them.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::fixtures::{
    Driver, at, claim, claim_one, create, definition, events_of, list_run_ids, new_run,
    pipeline_id, put, read_run, run_finished, run_id, save, scope,
};
use crate::model::{
    EventKind, Overlap, Pipeline, RunStatus, Scope, SkipReason, StoredPipeline, TenantId, Trigger,
};
use crate::storage::{
    Advance, DeletePipeline, NewRun, PutPipeline, RunFilter, Storage, StoredSchedule, TickOutcome,
};

pub(super) fn hourly() -> Pipeline {
    definition("daily").schedule("0 * * * *")
}

fn put_at(pipeline: Pipeline, seconds: i64) -> PutPipeline {
    let mut put = put(&pipeline.id);
    put.definition = Arc::new(pipeline);
    put.now = at(seconds);
    put
}

pub(super) async fn save_at(
    storage: &dyn Storage,
    pipeline: Pipeline,
    seconds: i64,
) -> StoredPipeline {
    let put = put_at(pipeline, seconds);
    storage.put_pipeline(put).await.unwrap()
}

/// Reads the only schedule.
pub(super) async fn only_schedule(storage: &dyn Storage) -> StoredSchedule {
    let mut all = storage.schedules(&Scope::All).await.unwrap();
    let one = all.pop().unwrap();
    assert_eq!(all, []);
    one
}

/// Returns the step of the tick at a second, with run `n`.
pub(super) fn tick(schedule: &StoredSchedule, n: u64, seconds: i64) -> Advance {
    let mut run = new_run(n, schedule.pipeline.id.as_str());
    run.trigger = Trigger::Schedule;
    run.pipeline_version = schedule.pipeline.version;
    let mut new = NewRun::new(run);
    new.fire_at = Some(at(seconds));
    let mut advance = Advance::new(schedule, at(seconds));
    advance.run = Some(new);
    advance
}

pub(super) async fn advance(storage: &dyn Storage, advance: Advance) -> TickOutcome {
    storage.advance(advance).await.unwrap().tick
}

/// Returns the state of a schedule: its cursor, the last tick with a run, and why the newest tick
/// has none.
fn state(schedule: &StoredSchedule) -> (DateTime<Utc>, Option<DateTime<Utc>>, Option<SkipReason>) {
    (schedule.cursor, schedule.last_run, schedule.skipped)
}

pub(super) async fn count_runs(storage: &dyn Storage) -> usize {
    list_run_ids(storage, RunFilter::default()).await.len()
}

/// A schedule MUST start at the save that adds it. A pipeline without one has no schedule.
pub async fn a_schedule_starts_at_its_save(storage: &dyn Storage) {
    save(storage, "other").await;
    assert_eq!(storage.schedules(&Scope::All).await.unwrap(), []);
    let stored = save_at(storage, hourly(), 30).await;
    let schedule = only_schedule(storage).await;
    assert_eq!(state(&schedule), (at(30), None, None));
    assert_eq!(schedule.pipeline, stored);
}

/// A tick MUST create its run with its event, move the cursor and set `last_run` in one step.
pub async fn a_tick_creates_its_run_and_moves_the_cursor(storage: &dyn Storage) {
    let mut put = put_at(hourly(), 0);
    put.scope = scope("ann");
    storage.put_pipeline(put).await.unwrap();
    let advanced = storage
        .advance(tick(&only_schedule(storage).await, 1, 60))
        .await;
    let advanced = advanced.unwrap();
    let events = events_of(storage, run_id(1)).await;
    assert_eq!(
        (advanced.tick, advanced.seq),
        (TickOutcome::Created, events[0].seq)
    );
    assert_eq!(events[0].kind, EventKind::RunCreated);
    let run = read_run(storage, run_id(1)).await.run;
    assert_eq!(
        (run.status, run.trigger),
        (RunStatus::Pending, Trigger::Schedule)
    );
    assert_eq!(run.tenant, Some(TenantId::new("ann").unwrap()));
    let schedule = only_schedule(storage).await;
    assert_eq!(state(&schedule), (at(60), Some(at(60)), None));
}

/// A tick that was decided by an outdated cursor MUST be stale and change nothing.
pub async fn a_tick_decided_twice_creates_one_run(storage: &dyn Storage) {
    save_at(storage, hourly(), 0).await;
    let seen = only_schedule(storage).await;
    assert_eq!(
        advance(storage, tick(&seen, 1, 60)).await,
        TickOutcome::Created
    );
    let moved = only_schedule(storage).await;
    for again in [tick(&seen, 2, 60), tick(&seen, 3, 120)] {
        assert_eq!(advance(storage, again).await, TickOutcome::Stale);
    }
    let passed = Advance::new(&seen, at(500));
    assert_eq!(advance(storage, passed).await, TickOutcome::Stale);
    assert_eq!(only_schedule(storage).await, moved);
    assert_eq!(count_runs(storage).await, 1);
}

/// A tick whose instant already has a run MUST create no other. The cursor MUST move, even back.
pub async fn a_tick_that_has_a_run_creates_no_other(storage: &dyn Storage) {
    save_at(storage, hourly(), 0).await;
    advance(storage, tick(&only_schedule(storage).await, 1, 60)).await;
    advance(storage, tick(&only_schedule(storage).await, 2, 120)).await;
    let again = tick(&only_schedule(storage).await, 3, 60);
    assert_eq!(advance(storage, again).await, TickOutcome::Taken);
    assert_eq!(
        state(&only_schedule(storage).await),
        (at(60), Some(at(120)), None)
    );
    assert_eq!(count_runs(storage).await, 2);
}

/// A step without a run MUST move the cursor past the missed ticks.
pub async fn missed_ticks_are_passed_without_a_run(storage: &dyn Storage) {
    save_at(storage, hourly(), 0).await;
    let pass = Advance::new(&only_schedule(storage).await, at(90));
    assert_eq!(advance(storage, pass).await, TickOutcome::Passed);
    assert_eq!(state(&only_schedule(storage).await), (at(90), None, None));
    assert_eq!(count_runs(storage).await, 0);
}

/// With the overlap rule `skip`, a tick MUST be skipped while a run of the schedule is pending or
/// running. Other runs of the pipeline MUST NOT count.
pub async fn an_overlapping_tick_is_skipped_and_recorded(storage: &dyn Storage) {
    save_at(storage, hourly().overlap(Overlap::Skip), 0).await;
    create(storage, new_run(1, "daily")).await.unwrap();
    let first = tick(&only_schedule(storage).await, 2, 60);
    assert_eq!(advance(storage, first).await, TickOutcome::Created);
    let skipped = TickOutcome::Skipped(SkipReason::Overlap);
    let second = tick(&only_schedule(storage).await, 3, 120);
    assert_eq!(advance(storage, second).await, skipped);
    let recorded = (at(120), Some(at(60)), Some(SkipReason::Overlap));
    assert_eq!(state(&only_schedule(storage).await), recorded);
    claim_one(storage, claim(1, 130), run_id(1)).await;
    let mut driver = Driver::new(&claim_one(storage, claim(2, 130), run_id(2)).await);
    let third = tick(&only_schedule(storage).await, 3, 180);
    assert_eq!(advance(storage, third).await, skipped);
    driver
        .append(storage, [run_finished(2, RunStatus::Failed)])
        .await;
    let fourth = tick(&only_schedule(storage).await, 3, 240);
    assert_eq!(advance(storage, fourth).await, TickOutcome::Created);
    assert_eq!(
        state(&only_schedule(storage).await),
        (at(240), Some(at(240)), None)
    );
}

/// With the overlap rule `queue`, a tick MUST create its run even if another run of the schedule is
/// unfinished.
pub async fn an_overlapping_tick_can_queue_its_run(storage: &dyn Storage) {
    save_at(storage, hourly(), 0).await;
    for n in 1..=3 {
        let next = tick(
            &only_schedule(storage).await,
            n,
            i64::try_from(n).unwrap() * 60,
        );
        assert_eq!(advance(storage, next).await, TickOutcome::Created);
    }
    assert_eq!(count_runs(storage).await, 3);
}

/// A tick on a full queue MUST create no run and MUST be recorded as blocked.
pub async fn a_tick_on_a_full_queue_is_recorded_as_blocked(storage: &dyn Storage) {
    save_at(storage, hourly(), 0).await;
    create(storage, new_run(1, "daily")).await.unwrap();
    for (pipeline_max, max, seconds) in [(1, 10, 60), (10, 1, 120)] {
        let mut full = tick(&only_schedule(storage).await, 2, seconds);
        (full.queued_pipeline_max, full.queued_max) = (pipeline_max, max);
        let blocked = TickOutcome::Skipped(SkipReason::Blocked);
        assert_eq!(advance(storage, full).await, blocked);
        let recorded = (at(seconds), None, Some(SkipReason::Blocked));
        assert_eq!(state(&only_schedule(storage).await), recorded);
    }
    assert_eq!(count_runs(storage).await, 1);
}

/// A schedule with a changed expression or zone MUST restart at its save. So MUST a schedule that
/// is enabled again.
pub async fn a_changed_schedule_restarts_at_its_save(storage: &dyn Storage) {
    save_at(storage, hourly(), 0).await;
    advance(storage, tick(&only_schedule(storage).await, 1, 60)).await;
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
        save_at(storage, changed, seconds + i64::from(seconds == 200)).await;
        let cursor = only_schedule(storage).await.cursor;
        assert!(cursor >= at(seconds) && cursor <= at(seconds + 1));
    }
    let schedule = only_schedule(storage).await;
    assert_eq!(
        schedule.last_run,
        Some(at(60)),
        "it belongs to the pipeline"
    );
    save_at(storage, definition("daily"), 400).await;
    assert_eq!(storage.schedules(&Scope::All).await.unwrap(), []);
    save_at(storage, enabled, 500).await;
    assert_eq!(only_schedule(storage).await.cursor, at(500));
}

/// A save that keeps expression and zone, or disables the schedule, MUST keep the cursor.
pub async fn other_changes_keep_the_cursor(storage: &dyn Storage) {
    save_at(storage, hourly(), 0).await;
    advance(storage, tick(&only_schedule(storage).await, 1, 60)).await;
    let mut disabled = hourly();
    disabled.enabled = false;
    for (seconds, changed) in [
        (100, hourly()),
        (200, hourly().param("x", "1")),
        (300, hourly().schedule_timezone("UTC")),
        (400, hourly().catch_up().overlap(Overlap::Skip)),
        (500, disabled),
    ] {
        let stored = save_at(storage, changed, seconds).await;
        let schedule = only_schedule(storage).await;
        assert_eq!(state(&schedule), (at(60), Some(at(60)), None));
        assert_eq!(schedule.pipeline, stored);
    }
}

/// A tick that was decided by a replaced version MUST be stale and change nothing.
pub async fn a_tick_of_a_replaced_version_is_stale(storage: &dyn Storage) {
    save_at(storage, hourly(), 0).await;
    let seen = only_schedule(storage).await;
    save_at(storage, hourly().param("x", "1"), 30).await;
    assert_eq!(
        advance(storage, tick(&seen, 1, 60)).await,
        TickOutcome::Stale
    );
    assert_eq!(only_schedule(storage).await.cursor, at(0));
    assert_eq!(count_runs(storage).await, 0);
}

/// Deleting a pipeline MUST delete its schedule. A new pipeline with that id MUST start a new one.
pub async fn a_schedule_is_deleted_with_its_pipeline(storage: &dyn Storage) {
    save_at(storage, hourly(), 0).await;
    let seen = only_schedule(storage).await;
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
    save_at(storage, hourly(), 100).await;
    assert_eq!(state(&only_schedule(storage).await), (at(100), None, None));
}

/// A tenant MUST get only the schedules of its own pipelines, by pipeline id.
pub async fn schedules_are_limited_to_the_scope(storage: &dyn Storage) {
    for (id, tenant) in [("b", None), ("a", Some("ann")), ("c", Some("ben"))] {
        let mut put = put_at(definition(id).schedule("@daily"), 0);
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
