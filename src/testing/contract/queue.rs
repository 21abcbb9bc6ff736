//! Claims, leases, renewals and releases of runs.
//!
//! `poison` covers runs that crash repeatedly.

use std::sync::Arc;
use std::time::Duration;

use super::fixtures::{
    Driver, at, claim, claim_one, claimed_ids, create, definition, events_of, new_run,
    node_started, owner, pending_run, put, read_node, read_run, run_finished, run_id, save,
    started_run,
};
use super::threads::{at_once, block_on};
use crate::model::{EventKind, EventStatus, NodeStatus, RunId, RunStatus, Trigger};
use crate::storage::{Claim, HeldRun, Storage};

const MINUTE: Duration = Duration::from_secs(60);

/// Returns a claim with a maximum of claimed runs and a maximum of running runs.
fn claim_by(n: u64, seconds: i64, count_max: u32, runs_max: u32) -> Claim {
    let mut claim = claim(n, seconds);
    (claim.count_max, claim.runs_max) = (count_max, runs_max);
    claim
}

/// A claimed run MUST be `running` with an event, and carry everything that its driver needs.
pub async fn a_claimed_run_is_running(storage: &dyn Storage) {
    let run = pending_run(storage, 1).await;
    let claimed = claim_one(storage, claim(1, 10), run).await;
    assert!(claimed.epoch > 0);
    assert_eq!((claimed.position, claimed.claim_count), (0, 1));
    assert_eq!(claimed.nodes, []);
    assert_eq!(*claimed.definition, definition("daily"));
    let stored = read_run(storage, run).await.run;
    assert_eq!(claimed.run, stored);
    assert_eq!(stored.status, RunStatus::Running);
    assert_eq!(stored.started_at, Some(at(10)));
    let events = events_of(storage, run).await;
    let event = &events[1];
    assert_eq!(
        (event.kind, event.timestamp),
        (EventKind::RunStarted, at(10))
    );
    assert_eq!(event.status, Some(EventStatus::Running));
    assert_eq!(events.len(), 2);
}

/// A run MUST NOT start before its creation, even if the claim carries an earlier time.
pub async fn a_run_never_starts_before_its_creation(storage: &dyn Storage) {
    let run = pending_run(storage, 1).await;
    let created_at = read_run(storage, run).await.run.created_at;
    let mut early = claim(1, 10);
    early.now = created_at - MINUTE;
    let claimed = claim_one(storage, early, run).await;
    assert_eq!(claimed.run.started_at, Some(created_at));
    assert_eq!(claimed.run, read_run(storage, run).await.run);
    let events = events_of(storage, run).await;
    assert_eq!(events[1].timestamp, created_at);
}

/// Runs MUST be claimed by priority, then by age.
pub async fn runs_are_claimed_by_priority_then_by_age(storage: &dyn Storage) {
    save(storage, "daily").await;
    save(storage, "weekly").await;
    save(storage, "hourly").await;
    for (n, pipeline, trigger) in [
        (1, "daily", Trigger::Backfill),
        (2, "hourly", Trigger::Schedule),
        (3, "daily", Trigger::Dependency),
        (4, "weekly", Trigger::Catchup),
        (5, "hourly", Trigger::Manual),
        (6, "daily", Trigger::Webhook),
        (7, "hourly", Trigger::Manual),
    ] {
        let mut run = new_run(n, pipeline);
        run.trigger = trigger;
        create(storage, run).await.unwrap();
    }
    let order = claimed_ids(storage, claim(1, 10)).await;
    assert_eq!(order, [5, 6, 7, 2, 3, 4, 1].map(run_id));
}

/// A claim MUST return at most the requested number of runs, and no run twice.
pub async fn a_claim_returns_at_most_the_requested_number(storage: &dyn Storage) {
    for n in 1..=5 {
        pending_run(storage, n).await;
    }
    let first = claimed_ids(storage, claim_by(1, 10, 2, 1_000)).await;
    assert_eq!(first, [1, 2].map(run_id));
    assert_eq!(claimed_ids(storage, claim_by(2, 10, 0, 1_000)).await, []);
    let rest = claimed_ids(storage, claim(2, 10)).await;
    assert_eq!(rest, [3, 4, 5].map(run_id));
    assert_eq!(claimed_ids(storage, claim(3, 10)).await, []);
}

