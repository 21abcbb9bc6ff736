//! Failed runs of backfills that are resumed: what counts and which status follows.
//!
//! `resumes` covers which runs can be resumed, and `backfill_settlement` how backfills finish.

use super::fixtures::{
    Driver, all_backfills, at, claim, create, new_backfill, read_run, resume, run_finished, run_id,
    save,
};
use crate::model::{Backfill, BackfillStatus, RunStatus};
use crate::storage::{Purge, Storage};

/// Creates a backfill whose runs begin with 1. The first of them finish with these statuses, at
/// second 1,001 and later.
async fn started_backfill(storage: &dyn Storage, dates: u64, outcomes: &[RunStatus]) {
    save(storage, "daily").await;
    storage
        .create_runs(new_backfill(1, "daily", 1, dates))
        .await
        .unwrap();
    for (n, status) in (1..).zip(outcomes) {
        finish(storage, n, *status).await;
    }
}

/// Claims run `n`, which must be the next one, and finishes it.
async fn finish(storage: &dyn Storage, n: u64, status: RunStatus) {
    let mut claim = claim(1, 10);
    claim.count_max = 1;
    let claimed = storage.claim(claim).await.unwrap().claimed.pop().unwrap();
    assert_eq!(claimed.run.id, run_id(n));
    let mut driver = Driver::new(&claimed);
    driver.append(storage, [run_finished(n, status)]).await;
}

/// Creates run `n` as a resume of run `old` in the chain of run 1, and finishes it.
async fn finish_resume(storage: &dyn Storage, n: u64, old: u64, status: RunStatus) {
    create(storage, resume(n, run_id(old), run_id(1)))
        .await
        .unwrap();
    finish(storage, n, status).await;
}

async fn read_backfill(storage: &dyn Storage) -> Backfill {
    all_backfills(storage).await.pop().unwrap().backfill
}

/// Returns the counts of succeeded, failed and unfinished runs.
async fn counts(storage: &dyn Storage) -> (u64, u64, u64) {
    let counts = read_backfill(storage).await.counts;
    let unfinished = counts.pending + counts.running;
    (counts.success, counts.failed, unfinished)
}

/// Once a resume has succeeded, a finished backfill MUST count the failed run as a success, and its
/// status MUST follow. The failed run itself MUST stay failed.
pub async fn a_successful_resume_changes_a_finished_backfill(storage: &dyn Storage) {
    use RunStatus::{Failed, Success};
    started_backfill(storage, 3, &[Failed, Success, Success]).await;
    let before = read_backfill(storage).await;
    assert_eq!(before.status, BackfillStatus::Failed);
    assert_eq!(counts(storage).await, (2, 1, 0));
    finish_resume(storage, 8, 1, Failed).await;
    assert_eq!(read_backfill(storage).await, before);
    finish_resume(storage, 9, 8, Success).await;
    let after = read_backfill(storage).await;
    assert_eq!(after.status, BackfillStatus::Success);
    assert_eq!(after.finished_at, before.finished_at);
    assert_eq!(counts(storage).await, (3, 0, 0));
    assert_eq!(read_run(storage, run_id(1)).await.run.status, Failed);
}

/// A backfill MUST stay failed while another failed run was not resumed successfully.
pub async fn a_backfill_stays_failed_while_a_failure_is_left(storage: &dyn Storage) {
    use RunStatus::{Failed, Success};
    started_backfill(storage, 2, &[Failed, Failed]).await;
    finish_resume(storage, 9, 1, Success).await;
    assert_eq!(read_backfill(storage).await.status, BackfillStatus::Failed);
    assert_eq!(counts(storage).await, (1, 1, 0));
}

/// A resume that succeeds while its backfill is open MUST count before the backfill finishes.
pub async fn a_successful_resume_counts_in_an_open_backfill(storage: &dyn Storage) {
    use RunStatus::{Failed, Success};
    started_backfill(storage, 2, &[Failed]).await;
    create(storage, resume(9, run_id(1), run_id(1)))
        .await
        .unwrap();
    let claimed = storage.claim(claim(1, 10)).await.unwrap().claimed;
    let is_resume = |driver: &&Driver| driver.run == run_id(9);
    let drivers: Vec<_> = claimed.iter().map(Driver::new).collect();
    let mut resumed = *drivers.iter().find(is_resume).unwrap();
    let mut other = *drivers.iter().find(|driver| !is_resume(driver)).unwrap();
    resumed.append(storage, [run_finished(9, Success)]).await;
    assert_eq!(read_backfill(storage).await.status, BackfillStatus::Running);
    assert_eq!(counts(storage).await, (1, 0, 1));
    other.append(storage, [run_finished(2, Success)]).await;
    assert_eq!(read_backfill(storage).await.status, BackfillStatus::Success);
    assert_eq!(counts(storage).await, (2, 0, 0));
}

/// A purge of a failed run that counts as a success MUST remove it from the successes.
pub async fn a_purge_removes_a_resumed_run_from_the_successes(storage: &dyn Storage) {
    use RunStatus::{Failed, Success};
    started_backfill(storage, 2, &[Failed, Success]).await;
    finish_resume(storage, 9, 1, Success).await;
    assert_eq!(counts(storage).await, (2, 0, 0));
    // Run 1 finished at second 1,001, and run 2 one second later.
    let purged = storage.purge(Purge::new(at(1_002), 100)).await.unwrap();
    assert_eq!(purged.deleted, 1);
    assert_eq!(counts(storage).await, (1, 0, 0));
    assert_eq!(read_backfill(storage).await.status, BackfillStatus::Success);
}
