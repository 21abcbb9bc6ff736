//! Concurrency keys: how many runs of a key execute at once, and which of them is next.
//!
//! `waiting` shows why the others wait.

use super::fixtures::{
    Driver, at, backfill_id, claim, claim_one, claimed_ids, create, new_backfill, new_run,
    read_run, run_finished, run_id, save, save_for, scope,
};
use crate::model::{
    BackfillOrder, Cancel, Priority, Run, RunConcurrency, RunId, RunStatus, Trigger,
};
use crate::storage::{CancelBackfill, CancelRequest, ClaimedRun, CreateRuns, NewRun, Storage};

/// Returns run `n` of `daily` with a key that one run at a time may have.
pub(super) fn keyed(n: u64, key: &str) -> Run {
    with_key(new_run(n, "daily"), key, 1)
}

fn with_key(mut run: Run, key: &str, max: u32) -> Run {
    run.concurrency = Some(RunConcurrency::new(key, max));
    run
}

pub(super) async fn create_all(storage: &dyn Storage, runs: impl IntoIterator<Item = Run>) {
    for run in runs {
        create(storage, run).await.unwrap();
    }
}

fn ids<const N: usize>(numbers: [u64; N]) -> Vec<RunId> {
    numbers.map(run_id).to_vec()
}

/// Finishes a claimed run.
pub(super) async fn finish(storage: &dyn Storage, claimed: &ClaimedRun, status: RunStatus) {
    let finished = [run_finished(1, status)];
    Driver::new(claimed).append(storage, finished).await;
}

async fn cancel(storage: &dyn Storage, n: u64) {
    let request = CancelRequest::new(run_id(n), Cancel::Plain, at(20));
    storage.request_cancel(request).await.unwrap();
}

/// A run MUST keep its key as it was created, and runs of a key MUST execute one after another if
/// it allows one. Runs of other keys, and without a key, MUST NOT wait for them.
pub async fn a_key_that_allows_one_run_holds_the_others_back(storage: &dyn Storage) {
    save(storage, "daily").await;
    create_all(storage, [keyed(1, "a"), keyed(2, "a"), keyed(3, "a")]).await;
    create_all(storage, [keyed(4, "b"), new_run(5, "daily")]).await;
    let run = read_run(storage, run_id(2)).await.run;
    assert_eq!(run.concurrency, Some(RunConcurrency::new("a", 1)));
    let first = claim_one(storage, claim(1, 10), run_id(1)).await;
    assert_eq!(claimed_ids(storage, claim(2, 10)).await, ids([4, 5]));
    finish(storage, &first, RunStatus::Success).await;
    let second = claim_one(storage, claim(3, 10), run_id(2)).await;
    assert_eq!(second.run.concurrency, run.concurrency);
    assert_eq!(claimed_ids(storage, claim(4, 10)).await, []);
    finish(storage, &second, RunStatus::Failed).await;
    assert_eq!(claimed_ids(storage, claim(5, 10)).await, ids([3]));
}

/// As many runs of a key MUST execute at once as each of them allows.
pub async fn a_key_allows_as_many_runs_as_it_says(storage: &dyn Storage) {
    save(storage, "daily").await;
    let runs = (1..=3).map(|n| with_key(new_run(n, "daily"), "a", 2));
    create_all(storage, runs).await;
    create(storage, keyed(4, "a")).await.unwrap();
    let first = claim_one(storage, claim(1, 10), run_id(1)).await;
    let second = claim_one(storage, claim(2, 10), run_id(2)).await;
    assert_eq!(claimed_ids(storage, claim(3, 10)).await, []);
    finish(storage, &first, RunStatus::Success).await;
    let third = claim_one(storage, claim(4, 10), run_id(3)).await;
    finish(storage, &second, RunStatus::Success).await;
    assert_eq!(
        claimed_ids(storage, claim(5, 10)).await,
        [],
        "it allows one"
    );
    finish(storage, &third, RunStatus::Success).await;
    assert_eq!(claimed_ids(storage, claim(6, 10)).await, ids([4]));
}

