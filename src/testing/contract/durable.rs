//! What a durable backend alone can keep: opened again it has everything, and what a disk does
//! costs no more than it must.
//!
//! What every backend keeps is promised in the other files.

use async_trait::async_trait;

use super::fixtures::{
    Driver, all_events, at, backfill_id, claim, claim_one, claimed_ids, create, end_of, ended,
    events_of, found, hash, line, new_backfill, new_run, output, owner, pending, purge_all, put,
    refused_as, resume, run_id, running, save, snapshot, started, with_key,
};
use crate::error::Problem;
use crate::model::{BackfillOrder, Cancel, InheritedOutput, NodeIndex, RunId, RunStatus, Scope};
use crate::storage::{
    CancelRequest, CreateRuns, Events, Journal, NewRun, Outputs, Queue, Runs, Storage, System,
};

/// How a commit fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommitFault {
    /// Nothing was written.
    BeforeEffect,
    /// All was written, and that it was is not known.
    AfterEffect,
}

/// How a process leaves a storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Leaving {
    /// It closes the storage and waits for the end, as an orderly shutdown does.
    Closed,
    /// It drops the storage without closing it, as after a panic.
    Dropped,
}

/// Opens a durable storage in one place, again and again, and does to it what a disk does.
#[async_trait]
pub trait Durable: Send + Sync {
    /// What it opens.
    type Storage: Storage;

    /// Opens the store, which is made the first time.
    async fn open(&self) -> Self::Storage;

    /// Closes a storage, or drops it without closing, and opens it again.
    async fn reopen(&self, storage: Self::Storage, leaving: Leaving) -> Self::Storage {
        match leaving {
            Leaving::Closed => storage.close().await.unwrap(),
            Leaving::Dropped => {}
        }
        drop(storage);
        self.open().await
    }

    /// Makes the row of a run unreadable.
    async fn damage_run(&self, storage: &Self::Storage, run: RunId);

    /// Changes a byte of a node's kept output.
    async fn damage_output(&self, storage: &Self::Storage, run: RunId, node_index: NodeIndex);

    /// Makes the next commit fail.
    fn fail_next_commit(&self, storage: &Self::Storage, fault: CommitFault);
}

/// A history with something of everything in it.
async fn write_history(storage: &dyn Storage) {
    save(storage, "daily").await;
    storage.create_runs(with_key(1, "once", 1)).await.unwrap();
    let mut failed = Driver::of(&claim_one(storage, claim(1, 10), run_id(1)).await);
    failed.succeed(storage, 0, b"one").await;
    let last = [
        started(1, 1),
        line(Some(1), "bye"),
        end_of(1, RunStatus::Failed),
    ];
    failed.append(storage, last).await;
    let mut again = resume(2, failed.run, failed.run);
    let mut inherited = InheritedOutput::new(0, failed.run, 0);
    inherited.output_hash = Some(hash(b"one"));
    again.inherited = vec![inherited];
    create(storage, again).await.unwrap();
    let mut resumed = Driver::of(&claim_one(storage, claim(1, 10), run_id(2)).await);
    resumed.append(storage, [started(1, 1)]).await;
    ended(storage, 3, RunStatus::Success).await;
    let cancel = CancelRequest::new(pending(storage, 4).await, Cancel::Plain, at(50));
    storage.request_cancel(cancel).await.unwrap();
    pending(storage, 5).await;
    storage.put_pipeline(put("hourly")).await.unwrap();
}

/// Everything is found after opening again.
pub async fn everything_is_found_after_opening_again<D: Durable>(durable: &D, leaving: Leaving) {
    let storage = durable.open().await;
    write_history(&storage).await;
    let before = snapshot(&storage).await;
    let storage = durable.reopen(storage, leaving).await;
    assert_eq!(snapshot(&storage).await, before);
    assert_eq!(output(&storage, run_id(1), 0).await.unwrap(), b"one");
    assert_eq!(output(&storage, run_id(2), 0).await.unwrap(), b"one");
    let repeated = storage.create_runs(with_key(9, "once", 1)).await.unwrap();
    assert_eq!(
        (repeated.run_ids, repeated.is_replayed),
        (vec![run_id(1)], true)
    );
    assert_eq!(storage.newest_run().await.unwrap(), Some(run_id(5)));
}

