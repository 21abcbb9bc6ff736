//! Tests of commits: groups, failures, a full disk and the lock of another program.
//!
//! Recovery after a crash is left to `reopening`.

use std::time::Duration;

use futures_util::future::join_all;

use super::lanes::Lanes;
use super::state::State;
use super::*;
use crate::model::Cancel;
use crate::storage::{CancelRequest, Purge};
use crate::testing::contract::fixtures;

async fn commit_no(storage: &SqliteStorage) -> i64 {
    let step = |tx: &mut Tx| Ok(tx.state.commit_no);
    storage.step(step).await.unwrap()
}

/// Creates the runs in one group.
async fn create_as_a_group(storage: &SqliteStorage, runs: &[u64]) -> Vec<Result<CreatedRuns>> {
    let busy = Busy::new(storage).await;
    let created = join_all(runs.iter().map(|n| storage.create_runs(create(*n))));
    tokio::join!(created, busy.release()).0
}

#[tokio::test]
async fn queued_steps_share_one_commit() {
    let (_dir, storage) = store().await;
    let before = commit_no(&storage).await;
    let runs: Vec<_> = (1..=50).collect();
    let created = create_as_a_group(&storage, &runs).await;
    assert!(created.iter().all(Result::is_ok));
    assert_eq!(commit_no(&storage).await, before + 1);
    assert_eq!(event_count(&storage).await, 50);
}

/// Returns a step that waits until `is_sent`, the first time that it is applied.
fn waiting_step(
    storage: &SqliteStorage,
    is_sent: mpsc::Receiver<()>,
) -> impl Future<Output = Result<()>> {
    let mut is_sent = Some(is_sent);
    storage.step(move |_| {
        if let Some(is_sent) = is_sent.take() {
            is_sent.recv().unwrap();
        }
        Ok(())
    })
}

#[tokio::test]
async fn steps_that_arrive_while_a_group_is_applied_share_its_commit() {
    let options = SqliteOptions::default().group_max(4);
    let (_dir, storage) = store_with(options).await;
    let before = commit_no(&storage).await;
    let (sent, is_sent) = mpsc::channel();
    // The steps are sent in this order, and then the last future is polled.
    let created = join_all((1..=5).map(|n| storage.create_runs(create(n))));
    let release = async { sent.send(()).unwrap() };
    let (waited, created, ()) = tokio::join!(waiting_step(&storage, is_sent), created, release);
    waited.unwrap();
    assert!(created.iter().all(Result::is_ok));
    // Three creations join the step that waits, and two are beyond the maximum of a group.
    assert_eq!(commit_no(&storage).await, before + 2);
}

#[tokio::test]
async fn a_step_that_writes_nothing_commits_nothing() {
    let (_dir, storage) = store().await;
    let before = commit_no(&storage).await;
    assert!(claim(&storage, 1, 5).await.claimed.is_empty());
    assert_eq!(commit_no(&storage).await, before);
}

/// Sends these creations and steps that fail as one group. Returns the kinds of their errors.
async fn kinds_of_a_group(
    storage: &SqliteStorage,
    runs: std::ops::RangeInclusive<u64>,
    failing: &[u64],
) -> Vec<Option<ErrorKind>> {
    let busy = Busy::new(storage).await;
    let all = join_all(runs.map(async |n| match failing.contains(&n) {
        true => {
            let fails = |_: &mut Tx| Err(StoreError::unreadable("a row", "on purpose"));
            storage.step::<()>(fails).await
        }
        false => storage.create_runs(create(n)).await.map(drop),
    }));
    let (outcomes, ()) = tokio::join!(all, busy.release());
    let kind = |outcome: Result<()>| outcome.err().map(|error| error.kind());
    outcomes.into_iter().map(kind).collect()
}