/// More than `runs_max` runs MUST NOT run at the same time, whichever owner claims them.
pub async fn a_claim_respects_the_limit_of_all_runs(storage: &dyn Storage) {
    for n in 1..=5 {
        pending_run(storage, n).await;
    }
    assert_eq!(claimed_ids(storage, claim_by(1, 10, 100, 2)).await.len(), 2);
    assert_eq!(
        claimed_ids(storage, claim_by(2, 10, 100, 3)).await,
        [run_id(3)]
    );
    assert_eq!(claimed_ids(storage, claim_by(3, 10, 100, 3)).await, []);
}

/// More than `max_concurrent_runs` runs of a pipeline MUST NOT run at the same time. Runs of other
/// pipelines MUST NOT wait behind them.
pub async fn a_claim_respects_the_limit_of_a_pipeline(storage: &dyn Storage) {
    let mut limited = put("daily");
    limited.definition = Arc::new(definition("daily").max_concurrent_runs(2));
    storage.put_pipeline(limited).await.unwrap();
    save(storage, "hourly").await;
    for (n, pipeline, trigger) in [
        (1, "daily", Trigger::Backfill),
        (2, "daily", Trigger::Manual),
        (3, "daily", Trigger::Manual),
        (4, "hourly", Trigger::Backfill),
    ] {
        let mut run = new_run(n, pipeline);
        run.trigger = trigger;
        create(storage, run).await.unwrap();
    }
    let claims = storage.claim(claim(1, 10)).await.unwrap();
    let ids: Vec<_> = claims
        .claimed
        .iter()
        .map(|claimed| claimed.run.id)
        .collect();
    assert_eq!(ids, [2, 3, 4].map(run_id));
    assert_eq!(claimed_ids(storage, claim(2, 10)).await, []);
    let mut driver = Driver::new(&claims.claimed[0]);
    driver
        .append(storage, [run_finished(2, RunStatus::Success)])
        .await;
    assert_eq!(claimed_ids(storage, claim(3, 10)).await, [run_id(1)]);
}

/// The newest definition MUST set the limit of a pipeline, for older runs too.
pub async fn the_newest_definition_sets_the_limit_of_a_pipeline(storage: &dyn Storage) {
    for n in 1..=3 {
        pending_run(storage, n).await;
    }
    let mut limited = put("daily");
    limited.definition = Arc::new(definition("daily").max_concurrent_runs(1));
    storage.put_pipeline(limited).await.unwrap();
    assert_eq!(claimed_ids(storage, claim(1, 10)).await, [run_id(1)]);
    storage.put_pipeline(put("daily")).await.unwrap();
    assert_eq!(claimed_ids(storage, claim(2, 10)).await, [2, 3].map(run_id));
}

/// Concurrent claims MUST NOT return a run twice.
pub async fn concurrent_claims_never_return_a_run_twice(storage: &dyn Storage) {
    for n in 1..=4 {
        pending_run(storage, n).await;
    }
    let one = |n| block_on(claimed_ids(storage, claim_by(n, 10, 1, 3)));
    let mut ids = at_once(4, one).concat();
    ids.sort();
    assert_eq!(ids, [1, 2, 3].map(run_id));
}

/// Every claim MUST raise the epoch: after a release, for the same owner, and after the lease has
/// expired.
pub async fn every_claim_raises_the_epoch(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    for (owner_n, seconds) in [(1, 20), (2, 20)] {
        let lost = storage
            .release(owner(1), vec![driver.held()])
            .await
            .unwrap();
        assert_eq!(lost, []);
        let claimed = claim_one(storage, claim(owner_n, seconds), driver.run).await;
        assert!(claimed.epoch > driver.epoch);
        driver = Driver::new(&claimed);
        if owner_n == 2 {
            let claimed = claim_one(storage, claim(1, 100), driver.run).await;
            assert!(claimed.epoch > driver.epoch);
        }
    }
}

