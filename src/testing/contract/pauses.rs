//! Pauses of pipelines: what they stop, and what does not change them.
//!
//! Which `enabled` stays is left to `enabled`.

use super::fixtures::{
    Driver, at, claim, claim_one, create, definition, new_run, pipeline_id, put, run_finished,
    run_id, save, save_for, scope,
};
use super::schedules::{advance, hourly, only_schedule, save_at, tick};
use crate::error::ErrorKind;
use crate::model::PageRequest;
use crate::model::{
    CallerName, LaneClass, Overlap, Pause, RunStatus, Scope, SkipReason, StoredPipeline, Trigger,
};
use crate::storage::{
    Claim, CreateRuns, DeletePipeline, Expect, HeldRun, NewRun, PipelineFilter, SavedBy, SetPause,
    Storage, TickOutcome,
};

/// Returns a pause with all that one may have.
pub(super) fn pause(seconds: i64) -> Pause {
    let mut pause = Pause::new(at(seconds));
    pause.by = Some(CallerName::new("ann"));
    pause.reason = Some("the source\nis being moved ✓".to_owned());
    pause
}

async fn set(storage: &dyn Storage, pause: Option<Pause>) -> StoredPipeline {
    let request = SetPause::new(pipeline_id("daily"), pause);
    storage.set_pause(request).await.unwrap()
}

async fn find(storage: &dyn Storage) -> StoredPipeline {
    let found = storage.find_pipeline("daily", &Scope::All).await.unwrap();
    found.unwrap()
}

/// A pause MUST be returned with its pipeline everywhere. It MUST keep the version and
/// `updated_at`, and a second one MUST change nothing.
pub async fn a_pause_is_returned_with_its_pipeline(storage: &dyn Storage) {
    let stored = save_at(storage, hourly(), 0).await;
    assert_eq!(stored.paused, None);
    let expected = StoredPipeline {
        paused: Some(pause(7)),
        ..stored.clone()
    };
    assert_eq!(set(storage, Some(pause(7))).await, expected);
    assert_eq!(set(storage, Some(Pause::new(at(9)))).await, expected);
    assert_eq!(find(storage).await, expected);
    let page = PageRequest::Newest { limit: 10 };
    let listed = storage.list_pipelines(PipelineFilter::default(), page);
    assert_eq!(listed.await.unwrap().items, std::slice::from_ref(&expected));
    assert_eq!(only_schedule(storage).await.pipeline, expected);
    for _ in 0..2 {
        assert_eq!(set(storage, None).await, stored);
        assert_eq!(find(storage).await, stored);
    }
}

/// A pause that expects another version MUST be refused, and change nothing.
pub async fn a_pause_that_expects_another_version_is_refused(storage: &dyn Storage) {
    save(storage, "daily").await;
    for (pause, version) in [(Some(pause(1)), 2), (None, 2), (Some(pause(1)), 0)] {
        let mut request = SetPause::new(pipeline_id("daily"), pause);
        request.version = Some(version);
        let refused = storage.set_pause(request).await.unwrap_err();
        assert_eq!(refused.slug(), "precondition-failed");
        assert_eq!(find(storage).await.paused, None);
    }
    let mut request = SetPause::new(pipeline_id("daily"), Some(pause(1)));
    request.version = Some(1);
    let paused = storage.set_pause(request).await.unwrap();
    assert_eq!(paused.paused, Some(pause(1)));
}

/// No save MUST end a pause, whatever its author is. The deletion of the pipeline MUST end it.
pub async fn only_an_unpause_and_a_deletion_end_a_pause(storage: &dyn Storage) {
    save(storage, "daily").await;
    set(storage, Some(pause(1))).await;
    for (n, saved_by) in (2..).zip([SavedBy::Caller, SavedBy::Code, SavedBy::Removal]) {
        let mut changed = put("daily");
        changed.definition = definition("daily").description(format!("{n}")).into();
        (changed.saved_by, changed.now) = (saved_by, at(n));
        let saved = storage.put_pipeline(changed).await.unwrap();
        assert_eq!(saved.paused, Some(pause(1)), "{saved_by:?}");
        assert_eq!(find(storage).await, saved);
    }
    let delete = DeletePipeline::new(pipeline_id("daily"), at(9));
    storage.delete_pipeline(delete).await.unwrap();
    let mut again = put("daily");
    again.expect = Expect::Absent;
    assert_eq!(storage.put_pipeline(again).await.unwrap().paused, None);
    assert_eq!(find(storage).await.paused, None);
}