#[tokio::test]
async fn a_failing_step_fails_alone_in_few_commits() {
    let (_dir, storage) = store().await;
    let before = commit_no(&storage).await;
    let kinds = kinds_of_a_group(&storage, 1..=64, &[3]).await;
    for (n, kind) in (1..).zip(kinds) {
        assert_eq!(kind, (n == 3).then_some(ErrorKind::Internal), "{n}");
    }
    // Halves of 32, 16, 8, 4, 2 and 1 step.
    let commits = commit_no(&storage).await - before;
    assert!((6..=8).contains(&commits), "{commits} commits");
    let events = storage
        .events(EventFilter::default(), 0, 100)
        .await
        .unwrap()
        .events;
    let seqs: Vec<_> = events.iter().map(|event| event.seq).collect();
    assert_eq!(seqs, (1..=63).collect::<Vec<_>>(), "no gap is left");
    let stats = storage.stats(&Scope::All).await.unwrap();
    assert_eq!(stats.pending_count, 63);
}

#[tokio::test]
async fn every_failing_step_of_a_group_fails_alone() {
    let (_dir, storage) = store().await;
    let failing = [1, 2, 9, 16];
    let kinds = kinds_of_a_group(&storage, 1..=16, &failing).await;
    for (n, kind) in (1..).zip(kinds) {
        let expected = failing.contains(&n).then_some(ErrorKind::Internal);
        assert_eq!(kind, expected, "{n}");
    }
    assert_eq!(event_count(&storage).await, 12);
}

#[tokio::test]
async fn the_memory_equals_the_rows_after_a_group_was_divided() {
    let (_dir, storage) = store().await;
    for n in 1..=6 {
        storage.create_runs(create(n)).await.unwrap();
    }
    let busy = Busy::new(&storage).await;
    let cancel = CancelRequest::new(run_id(4), Cancel::Plain, at(2));
    let fails = |_: &mut Tx| Err(StoreError::unreadable("a row", "on purpose"));
    let (created, claimed, cancelled, failed, last, ()) = tokio::join!(
        storage.create_runs(create(7)),
        claim(&storage, 1, 2),
        storage.request_cancel(cancel),
        storage.step::<()>(fails),
        storage.create_runs(create(8)),
        busy.release(),
    );
    created.and(last).unwrap();
    cancelled.unwrap();
    failed.unwrap_err();
    assert_eq!(claimed.claimed.len(), 2);
    let lanes = |tx: &mut Tx| {
        let read = State::load(&tx.conn, &tx.unreadable)?;
        let counts = |lanes: &Lanes| (lanes.pending_total(), lanes.pending_in_pipeline(1));
        Ok((counts(&tx.state.lanes), counts(&read.lanes)))
    };
    assert_eq!(storage.step(lanes).await.unwrap(), ((5, 5), (5, 5)));
    let rest = claim(&storage, 2, 9).await.claimed;
    let rest: Vec<_> = rest.iter().map(|claimed| claimed.run.id).collect();
    assert_eq!(rest, [3, 5, 6].map(run_id), "five runs are running then");
}

#[tokio::test]
async fn a_panicking_step_fails_alone() {
    let (_dir, storage) = store().await;
    let busy = Busy::new(&storage).await;
    let first = storage.create_runs(create(1));
    let panics = storage.step(|tx| -> Result<(), StoreError> {
        tx.state.next_run = 99;
        panic!("on purpose")
    });
    let last = storage.create_runs(create(2));
    let (first, panicked, last, ()) = tokio::join!(first, panics, last, busy.release());
    assert_eq!(panicked.unwrap_err().kind(), ErrorKind::Internal);
    assert_eq!((first.unwrap().seq, last.unwrap().seq), (1, 2));
    let read = storage.read(|_| -> Result<(), StoreError> { panic!("on purpose") });
    assert_eq!(read.await.unwrap_err().kind(), ErrorKind::Internal);
    assert_eq!(status(&storage, 2).await, Some(RunStatus::Pending));
}