/// After opening again orphans are claimed without waiting for their leases, where they were.
pub async fn orphans_are_claimed_at_once_after_opening_again<D: Durable>(
    durable: &D,
    leaving: Leaving,
) {
    let storage = durable.open().await;
    let mut driver = running(&storage, 1).await;
    driver
        .append(&storage, [started(0, 1), line(None, "one")])
        .await;
    let storage = durable.reopen(storage, leaving).await;
    let claimed = claim_one(&storage, claim(2, 11), driver.run).await;
    assert!(claimed.epoch > driver.epoch);
    assert_eq!((claimed.position, claimed.claim_count), (2, 2));
}

/// A backfill goes on within its limits and in its order: what executed counts, and so do the
/// failures before.
pub async fn a_backfill_goes_on_within_its_limits<D: Durable>(durable: &D, leaving: Leaving) {
    let storage = durable.open().await;
    save(&storage, "daily").await;
    let mut create = new_backfill(1, "daily", 1, 6);
    let backfill = &mut create.backfill.as_mut().unwrap().backfill;
    (backfill.order, backfill.max_parallel) = (BackfillOrder::Descending, 2);
    backfill.max_failures = Some(2);
    storage.create_runs(create).await.unwrap();
    let claimed = storage.claim(claim(1, 10)).await.unwrap().claimed;
    let mut first = Driver::of(&claimed[0]);
    first.append(&storage, [end_of(6, RunStatus::Failed)]).await;
    let before = snapshot(&storage).await;
    let storage = durable.reopen(storage, leaving).await;
    assert_eq!(snapshot(&storage).await, before);
    let claimed = storage.claim(claim(2, 11)).await.unwrap().claimed;
    let ids: Vec<_> = claimed.iter().map(|claimed| claimed.run.id).collect();
    assert_eq!(ids, [5, 4].map(run_id));
    let mut second = Driver::of(&claimed[0]);
    let end = [end_of(5, RunStatus::Failed)];
    let appended = second.append(&storage, end).await;
    assert_eq!(appended.cancelled_backfill, Some(backfill_id(1)));
    assert_eq!(claimed_ids(&storage, claim(2, 12)).await, []);
}

/// The owner of a claim that ended with its process cannot write any more once another has it.
pub async fn a_claim_of_an_earlier_process_is_stale<D: Durable>(durable: &D, leaving: Leaving) {
    let storage = durable.open().await;
    let driver = running(&storage, 1).await;
    let storage = durable.reopen(storage, leaving).await;
    claim_one(&storage, claim(2, 11), driver.run).await;
    let late = storage.append(driver.next([started(0, 1)])).await;
    assert_eq!(late.unwrap_err().kind(), crate::ErrorKind::StaleEpoch);
    let lost = storage
        .release(owner(1), vec![driver.held()])
        .await
        .unwrap();
    assert_eq!(lost, [driver.held()]);
}

/// What waits goes on waiting in its order and counts towards the bounds of the queue.
pub async fn the_queue_outlives_its_process<D: Durable>(durable: &D, leaving: Leaving) {
    let storage = durable.open().await;
    for n in [2, 1, 3] {
        pending(&storage, n).await;
    }
    let storage = durable.reopen(storage, leaving).await;
    let mut full = CreateRuns::new(vec![NewRun::new(new_run(4, "daily"))]);
    full.queued_pipeline_max = 3;
    refused_as(storage.create_runs(full).await, Problem::QueueFull);
    let order = claimed_ids(&storage, claim(1, 10)).await;
    assert_eq!(order, [1, 2, 3].map(run_id));
}

