//! The place of a pending run in the queue: its priority, and until when it stays pending.
//!
//! `queue` covers the other limits and the order by trigger.

use chrono::{DateTime, Utc};

use super::fixtures::{
    assert_problem, at, claim, claimed_ids, create, events_of, new_backfill, new_run, pending_run,
    read_run, run_id, save,
};
use crate::error::Problem;
use crate::model::{Cancel, Labels, Priority, Run, RunId, RunStatus, Trigger};
use crate::storage::{CancelRequest, CreateRuns, EditRun, NewRun, Storage};

/// Returns a run that stays pending for some seconds after the fixed time.
pub(super) fn delayed(n: u64, seconds: i64) -> Run {
    let mut run = new_run(n, "daily");
    run.run_after = Some(at(seconds));
    run
}

/// Claims all runs at a time, by an owner of its own. Returns their ids, and when the next delayed
/// run is due.
async fn claimed_at(
    storage: &dyn Storage,
    n: u64,
    seconds: i64,
) -> (Vec<RunId>, Option<DateTime<Utc>>) {
    let claims = storage.claim(claim(n, seconds)).await.unwrap();
    let ids = claims.claimed.iter().map(|claimed| claimed.run.id);
    (ids.collect(), claims.due_at)
}

/// Within the class of its trigger, a run MUST be claimed by its priority, then by its age.
pub async fn runs_of_a_class_are_claimed_by_priority(storage: &dyn Storage) {
    save(storage, "daily").await;
    save(storage, "hourly").await;
    for (n, pipeline, trigger, priority) in [
        (1, "daily", Trigger::Backfill, Priority::High),
        (2, "daily", Trigger::Manual, Priority::Low),
        (3, "hourly", Trigger::Manual, Priority::Normal),
        (4, "daily", Trigger::Manual, Priority::Normal),
        (5, "daily", Trigger::Resume, Priority::High),
        (6, "daily", Trigger::Schedule, Priority::Low),
        (7, "hourly", Trigger::Schedule, Priority::High),
        (8, "hourly", Trigger::Manual, Priority::High),
    ] {
        let mut run = new_run(n, pipeline);
        (run.trigger, run.priority) = (trigger, priority);
        create(storage, run).await.unwrap();
    }
    assert_eq!(
        read_run(storage, run_id(2)).await.run.priority,
        Priority::Low
    );
    let order = claimed_ids(storage, claim(1, 10)).await;
    assert_eq!(order, [5, 8, 3, 4, 2, 7, 6, 1].map(run_id));
    let running = read_run(storage, run_id(5)).await.run;
    assert_eq!(running.priority, Priority::High);
}

/// A run MUST NOT be claimed before its `run_after`, and MUST NOT hold up the runs after it. The
/// claim MUST return when the next delayed run is due.
pub async fn a_delayed_run_is_claimed_once_it_is_due(storage: &dyn Storage) {
    save(storage, "daily").await;
    create(storage, delayed(1, 30)).await.unwrap();
    create(storage, delayed(2, 20)).await.unwrap();
    create(storage, new_run(3, "daily")).await.unwrap();
    assert_eq!(
        claimed_at(storage, 1, 10).await,
        (vec![run_id(3)], Some(at(20)))
    );
    assert_eq!(claimed_at(storage, 2, 19).await, (vec![], Some(at(20))));
    let waiting = read_run(storage, run_id(2)).await.run;
    assert_eq!(
        (waiting.status, waiting.run_after),
        (RunStatus::Pending, Some(at(20)))
    );
    assert_eq!(
        claimed_at(storage, 3, 20).await,
        (vec![run_id(2)], Some(at(30)))
    );
    assert_eq!(claimed_at(storage, 4, 40).await, (vec![run_id(1)], None));
    let started = read_run(storage, run_id(1)).await.run;
    assert_eq!(
        (started.started_at, started.run_after),
        (Some(at(40)), Some(at(30)))
    );
    assert_eq!(events_of(storage, run_id(1)).await.len(), 2);
}

