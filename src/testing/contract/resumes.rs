//! Which runs may be resumed, and what a chain of resumes is.
//!
//! Which outputs a resume takes over is promised in `outputs`.

use std::sync::Arc;

use super::fixtures::{
    Driver, at, claim, claim_one, create, definition, end_of, ended, found, new_run, pending, put,
    refused_as, resume, run_id, running, save, save_for, scope, snapshot,
};
use crate::error::ErrorKind::NotFound;
use crate::error::Problem;
use crate::model::{Cancel, RunId, RunStatus, Scope};
use crate::storage::{CancelRequest, CreateRuns, DeletePipeline, NewRun, Storage};

/// Makes run `n` a resume of a failed first run and ends it.
async fn ended_resume(storage: &dyn Storage, n: u64, old: RunId, status: RunStatus) -> RunId {
    create(storage, resume(n, old, run_id(1))).await.unwrap();
    let mut driver = Driver::of(&claim_one(storage, claim(1, 10), run_id(n)).await);
    if status == RunStatus::Cancelled {
        let cancel = CancelRequest::new(run_id(n), Cancel::Plain, at(20));
        storage.request_cancel(cancel).await.unwrap();
    }
    driver.append(storage, [end_of(n, status)]).await;
    driver.run
}

/// The creation is refused since `in_the_way` stands in the way, and nothing changes.
async fn assert_in_the_way(storage: &dyn Storage, old: RunId, in_the_way: RunId) {
    let before = snapshot(storage).await;
    let created = create(storage, resume(9, old, run_id(1))).await;
    let message = refused_as(created, Problem::RunNotResumable);
    assert!(message.contains(&in_the_way.to_string()), "{message}");
    assert_eq!(snapshot(storage).await, before);
}

/// A failed run is resumed: a run of its own that names the old one and the first of the chain.
pub async fn a_failed_run_is_resumed(storage: &dyn Storage) {
    let old = ended(storage, 1, RunStatus::Failed).await;
    create(storage, resume(2, old, old)).await.unwrap();
    let run = found(storage, run_id(2)).await.run;
    assert_eq!((run.resumed_from, run.first_run), (Some(old), old));
    assert_eq!(run.status, RunStatus::Pending);
}

/// A run that did not fail is not resumed.
pub async fn a_run_that_did_not_fail_is_not_resumed(storage: &dyn Storage) {
    for (n, status) in [(1, RunStatus::Success), (2, RunStatus::Cancelled)] {
        let old = ended(storage, n, status).await;
        let created = create(storage, resume(9, old, old)).await;
        let message = refused_as(created, Problem::RunNotResumable);
        assert!(message.contains(&old.to_string()), "{message}");
    }
    let waiting = running(storage, 3).await.run;
    for old in [waiting, pending(storage, 4).await] {
        let before = snapshot(storage).await;
        let created = create(storage, resume(9, old, old)).await;
        refused_as(created, Problem::RunNotResumable);
        assert_eq!(snapshot(storage).await, before);
    }
}

/// A run is not resumed while a resume of its chain is unfinished.
pub async fn a_chain_with_an_unfinished_run_is_not_resumed(storage: &dyn Storage) {
    let old = ended(storage, 1, RunStatus::Failed).await;
    create(storage, resume(2, old, old)).await.unwrap();
    assert_in_the_way(storage, old, run_id(2)).await;
    claim_one(storage, claim(1, 10), run_id(2)).await;
    assert_in_the_way(storage, old, run_id(2)).await;
}

/// A run is not resumed once a resume of its chain has succeeded.
pub async fn a_chain_that_succeeded_is_not_resumed(storage: &dyn Storage) {
    let old = ended(storage, 1, RunStatus::Failed).await;
    let failed = ended_resume(storage, 2, old, RunStatus::Failed).await;
    let done = ended_resume(storage, 3, failed, RunStatus::Success).await;
    assert_in_the_way(storage, old, done).await;
    assert_in_the_way(storage, failed, done).await;
}

/// Every failed run of a chain can be resumed once its resumes failed or were cancelled.
pub async fn a_chain_whose_resumes_failed_is_resumed(storage: &dyn Storage) {
    let old = ended(storage, 1, RunStatus::Failed).await;
    let failed = ended_resume(storage, 2, old, RunStatus::Failed).await;
    let cancelled = ended_resume(storage, 3, failed, RunStatus::Cancelled).await;
    assert_in_the_way(storage, cancelled, cancelled).await;
    let again = ended_resume(storage, 4, old, RunStatus::Failed).await;
    ended_resume(storage, 5, again, RunStatus::Success).await;
}

/// A missing run, and another tenant's, is not resumed.
pub async fn a_missing_run_is_not_resumed(storage: &dyn Storage) {
    save_for(storage, "daily", "ann").await;
    let before = snapshot(storage).await;
    let missing = create(storage, resume(2, run_id(1), run_id(1))).await;
    refused_as(missing, Problem::RunNotFound);
    assert_eq!(snapshot(storage).await, before);
    let old = ended(storage, 1, RunStatus::Failed).await;
    let mut foreign = CreateRuns::new(vec![NewRun::new(resume(2, old, old))]);
    foreign.scope = scope("ben");
    let foreign = storage.create_runs(foreign).await;
    assert_eq!(foreign.unwrap_err().kind(), NotFound);
}

/// A chain is read oldest first, each run with its nodes; a run that resumes none is its own chain.
pub async fn a_chain_is_read_oldest_first(storage: &dyn Storage) {
    let old = ended(storage, 1, RunStatus::Failed).await;
    let failed = ended_resume(storage, 2, old, RunStatus::Failed).await;
    ended_resume(storage, 3, failed, RunStatus::Failed).await;
    pending(storage, 4).await;
    let mut expected = Vec::new();
    for n in 1..=3 {
        expected.push(found(storage, run_id(n)).await);
    }
    let chain = storage.find_chain(old, &Scope::All).await.unwrap();
    assert_eq!(chain, expected);
    let own = storage.find_chain(run_id(4), &Scope::All).await.unwrap();
    assert_eq!(own, [found(storage, run_id(4)).await]);
}

/// A resume runs what the old run ran, though the pipeline changed since.
pub async fn a_resume_runs_the_version_of_the_old_run(storage: &dyn Storage) {
    let old = ended(storage, 1, RunStatus::Failed).await;
    let mut changed = put("daily");
    changed.definition = Arc::new(definition("daily").param("a", "b"));
    storage.put_pipeline(changed).await.unwrap();
    create(storage, resume(2, old, old)).await.unwrap();
    let new = found(storage, run_id(2)).await;
    assert_eq!(new.run.pipeline_version, 1);
    assert_eq!(*new.definition, definition("daily"));
}

/// A run of a deleted pipeline is not resumed.
pub async fn a_run_of_a_deleted_pipeline_is_not_resumed(storage: &dyn Storage) {
    let old = ended(storage, 1, RunStatus::Failed).await;
    let daily = save(storage, "daily").await;
    storage
        .delete_pipeline(DeletePipeline::new(daily.id.clone(), at(2_000)))
        .await
        .unwrap();
    let created = create(storage, resume(2, old, old)).await;
    refused_as(created, Problem::PipelineNotFound);
    let found = storage.find_run(new_run(2, "daily").id, &Scope::All);
    assert_eq!(found.await.unwrap(), None);
}