/// The same text MUST be another key in another pipeline, and in that of another tenant.
pub async fn a_key_belongs_to_its_pipeline(storage: &dyn Storage) {
    save(storage, "daily").await;
    save(storage, "hourly").await;
    save_for(storage, "daily", "ann").await;
    let mut of_tenant = CreateRuns::new(vec![NewRun::new(keyed(1, "a"))]);
    of_tenant.scope = scope("ann");
    storage.create_runs(of_tenant).await.unwrap();
    let mut of_none = CreateRuns::new(vec![NewRun::new(keyed(2, "a"))]);
    of_none.scope = crate::model::Scope::NoTenant;
    storage.create_runs(of_none).await.unwrap();
    create(storage, with_key(new_run(3, "hourly"), "a", 1))
        .await
        .unwrap();
    assert_eq!(claimed_ids(storage, claim(1, 10)).await, ids([1, 2, 3]));
}

/// However a run leaves, the next one of its key MUST be ready in the same step.
pub async fn the_next_run_of_a_key_is_ready_however_one_ends(storage: &dyn Storage) {
    save(storage, "daily").await;
    create_all(storage, (1..=6).map(|n| keyed(n, "a"))).await;
    // Pending ones, of which the first is ready.
    cancel(storage, 2).await;
    cancel(storage, 1).await;
    let third = claim_one(storage, claim(1, 10), run_id(3)).await;
    cancel(storage, 3).await;
    assert_eq!(claimed_ids(storage, claim(2, 10)).await, []);
    finish(storage, &third, RunStatus::Cancelled).await;
    claim_one(storage, claim(3, 10), run_id(4)).await;
    // The lease of an orphan ends, and its crash poisons it.
    let mut poisoning = claim(4, 1_000);
    poisoning.crashes_max = 1;
    let claims = storage.claim(poisoning).await.unwrap();
    assert_eq!(claims.poisoned, ids([4]));
    let claimed: Vec<_> = claims.claimed.iter().map(|one| one.run.id).collect();
    assert_eq!(claimed, ids([5]));
}

/// An orphan MUST count as a run of its key.
pub async fn an_orphan_keeps_its_key(storage: &dyn Storage) {
    save(storage, "daily").await;
    create_all(storage, [keyed(1, "a"), keyed(2, "a")]).await;
    claim_one(storage, claim(1, 10), run_id(1)).await;
    let orphan = claim_one(storage, claim(2, 1_000), run_id(1)).await;
    let more = claimed_ids(storage, claim(3, 1_000)).await;
    assert_eq!(more, []);
    finish(storage, &orphan, RunStatus::Success).await;
    assert_eq!(claimed_ids(storage, claim(4, 1_000)).await, ids([2]));
}

/// Of the runs of a key that wait, the one of the best rank MUST be next, then the oldest. One of a
/// better rank MUST go first, also if another one of its key could have started before it came.
pub async fn the_runs_of_a_key_go_by_rank_and_by_age(storage: &dyn Storage) {
    save(storage, "daily").await;
    let placed = |n, priority, trigger| {
        let mut run = keyed(n, "a");
        (run.priority, run.trigger) = (priority, trigger);
        run
    };
    let runs = [
        placed(1, Priority::Low, Trigger::Manual),
        placed(2, Priority::Normal, Trigger::Schedule),
        placed(3, Priority::High, Trigger::Manual),
        placed(4, Priority::Normal, Trigger::Manual),
        placed(5, Priority::High, Trigger::Manual),
    ];
    create_all(storage, runs).await;
    for (owner, n) in (1..).zip([3, 5, 4, 1, 2]) {
        let claimed = claim_one(storage, claim(owner, 10), run_id(n)).await;
        assert_eq!(claimed_ids(storage, claim(owner + 10, 10)).await, []);
        finish(storage, &claimed, RunStatus::Success).await;
    }
}

