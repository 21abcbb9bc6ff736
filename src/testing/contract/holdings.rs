//! What a claim does with the runs that its owner has already: held, broken off or never received.
//!
//! `queue` covers the rest of a claim.

use super::fixtures::{
    Driver, at, claim, claim_one, claimed_ids, events_of, node_started, pending_run, read_node,
    read_run, run_finished, run_id, started_run,
};
use crate::model::{NodeStatus, RunStatus};
use crate::storage::{Claim, HeldRun, Storage};

/// Returns a claim of owner 1, who holds these claims.
fn claim_holding(seconds: i64, held: &[HeldRun]) -> Claim {
    let mut claim = claim(1, seconds);
    claim.held = held.to_vec();
    claim
}

/// Returns a claim of owner 1, in whom these claims broke off.
fn claim_after_break(seconds: i64, broken_off: &[HeldRun]) -> Claim {
    let mut claim = claim(1, seconds);
    claim.broken_off = broken_off.to_vec();
    claim
}

/// A held run MUST NOT be claimed by its owner, even if its lease has ended. It MUST hold for at
/// least half a lease more.
pub async fn a_held_run_is_renewed_and_not_claimed(storage: &dyn Storage) {
    let driver = started_run(storage, 1).await;
    pending_run(storage, 2).await;
    let claims = storage.claim(claim_holding(500, &[driver.held()])).await;
    let claims = claims.unwrap();
    let ids: Vec<_> = claims.claimed.iter().map(|run| run.run.id).collect();
    assert_eq!((ids, claims.lost), (vec![run_id(2)], vec![]));
    let other = storage.claim(claim(2, 529)).await.unwrap();
    assert_eq!((other.claimed.len(), other.poisoned), (0, vec![]));
    let mut driver = driver;
    driver.append(storage, [node_started(0, 1)]).await;
}

/// A held run MUST NOT be charged or poisoned by the claims of its owner.
pub async fn claims_of_its_owner_never_poison_a_held_run(storage: &dyn Storage) {
    let driver = started_run(storage, 1).await;
    for seconds in [500, 1_000, 1_500, 2_000] {
        let claims = storage
            .claim(claim_holding(seconds, &[driver.held()]))
            .await;
        let claims = claims.unwrap();
        assert_eq!((claims.claimed.len(), claims.poisoned), (0, vec![]));
    }
    let claimed = claim_one(storage, claim(2, 3_000), driver.run).await;
    assert_eq!(claimed.claim_count, 2);
}

/// A claim MUST return the held claims that are lost, and change nothing of their runs.
pub async fn a_claim_returns_the_lost_claims(storage: &dyn Storage) {
    let mut finished = started_run(storage, 1).await;
    finished
        .append(storage, [run_finished(1, RunStatus::Success)])
        .await;
    let taken = started_run(storage, 2).await;
    let other = Driver::new(&claim_one(storage, claim(2, 500), taken.run).await);
    let missing = HeldRun::new(run_id(9), 1);
    let run = pending_run(storage, 3).await;
    let held = Driver::new(&claim_one(storage, claim(1, 500), run).await).held();
    let all = [finished.held(), held, taken.held(), missing];
    let claims = storage.claim(claim_holding(510, &all)).await.unwrap();
    assert_eq!(claims.lost, [finished.held(), taken.held(), missing]);
    assert_eq!(claims.claimed.len(), 0);
    let mut other = other;
    other.append(storage, [node_started(0, 1)]).await;
}

/// A run whose claim its owner never received MUST be claimed again at once and without a charge,
/// however often that happens.
pub async fn a_claim_that_was_never_received_is_not_charged(storage: &dyn Storage) {
    let run = pending_run(storage, 1).await;
    let mut epoch = 0;
    for _ in 0..5 {
        let claimed = claim_one(storage, claim(1, 10), run).await;
        assert_eq!(claimed.claim_count, 1);
        assert!(claimed.epoch > epoch);
        epoch = claimed.epoch;
    }
}

/// A held claim under an older epoch is lost, and the newer claim was never received.
pub async fn an_older_claim_does_not_hold_a_run(storage: &dyn Storage) {
    let old = started_run(storage, 1).await;
    let new = Driver::new(&claim_one(storage, claim(1, 10), old.run).await);
    let claims = storage.claim(claim_holding(10, &[old.held()])).await;
    let claims = claims.unwrap();
    assert_eq!(claims.lost, [old.held()]);
    let [claimed] = claims.claimed.as_slice() else {
        panic!("expected one run, got {:?}", claims.claimed);
    };
    assert_eq!((claimed.run.id, claimed.claim_count), (old.run, 1));
    assert!(claimed.epoch > new.epoch);
}

/// A run that broke off MUST be an orphan at once, with its running nodes pending again. Its claim
/// MUST stay charged.
pub async fn a_run_that_broke_off_is_charged(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    driver.append(storage, [node_started(0, 1)]).await;
    let before = events_of(storage, driver.run).await;
    let mut claim = claim_after_break(20, &[driver.held()]);
    claim.count_max = 0;
    assert_eq!(claimed_ids(storage, claim).await, []);
    let node = read_node(storage, driver.run, 0).await;
    assert_eq!(node.status, NodeStatus::Pending);
    assert_eq!(events_of(storage, driver.run).await, before);
    let claimed = claim_one(storage, super::fixtures::claim(2, 21), driver.run).await;
    assert_eq!((claimed.claim_count, claimed.position), (2, 1));
}

/// A run that breaks off again and again MUST be poisoned, as if it had crashed its owner.
pub async fn a_run_that_breaks_off_three_times_is_poisoned(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    for claim_count in [2, 3] {
        let claimed = storage.claim(claim_after_break(20, &[driver.held()])).await;
        let claimed = claimed.unwrap().claimed.pop().unwrap();
        assert_eq!(claimed.claim_count, claim_count);
        driver = Driver::new(&claimed);
    }
    let claims = storage.claim(claim_after_break(20, &[driver.held()])).await;
    assert_eq!(claims.unwrap().poisoned, [driver.run]);
    let run = read_run(storage, driver.run).await.run;
    assert_eq!(
        (run.status, run.finished_at),
        (RunStatus::Failed, Some(at(20)))
    );
}

/// A lost claim that broke off MUST change nothing.
pub async fn a_lost_claim_that_broke_off_changes_nothing(storage: &dyn Storage) {
    let old = started_run(storage, 1).await;
    let mut new = Driver::new(&claim_one(storage, claim(2, 500), old.run).await);
    let claims = storage.claim(claim_after_break(501, &[old.held()])).await;
    assert_eq!(claims.unwrap().claimed.len(), 0);
    new.append(storage, [node_started(0, 1)]).await;
    let claimed = claim_one(storage, claim(3, 1_000), old.run).await;
    assert_eq!(claimed.claim_count, 3);
}
