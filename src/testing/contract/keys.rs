//! Idempotency keys: one act a key.
//!
//! That a deleted pipeline and a purged run end theirs is promised in `pipelines` and `system`.

use super::fixtures::{
    Driver, all_events, claim, claim_one, create, end_of, ended, new_run, pending, pipeline_id,
    refused_as, resume, run_id, save, save_for, scope, snapshot, with_key,
};
use crate::error::Problem;
use crate::model::RunStatus;
use crate::storage::{CreateRuns, IdempotencyKey, IdempotentOperation, NewRun, Storage};

/// A repeated key makes nothing and answers what the first act made.
pub async fn a_repeated_key_answers_what_the_first_act_made(storage: &dyn Storage) {
    save(storage, "daily").await;
    storage.create_runs(with_key(1, "once", 1)).await.unwrap();
    let before = snapshot(storage).await;
    let again = storage.create_runs(with_key(2, "once", 1)).await.unwrap();
    assert_eq!((again.run_ids, again.is_replayed), (vec![run_id(1)], true));
    assert_eq!(snapshot(storage).await, before);
}

/// A key is answered after its run has ended, too.
pub async fn a_key_outlives_the_end_of_its_run(storage: &dyn Storage) {
    save(storage, "daily").await;
    storage.create_runs(with_key(1, "once", 1)).await.unwrap();
    let mut driver = Driver::of(&claim_one(storage, claim(1, 10), run_id(1)).await);
    driver
        .append(storage, [end_of(1, RunStatus::Success)])
        .await;
    let again = storage.create_runs(with_key(2, "once", 1)).await.unwrap();
    assert_eq!((again.run_ids, again.is_replayed), (vec![run_id(1)], true));
}

/// A key with another body is refused.
pub async fn a_key_with_another_body_is_refused(storage: &dyn Storage) {
    save(storage, "daily").await;
    storage.create_runs(with_key(1, "once", 1)).await.unwrap();
    let before = snapshot(storage).await;
    let other = with_key(2, "once", 2);
    let found = storage
        .find_idempotent(other.idempotency.as_ref().unwrap())
        .await;
    refused_as(found, Problem::IdempotencyKeyReused);
    refused_as(
        storage.create_runs(other).await,
        Problem::IdempotencyKeyReused,
    );
    assert_eq!(snapshot(storage).await, before);
}

/// A key can be asked for before anything else is decided.
pub async fn a_key_is_found_by_itself(storage: &dyn Storage) {
    save(storage, "daily").await;
    let first = with_key(1, "once", 1);
    let key = first.idempotency.clone().unwrap();
    assert_eq!(storage.find_idempotent(&key).await.unwrap(), None);
    storage.create_runs(first).await.unwrap();
    let found = storage.find_idempotent(&key).await.unwrap().unwrap();
    assert_eq!((found.run_ids, found.is_replayed), (vec![run_id(1)], true));
}

/// The same key on another path is another key.
pub async fn one_key_on_two_paths_is_two_keys(storage: &dyn Storage) {
    let failed = ended(storage, 1, RunStatus::Failed).await;
    save(storage, "hourly").await;
    let on = |n, pipeline, operation| {
        let mut create = CreateRuns::new(vec![NewRun::new(new_run(n, pipeline))]);
        create.idempotency = Some(IdempotencyKey::new(operation, "once", [1; 32]));
        create
    };
    let daily = IdempotentOperation::Run(pipeline_id("daily"));
    let hourly = IdempotentOperation::Run(pipeline_id("hourly"));
    let mut again = on(4, "daily", IdempotentOperation::Resume(failed));
    again.runs = vec![NewRun::new(resume(4, failed, failed))];
    for create in [on(2, "daily", daily), on(3, "hourly", hourly), again] {
        assert!(!storage.create_runs(create).await.unwrap().is_replayed);
    }
}

/// A refused creation does not use up its key.
pub async fn a_refused_creation_does_not_use_up_its_key(storage: &dyn Storage) {
    save(storage, "daily").await;
    let mut refused = with_key(1, "once", 1);
    refused.queued_max = 0;
    let key = refused.idempotency.clone().unwrap();
    refused_as(storage.create_runs(refused).await, Problem::QueueFull);
    assert_eq!(storage.find_idempotent(&key).await.unwrap(), None);
    let other = storage.create_runs(with_key(2, "once", 2)).await.unwrap();
    assert_eq!((other.run_ids, other.is_replayed), (vec![run_id(2)], false));
}

/// A known key is answered although the queue is full by now.
pub async fn a_known_key_is_answered_though_the_queue_is_full(storage: &dyn Storage) {
    save(storage, "daily").await;
    storage.create_runs(with_key(1, "once", 1)).await.unwrap();
    let mut again = with_key(2, "once", 1);
    (again.queued_max, again.queued_pipeline_max) = (1, 1);
    assert!(storage.create_runs(again).await.unwrap().is_replayed);
    let mut other = with_key(3, "once", 2);
    (other.queued_max, other.queued_pipeline_max) = (1, 1);
    refused_as(
        storage.create_runs(other).await,
        Problem::IdempotencyKeyReused,
    );
}

/// A known key of a resume is answered although its chain has moved on.
pub async fn a_known_key_is_answered_though_its_chain_moved_on(storage: &dyn Storage) {
    let failed = ended(storage, 1, RunStatus::Failed).await;
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

/// A key does not show another tenant that its pipeline exists.
pub async fn a_known_key_is_no_answer_to_another_tenant(storage: &dyn Storage) {
    save_for(storage, "daily", "ann").await;
    storage.create_runs(with_key(1, "once", 1)).await.unwrap();
    let mut foreign = with_key(2, "once", 1);
    foreign.scope = scope("ben");
    refused_as(
        storage.create_runs(foreign).await,
        Problem::PipelineNotFound,
    );
}

/// Acts at the same time with one key make one run.
pub async fn simultaneous_acts_with_one_key_make_one_run(storage: &dyn Storage) {
    save(storage, "daily").await;
    let act = |n| storage.create_runs(with_key(n, "once", 1));
    let acts = tokio::join!(act(1), act(2), act(3), act(4));
    let acts: [_; 4] = acts.into();
    let acts = acts.map(Result::unwrap);
    assert_eq!(
        acts.iter().filter(|created| !created.is_replayed).count(),
        1
    );
    assert!(
        acts.iter()
            .all(|created| created.run_ids == acts[0].run_ids)
    );
    assert_eq!(all_events(storage).await.len(), 1);
}

/// Runs without a key are never taken for repeats.
pub async fn runs_without_a_key_are_never_repeats(storage: &dyn Storage) {
    pending(storage, 1).await;
    assert!(
        !create(storage, new_run(2, "daily"))
            .await
            .unwrap()
            .is_replayed
    );
}
