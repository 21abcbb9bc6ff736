//! The steps of a purge: which runs a step examines and keeps, where the next step continues, and
//! the preview.
//!
//! `system` promises that a purge deletes everything of a run, and that it keeps active runs.

use super::fixtures::{
    Driver, at, claim, create, finished_run, list_run_ids, new_run, pending_run, pipeline_id,
    read_run, run_finished, run_id, save, save_for, scope, snapshot, started_run,
};
use crate::model::{RunId, RunStatus};
use crate::storage::{Purge, PurgeMode, RunDetail, RunFilter, Storage, Unchanged};

/// Creates runs 1 to 4 of `daily` and 5 and 6 of `hourly`, all failed.
async fn failed_runs_of_two_pipelines(storage: &dyn Storage) {
    save(storage, "daily").await;
    save(storage, "hourly").await;
    for n in 1..=6 {
        let pipeline = if n < 5 { "daily" } else { "hourly" };
        create(storage, new_run(n, pipeline)).await.unwrap();
    }
    let claims = storage.claim(claim(1, 10)).await.unwrap();
    for (n, claimed) in (1..).zip(&claims.claimed) {
        let mut driver = Driver::new(claimed);
        driver
            .append(storage, [run_finished(n, RunStatus::Failed)])
            .await;
    }
}

/// Returns a purge that keeps the newest `keep_last` runs of each pipeline.
fn purge_keeping(keep_last: u32, count_max: u32) -> Purge {
    let mut purge = Purge::new(at(1_000_000), count_max);
    purge.keep_last = keep_last;
    purge
}

async fn remaining(storage: &dyn Storage, pipeline: &str) -> Vec<RunId> {
    let filter = RunFilter {
        pipeline: Some(pipeline_id(pipeline)),
        ..RunFilter::default()
    };
    list_run_ids(storage, filter).await
}

/// A purge MUST keep the newest `keep_last` finished runs of each pipeline, regardless of their
/// age. Active runs MUST NOT count toward `keep_last`.
pub async fn a_purge_keeps_the_last_runs_of_each_pipeline(storage: &dyn Storage) {
    failed_runs_of_two_pipelines(storage).await;
    started_run(storage, 7).await;
    pending_run(storage, 8).await;
    let purged = storage.purge(purge_keeping(2, 100)).await.unwrap();
    assert_eq!((purged.deleted, purged.next), (2, None));
    assert_eq!(remaining(storage, "daily").await, [8, 7, 4, 3].map(run_id));
    assert_eq!(remaining(storage, "hourly").await, [6, 5].map(run_id));
    let again = storage.purge(purge_keeping(2, 100)).await.unwrap();
    assert_eq!(again.deleted, 0);
}

/// A step MUST examine at most the requested number of runs, including runs that it keeps. The next
/// step MUST continue after them.
pub async fn a_purge_continues_after_the_previous_step(storage: &dyn Storage) {
    failed_runs_of_two_pipelines(storage).await;
    let mut purge = purge_keeping(1, 2);
    let mut deleted = Vec::new();
    loop {
        let purged = storage.purge(purge.clone()).await.unwrap();
        deleted.push(purged.deleted);
        purge.after = purged.next;
        if purge.after.is_none() {
            break;
        }
    }
    assert_eq!(deleted, [2, 1, 1, 0]);
    assert_eq!(remaining(storage, "daily").await, [run_id(4)]);
    assert_eq!(remaining(storage, "hourly").await, [run_id(6)]);
}