/// The pause of a pipeline that is absent, deleted or outside the scope MUST be refused.
pub async fn only_a_pipeline_in_scope_can_be_paused(storage: &dyn Storage) {
    let mut request = SetPause::new(pipeline_id("daily"), Some(pause(1)));
    let refused = storage.set_pause(request.clone()).await.unwrap_err();
    assert_eq!(refused.slug(), "pipeline-not-found");
    save_for(storage, "daily", "ann").await;
    save_for(storage, "daily", "bob").await;
    let refused = storage.set_pause(request.clone()).await.unwrap_err();
    assert_eq!(refused.slug(), "tenant-required");
    request.scope = scope("eve");
    let refused = storage.set_pause(request.clone()).await.unwrap_err();
    assert_eq!(refused.slug(), "pipeline-not-found");
    request.scope = scope("ann");
    assert_eq!(
        storage.set_pause(request).await.unwrap().paused,
        Some(pause(1))
    );
    let other = storage.find_pipeline("daily", &scope("bob")).await.unwrap();
    assert_eq!(other.unwrap().paused, None);
    let delete = DeletePipeline::new(pipeline_id("daily"), at(9));
    let delete = DeletePipeline {
        scope: scope("ann"),
        ..delete
    };
    storage.delete_pipeline(delete).await.unwrap();
    let mut request = SetPause::new(pipeline_id("daily"), None);
    request.scope = scope("ann");
    let refused = storage.set_pause(request).await.unwrap_err();
    assert_eq!(refused.slug(), "pipeline-not-found");
}

/// Claims as one owner, and returns the claimed runs.
async fn claimed(storage: &dyn Storage, claim: Claim) -> Vec<HeldRun> {
    let outcome = storage.claim(claim).await.unwrap();
    let claimed = outcome.claimed.iter();
    claimed
        .map(|claimed| HeldRun::new(claimed.run.id, claimed.epoch))
        .collect()
}

/// The pending runs of a paused pipeline MUST wait, and those of others MUST NOT. A run that
/// executes MUST go on, also after its process has died.
pub async fn the_runs_of_a_paused_pipeline_wait(storage: &dyn Storage) {
    save(storage, "daily").await;
    save(storage, "other").await;
    create(storage, new_run(1, "daily")).await.unwrap();
    let mut driver = Driver::new(&claim_one(storage, claim(1, 10), run_id(1)).await);
    create(storage, new_run(2, "daily")).await.unwrap();
    create(storage, new_run(3, "other")).await.unwrap();
    set(storage, Some(pause(5))).await;
    for (n, trigger) in (4..).zip(Trigger::ALL) {
        let mut run = new_run(n, "daily");
        run.trigger = trigger;
        create(storage, run).await.unwrap();
    }
    let mut full = CreateRuns::new(vec![NewRun::new(new_run(90, "other"))]);
    full.queued_max = 1;
    let refused = storage.create_runs(full).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::QueueFull, "runs that wait count");

    // The owner of run 1 has died, and its lease has ended.
    let mut again = claim(2, 10);
    again.now = at(1_000);
    let held = claimed(storage, again.clone()).await;
    let ids: Vec<_> = held.iter().map(|held| held.run).collect();
    assert_eq!(ids, [run_id(1), run_id(3)]);
    driver.epoch = held[0].epoch;
    driver
        .append(storage, [run_finished(40, RunStatus::Failed)])
        .await;
    again.held = held[1..].to_vec();
    assert_eq!(claimed(storage, again.clone()).await, []);
    set(storage, None).await;
    let held = claimed(storage, again).await;
    assert_eq!(held[0].run, run_id(2));
    // One run of a schedule executes at a time. All others start.
    let is_manual = |trigger: &Trigger| trigger.lane_class() != LaneClass::Schedule;
    let others = Trigger::ALL.iter().copied().filter(is_manual).count();
    assert_eq!(held.len(), 1 + others + 1);
}

/// A tick of a paused pipeline MUST move the cursor and create no run, whatever the overlap rule
/// is.
pub async fn a_tick_of_a_paused_pipeline_creates_no_run(storage: &dyn Storage) {
    let pipeline = hourly().overlap(Overlap::CancelRunning);
    save_at(storage, pipeline, 0).await;
    let first = tick(&only_schedule(storage).await, 1, 60);
    assert_eq!(advance(storage, first).await, TickOutcome::Created);
    set(storage, Some(pause(61))).await;
    let paused = tick(&only_schedule(storage).await, 2, 120);
    let outcome = storage.advance(paused).await.unwrap();
    assert_eq!(outcome.tick, TickOutcome::Skipped(SkipReason::Paused));
    assert_eq!(outcome.replaced, []);
    let schedule = only_schedule(storage).await;
    assert_eq!(
        (schedule.cursor, schedule.last_run),
        (at(120), Some(at(60)))
    );
    assert_eq!(schedule.skipped, Some(SkipReason::Paused));
    set(storage, None).await;
    let next = tick(&only_schedule(storage).await, 3, 180);
    assert_eq!(advance(storage, next).await, TickOutcome::Created);
    assert_eq!(only_schedule(storage).await.skipped, None);
}