#[tokio::test]
async fn a_commit_that_failed_before_its_effect_changed_nothing() {
    let (_dir, storage) = store().await;
    storage.create_runs(create(1)).await.unwrap();
    storage.fail_next_commit(CommitFault::BeforeEffect);
    let error = storage.create_runs(create(2)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(status(&storage, 2).await, None);
    assert_eq!(storage.newest_seq().await.unwrap(), 1);
    let created = storage.create_runs(create(2)).await.unwrap();
    assert_eq!((created.seq, event_count(&storage).await), (2, 2));
    assert_eq!(claim(&storage, 1, 5).await.claimed.len(), 2);
}

#[tokio::test]
async fn a_commit_that_failed_after_its_effect_is_acknowledged_once() {
    let (_dir, storage) = store().await;
    storage.fail_next_commit(CommitFault::AfterEffect);
    let created = create_as_a_group(&storage, &[1, 2]).await;
    let seqs: Vec<_> = created.into_iter().map(|made| made.unwrap().seq).collect();
    assert_eq!(seqs, [1, 2]);
    assert_eq!(event_count(&storage).await, 2);
    assert_eq!(storage.newest_seq().await.unwrap(), 2);
    let epoch = claim(&storage, 1, 1).await.claimed[0].epoch;
    storage.fail_next_commit(CommitFault::AfterEffect);
    append(&storage, 1, (epoch, 0), vec![started(0)])
        .await
        .unwrap();
    append(&storage, 1, (epoch, 1), vec![started(1)])
        .await
        .unwrap();
}

#[tokio::test]
async fn a_full_disk_refuses_writes_until_there_is_room() {
    let (_dir, storage) = store().await;
    storage.create_runs(create(1)).await.unwrap();
    let pages = storage.page_count().await.unwrap();
    storage.limit_pages(Some(pages)).await.unwrap();
    let large = |n| {
        let mut run = new_run(n);
        run.params.insert("text".to_owned(), "x".repeat(100_000));
        CreateRuns::new(vec![NewRun::new(run)])
    };
    for n in 2..4 {
        let error = storage.create_runs(large(n)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
    }
    assert_eq!(status(&storage, 1).await, Some(RunStatus::Pending));
    assert_eq!(status(&storage, 2).await, None);
    storage.limit_pages(None).await.unwrap();
    storage.create_runs(large(2)).await.unwrap();
    assert_eq!(status(&storage, 2).await, Some(RunStatus::Pending));
    assert_eq!(storage.newest_seq().await.unwrap(), 2);
}

#[tokio::test]
async fn a_write_lock_of_another_program_blocks_only_writes() {
    let options = SqliteOptions::default().busy_timeout(Duration::from_millis(20));
    let (dir, storage) = store_with(options).await;
    let other = rusqlite::Connection::open(dir.path().join("runs.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = storage.create_runs(create(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(status(&storage, 1).await, None);
    other.execute_batch("COMMIT").unwrap();
    storage.create_runs(create(1)).await.unwrap();
    assert_eq!(status(&storage, 1).await, Some(RunStatus::Pending));
}

#[tokio::test]
async fn no_caller_waits_twice_for_the_write_lock_of_another_program() {
    let options = SqliteOptions::default().busy_timeout(Duration::from_millis(300));
    let (dir, storage) = store_with(options).await;
    let other = rusqlite::Connection::open(dir.path().join("runs.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let unlock_after_the_first = async {
        let first = storage.create_runs(create(1)).await;
        other.execute_batch("COMMIT").unwrap();
        first
    };
    let rest = join_all((2..9).map(|n| storage.create_runs(create(n))));
    let (first, rest) = tokio::join!(unlock_after_the_first, rest);
    for created in rest.into_iter().chain([first]) {
        assert_eq!(created.unwrap_err().kind(), ErrorKind::Unavailable);
    }
    storage.create_runs(create(9)).await.unwrap();
}

#[tokio::test]
async fn only_a_commit_that_may_have_purged_runs_ends_what_earlier_reads_know() {
    let (_dir, storage) = store().await;
    let known = async |n| {
        let found = fixtures::read_run(&storage, fixtures::run_id(n)).await;
        found.unchanged.unwrap()
    };
    let purge = async || {
        let all = Purge::new(at(1_000_000), 100);
        storage.purge(all).await.map(|purged| purged.deleted)
    };
    fixtures::finished_run(&storage, 1, RunStatus::Success).await;
    let before = known(1).await;
    let mut of_no_run = Purge::new(at(1_000_000), 100);
    of_no_run.keep_last = 1;
    storage.purge(of_no_run).await.unwrap();
    storage.create_runs(create(2)).await.unwrap();
    assert!(before.holds());
    storage.fail_next_commit(CommitFault::BeforeEffect);
    purge().await.unwrap_err();
    assert!(!before.holds());
    let before = known(1).await;
    storage.fail_next_commit(CommitFault::AfterEffect);
    assert_eq!(purge().await.unwrap(), 1);
    assert!(!before.holds());
}