/// A run whose lease has expired MUST be claimed as an orphan. An earlier claim MUST return when
/// the lease ends.
pub async fn a_run_with_an_expired_lease_is_an_orphan(storage: &dyn Storage) {
    let run = started_run(storage, 1).await.run;
    let early = storage.claim(claim(2, 69)).await.unwrap();
    assert_eq!(early.claimed.len(), 0);
    assert_eq!(early.lease_until, Some(at(70)));
    let claimed = claim_one(storage, claim(2, 70), run).await;
    assert_eq!(claimed.claim_count, 2);
    let mut again = claim(2, 71);
    again.held = vec![Driver::new(&claimed).held()];
    let none = storage.claim(again).await.unwrap();
    assert_eq!((none.claimed.len(), none.lease_until), (0, None));
}

/// A lease beyond the last representable date MUST NOT fail the claim, and MUST hold against every
/// other owner.
pub async fn a_lease_beyond_the_calendar_never_expires(storage: &dyn Storage) {
    let run = pending_run(storage, 1).await;
    let mut endless = claim(1, 10);
    endless.lease = Duration::MAX;
    claim_one(storage, endless, run).await;
    let other = storage.claim(claim(2, 1_000_000)).await.unwrap();
    assert_eq!((other.claimed.len(), other.poisoned), (0, vec![]));
    assert!(other.lease_until.is_some_and(|until| until > at(1_000_000)));
}

/// An orphan MUST keep its start and get no event. Its running nodes MUST be pending again.
pub async fn an_orphan_continues_where_it_stopped(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    driver.append(storage, [node_started(0, 1)]).await;
    let before = events_of(storage, driver.run).await;
    let claimed = claim_one(storage, claim(2, 500), driver.run).await;
    assert_eq!(claimed.run.started_at, Some(at(10)));
    assert_eq!((claimed.position, claimed.claim_count), (1, 2));
    let [node] = claimed.nodes.as_slice() else {
        panic!("expected one node, got {:?}", claimed.nodes);
    };
    assert_eq!((node.status, node.attempt), (NodeStatus::Pending, Some(1)));
    assert_eq!(node.started_at, Some(at(20)));
    assert_eq!(read_run(storage, driver.run).await.nodes, claimed.nodes);
    assert_eq!(events_of(storage, driver.run).await, before);
}

/// Orphans MUST be claimed before pending runs. The requested number is the only
/// limit that applies to them.
pub async fn orphans_are_claimed_first_and_despite_limits(storage: &dyn Storage) {
    let mut limited = put("daily");
    limited.definition = Arc::new(definition("daily").max_concurrent_runs(2));
    storage.put_pipeline(limited).await.unwrap();
    for n in [2, 3] {
        create(storage, new_run(n, "daily")).await.unwrap();
    }
    assert_eq!(claimed_ids(storage, claim(1, 10)).await.len(), 2);
    create(storage, new_run(1, "daily")).await.unwrap();
    let first = claimed_ids(storage, claim_by(2, 500, 1, 1)).await;
    let second = claimed_ids(storage, claim_by(3, 500, 9, 1)).await;
    assert_eq!([first, second].concat(), [2, 3].map(run_id));
}

/// An orphan MUST count as running, although no owner executes it.
pub async fn an_orphan_counts_as_running(storage: &dyn Storage) {
    let driver = started_run(storage, 1).await;
    pending_run(storage, 2).await;
    let lost = storage
        .release(owner(1), vec![driver.held()])
        .await
        .unwrap();
    assert_eq!(lost, []);
    let claimed = claimed_ids(storage, claim_by(2, 20, 9, 1)).await;
    assert_eq!(claimed, [run_id(1)]);
}