/// A number is not used again after the newest was purged and the store opened again.
pub async fn numbers_go_on_after_opening_again<D: Durable>(durable: &D, leaving: Leaving) {
    let storage = durable.open().await;
    ended(&storage, 1, RunStatus::Success).await;
    let newest = storage.newest_seq().await.unwrap();
    assert_eq!(purge_all(&storage).await, 1);
    let storage = durable.reopen(storage, leaving).await;
    assert_eq!(storage.newest_seq().await.unwrap(), newest);
    let purged = storage.stats(&Scope::All).await.unwrap().purged_seq;
    assert_eq!(purged, newest);
    pending(&storage, 2).await;
    assert_eq!(all_events(&storage).await[0].seq, newest + 1);
}

/// Damaged bytes come back with a hash that does not match them, or as no output at all.
pub async fn a_damaged_output_does_not_match_its_hash<D: Durable>(durable: &D) {
    let storage = durable.open().await;
    let mut driver = running(&storage, 1).await;
    driver.succeed(&storage, 0, b"one").await;
    durable.damage_output(&storage, driver.run, 0).await;
    let stored = storage
        .find_output(driver.run, 0, &Scope::All)
        .await
        .unwrap();
    if let Some(stored) = stored {
        assert_eq!(stored.hash, hash(b"one"));
        assert_ne!(hash(&stored.bytes), stored.hash);
    }
}

/// A run that cannot be read fails no claim: its neighbours are claimed, it is told, counted and
/// poisoned in the end.
pub async fn an_unreadable_run_costs_itself_alone<D: Durable>(durable: &D) {
    let storage = durable.open().await;
    for n in 1..=3 {
        pending(&storage, n).await;
    }
    durable.damage_run(&storage, run_id(2)).await;
    let first = storage.claim(claim(1, 10)).await.unwrap();
    let ids: Vec<_> = first.claimed.iter().map(|claimed| claimed.run.id).collect();
    assert_eq!(
        (ids, first.unreadable),
        ([1, 3].map(run_id).to_vec(), vec![run_id(2)])
    );
    for claimed in &first.claimed {
        let mut driver = Driver::of(claimed);
        driver
            .append(&storage, [end_of(1, RunStatus::Success)])
            .await;
    }
    for seconds in [100, 200] {
        let claims = storage.claim(claim(1, seconds)).await.unwrap();
        assert_eq!(
            (claims.claimed.len(), claims.unreadable),
            (0, vec![run_id(2)])
        );
    }
    let last = storage.claim(claim(1, 300)).await.unwrap();
    assert_eq!((last.unreadable, last.poisoned), (vec![], vec![run_id(2)]));
    let again = storage.claim(claim(1, 400)).await.unwrap();
    assert_eq!((again.unreadable, again.poisoned), (vec![], vec![]));
}

/// An orphan that cannot be read fails no claim, over the end of the process too.
pub async fn an_unreadable_orphan_costs_itself_alone<D: Durable>(durable: &D, leaving: Leaving) {
    let storage = durable.open().await;
    running(&storage, 1).await;
    let good = running(&storage, 2).await.run;
    durable.damage_run(&storage, run_id(1)).await;
    let storage = durable.reopen(storage, leaving).await;
    let claims = storage.claim(claim(2, 11)).await.unwrap();
    let ids: Vec<_> = claims
        .claimed
        .iter()
        .map(|claimed| claimed.run.id)
        .collect();
    assert_eq!((ids, claims.unreadable), (vec![good], vec![run_id(1)]));
}

