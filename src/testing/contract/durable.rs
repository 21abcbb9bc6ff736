//! The contract of a durable backend: what survives a reopen, damage and a failed commit.
//!
//! `durable_backend` has the trait of a durable backend under test, and the macro that runs the
//! cases. The promises of every backend are in the other files of this folder.

use std::time::Duration;

use super::concurrency::{create_all, finish, keyed};
use super::delays::delayed;
pub use super::durable_backend::{CommitFailure, Durable, Shutdown};
use super::fixtures::{
    Driver, all_events, assert_problem, at, backfill_id, claim, claim_one, claimed_ids, create,
    events_of, finished_run, hash, log_line, new_backfill, new_run, node_started, owner,
    pending_run, purge_all, read_output, read_run, resume, run_finished, run_id, save, snapshot,
    started_run, with_key,
};
use super::gates::{end_run, put_rules};
use super::upstream_ends::{answer, waiting};
use crate::error::Problem;
use crate::model::{
    BackfillOrder, Cancel, DependencyRule, DependencyState, InheritedOutput, Priority, RunStatus,
    Scope,
};
use crate::storage::{
    CancelRequest, CreateRuns, Dependencies, EndAnswer, Events, Journal, NewRun, Outputs, Queue,
    Runs, Storage, System,
};

/// Writes a history with something of every kind.
async fn write_history(storage: &dyn Storage) {
    save(storage, "daily").await;
    storage.create_runs(with_key(1, "once", 1)).await.unwrap();
    let mut failed = Driver::new(&claim_one(storage, claim(1, 10), run_id(1)).await);
    failed.succeed(storage, 0, b"one").await;
    let last = [
        node_started(1, 1),
        log_line(Some(1), "bye"),
        run_finished(1, RunStatus::Failed),
    ];
    failed.append(storage, last).await;
    let mut again = resume(2, failed.run, failed.run);
    let mut inherited = InheritedOutput::new(0, failed.run, 0);
    inherited.output_hash = Some(hash(b"one"));
    again.inherited = vec![inherited];
    create(storage, again).await.unwrap();
    let mut resumed = Driver::new(&claim_one(storage, claim(1, 10), run_id(2)).await);
    resumed.append(storage, [node_started(1, 1)]).await;
    finished_run(storage, 3, RunStatus::Success).await;
    let cancel = CancelRequest::new(pending_run(storage, 4).await, Cancel::Plain, at(50));
    storage.request_cancel(cancel).await.unwrap();
    pending_run(storage, 5).await;
    super::audited_commands::give_pauses(storage).await;
}

/// Everything that readers see MUST be the same after a reopen.
pub async fn everything_survives_a_reopen<D: Durable>(durable: &D, shutdown: Shutdown) {
    let storage = durable.open().await;
    write_history(&storage).await;
    let before = snapshot(&storage).await;
    let storage = durable.reopen(storage, shutdown).await;
    assert_eq!(snapshot(&storage).await, before);
    assert_eq!(read_output(&storage, run_id(1), 0).await.unwrap(), b"one");
    assert_eq!(read_output(&storage, run_id(2), 0).await.unwrap(), b"one");
    let repeated = storage.create_runs(with_key(9, "once", 1)).await.unwrap();
    assert_eq!(
        (repeated.run_ids, repeated.is_replayed),
        (vec![run_id(1)], true)
    );
    assert_eq!(storage.newest_run().await.unwrap(), Some(run_id(7)));
}

/// After a reopen, orphans MUST be claimed before their leases expire, with their position.
pub async fn orphans_are_claimed_at_once_after_a_reopen<D: Durable>(
    durable: &D,
    shutdown: Shutdown,
) {
    let storage = durable.open().await;
    let mut driver = started_run(&storage, 1).await;
    driver
        .append(&storage, [node_started(0, 1), log_line(None, "one")])
        .await;
    let storage = durable.reopen(storage, shutdown).await;
    let claimed = claim_one(&storage, claim(2, 11), driver.run).await;
    assert!(claimed.epoch > driver.epoch);
    assert_eq!((claimed.position, claimed.claim_count), (2, 2));
}

/// After a reopen, a backfill MUST continue in its order and within its limits. Running runs and
/// earlier failures MUST count.
pub async fn a_backfill_continues_within_its_limits<D: Durable>(durable: &D, shutdown: Shutdown) {
    let storage = durable.open().await;
    save(&storage, "daily").await;
    let mut create = new_backfill(1, "daily", 1, 6);
    let backfill = &mut create.backfill.as_mut().unwrap().backfill;
    (backfill.order, backfill.max_parallel) = (BackfillOrder::Descending, 2);
    backfill.max_failures = Some(2);
    storage.create_runs(create).await.unwrap();
    let claimed = storage.claim(claim(1, 10)).await.unwrap().claimed;
    let mut first = Driver::new(&claimed[0]);
    first
        .append(&storage, [run_finished(6, RunStatus::Failed)])
        .await;
    let before = snapshot(&storage).await;
    let storage = durable.reopen(storage, shutdown).await;
    assert_eq!(snapshot(&storage).await, before);
    let claimed = storage.claim(claim(2, 11)).await.unwrap().claimed;
    let ids: Vec<_> = claimed.iter().map(|claimed| claimed.run.id).collect();
    assert_eq!(ids, [5, 4].map(run_id));
    let mut second = Driver::new(&claimed[0]);
    let failure = [run_finished(5, RunStatus::Failed)];
    let outcome = second.append(&storage, failure).await;
    assert_eq!(outcome.cancelled_backfill, Some(backfill_id(1)));
    assert_eq!(claimed_ids(&storage, claim(3, 12)).await, []);
}

