//! Idempotency keys: one request for each key.
//!
//! `pipelines` covers the keys of deleted pipelines, and `system` those of purged runs.

use super::fixtures::{
    Driver, all_events, assert_problem, claim, claim_one, create, finished_run, new_run,
    pending_run, resume, run_finished, run_id, save, save_for, scope, snapshot, with_key,
    without_tenant,
};
use super::threads::{at_once, block_on};
use crate::error::Problem;
use crate::model::RunStatus;
use crate::storage::{
    CreateRuns, CreatedRuns, IdempotencyKey, IdempotentOperation, NewRun, Storage,
};

/// Returns the result of the first creation with a key.
pub(super) async fn first_creation(
    storage: &dyn Storage,
    key: &IdempotencyKey,
) -> Option<CreatedRuns> {
    let found = storage.find_idempotent(&key.operation, &key.key).await;
    found.unwrap().map(|first| first.created)
}

/// A repeated key MUST create nothing and return what the first request created.
pub async fn a_repeated_key_returns_the_first_result(storage: &dyn Storage) {
    save(storage, "daily").await;
    storage.create_runs(with_key(1, "once", 1)).await.unwrap();
    let before = snapshot(storage).await;
    let again = storage.create_runs(with_key(2, "once", 1)).await.unwrap();
    assert_eq!((again.run_ids, again.is_replayed), (vec![run_id(1)], true));
    assert_eq!(snapshot(storage).await, before);
}

/// A key MUST still return its run after the run has finished.
pub async fn a_key_outlives_the_execution_of_its_run(storage: &dyn Storage) {
    save(storage, "daily").await;
    storage.create_runs(with_key(1, "once", 1)).await.unwrap();
    let mut driver = Driver::new(&claim_one(storage, claim(1, 10), run_id(1)).await);
    driver
        .append(storage, [run_finished(1, RunStatus::Success)])
        .await;
    let again = storage.create_runs(with_key(2, "once", 1)).await.unwrap();
    assert_eq!((again.run_ids, again.is_replayed), (vec![run_id(1)], true));
}

/// A key that is repeated with another body MUST be refused.
pub async fn a_key_with_another_body_is_refused(storage: &dyn Storage) {
    save(storage, "daily").await;
    storage.create_runs(with_key(1, "once", 1)).await.unwrap();
    let before = snapshot(storage).await;
    let other = with_key(2, "once", 2);
    assert_problem(
        storage.create_runs(other).await,
        Problem::IdempotencyKeyReused,
    );
    assert_eq!(snapshot(storage).await, before);
}

/// A key MUST be found without a creation.
pub async fn a_key_can_be_looked_up(storage: &dyn Storage) {
    save(storage, "daily").await;
    let first = with_key(1, "once", 1);
    let key = first.idempotency.clone().unwrap();
    assert_eq!(first_creation(storage, &key).await, None);
    storage.create_runs(first).await.unwrap();
    let found = storage.find_idempotent(&key.operation, &key.key).await;
    let found = found.unwrap().unwrap();
    assert_eq!(found.body_hash, key.body_hash);
    let created = found.created;
    assert_eq!(
        (created.run_ids, created.is_replayed),
        (vec![run_id(1)], true)
    );
}

/// The same key for another operation MUST count as another key.
pub async fn one_key_for_two_operations_is_two_keys(storage: &dyn Storage) {
    let failed = finished_run(storage, 1, RunStatus::Failed).await;
    save(storage, "hourly").await;
    let with_operation = |n, pipeline, operation| {
        let mut create = CreateRuns::new(vec![NewRun::new(new_run(n, pipeline))]);
        create.idempotency = Some(IdempotencyKey::new(operation, "once", [1; 32]));
        create
    };
    let daily = IdempotentOperation::Run(without_tenant("daily"));
    let hourly = IdempotentOperation::Run(without_tenant("hourly"));
    let mut again = with_operation(4, "daily", IdempotentOperation::Resume(failed));
    again.runs = vec![NewRun::new(resume(4, failed, failed))];
    for create in [
        with_operation(2, "daily", daily),
        with_operation(3, "hourly", hourly),
        again,
    ] {
        assert!(!storage.create_runs(create).await.unwrap().is_replayed);
    }
}

/// A refused creation MUST NOT use up its key.
pub async fn a_refused_creation_does_not_use_up_its_key(storage: &dyn Storage) {
    save(storage, "daily").await;
    let mut refused = with_key(1, "once", 1);
    refused.queued_max = 0;
    let key = refused.idempotency.clone().unwrap();
    assert_problem(storage.create_runs(refused).await, Problem::QueueFull);
    assert_eq!(first_creation(storage, &key).await, None);
    let other = storage.create_runs(with_key(2, "once", 2)).await.unwrap();
    assert_eq!((other.run_ids, other.is_replayed), (vec![run_id(2)], false));
}