/// The runs of a backfill that share a key MUST go in the order of their backfill.
pub async fn the_runs_of_a_key_go_in_the_order_of_their_backfill(storage: &dyn Storage) {
    save(storage, "daily").await;
    let mut create = new_backfill(1, "daily", 1, 3);
    for new in &mut create.runs {
        new.run.concurrency = Some(RunConcurrency::new("a", 1));
    }
    if let Some(new) = &mut create.backfill {
        new.backfill.order = BackfillOrder::Descending;
        new.backfill.max_parallel = 3;
    }
    storage.create_runs(create).await.unwrap();
    for (owner, n) in [(1, 3), (2, 2), (3, 1)] {
        let claimed = claim_one(storage, claim(owner, 10), run_id(n)).await;
        assert_eq!(claimed_ids(storage, claim(owner + 10, 10)).await, []);
        finish(storage, &claimed, RunStatus::Success).await;
    }
}

/// The cancel of a backfill MUST leave its keys to other runs.
pub async fn a_cancelled_backfill_leaves_its_keys(storage: &dyn Storage) {
    save(storage, "daily").await;
    let mut backfill = new_backfill(1, "daily", 1, 4);
    for new in &mut backfill.runs {
        new.run.concurrency = Some(RunConcurrency::new("a", 1));
    }
    storage.create_runs(backfill).await.unwrap();
    claim_one(storage, claim(1, 10), run_id(1)).await;
    let mut last = keyed(9, "a");
    last.trigger = Trigger::Backfill;
    create(storage, last).await.unwrap();
    let cancel = CancelBackfill::new(backfill_id(1), Cancel::Plain, at(20));
    storage.cancel_backfill(cancel).await.unwrap();
    assert_eq!(claimed_ids(storage, claim(2, 20)).await, []);
    let mut rest = CreateRuns::new(vec![NewRun::new(keyed(10, "b"))]);
    rest.queued_max = 2;
    storage.create_runs(rest).await.unwrap();
    let orphan = claim_one(storage, claim(3, 1_000), run_id(1)).await;
    finish(storage, &orphan, RunStatus::Cancelled).await;
    assert_eq!(claimed_ids(storage, claim(4, 1_000)).await, ids([10, 9]));
}

/// A delayed run MUST NOT take the place of another run of its key before it is due, and MUST wait
/// for its key then.
pub async fn a_delayed_run_waits_for_its_key_once_it_is_due(storage: &dyn Storage) {
    save(storage, "daily").await;
    let mut delayed = keyed(1, "a");
    delayed.run_after = Some(at(20));
    create_all(storage, [delayed, keyed(2, "a"), keyed(3, "a")]).await;
    let second = claim_one(storage, claim(1, 10), run_id(2)).await;
    assert_eq!(claimed_ids(storage, claim(2, 30)).await, []);
    finish(storage, &second, RunStatus::Success).await;
    let first = claim_one(storage, claim(3, 30), run_id(1)).await;
    finish(storage, &first, RunStatus::Success).await;
    assert_eq!(claimed_ids(storage, claim(4, 30)).await, ids([3]));
}

/// A run that its key holds back MUST be pending: it counts in the queue, and can be cancelled.
pub async fn a_run_that_is_held_back_is_a_pending_run(storage: &dyn Storage) {
    save(storage, "daily").await;
    create_all(storage, [keyed(1, "a"), keyed(2, "a")]).await;
    claim_one(storage, claim(1, 10), run_id(1)).await;
    let run = read_run(storage, run_id(2)).await.run;
    assert_eq!(run.status, RunStatus::Pending);
    let mut full = CreateRuns::new(vec![NewRun::new(keyed(3, "b"))]);
    full.queued_pipeline_max = 1;
    let refused = storage.create_runs(full.clone()).await.unwrap_err();
    assert_eq!(refused.problem(), crate::Problem::QueueFull);
    cancel(storage, 2).await;
    let run = read_run(storage, run_id(2)).await.run;
    assert_eq!(run.status, RunStatus::Cancelled);
    storage.create_runs(full).await.unwrap();
    assert_eq!(claimed_ids(storage, claim(2, 10)).await, ids([3]));
}