/// The owner of a claim from an earlier process MUST NOT write once another owner has the run.
pub async fn a_claim_of_an_earlier_process_is_stale<D: Durable>(durable: &D, shutdown: Shutdown) {
    let storage = durable.open().await;
    let driver = started_run(&storage, 1).await;
    let storage = durable.reopen(storage, shutdown).await;
    claim_one(&storage, claim(2, 11), driver.run).await;
    let late = storage
        .append(driver.next_append([node_started(0, 1)]))
        .await;
    assert_eq!(late.unwrap_err().kind(), crate::ErrorKind::StaleEpoch);
    let lost = storage
        .release(owner(1), vec![driver.held()])
        .await
        .unwrap();
    assert_eq!(lost, [driver.held()]);
}

/// After a reopen, pending runs MUST keep their order and count towards the bounds of the queue.
pub async fn the_queue_survives_a_reopen<D: Durable>(durable: &D, shutdown: Shutdown) {
    let storage = durable.open().await;
    for n in [2, 1, 3] {
        pending_run(&storage, n).await;
    }
    let storage = durable.reopen(storage, shutdown).await;
    let mut full = CreateRuns::new(vec![NewRun::new(new_run(4, "daily"))]);
    full.queued_pipeline_max = 3;
    assert_problem(storage.create_runs(full).await, Problem::QueueFull);
    let order = claimed_ids(&storage, claim(1, 10)).await;
    assert_eq!(order, [1, 2, 3].map(run_id));
}

/// After a reopen, runs MUST keep their concurrency keys, and wait for one another as before.
pub async fn concurrency_keys_survive_a_reopen<D: Durable>(durable: &D, shutdown: Shutdown) {
    let storage = durable.open().await;
    save(&storage, "daily").await;
    let runs = [keyed(1, "a"), keyed(2, "a"), keyed(3, "b"), keyed(4, "b")];
    create_all(&storage, runs).await;
    claim_one(&storage, claim(1, 10), run_id(1)).await;
    let storage = durable.reopen(storage, shutdown).await;
    let orphan = claim_one(&storage, claim(2, 20), run_id(1)).await;
    assert_eq!(orphan.run.concurrency, keyed(1, "a").concurrency);
    assert_eq!(claimed_ids(&storage, claim(3, 20)).await, [run_id(3)]);
    finish(&storage, &orphan, RunStatus::Success).await;
    assert_eq!(claimed_ids(&storage, claim(4, 20)).await, [run_id(2)]);
}

/// After a reopen, pending runs MUST keep their priorities and delays.
pub async fn priorities_and_delays_survive_a_reopen<D: Durable>(durable: &D, shutdown: Shutdown) {
    let storage = durable.open().await;
    save(&storage, "daily").await;
    let mut low = new_run(3, "daily");
    low.priority = Priority::Low;
    for run in [low, new_run(4, "daily"), delayed(1, 20), delayed(2, 30)] {
        create(&storage, run).await.unwrap();
    }
    let storage = durable.reopen(storage, shutdown).await;
    let claims = storage.claim(claim(1, 20)).await.unwrap();
    let order: Vec<_> = claims
        .claimed
        .iter()
        .map(|claimed| claimed.run.id)
        .collect();
    assert_eq!(order, [1, 4, 3].map(run_id));
    assert_eq!(claims.due_at, Some(at(30)));
}

/// Gates, the latest end of an upstream and the ends that wait MUST survive a reopen.
pub async fn dependencies_survive_a_reopen<D: Durable>(durable: &D, shutdown: Shutdown) {
    let storage = durable.open().await;
    save(&storage, "load").await;
    save(&storage, "clean").await;
    let minute = Duration::from_secs(60);
    let rules = vec![
        DependencyRule::gate("load").within(minute),
        DependencyRule::gate("clean").state(DependencyState::Failed),
        DependencyRule::any("load"),
    ];
    let report = put_rules(&storage, "report", rules).await;
    end_run(&storage, 50, "load", RunStatus::Success).await;
    create(&storage, new_run(1, "report")).await.unwrap();
    let ends = waiting(&storage).await;
    assert_eq!(ends.len(), 1);

    let storage = durable.reopen(storage, shutdown).await;
    assert_eq!(waiting(&storage).await, ends);
    end_run(&storage, 51, "clean", RunStatus::Failed).await;
    let storage = durable.reopen(storage, shutdown).await;
    let late = claimed_ids(&storage, claim(1, 1_111)).await;
    assert_eq!(late, [], "the end of run 50 counts until second 1,110");
    assert_eq!(claimed_ids(&storage, claim(1, 1_110)).await, [run_id(1)]);
    let answered = storage.answer_ends(answer(&report, 2, &[50])).await;
    assert_eq!(answered.unwrap().answer, EndAnswer::Created);
    let storage = durable.reopen(storage, shutdown).await;
    assert_eq!(waiting(&storage).await, []);
}

