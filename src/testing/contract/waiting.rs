//! Why a pending run waits, and how many runs come before it.
//!
//! What a claim leaves is in the modules of the limits.

use super::backfill_fixtures::new_backfill;
use super::concurrency::keyed;
use super::delays::delayed;
use super::fixtures::{
    at, claim, claimed_ids, create, definition, new_run, pipeline_id, put, run_finished, run_id,
    save, save_for, scope, started_run,
};
use super::schedules::{hourly, save_at};
use crate::model::{
    BackfillOrder, Pause, Pipeline, Priority, RunStatus, Scope, Trigger, WaitReason, Waiting,
};
use crate::storage::{Claim, CreateRuns, NewRun, SetPause, Storage};

/// Returns why run `n` waits at second 10.
async fn waiting(storage: &dyn Storage, n: u64) -> Option<Waiting> {
    let waiting = storage.waiting(run_id(n), &Scope::All, at(10)).await;
    waiting.unwrap()
}

async fn assert_waits(storage: &dyn Storage, n: u64, reason: WaitReason, ahead: u64) {
    let expected = Some(Waiting::new(reason, Some(ahead)));
    assert_eq!(waiting(storage, n).await, expected, "run {n}");
}

async fn save_pipeline(storage: &dyn Storage, pipeline: Pipeline) {
    let mut put = put(&pipeline.id);
    put.definition = pipeline.into();
    storage.put_pipeline(put).await.unwrap();
}

/// A run that is not pending, absent or outside the scope MUST have no reason.
pub async fn only_a_pending_run_in_scope_waits(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    assert_eq!(waiting(storage, 1).await, None);
    let finished = [run_finished(1, RunStatus::Success)];
    driver.append(storage, finished).await;
    assert_eq!(waiting(storage, 1).await, None);
    assert_eq!(waiting(storage, 9).await, None);
    save_for(storage, "daily", "ann").await;
    let mut create = CreateRuns::new(vec![NewRun::new(new_run(2, "daily"))]);
    create.scope = scope("ann");
    storage.create_runs(create).await.unwrap();
    let expected = Some(Waiting::new(WaitReason::EngineLimit, Some(0)));
    for (scope, expected) in [
        (Scope::All, expected),
        (scope("ann"), expected),
        (scope("bob"), None),
        (Scope::NoTenant, None),
    ] {
        let found = storage.waiting(run_id(2), &scope, at(10)).await;
        assert_eq!(found.unwrap(), expected, "{scope:?}");
    }
}

/// Without another reason, all runs with a better rank, or with the same rank and a smaller id,
/// MUST come before a run. A delayed run MUST NOT.
pub async fn a_run_waits_behind_those_that_are_claimed_first(storage: &dyn Storage) {
    save(storage, "daily").await;
    save(storage, "other").await;
    let with = |n, pipeline, priority, trigger| {
        let mut run = new_run(n, pipeline);
        (run.priority, run.trigger) = (priority, trigger);
        run
    };
    for run in [
        with(1, "daily", Priority::Normal, Trigger::Manual),
        with(2, "other", Priority::Normal, Trigger::Schedule),
        with(3, "other", Priority::High, Trigger::Manual),
        with(4, "daily", Priority::Low, Trigger::Manual),
        with(5, "daily", Priority::Normal, Trigger::Resume),
        delayed(6, 500),
    ] {
        create(storage, run).await.unwrap();
    }
    for (n, ahead) in [(3, 0), (1, 1), (5, 2), (4, 3), (2, 4)] {
        assert_waits(storage, n, WaitReason::EngineLimit, ahead).await;
    }
    let first = claim_some(2, 1);
    assert_eq!(claimed_ids(storage, first).await, [run_id(3)]);
    assert_waits(storage, 2, WaitReason::EngineLimit, 3).await;
}

fn claim_some(owner: u64, count_max: u32) -> Claim {
    let mut some = claim(owner, 10);
    some.count_max = count_max;
    some
}

/// Each reason MUST be found, and the first of several MUST be the one that is shown.
pub async fn each_reason_is_found(storage: &dyn Storage) {
    save_pipeline(storage, definition("daily").max_concurrent_runs(1)).await;
    for n in 1..=3 {
        create(storage, new_run(n, "daily")).await.unwrap();
    }
    assert_eq!(claimed_ids(storage, claim(1, 10)).await, [run_id(1)]);
    assert_waits(storage, 2, WaitReason::PipelineLimit, 0).await;
    assert_waits(storage, 3, WaitReason::PipelineLimit, 1).await;

    let gated = definition("daily").max_concurrent_runs(1).depends_on("up");
    save_pipeline(storage, gated).await;
    assert_waits(storage, 3, WaitReason::Dependency, 1).await;
    let mut run = new_run(4, "daily");
    run.run_after = Some(at(50));
    create(storage, run).await.unwrap();
    let mut expected = Waiting::new(WaitReason::RunAfter, Some(2));
    expected.until = Some(at(50));
    assert_eq!(waiting(storage, 4).await, Some(expected));
    let due = storage.waiting(run_id(4), &Scope::All, at(50)).await;
    assert_eq!(due.unwrap().unwrap().reason, WaitReason::Dependency);

    let pause = SetPause::new(pipeline_id("daily"), Some(Pause::new(at(9))));
    storage.set_pause(pause).await.unwrap();
    assert_waits(storage, 3, WaitReason::Paused, 1).await;
    let delayed = waiting(storage, 4).await.unwrap();
    assert_eq!((delayed.reason, delayed.until), (WaitReason::Paused, None));
}

