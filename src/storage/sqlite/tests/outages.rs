//! Tests of a disk that is full or fails while a group is written, and of a store that cannot be
//! opened again.
//!
//! Single failing commits are left to `commits`, faults below SQLite to `disk`.

use std::time::Duration;

use futures_util::future::join_all;

use super::*;
use crate::storage::HeldRun;

fn kinds<T>(outcomes: &[Result<T>]) -> Vec<Option<ErrorKind>> {
    let kind = |outcome: &Result<T>| outcome.as_ref().err().map(crate::Error::kind);
    outcomes.iter().map(kind).collect()
}

fn io_error(_: &mut Tx) -> Result<(), StoreError> {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR_WRITE);
    Err(StoreError::Sql(rusqlite::Error::SqliteFailure(code, None)))
}

#[tokio::test]
async fn a_group_that_a_full_disk_refused_twice_is_not_tried_again() {
    let (_dir, storage) = store().await;
    storage.create_runs(create(99)).await.unwrap();
    let epoch = claim(&storage, 1, 1).await.claimed[0].epoch;
    let busy = Busy::new(&storage).await;
    storage.fail_commits(&[CommitFault::DiskFull; 9]);
    let creations = join_all((1..=64).map(|n| storage.create_runs(create(n))));
    let (created, ()) = tokio::join!(creations, busy.release());
    assert_eq!(kinds(&created), [Some(ErrorKind::StorageFull); 64]);
    assert_eq!(storage.failing_commits_left(), 7, "two of nine were tried");
    storage.fail_commits(&[]);
    // Nothing was lost and nothing is left behind.
    append(&storage, 99, (epoch, 0), vec![started(0)])
        .await
        .unwrap();
    assert_eq!(event_count(&storage).await, 3);
    storage.create_runs(create(1)).await.unwrap();
}

#[tokio::test]
async fn leases_are_renewed_while_the_disk_refuses_everything_else() {
    let (_dir, storage) = store().await;
    storage.create_runs(create(99)).await.unwrap();
    let held = HeldRun::new(run_id(99), claim(&storage, 1, 1).await.claimed[0].epoch);
    let busy = Busy::new(&storage).await;
    storage.fail_commits(&[CommitFault::DiskFull; 2]);
    let creations = join_all((1..=8).map(|n| storage.create_runs(create(n))));
    let renewal = storage.renew(owner(1), vec![held], Duration::from_secs(60), at(5));
    let (created, renewed, ()) = tokio::join!(creations, renewal, busy.release());
    assert_eq!(kinds(&created), [Some(ErrorKind::StorageFull); 8]);
    assert_eq!(renewed.unwrap(), []);
}

#[tokio::test]
async fn a_full_disk_that_takes_smaller_groups_refuses_only_the_large_step() {
    let (_dir, storage) = store().await;
    let busy = Busy::new(&storage).await;
    storage.fail_commits(&[CommitFault::DiskFull]);
    let creations = join_all((1..=8).map(|n| storage.create_runs(create(n))));
    let (created, ()) = tokio::join!(creations, busy.release());
    assert_eq!(kinds(&created), [None; 8]);
    assert_eq!(event_count(&storage).await, 8);
}

#[tokio::test]
async fn a_failing_disk_is_tried_twice_per_group() {
    let (_dir, storage) = store().await;
    let busy = Busy::new(&storage).await;
    let failing = join_all((0..8).map(|_| storage.step(io_error)));
    let (failed, ()) = tokio::join!(failing, busy.release());
    assert_eq!(kinds(&failed), [Some(ErrorKind::Unavailable); 8]);
    storage.create_runs(create(1)).await.unwrap();
}

#[tokio::test]
async fn a_group_waits_until_the_store_is_open_again_and_its_outcome_is_known() {
    let (_dir, storage) = store().await;
    for (n, fault, is_durable) in [
        (1, CommitFault::AfterEffect, true),
        (2, CommitFault::BeforeEffect, false),
    ] {
        storage.fail_next_commit(fault);
        storage.fail_opens(2);
        let created = storage.create_runs(create(n)).await;
        assert_eq!(created.is_ok(), is_durable, "{created:?}");
        let found = status(&storage, n).await;
        assert_eq!(found, is_durable.then_some(RunStatus::Pending));
    }
    storage.create_runs(create(2)).await.unwrap();
    assert_eq!(event_count(&storage).await, 2);
}

#[tokio::test]
async fn others_do_not_wait_for_a_store_that_cannot_be_opened_again() {
    let (dir, storage) = store().await;
    storage.fail_next_commit(CommitFault::AfterEffect);
    storage.fail_opens(u32::MAX);
    let first = storage.create_runs(create(1));
    let other = async {
        while storage.failing_commits_left() > 0 {
            tokio::task::yield_now().await;
        }
        let refused = storage.create_runs(create(2)).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unavailable);
        // Closing ends the wait of the first.
        storage.close().await.unwrap_err()
    };
    let (first, closed) = tokio::join!(first, other);
    assert_eq!(closed.kind(), ErrorKind::Internal);
    let unknown = first.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::Unavailable);
    assert!(unknown.to_string().contains("unknown"), "{unknown}");
    let again = open(dir.path()).await;
    // The caller repeats what it does not know.
    let repeated = again.create_runs(create(1)).await.unwrap();
    assert_eq!(repeated.run_ids, [run_id(1)]);
    assert_eq!(event_count(&again).await, 1);
}

#[tokio::test]
async fn an_outcome_that_stays_unknown_is_reported_in_the_end() {
    let options = SqliteOptions::default().outcome_timeout(Duration::from_millis(150));
    let (_dir, storage) = store_with(options).await;
    storage.fail_next_commit(CommitFault::AfterEffect);
    storage.fail_opens(2);
    let unknown = storage.create_runs(create(1)).await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::Unavailable);
    storage.create_runs(create(1)).await.unwrap();
    assert_eq!(event_count(&storage).await, 1);
}