/// After a reopen, a sequence number MUST NOT be used again, even if the newest event was purged.
pub async fn sequence_numbers_continue_after_a_reopen<D: Durable>(durable: &D, shutdown: Shutdown) {
    let storage = durable.open().await;
    finished_run(&storage, 1, RunStatus::Success).await;
    let newest = storage.newest_seq().await.unwrap();
    assert_eq!(purge_all(&storage).await, 1);
    let storage = durable.reopen(storage, shutdown).await;
    assert_eq!(storage.newest_seq().await.unwrap(), newest);
    let purged = storage.stats(&Scope::All).await.unwrap().purged_seq;
    assert_eq!(purged, newest);
    pending_run(&storage, 2).await;
    assert_eq!(all_events(&storage).await[0].seq, newest + 1);
}

/// A damaged output MUST be returned with a hash that does not match it, or be absent.
pub async fn a_damaged_output_does_not_match_its_hash<D: Durable>(durable: &D) {
    let storage = durable.open().await;
    let mut driver = started_run(&storage, 1).await;
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

/// An unreadable run MUST NOT fail a claim. The claim MUST return and count it, and poison it in
/// the end. Other runs MUST be claimed.
pub async fn an_unreadable_run_does_not_fail_a_claim<D: Durable>(durable: &D) {
    let storage = durable.open().await;
    for n in 1..=3 {
        pending_run(&storage, n).await;
    }
    durable.damage_run(&storage, run_id(2)).await;
    let first = storage.claim(claim(1, 10)).await.unwrap();
    let ids: Vec<_> = first.claimed.iter().map(|claimed| claimed.run.id).collect();
    assert_eq!(
        (ids, first.unreadable),
        ([1, 3].map(run_id).to_vec(), vec![run_id(2)])
    );
    for claimed in &first.claimed {
        let mut driver = Driver::new(claimed);
        driver
            .append(&storage, [run_finished(1, RunStatus::Success)])
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

/// An unreadable orphan MUST NOT fail a claim, even after a reopen.
pub async fn an_unreadable_orphan_does_not_fail_a_claim<D: Durable>(
    durable: &D,
    shutdown: Shutdown,
) {
    let storage = durable.open().await;
    started_run(&storage, 1).await;
    let good = started_run(&storage, 2).await.run;
    durable.damage_run(&storage, run_id(1)).await;
    let storage = durable.reopen(storage, shutdown).await;
    let claims = storage.claim(claim(2, 11)).await.unwrap();
    let ids: Vec<_> = claims
        .claimed
        .iter()
        .map(|claimed| claimed.run.id)
        .collect();
    assert_eq!((ids, claims.unreadable), (vec![good], vec![run_id(1)]));
}

/// The result of a failed commit MUST match what is stored, and nothing MUST be stored twice.
pub async fn the_result_of_a_failed_commit_matches_its_effect<D: Durable>(durable: &D) {
    let storage = durable.open().await;
    save(&storage, "daily").await;
    let faults = [CommitFailure::BeforeEffect, CommitFailure::AfterEffect];
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

/// A repeat of an append whose commit failed MUST succeed, and its entries MUST be stored once.
pub async fn an_append_can_be_repeated_after_a_failed_commit<D: Durable>(
    durable: &D,
    shutdown: Shutdown,
) {
    for (n, fault) in [
        (1, CommitFailure::BeforeEffect),
        (2, CommitFailure::AfterEffect),
    ] {
        let storage = durable.open().await;
        let mut driver = started_run(&storage, n).await;
        durable.fail_next_commit(&storage, fault);
        let append = || driver.next_append([node_started(0, 1), log_line(None, "one")]);
        // An engine that sees a failure sends the same append again, whatever its effect was.
        if storage.append(append()).await.is_err() {
            storage.append(append()).await.unwrap();
        }
        storage.append(append()).await.unwrap();
        driver.position += 2;
        driver
            .append(&storage, [run_finished(n, RunStatus::Success)])
            .await;
        let storage = durable.reopen(storage, shutdown).await;
        assert_eq!(events_of(&storage, driver.run).await.len(), 5);
        assert_eq!(read_run(&storage, driver.run).await.nodes.len(), 1);
        storage.close().await.unwrap();
    }
}