/// Delayed runs that are due MUST be claimed in the order of the queue, whenever they were due. A
/// delay that has passed MUST delay nothing.
pub async fn due_runs_keep_the_order_of_the_queue(storage: &dyn Storage) {
    save(storage, "daily").await;
    let mut low = delayed(1, 5);
    low.priority = Priority::Low;
    for run in [low, delayed(2, 20), new_run(3, "daily"), delayed(4, 10)] {
        create(storage, run).await.unwrap();
    }
    create(storage, delayed(5, -3_600)).await.unwrap();
    let order = [2, 3, 4, 5, 1].map(run_id).to_vec();
    assert_eq!(claimed_at(storage, 5, 20).await, (order, None));
}

/// A delayed run is a pending run: it MUST count towards the bounds of the queue, and a cancel MUST
/// take effect at once.
pub async fn a_delayed_run_is_a_pending_run(storage: &dyn Storage) {
    save(storage, "daily").await;
    create(storage, delayed(1, 20)).await.unwrap();
    let mut full = CreateRuns::new(vec![NewRun::new(new_run(2, "daily"))]);
    full.queued_pipeline_max = 1;
    assert_problem(storage.create_runs(full.clone()).await, Problem::QueueFull);
    let cancel = CancelRequest::new(run_id(1), Cancel::Plain, at(10));
    let cancelled = storage.request_cancel(cancel).await.unwrap();
    assert_eq!(cancelled.status, RunStatus::Cancelled);
    storage.create_runs(full).await.unwrap();
    let mut none = claim(8, 10);
    none.count_max = 0;
    assert_eq!(storage.claim(none).await.unwrap().due_at, None);
    let (claimed, _) = claimed_at(storage, 6, 30).await;
    assert_eq!(claimed, [run_id(2)]);
    assert_eq!(claimed_at(storage, 7, 30).await, (vec![], None));
}

/// After the cancel of a delayed run, a claim MUST return when the next one is due.
pub async fn a_cancelled_run_is_not_due(storage: &dyn Storage) {
    save(storage, "daily").await;
    create(storage, delayed(1, 20)).await.unwrap();
    create(storage, delayed(2, 30)).await.unwrap();
    assert_eq!(claimed_at(storage, 1, 10).await, (vec![], Some(at(20))));
    for (run, due_at) in [(1, Some(at(30))), (2, None)] {
        let cancel = CancelRequest::new(run_id(run), Cancel::Plain, at(10));
        storage.request_cancel(cancel).await.unwrap();
        assert_eq!(claimed_at(storage, 2, 11).await, (vec![], due_at));
    }
}

/// A delayed run of a backfill MUST NOT hold up the others, whatever their order.
pub async fn a_delayed_run_of_a_backfill_holds_up_no_other(storage: &dyn Storage) {
    save(storage, "daily").await;
    let mut create = new_backfill(1, "daily", 1, 3);
    create.runs[0].run.run_after = Some(at(20));
    storage.create_runs(create).await.unwrap();
    let (claimed, due_at) = claimed_at(storage, 1, 10).await;
    assert_eq!((claimed[0], due_at), (run_id(2), Some(at(20))));
}

/// An edit MUST NOT change the place of a run in the queue, before it is due and after.
pub async fn an_edit_keeps_the_place_in_the_queue(storage: &dyn Storage) {
    save(storage, "daily").await;
    let mut late = delayed(1, 20);
    late.priority = Priority::Low;
    create(storage, late).await.unwrap();
    pending_run(storage, 2).await;
    let edit = |text: &str| {
        let mut edit = EditRun::new(run_id(1));
        edit.labels.insert("team".to_owned(), Some(text.to_owned()));
        edit
    };
    storage.edit_run(edit("data")).await.unwrap();
    // No slot is free when the run is due.
    let mut full = claim(9, 20);
    full.runs_max = 0;
    assert_eq!(claimed_ids(storage, full).await, []);
    storage.edit_run(edit("ops")).await.unwrap();
    assert_eq!(
        claimed_at(storage, 8, 20).await,
        ([2, 1].map(run_id).to_vec(), None)
    );
    let run = read_run(storage, run_id(1)).await.run;
    let labels: Labels = [("team", "ops")].into_iter().collect();
    assert_eq!((run.labels, run.priority), (labels, Priority::Low));
}