/// A renewed claim MUST hold for another lease, even if the old lease had expired unnoticed.
pub async fn a_renewed_claim_holds_for_another_lease(storage: &dyn Storage) {
    let driver = started_run(storage, 1).await;
    for (seconds, until) in [(60, 120), (200, 260)] {
        let held = vec![driver.held()];
        let lost = storage.renew(owner(1), held, MINUTE, at(seconds)).await;
        assert_eq!(lost.unwrap(), []);
        let other = storage.claim(claim(2, until - 1)).await.unwrap();
        assert_eq!(other.claimed.len(), 0);
        assert_eq!(other.lease_until, Some(at(until)));
    }
}

/// Creates five claims that owner 1 has lost, each for another reason, and one that it holds.
async fn lost_and_held(storage: &dyn Storage) -> (Vec<HeldRun>, HeldRun) {
    let mut finished = started_run(storage, 1).await;
    finished
        .append(storage, [run_finished(1, RunStatus::Success)])
        .await;
    let reclaimed = started_run(storage, 2).await;
    claim_one(storage, claim(2, 500), reclaimed.run).await;
    let run = pending_run(storage, 3).await;
    let held = Driver::new(&claim_one(storage, claim(1, 500), run).await).held();
    let stale = HeldRun::new(held.run, held.epoch + 1);
    let missing = HeldRun::new(run_id(9), 1);
    let unclaimed = HeldRun::new(pending_run(storage, 4).await, 0);
    let lost = vec![finished.held(), reclaimed.held(), stale, missing, unclaimed];
    (lost, held)
}

/// Returns whether a claim of another owner leaves this run alone.
async fn is_not_claimable(storage: &dyn Storage, run: RunId) -> bool {
    storage
        .claim(claim(3, 530))
        .await
        .unwrap()
        .claimed
        .iter()
        .all(|claimed| claimed.run.id != run)
}

/// A renewal MUST return the lost claims and prolong the others.
pub async fn a_renewal_returns_the_lost_claims(storage: &dyn Storage) {
    let (lost, held) = lost_and_held(storage).await;
    let mut all = lost.clone();
    all.insert(2, held);
    let returned = storage.renew(owner(1), all, MINUTE, at(510)).await.unwrap();
    assert_eq!(returned, lost);
    assert!(is_not_claimable(storage, held.run).await);
    assert!(is_not_claimable(storage, run_id(2)).await);
}

/// A release MUST return the lost claims and MUST NOT touch their runs.
pub async fn a_release_returns_the_lost_claims(storage: &dyn Storage) {
    let (lost, held) = lost_and_held(storage).await;
    let mut all = lost.clone();
    all.insert(0, held);
    let returned = storage.release(owner(1), all).await.unwrap();
    assert_eq!(returned, lost);
    assert!(is_not_claimable(storage, run_id(2)).await);
}

/// A released run MUST be claimable without a charge, and its running nodes MUST be pending again.
pub async fn a_released_run_can_be_claimed_without_charge(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    driver.append(storage, [node_started(0, 1)]).await;
    let before = events_of(storage, driver.run).await;
    let lost = storage
        .release(owner(1), vec![driver.held()])
        .await
        .unwrap();
    assert_eq!(lost, []);
    assert_eq!(
        read_run(storage, driver.run).await.run.status,
        RunStatus::Running
    );
    assert_eq!(
        read_node(storage, driver.run, 0).await.status,
        NodeStatus::Pending
    );
    let claimed = claim_one(storage, claim(2, 20), driver.run).await;
    assert_eq!(claimed.claim_count, 1);
    assert_eq!(events_of(storage, driver.run).await, before);
}

/// A claim that finds no run MUST return the newest sequence number.
pub async fn an_empty_claim_returns_the_newest_sequence_number(storage: &dyn Storage) {
    assert_eq!(storage.claim(claim(1, 10)).await.unwrap().seq, 0);
    started_run(storage, 1).await;
    let claims = storage.claim(claim(2, 10)).await.unwrap();
    assert_eq!((claims.claimed.len(), claims.seq), (0, 2));
    assert!(!claims.suspects_left);
    assert_eq!((claims.poisoned, claims.unreadable), (vec![], vec![]));
}