/// Of a commit that failed, the answer and what is there agree, whether it had its effect or not;
/// nothing is there twice.
pub async fn a_failed_commit_is_answered_as_it_ended<D: Durable>(durable: &D) {
    let storage = durable.open().await;
    save(&storage, "daily").await;
    let faults = [CommitFault::BeforeEffect, CommitFault::AfterEffect];
    for (n, fault) in (1..).zip(faults) {
        durable.fail_next_commit(&storage, fault);
        let created = create(&storage, new_run(n, "daily")).await;
        let found = storage.find_run(run_id(n), &Scope::All).await.unwrap();
        assert_eq!(created.is_ok(), found.is_some(), "{fault:?}: {created:?}");
        if found.is_none() {
            create(&storage, new_run(n, "daily")).await.unwrap();
        }
    }
    let events = all_events(&storage).await;
    let runs: Vec<_> = events.iter().map(|event| event.run_id).collect();
    assert_eq!(runs, [run_id(1), run_id(2)]);
}

/// An append whose commit failed may be repeated: its entries are there once.
pub async fn an_append_whose_commit_failed_is_repeated<D: Durable>(durable: &D, leaving: Leaving) {
    for (n, fault) in [
        (1, CommitFault::BeforeEffect),
        (2, CommitFault::AfterEffect),
    ] {
        let storage = durable.open().await;
        let mut driver = running(&storage, n).await;
        durable.fail_next_commit(&storage, fault);
        let append = || driver.next([started(0, 1), line(None, "one")]);
        // Whichever the answer is: an engine that was told of a failure sends the same again.
        if storage.append(append()).await.is_err() {
            storage.append(append()).await.unwrap();
        }
        storage.append(append()).await.unwrap();
        driver.position += 2;
        driver
            .append(&storage, [end_of(n, RunStatus::Success)])
            .await;
        let storage = durable.reopen(storage, leaving).await;
        assert_eq!(events_of(&storage, driver.run).await.len(), 5);
        assert_eq!(found(&storage, driver.run).await.nodes.len(), 1);
        storage.close().await.unwrap();
    }
}

/// Makes a test of every promise that a durable backend alone can keep, each in a directory of its
/// own.
///
/// A promise about opening again becomes two tests, one for each way of
/// [`Leaving`](crate::testing::contract::durable::Leaving).
///
/// The argument is a closure from that directory to a
/// [`Durable`](crate::testing::contract::durable::Durable).
#[macro_export]
macro_rules! durable_contract {
    ($durable:expr) => {
        $crate::durable_contract! { @open $durable,
            durable: [
                a_damaged_output_does_not_match_its_hash,
                an_unreadable_run_costs_itself_alone,
                a_failed_commit_is_answered_as_it_ended,
            ],
        }
        $crate::durable_contract! { @reopened $durable, closed, Closed }
        $crate::durable_contract! { @reopened $durable, dropped, Dropped }
    };
    (@reopened $durable:expr, $module:ident, $leaving:ident) => {
        $crate::durable_contract! { @reopen $durable, $module, $leaving,
            durable: [
                everything_is_found_after_opening_again,
                orphans_are_claimed_at_once_after_opening_again,
                a_claim_of_an_earlier_process_is_stale,
                the_queue_outlives_its_process,
                a_backfill_goes_on_within_its_limits,
                numbers_go_on_after_opening_again,
                an_unreadable_orphan_costs_itself_alone,
                an_append_whose_commit_failed_is_repeated,
            ],
        }
    };
    (@open $durable:expr, $noun:ident: [$($case:ident),* $(,)?],) => {
        mod $noun {
            use super::*;
            $(
                #[tokio::test]
                async fn $case() {
                    let dir = $crate::testing::scratch();
                    let durable = $durable;
                    $crate::testing::contract::$noun::$case(&durable(dir.path())).await;
                }
            )*
        }
    };
    (
        @reopen $durable:expr, $module:ident, $leaving:ident,
        $noun:ident: [$($case:ident),* $(,)?],
    ) => {
        mod $module {
            use super::*;
            $(
                #[tokio::test]
                async fn $case() {
                    let dir = $crate::testing::scratch();
                    let durable = $durable;
                    let leaving = $crate::testing::contract::$noun::Leaving::$leaving;
                    $crate::testing::contract::$noun::$case(&durable(dir.path()), leaving).await;
                }
            )*
        }
    };
}