/// A purge of one tenant MUST keep the runs of other tenants. It MUST count those that it examines,
/// so that every step is bounded.
pub async fn a_scoped_purge_counts_the_runs_of_other_tenants(storage: &dyn Storage) {
    save_for(storage, "hourly", "ann").await;
    save_for(storage, "daily", "ben").await;
    for (n, pipeline) in [(1, "hourly"), (2, "hourly"), (3, "hourly"), (4, "daily")] {
        create(storage, new_run(n, pipeline)).await.unwrap();
    }
    let claims = storage.claim(claim(1, 10)).await.unwrap();
    for (n, claimed) in (1..).zip(&claims.claimed) {
        let mut driver = Driver::new(claimed);
        driver
            .append(storage, [run_finished(n, RunStatus::Failed)])
            .await;
    }
    let mut purge = Purge::new(at(1_000_000), 2);
    purge.scope = scope("ben");
    for (deleted, next) in [(0, Some(2)), (1, Some(4)), (0, None)] {
        let purged = storage.purge(purge.clone()).await.unwrap();
        let last_examined = purged.next.map(|next| next.run);
        assert_eq!((purged.deleted, last_examined), (deleted, next.map(run_id)));
        purge.after = purged.next;
    }
    assert_eq!(remaining(storage, "hourly").await, [3, 2, 1].map(run_id));
    assert!(remaining(storage, "daily").await.is_empty());
}

/// A preview MUST return how many runs the same purge would delete, and MUST change nothing.
pub async fn a_purge_preview_changes_nothing(storage: &dyn Storage) {
    failed_runs_of_two_pipelines(storage).await;
    let before = snapshot(storage).await;
    for keep_last in [0, 1, 3] {
        let mut purge = purge_keeping(keep_last, 4);
        purge.mode = PurgeMode::Preview;
        let previewed = storage.purge(purge.clone()).await.unwrap();
        assert_eq!(previewed.deleted, [4, 3, 0, 1][keep_last as usize]);
        let next = previewed.next.unwrap();
        assert_eq!((next.finished_at, next.run), (at(1_004), run_id(4)));
        purge.scope = scope("ann");
        assert_eq!(storage.purge(purge).await.unwrap().deleted, 0);
    }
    assert_eq!(snapshot(storage).await, before);
}

/// Runs that finished at the same time MUST be ordered by id, so that no step misses one.
pub async fn runs_finished_at_the_same_time_are_purged_one_by_one(storage: &dyn Storage) {
    for n in 1..=3 {
        let mut driver = started_run(storage, n).await;
        let outcome = run_finished(1, RunStatus::Success);
        driver.append(storage, [outcome]).await;
    }
    finished_run(storage, 4, RunStatus::Success).await;
    let mut purge = Purge::new(at(1_002), 1);
    for n in 1..=3 {
        let purged = storage.purge(purge.clone()).await.unwrap();
        assert_eq!(purged.deleted, 1);
        assert_eq!(purged.next.unwrap().run, run_id(n));
        purge.after = purged.next;
    }
    assert_eq!(storage.purge(purge).await.unwrap().deleted, 0);
    assert_eq!(remaining(storage, "daily").await, [run_id(4)]);
}

/// Returns whether a backend still notes that no run was purged since it has read this one.
fn is_known_unchanged(detail: &RunDetail) -> bool {
    detail.unchanged.as_ref().is_some_and(Unchanged::holds)
}

/// A backend that notes in a finished run that it is not purged MUST end this before a purge
/// returns that deletes runs. It MUST NOT note it in a run that may still change.
pub async fn a_purge_ends_what_earlier_reads_know(storage: &dyn Storage) {
    failed_runs_of_two_pipelines(storage).await;
    started_run(storage, 7).await;
    pending_run(storage, 8).await;
    for unfinished in [7, 8] {
        let found = read_run(storage, run_id(unfinished)).await;
        assert!(!is_known_unchanged(&found));
    }
    let (purged, kept) = (run_id(1), run_id(4));
    let before = [
        read_run(storage, purged).await,
        read_run(storage, kept).await,
    ];
    storage.purge(purge_keeping(1, 100)).await.unwrap();
    for found in before {
        assert!(!is_known_unchanged(&found));
    }
}

/// A close MUST end what earlier reads know of purges, because nothing is read any more.
pub async fn a_close_ends_what_earlier_reads_know(storage: &dyn Storage) {
    finished_run(storage, 1, RunStatus::Success).await;
    let before = read_run(storage, run_id(1)).await;
    storage.close().await.unwrap();
    assert!(!is_known_unchanged(&before));
}