/// A repeated key MUST return its run even if the queue is full by now.
pub async fn a_repeated_key_succeeds_on_a_full_queue(storage: &dyn Storage) {
    save(storage, "daily").await;
    storage.create_runs(with_key(1, "once", 1)).await.unwrap();
    let mut again = with_key(2, "once", 1);
    (again.queued_max, again.queued_pipeline_max) = (1, 1);
    assert!(storage.create_runs(again).await.unwrap().is_replayed);
    let mut other = with_key(3, "once", 2);
    (other.queued_max, other.queued_pipeline_max) = (1, 1);
    assert_problem(
        storage.create_runs(other).await,
        Problem::IdempotencyKeyReused,
    );
}

/// A repeated key of a resume MUST return its run even if the chain has another run by now.
pub async fn a_repeated_key_of_a_resume_succeeds(storage: &dyn Storage) {
    let failed = finished_run(storage, 1, RunStatus::Failed).await;
    let resume_with_key = |n| {
        let mut create = CreateRuns::new(vec![NewRun::new(resume(n, failed, failed))]);
        let operation = IdempotentOperation::Resume(failed);
        create.idempotency = Some(IdempotencyKey::new(operation, "once", [1; 32]));
        create
    };
    storage.create_runs(resume_with_key(2)).await.unwrap();
    let again = storage.create_runs(resume_with_key(3)).await.unwrap();
    assert_eq!((again.run_ids, again.is_replayed), (vec![run_id(2)], true));
}

/// A key of a rerun MUST return its run, and MUST be another key than that of a resume.
pub async fn a_key_of_a_rerun_is_not_one_of_a_resume(storage: &dyn Storage) {
    let failed = finished_run(storage, 1, RunStatus::Failed).await;
    let keyed = |run, operation| {
        let mut create = CreateRuns::new(vec![NewRun::new(run)]);
        create.idempotency = Some(IdempotencyKey::new(operation, "once", [1; 32]));
        create
    };
    let rerun = |n| {
        let mut run = new_run(n, "daily");
        run.rerun_of = Some(failed);
        keyed(run, IdempotentOperation::Rerun(failed))
    };
    let first = storage.create_runs(rerun(2)).await.unwrap();
    assert_eq!((first.run_ids, first.is_replayed), (vec![run_id(2)], false));
    let again = storage.create_runs(rerun(3)).await.unwrap();
    assert_eq!((again.run_ids, again.is_replayed), (vec![run_id(2)], true));
    let operation = IdempotentOperation::Resume(failed);
    let resumed = keyed(resume(4, failed, failed), operation);
    let resumed = storage.create_runs(resumed).await.unwrap();
    assert_eq!(
        (resumed.run_ids, resumed.is_replayed),
        (vec![run_id(4)], false)
    );
    let other = IdempotencyKey::new(IdempotentOperation::Rerun(run_id(2)), "once", [1; 32]);
    assert_eq!(first_creation(storage, &other).await, None);
}

/// A key MUST NOT reveal to another tenant that its pipeline exists.
pub async fn a_key_reveals_nothing_to_another_tenant(storage: &dyn Storage) {
    save_for(storage, "daily", "ann").await;
    storage.create_runs(with_key(1, "once", 1)).await.unwrap();
    let mut foreign = with_key(2, "once", 1);
    foreign.scope = scope("ben");
    assert_problem(
        storage.create_runs(foreign).await,
        Problem::PipelineNotFound,
    );
}

/// Concurrent requests with one key MUST create one run.
pub async fn concurrent_requests_with_one_key_create_one_run(storage: &dyn Storage) {
    save(storage, "daily").await;
    let request = |n| block_on(storage.create_runs(with_key(n, "once", 1)));
    let results = at_once(8, request);
    let results: Vec<_> = results.into_iter().map(Result::unwrap).collect();
    assert_eq!(
        results
            .iter()
            .filter(|created| !created.is_replayed)
            .count(),
        1
    );
    assert!(
        results
            .iter()
            .all(|created| created.run_ids == results[0].run_ids)
    );
    assert_eq!(all_events(storage).await.len(), 1);
}

/// A request without a key MUST NOT count as a repeat.
pub async fn requests_without_a_key_are_never_repeats(storage: &dyn Storage) {
    pending_run(storage, 1).await;
    assert!(
        !create(storage, new_run(2, "daily"))
            .await
            .unwrap()
            .is_replayed
    );
}
