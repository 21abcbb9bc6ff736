//! Resumes: which runs can be resumed, and the chain of a run and its resumes.
//!
//! Inherited outputs are covered in `inheritance`.

use std::sync::Arc;

use super::fixtures::{
    Driver, assert_problem, at, claim, claim_one, create, definition, finished_run, new_run,
    pending_run, put, read_run, resume, run_finished, run_id, save, save_for, scope, snapshot,
    started_run,
};
use crate::error::ErrorKind::NotFound;
use crate::error::Problem;
use crate::model::{Cancel, RunId, RunStatus, Scope};
use crate::storage::{CancelRequest, CreateRuns, DeletePipeline, NewRun, Storage};

/// Creates run `n` as a resume of an old run in the chain of run 1, and finishes it.
async fn finished_resume(storage: &dyn Storage, n: u64, old: RunId, status: RunStatus) -> RunId {
    create(storage, resume(n, old, run_id(1))).await.unwrap();
    let mut driver = Driver::new(&claim_one(storage, claim(1, 10), run_id(n)).await);
    if status == RunStatus::Cancelled {
        let cancel = CancelRequest::new(run_id(n), Cancel::Plain, at(20));
        storage.request_cancel(cancel).await.unwrap();
    }
    driver.append(storage, [run_finished(n, status)]).await;
    driver.run
}

/// Asserts that a resume of `old` is refused because of `blocking`, and changes nothing.
async fn assert_blocked_by(storage: &dyn Storage, old: RunId, blocking: RunId) {
    let before = snapshot(storage).await;
    let created = create(storage, resume(9, old, run_id(1))).await;
    let message = assert_problem(created, Problem::RunNotResumable);
    assert!(message.contains(&blocking.to_string()), "{message}");
    assert_eq!(snapshot(storage).await, before);
}

/// A resume of a failed run MUST be a run of its own that names the old run and the first run of
/// the chain.
pub async fn a_failed_run_can_be_resumed(storage: &dyn Storage) {
    let old = finished_run(storage, 1, RunStatus::Failed).await;
    create(storage, resume(2, old, old)).await.unwrap();
    let run = read_run(storage, run_id(2)).await.run;
    assert_eq!((run.resumed_from, run.first_run), (Some(old), old));
    assert_eq!(run.status, RunStatus::Pending);
}

/// A resume MUST be refused if the run has not failed.
pub async fn a_run_that_did_not_fail_cannot_be_resumed(storage: &dyn Storage) {
    for (n, status) in [(1, RunStatus::Success), (2, RunStatus::Cancelled)] {
        let old = finished_run(storage, n, status).await;
        let created = create(storage, resume(9, old, old)).await;
        let message = assert_problem(created, Problem::RunNotResumable);
        assert!(message.contains(&old.to_string()), "{message}");
    }
    let running = started_run(storage, 3).await.run;
    for old in [running, pending_run(storage, 4).await] {
        let before = snapshot(storage).await;
        let created = create(storage, resume(9, old, old)).await;
        assert_problem(created, Problem::RunNotResumable);
        assert_eq!(snapshot(storage).await, before);
    }
}

/// A resume MUST be refused while another resume of the chain is unfinished.
pub async fn a_chain_with_an_unfinished_run_cannot_be_resumed(storage: &dyn Storage) {
    let old = finished_run(storage, 1, RunStatus::Failed).await;
    create(storage, resume(2, old, old)).await.unwrap();
    assert_blocked_by(storage, old, run_id(2)).await;
    claim_one(storage, claim(1, 10), run_id(2)).await;
    assert_blocked_by(storage, old, run_id(2)).await;
}

/// A resume MUST be refused once a resume of the chain has succeeded.
pub async fn a_chain_that_succeeded_cannot_be_resumed(storage: &dyn Storage) {
    let old = finished_run(storage, 1, RunStatus::Failed).await;
    let failed = finished_resume(storage, 2, old, RunStatus::Failed).await;
    let succeeded = finished_resume(storage, 3, failed, RunStatus::Success).await;
    assert_blocked_by(storage, old, succeeded).await;
    assert_blocked_by(storage, failed, succeeded).await;
}

/// Every failed run of a chain MUST be resumable if its resumes have failed or were cancelled.
pub async fn a_chain_whose_resumes_failed_can_be_resumed(storage: &dyn Storage) {
    let old = finished_run(storage, 1, RunStatus::Failed).await;
    let failed = finished_resume(storage, 2, old, RunStatus::Failed).await;
    let cancelled = finished_resume(storage, 3, failed, RunStatus::Cancelled).await;
    assert_blocked_by(storage, cancelled, cancelled).await;
    let again = finished_resume(storage, 4, old, RunStatus::Failed).await;
    finished_resume(storage, 5, again, RunStatus::Success).await;
}

/// A resume of a run that is missing or of another tenant MUST be refused.
pub async fn a_missing_run_cannot_be_resumed(storage: &dyn Storage) {
    save_for(storage, "daily", "ann").await;
    let before = snapshot(storage).await;
    let missing = create(storage, resume(2, run_id(1), run_id(1))).await;
    assert_problem(missing, Problem::RunNotFound);
    assert_eq!(snapshot(storage).await, before);
    let old = finished_run(storage, 1, RunStatus::Failed).await;
    let mut foreign = CreateRuns::new(vec![NewRun::new(resume(2, old, old))]);
    foreign.scope = scope("ben");
    let foreign = storage.create_runs(foreign).await;
    assert_eq!(foreign.unwrap_err().kind(), NotFound);
}

/// A chain MUST be returned oldest first, each run with its nodes. A run that resumes none is a
/// chain of its own.
pub async fn a_chain_is_returned_oldest_first(storage: &dyn Storage) {
    let old = finished_run(storage, 1, RunStatus::Failed).await;
    let failed = finished_resume(storage, 2, old, RunStatus::Failed).await;
    finished_resume(storage, 3, failed, RunStatus::Failed).await;
    pending_run(storage, 4).await;
    let mut expected = Vec::new();
    for n in 1..=3 {
        expected.push(read_run(storage, run_id(n)).await);
    }
    let chain = storage.find_chain(old, &Scope::All).await.unwrap();
    assert_eq!(chain, expected);
    let own = storage.find_chain(run_id(4), &Scope::All).await.unwrap();
    assert_eq!(own, [read_run(storage, run_id(4)).await]);
}

/// A resume MUST use the pipeline version of the old run, even if the pipeline has changed since.
pub async fn a_resume_uses_the_version_of_the_old_run(storage: &dyn Storage) {
    let old = finished_run(storage, 1, RunStatus::Failed).await;
    let mut changed = put("daily");
    changed.definition = Arc::new(definition("daily").param("a", "b"));
    storage.put_pipeline(changed).await.unwrap();
    create(storage, resume(2, old, old)).await.unwrap();
    let new = read_run(storage, run_id(2)).await;
    assert_eq!(new.run.pipeline_version, 1);
    assert_eq!(*new.definition, definition("daily"));
}

/// A resume of a run of a deleted pipeline MUST be refused.
pub async fn a_run_of_a_deleted_pipeline_cannot_be_resumed(storage: &dyn Storage) {
    let old = finished_run(storage, 1, RunStatus::Failed).await;
    let daily = save(storage, "daily").await;
    storage
        .delete_pipeline(DeletePipeline::new(daily.id.clone(), at(2_000)))
        .await
        .unwrap();
    let created = create(storage, resume(2, old, old)).await;
    assert_problem(created, Problem::PipelineNotFound);
    let found = storage.find_run(new_run(2, "daily").id, &Scope::All);
    assert_eq!(found.await.unwrap(), None);
}
