//! Purge in steps: what is kept for its number, what is only counted, and where a step goes on.
//!
//! What a purged run takes along, and that active runs stay, is promised in `system`.

use super::fixtures::{
    Driver, at, claim, create, end_of, ended, listed, new_run, pending, pipeline_id, run_id,
    running, save, save_for, scope, snapshot,
};
use crate::model::{RunId, RunStatus};
use crate::storage::{Purge, PurgeMode, RunFilter, Storage};

/// Runs 1 to 4 of `daily` and 5 and 6 of `hourly`, all failed.
async fn of_two_pipelines(storage: &dyn Storage) {
    save(storage, "daily").await;
    save(storage, "hourly").await;
    for n in 1..=6 {
        let pipeline = if n < 5 { "daily" } else { "hourly" };
        create(storage, new_run(n, pipeline)).await.unwrap();
    }
    let claims = storage.claim(claim(1, 10)).await.unwrap();
    for (n, claimed) in (1..).zip(&claims.claimed) {
        let mut driver = Driver::of(claimed);
        driver.append(storage, [end_of(n, RunStatus::Failed)]).await;
    }
}

/// A purge of everything that keeps the last runs of each pipeline.
fn keeping(keep_last: u32, count_max: u32) -> Purge {
    let mut purge = Purge::new(at(1_000_000), count_max);
    purge.keep_last = keep_last;
    purge
}

async fn left(storage: &dyn Storage, pipeline: &str) -> Vec<RunId> {
    let filter = RunFilter {
        pipeline: Some(pipeline_id(pipeline)),
        ..RunFilter::default()
    };
    listed(storage, filter).await
}

/// The newest finished runs of each pipeline are left, whatever their age; active ones do not count
/// among them.
pub async fn a_purge_keeps_the_last_runs_of_each_pipeline(storage: &dyn Storage) {
    of_two_pipelines(storage).await;
    running(storage, 7).await;
    pending(storage, 8).await;
    let purged = storage.purge(keeping(2, 100)).await.unwrap();
    assert_eq!((purged.deleted, purged.next), (2, None));
    assert_eq!(left(storage, "daily").await, [8, 7, 4, 3].map(run_id));
    assert_eq!(left(storage, "hourly").await, [6, 5].map(run_id));
    let again = storage.purge(keeping(2, 100)).await.unwrap();
    assert_eq!(again.deleted, 0);
}

/// A step looks at so many runs and no more, also at those that it leaves; the next one begins
/// behind them.
pub async fn a_purge_goes_on_where_the_step_before_ended(storage: &dyn Storage) {
    of_two_pipelines(storage).await;
    let mut purge = keeping(1, 2);
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
    assert_eq!(left(storage, "daily").await, [run_id(4)]);
    assert_eq!(left(storage, "hourly").await, [run_id(6)]);
}

/// A tenant's purge looks at others' runs too and leaves them, so that no step goes through all
/// that others have.
pub async fn a_tenants_purge_counts_the_runs_of_others(storage: &dyn Storage) {
    save_for(storage, "hourly", "ann").await;
    save_for(storage, "daily", "ben").await;
    for (n, pipeline) in [(1, "hourly"), (2, "hourly"), (3, "hourly"), (4, "daily")] {
        create(storage, new_run(n, pipeline)).await.unwrap();
    }
    let claims = storage.claim(claim(1, 10)).await.unwrap();
    for (n, claimed) in (1..).zip(&claims.claimed) {
        let mut driver = Driver::of(claimed);
        driver.append(storage, [end_of(n, RunStatus::Failed)]).await;
    }
    let mut purge = Purge::new(at(1_000_000), 2);
    purge.scope = scope("ben");
    for (deleted, next) in [(0, Some(2)), (1, Some(4)), (0, None)] {
        let purged = storage.purge(purge.clone()).await.unwrap();
        let behind = purged.next.map(|next| next.run);
        assert_eq!((purged.deleted, behind), (deleted, next.map(run_id)));
        purge.after = purged.next;
    }
    assert_eq!(left(storage, "hourly").await, [3, 2, 1].map(run_id));
    assert!(left(storage, "daily").await.is_empty());
}

/// A preview tells what the same purge would delete, and changes nothing.
pub async fn a_previewed_purge_changes_nothing(storage: &dyn Storage) {
    of_two_pipelines(storage).await;
    let before = snapshot(storage).await;
    for keep_last in [0, 1, 3] {
        let mut purge = keeping(keep_last, 4);
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

/// Runs that ended at the same instant are told apart by their ids, so that no step loses one.
pub async fn runs_that_ended_together_are_purged_one_by_one(storage: &dyn Storage) {
    for n in 1..=3 {
        let mut driver = running(storage, n).await;
        let end = end_of(1, RunStatus::Success);
        driver.append(storage, [end]).await;
    }
    ended(storage, 4, RunStatus::Success).await;
    let mut purge = Purge::new(at(1_002), 1);
    for n in 1..=3 {
        let purged = storage.purge(purge.clone()).await.unwrap();
        assert_eq!(purged.deleted, 1);
        assert_eq!(purged.next.unwrap().run, run_id(n));
        purge.after = purged.next;
    }
    assert_eq!(storage.purge(purge).await.unwrap().deleted, 0);
    assert_eq!(left(storage, "daily").await, [run_id(4)]);
}
