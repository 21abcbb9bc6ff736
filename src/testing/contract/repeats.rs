//! Repeated creations: a caller that does not know the outcome of a creation repeats it.
//!
//! `idempotency` covers clients that repeat a request with a key.

use super::fixtures::{
    Driver, assert_problem, claim, claim_one, create, finished_run, new_backfill, new_run,
    pending_run, resume, run_finished, run_id, save, snapshot, with_key,
};
use crate::error::Problem;
use crate::model::RunStatus;
use crate::storage::{CreateRuns, NewRun, Storage};

/// Repeats a creation that was carried out. Asserts that it returns the same and changes nothing.
async fn assert_repeatable(storage: &dyn Storage, creation: CreateRuns) {
    let before = snapshot(storage).await;
    let ids: Vec<_> = creation.runs.iter().map(|new| new.run.id).collect();
    let backfill = creation.backfill.as_ref().map(|new| new.backfill.id);
    let repeated = storage.create_runs(creation).await.unwrap();
    assert_eq!((repeated.run_ids, repeated.backfill), (ids, backfill));
    assert!(!repeated.is_replayed, "no key was used before");
    assert_eq!(repeated.seq, storage.newest_seq().await.unwrap());
    assert_eq!(snapshot(storage).await, before);
}

/// A creation MUST be repeatable, whatever has become of its run.
pub async fn a_repeated_creation_creates_nothing(storage: &dyn Storage) {
    let creation = || CreateRuns::new(vec![NewRun::new(new_run(1, "daily"))]);
    pending_run(storage, 1).await;
    pending_run(storage, 2).await;
    assert_repeatable(storage, creation()).await;
    let mut driver = Driver::new(&claim_one(storage, claim(1, 10), run_id(1)).await);
    assert_repeatable(storage, creation()).await;
    driver
        .append(storage, [run_finished(1, RunStatus::Success)])
        .await;
    assert_repeatable(storage, creation()).await;
}

/// A creation with a key MUST be repeatable. It is no second request with that key.
pub async fn a_repeated_creation_with_a_key_is_not_a_second_request(storage: &dyn Storage) {
    save(storage, "daily").await;
    storage.create_runs(with_key(1, "once", 1)).await.unwrap();
    assert_repeatable(storage, with_key(1, "once", 1)).await;
    let other = storage.create_runs(with_key(2, "once", 1)).await.unwrap();
    assert_eq!((other.run_ids, other.is_replayed), (vec![run_id(1)], true));
}

/// A repeated creation MUST succeed on a full queue: it adds nothing.
pub async fn a_repeated_creation_succeeds_on_a_full_queue(storage: &dyn Storage) {
    pending_run(storage, 1).await;
    let mut creation = CreateRuns::new(vec![NewRun::new(new_run(1, "daily"))]);
    (creation.queued_max, creation.queued_pipeline_max) = (1, 1);
    assert_repeatable(storage, creation).await;
}

/// A resume MUST be repeatable, although its chain then has an active run.
pub async fn a_repeated_resume_creates_nothing(storage: &dyn Storage) {
    let failed = finished_run(storage, 1, RunStatus::Failed).await;
    create(storage, resume(2, failed, failed)).await.unwrap();
    let again = resume(2, failed, failed);
    assert_repeatable(storage, CreateRuns::new(vec![NewRun::new(again)])).await;
    assert_problem(
        create(storage, resume(3, failed, failed)).await,
        Problem::RunNotResumable,
    );
}

/// A backfill MUST be repeatable. A repeat returns the runs that the first call created.
pub async fn a_repeated_backfill_creates_nothing(storage: &dyn Storage) {
    save(storage, "daily").await;
    storage
        .create_runs(new_backfill(1, "daily", 1, 3))
        .await
        .unwrap();
    assert_repeatable(storage, new_backfill(1, "daily", 1, 3)).await;
    let mut driver = Driver::new(&claim_one(storage, claim(1, 10), run_id(1)).await);
    driver
        .append(storage, [run_finished(1, RunStatus::Success)])
        .await;
    let rest = || {
        let mut rest = new_backfill(2, "daily", 11, 4);
        rest.backfill.as_mut().unwrap().skip_existing = true;
        rest
    };
    let first = storage.create_runs(rest()).await.unwrap();
    assert_eq!(first.run_ids, [12, 13, 14].map(run_id));
    let before = snapshot(storage).await;
    let again = storage.create_runs(rest()).await.unwrap();
    assert_eq!(
        (again.run_ids, again.backfill),
        (first.run_ids, first.backfill)
    );
    assert_eq!(snapshot(storage).await, before);
}

/// A creation MUST be refused whole if another creation has used one of its ids.
pub async fn the_id_of_another_run_is_refused(storage: &dyn Storage) {
    pending_run(storage, 1).await;
    pending_run(storage, 2).await;
    save(storage, "hourly").await;
    let runs_of = |pipeline, ids: &[u64]| {
        let runs = ids.iter().map(|n| NewRun::new(new_run(*n, pipeline)));
        CreateRuns::new(runs.collect())
    };
    let before = snapshot(storage).await;
    for creation in [
        runs_of("hourly", &[1]),
        runs_of("hourly", &[3, 1]),
        runs_of("daily", &[1, 3]),
        runs_of("daily", &[3, 2]),
        new_backfill(1, "daily", 2, 2),
    ] {
        assert_problem(storage.create_runs(creation).await, Problem::InternalError);
        assert_eq!(snapshot(storage).await, before);
    }
}
