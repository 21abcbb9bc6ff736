//! Who gets which run, and for how long.
//!
//! What becomes of runs that crash again and again is promised in `poison`.

use std::sync::Arc;
use std::time::Duration;

use super::fixtures::{
    Driver, at, claim, claim_one, claimed_ids, create, definition, end_of, events_of, found,
    new_run, node, owner, pending, put, run_id, running, save, started,
};
use crate::model::{EventKind, EventStatus, NodeStatus, RunId, RunStatus, Trigger};
use crate::storage::{Claim, HeldRun, Storage};

const MINUTE: Duration = Duration::from_secs(60);

/// A claim by an owner whose limits leave room for one more.
fn claim_by(n: u64, seconds: i64, count_max: u32, runs_max: u32) -> Claim {
    let mut claim = claim(n, seconds);
    (claim.count_max, claim.runs_max) = (count_max, runs_max);
    claim
}

/// A claimed run is running, with an event and all that its driver needs.
pub async fn a_claimed_run_is_running(storage: &dyn Storage) {
    let run = pending(storage, 1).await;
    let claimed = claim_one(storage, claim(1, 10), run).await;
    assert!(claimed.epoch > 0);
    assert_eq!((claimed.position, claimed.claim_count), (0, 1));
    assert_eq!(claimed.nodes, []);
    assert_eq!(*claimed.definition, definition("daily"));
    let stored = found(storage, run).await.run;
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

/// A run starts at its creation at the earliest, though the caller read the clock before.
pub async fn a_run_starts_at_its_creation_at_the_earliest(storage: &dyn Storage) {
    let run = pending(storage, 1).await;
    let created_at = found(storage, run).await.run.created_at;
    let mut early = claim(1, 10);
    early.now = created_at - MINUTE;
    let claimed = claim_one(storage, early, run).await;
    assert_eq!(claimed.run.started_at, Some(created_at));
    assert_eq!(claimed.run, found(storage, run).await.run);
    let events = events_of(storage, run).await;
    assert_eq!(events[1].timestamp, created_at);
}

/// Runs are claimed by priority, then by age.
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

/// A claim takes no more than it asks for, and no run twice.
pub async fn a_claim_takes_no_more_than_it_asks_for(storage: &dyn Storage) {
    for n in 1..=5 {
        pending(storage, n).await;
    }
    let first = claimed_ids(storage, claim_by(1, 10, 2, 1_000)).await;
    assert_eq!(first, [1, 2].map(run_id));
    assert_eq!(claimed_ids(storage, claim_by(1, 10, 0, 1_000)).await, []);
    let rest = claimed_ids(storage, claim(1, 10)).await;
    assert_eq!(rest, [3, 4, 5].map(run_id));
    assert_eq!(claimed_ids(storage, claim(1, 10)).await, []);
}

/// No more runs execute than the engine may, whoever claimed them.
pub async fn a_claim_keeps_to_the_runs_of_an_engine(storage: &dyn Storage) {
    for n in 1..=5 {
        pending(storage, n).await;
    }
    assert_eq!(claimed_ids(storage, claim_by(1, 10, 100, 2)).await.len(), 2);
    assert_eq!(
        claimed_ids(storage, claim_by(2, 10, 100, 3)).await,
        [run_id(3)]
    );
    assert_eq!(claimed_ids(storage, claim_by(2, 10, 100, 3)).await, []);
}

/// No more runs of a pipeline execute than it may, and others go past those that wait for it.
pub async fn a_claim_keeps_to_the_runs_of_a_pipeline(storage: &dyn Storage) {
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
    assert_eq!(claimed_ids(storage, claim(1, 10)).await, []);
    let mut driver = Driver::of(&claims.claimed[0]);
    driver
        .append(storage, [end_of(2, RunStatus::Success)])
        .await;
    assert_eq!(claimed_ids(storage, claim(1, 10)).await, [run_id(1)]);
}

/// The limit of a pipeline is that of its newest definition, for older runs too.
pub async fn the_limit_of_a_pipeline_is_its_newest(storage: &dyn Storage) {
    for n in 1..=3 {
        pending(storage, n).await;
    }
    let mut limited = put("daily");
    limited.definition = Arc::new(definition("daily").max_concurrent_runs(1));
    storage.put_pipeline(limited).await.unwrap();
    assert_eq!(claimed_ids(storage, claim(1, 10)).await, [run_id(1)]);
    storage.put_pipeline(put("daily")).await.unwrap();
    assert_eq!(claimed_ids(storage, claim(1, 10)).await, [2, 3].map(run_id));
}

/// Claims at the same time never give a run twice.
pub async fn simultaneous_claims_never_give_a_run_twice(storage: &dyn Storage) {
    for n in 1..=4 {
        pending(storage, n).await;
    }
    let one = |n| claimed_ids(storage, claim_by(n, 10, 1, 3));
    let claimed = tokio::join!(one(1), one(2), one(3), one(4));
    let claimed: [_; 4] = claimed.into();
    let mut ids = claimed.concat();
    ids.sort();
    assert_eq!(ids, [1, 2, 3].map(run_id));
}

/// Every claim raises the epoch: after a release, for the same owner, and when a lease ran out.
pub async fn every_claim_raises_the_epoch(storage: &dyn Storage) {
    let mut driver = running(storage, 1).await;
    for (owner_n, seconds) in [(1, 20), (2, 20)] {
        let lost = storage
            .release(owner(1), vec![driver.held()])
            .await
            .unwrap();
        assert_eq!(lost, []);
        let claimed = claim_one(storage, claim(owner_n, seconds), driver.run).await;
        assert!(claimed.epoch > driver.epoch);
        driver = Driver::of(&claimed);
        if owner_n == 2 {
            let claimed = claim_one(storage, claim(1, 100), driver.run).await;
            assert!(claimed.epoch > driver.epoch);
        }
    }
}

/// A run whose lease ran out is an orphan; the answer before tells when to ask again.
pub async fn a_run_whose_lease_ran_out_is_an_orphan(storage: &dyn Storage) {
    let run = running(storage, 1).await.run;
    let early = storage.claim(claim(2, 69)).await.unwrap();
    assert_eq!(early.claimed.len(), 0);
    assert_eq!(early.lease_until, Some(at(70)));
    let claimed = claim_one(storage, claim(2, 70), run).await;
    assert_eq!(claimed.claim_count, 2);
    let none = storage.claim(claim(2, 71)).await.unwrap();
    assert_eq!((none.claimed.len(), none.lease_until), (0, None));
}

/// A lease that would end beyond the calendar holds against every other owner, and fails no claim.
pub async fn a_lease_beyond_the_calendar_never_ends(storage: &dyn Storage) {
    let run = pending(storage, 1).await;
    let mut endless = claim(1, 10);
    endless.lease = Duration::MAX;
    claim_one(storage, endless, run).await;
    let other = storage.claim(claim(2, 1_000_000)).await.unwrap();
    assert_eq!((other.claimed.len(), other.poisoned), (0, vec![]));
    assert!(other.lease_until.is_some_and(|until| until > at(1_000_000)));
}

/// An owner's own run is no orphan, though its lease ran out.
pub async fn an_owners_own_run_is_no_orphan(storage: &dyn Storage) {
    running(storage, 1).await;
    assert_eq!(claimed_ids(storage, claim(1, 1_000)).await, []);
}

/// An orphan keeps its start, writes no event, and its running nodes are pending again.
pub async fn an_orphan_goes_on_where_it_was(storage: &dyn Storage) {
    let mut driver = running(storage, 1).await;
    driver.append(storage, [started(0, 1)]).await;
    let before = events_of(storage, driver.run).await;
    let claimed = claim_one(storage, claim(2, 500), driver.run).await;
    assert_eq!(claimed.run.started_at, Some(at(10)));
    assert_eq!((claimed.position, claimed.claim_count), (1, 2));
    let [node] = claimed.nodes.as_slice() else {
        panic!("one node has an entry, not {:?}", claimed.nodes);
    };
    assert_eq!((node.status, node.attempt), (NodeStatus::Pending, Some(1)));
    assert_eq!(node.started_at, Some(at(20)));
    assert_eq!(found(storage, driver.run).await.nodes, claimed.nodes);
    assert_eq!(events_of(storage, driver.run).await, before);
}

/// Orphans go before what waits, and no limit but the asked number holds them up.
pub async fn orphans_go_first_and_past_the_limits(storage: &dyn Storage) {
    let mut limited = put("daily");
    limited.definition = Arc::new(definition("daily").max_concurrent_runs(2));
    storage.put_pipeline(limited).await.unwrap();
    for n in [2, 3] {
        create(storage, new_run(n, "daily")).await.unwrap();
    }
    assert_eq!(claimed_ids(storage, claim(1, 10)).await.len(), 2);
    create(storage, new_run(1, "daily")).await.unwrap();
    let first = claimed_ids(storage, claim_by(2, 500, 1, 1)).await;
    let second = claimed_ids(storage, claim_by(2, 500, 9, 1)).await;
    assert_eq!([first, second].concat(), [2, 3].map(run_id));
}

/// An orphan counts as running although nobody executes it.
pub async fn an_orphan_counts_as_running(storage: &dyn Storage) {
    let driver = running(storage, 1).await;
    pending(storage, 2).await;
    let lost = storage
        .release(owner(1), vec![driver.held()])
        .await
        .unwrap();
    assert_eq!(lost, []);
    let claimed = claimed_ids(storage, claim_by(2, 20, 9, 1)).await;
    assert_eq!(claimed, [run_id(1)]);
}

/// A renewed claim holds for another lease, one that ran out unnoticed too.
pub async fn a_renewed_claim_holds_on(storage: &dyn Storage) {
    let driver = running(storage, 1).await;
    for (seconds, until) in [(60, 120), (200, 260)] {
        let held = vec![driver.held()];
        let lost = storage.renew(owner(1), held, MINUTE, at(seconds)).await;
        assert_eq!(lost.unwrap(), []);
        let other = storage.claim(claim(2, until - 1)).await.unwrap();
        assert_eq!(other.claimed.len(), 0);
        assert_eq!(other.lease_until, Some(at(until)));
    }
}

/// The claims that an owner no longer has, each for another reason, and one that it has.
async fn lost_and_held(storage: &dyn Storage) -> (Vec<HeldRun>, HeldRun) {
    let mut finished = running(storage, 1).await;
    finished
        .append(storage, [end_of(1, RunStatus::Success)])
        .await;
    let taken = running(storage, 2).await;
    claim_one(storage, claim(2, 500), taken.run).await;
    let mut claim = claim(1, 500);
    claim.count_max = 1;
    pending(storage, 3).await;
    let held = Driver::of(&claim_one(storage, claim, run_id(3)).await).held();
    let stale = HeldRun::new(held.run, held.epoch + 1);
    let missing = HeldRun::new(run_id(9), 1);
    let waiting = HeldRun::new(pending(storage, 4).await, 0);
    let lost = vec![finished.held(), taken.held(), stale, missing, waiting];
    (lost, held)
}

async fn owner_and_epoch_hold(storage: &dyn Storage, run: RunId) -> bool {
    storage
        .claim(claim(3, 530))
        .await
        .unwrap()
        .claimed
        .iter()
        .all(|claimed| claimed.run.id != run)
}

/// A renewal tells what was lost and prolongs the rest.
pub async fn a_renewal_tells_what_was_lost(storage: &dyn Storage) {
    let (lost, held) = lost_and_held(storage).await;
    let mut all = lost.clone();
    all.insert(2, held);
    let told = storage.renew(owner(1), all, MINUTE, at(510)).await.unwrap();
    assert_eq!(told, lost);
    assert!(owner_and_epoch_hold(storage, held.run).await);
    assert!(owner_and_epoch_hold(storage, run_id(2)).await);
}

/// A release tells what was lost and leaves it alone.
pub async fn a_release_tells_what_was_lost(storage: &dyn Storage) {
    let (lost, held) = lost_and_held(storage).await;
    let mut all = lost.clone();
    all.insert(0, held);
    let told = storage.release(owner(1), all).await.unwrap();
    assert_eq!(told, lost);
    assert!(owner_and_epoch_hold(storage, run_id(2)).await);
}

/// A released run goes on uncharged, its running nodes pending again.
pub async fn a_released_run_goes_on_uncharged(storage: &dyn Storage) {
    let mut driver = running(storage, 1).await;
    driver.append(storage, [started(0, 1)]).await;
    let before = events_of(storage, driver.run).await;
    let lost = storage
        .release(owner(1), vec![driver.held()])
        .await
        .unwrap();
    assert_eq!(lost, []);
    assert_eq!(
        found(storage, driver.run).await.run.status,
        RunStatus::Running
    );
    assert_eq!(
        node(storage, driver.run, 0).await.status,
        NodeStatus::Pending
    );
    let claimed = claim_one(storage, claim(2, 20), driver.run).await;
    assert_eq!(claimed.claim_count, 1);
    assert_eq!(events_of(storage, driver.run).await, before);
}

/// A claim of nothing tells the newest event all the same.
pub async fn a_claim_of_nothing_tells_the_newest_event(storage: &dyn Storage) {
    assert_eq!(storage.claim(claim(1, 10)).await.unwrap().seq, 0);
    running(storage, 1).await;
    let claims = storage.claim(claim(1, 10)).await.unwrap();
    assert_eq!((claims.claimed.len(), claims.seq), (0, 2));
    assert!(!claims.suspects_left);
    assert_eq!((claims.poisoned, claims.unreadable), (vec![], vec![]));
}