/// A run of a schedule MUST wait for the one that executes, and for no other run.
pub async fn a_run_of_a_schedule_waits_for_the_executing_one(storage: &dyn Storage) {
    save_at(storage, hourly(), 0).await;
    for n in 1..=2 {
        let mut run = new_run(n, "daily");
        run.trigger = Trigger::Schedule;
        create(storage, run).await.unwrap();
    }
    create(storage, new_run(3, "daily")).await.unwrap();
    assert_eq!(claimed_ids(storage, claim_some(1, 1)).await, [run_id(3)]);
    assert_waits(storage, 2, WaitReason::EngineLimit, 1).await;
    assert_eq!(claimed_ids(storage, claim_some(2, 1)).await, [run_id(1)]);
    assert_waits(storage, 2, WaitReason::Overlap, 0).await;
}

/// The runs of a backfill MUST wait for its own limit, in its order.
pub async fn a_run_of_a_backfill_waits_in_the_order_of_its_backfill(storage: &dyn Storage) {
    save(storage, "daily").await;
    let mut descending = new_backfill(1, "daily", 1, 3);
    if let Some(new) = &mut descending.backfill {
        new.backfill.order = BackfillOrder::Descending;
    }
    storage.create_runs(descending).await.unwrap();
    let ascending = new_backfill(2, "daily", 11, 3);
    storage.create_runs(ascending).await.unwrap();
    assert_waits(storage, 1, WaitReason::EngineLimit, 2).await;
    assert_waits(storage, 12, WaitReason::EngineLimit, 4).await;
    let claimed = claimed_ids(storage, claim(1, 10)).await;
    assert_eq!(claimed, [run_id(3), run_id(11)]);
    for (n, ahead) in [(2, 0), (1, 1), (12, 0), (13, 1)] {
        assert_waits(storage, n, WaitReason::BackfillLimit, ahead).await;
    }
}

/// A run that its key holds back MUST wait behind the pending ones of its key, and behind no other.
/// It MUST NOT come before a run that waits for something else.
pub async fn a_run_waits_behind_those_of_its_key(storage: &dyn Storage) {
    save_pipeline(storage, definition("daily").max_concurrent_runs(1)).await;
    for run in [keyed(1, "a"), keyed(2, "b"), keyed(3, "a"), keyed(4, "a")] {
        create(storage, run).await.unwrap();
    }
    let mut urgent = keyed(5, "a");
    urgent.priority = Priority::High;
    create(storage, urgent).await.unwrap();
    create(storage, new_run(6, "daily")).await.unwrap();
    let key = WaitReason::ConcurrencyKey;
    for (n, reason, ahead) in [
        (5, WaitReason::EngineLimit, 0),
        (1, key, 1),
        (2, WaitReason::EngineLimit, 1),
        (3, key, 2),
        (4, key, 3),
        (6, WaitReason::EngineLimit, 2),
    ] {
        assert_waits(storage, n, reason, ahead).await;
    }
    assert_eq!(claimed_ids(storage, claim(1, 10)).await, [run_id(5)]);
    assert_waits(storage, 1, key, 0).await;
    assert_waits(storage, 4, key, 2).await;
    assert_waits(storage, 6, WaitReason::PipelineLimit, 1).await;
    let pause = SetPause::new(pipeline_id("daily"), Some(Pause::new(at(9))));
    storage.set_pause(pause).await.unwrap();
    assert_waits(storage, 6, WaitReason::Paused, 1).await;
}

/// More than [`Waiting::EXAMINED_MAX`] runs before it MUST leave a run without a known place.
pub async fn a_place_far_behind_is_unknown(storage: &dyn Storage) {
    save(storage, "daily").await;
    let new = |n| NewRun::new(new_run(n, "daily"));
    let many = CreateRuns::new((1..=Waiting::EXAMINED_MAX).map(new).collect());
    storage.create_runs(many).await.unwrap();
    let last = Waiting::EXAMINED_MAX;
    assert_waits(storage, last, WaitReason::EngineLimit, last - 1).await;
    create(storage, new_run(last + 1, "daily")).await.unwrap();
    let unknown = Some(Waiting::new(WaitReason::EngineLimit, None));
    assert_eq!(waiting(storage, last + 1).await, unknown);
    assert_eq!(waiting(storage, 1).await, unknown);
    let mut urgent = new_run(last + 2, "daily");
    urgent.priority = Priority::High;
    create(storage, urgent).await.unwrap();
    assert_waits(storage, last + 2, WaitReason::EngineLimit, 0).await;
}
