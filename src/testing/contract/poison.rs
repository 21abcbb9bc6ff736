//! Runs that crash repeatedly: first suspected and claimed one at a time, then poisoned.
//!
//! `queue` covers the rest of a claim.

use super::fixtures::{
    Driver, at, claim, claim_one, claimed_ids, events_of, node_finished, node_reused, node_started,
    owner, pending_run, read_run, run_finished, run_id, started_run,
};
use crate::model::{Cancel, EventKind, NodeStatus, RunId, RunStatus};
use crate::storage::{CancelRequest, Storage};

/// Crashes a run once for each owner: the owner claims it and lets the lease expire.
///
/// No other run may be claimable. Returns a second at which the last lease has expired.
async fn crash(storage: &dyn Storage, run: RunId, owners: std::ops::Range<u64>) -> i64 {
    let mut seconds = 0;
    for n in owners {
        seconds = i64::try_from(n).unwrap() * 100;
        claim_one(storage, claim(n, seconds), run).await;
    }
    seconds + 100
}

/// A run that crashed three times without progress MUST fail as poisoned and never be claimed
/// again.
pub async fn the_third_crash_fails_a_run(storage: &dyn Storage) {
    let run = pending_run(storage, 1).await;
    let seconds = crash(storage, run, 1..4).await;
    let claims = storage.claim(claim(9, seconds)).await.unwrap();
    assert_eq!((claims.claimed.len(), claims.poisoned), (0, vec![run]));
    let stored = read_run(storage, run).await.run;
    assert_eq!(stored.status, RunStatus::Failed);
    assert_eq!(stored.finished_at, Some(at(seconds)));
    let error = stored.error.unwrap();
    assert!(error.starts_with("poisoned"), "{error}");
    let last = events_of(storage, run).await.pop().unwrap();
    assert_eq!((last.kind, last.seq), (EventKind::RunFailed, claims.seq));
    assert_eq!(last.error, Some(error));
    let again = storage.claim(claim(9, seconds)).await.unwrap();
    assert_eq!((again.claimed.len(), again.poisoned), (0, vec![]));
}

/// A poisoned run with a cancel request MUST become `cancelled`.
pub async fn a_poisoned_run_with_a_cancel_request_becomes_cancelled(storage: &dyn Storage) {
    let run = pending_run(storage, 1).await;
    let seconds = crash(storage, run, 1..4).await;
    let cancel = CancelRequest::new(run, Cancel::Plain, at(seconds));
    storage.request_cancel(cancel).await.unwrap();
    let claims = storage.claim(claim(9, seconds)).await.unwrap();
    assert_eq!(claims.poisoned, [run]);
    assert_eq!(
        read_run(storage, run).await.run.status,
        RunStatus::Cancelled
    );
    let last = events_of(storage, run).await.pop().unwrap();
    assert_eq!(last.kind, EventKind::RunCancelled);
}

/// A poisoned run MUST NOT have an unfinished node.
pub async fn a_poisoned_run_has_no_unfinished_node(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    driver.append(storage, [node_started(0, 1)]).await;
    let seconds = crash(storage, driver.run, 2..4).await;
    let claims = storage.claim(claim(9, seconds)).await.unwrap();
    assert_eq!(claims.poisoned, [driver.run]);
    let nodes = read_run(storage, driver.run).await.nodes;
    assert!(
        nodes.iter().all(|node| node.status.is_terminal()),
        "{nodes:?}"
    );
}

/// `crashes_max` of a claim MUST set how many crashes poison a run.
pub async fn the_caller_sets_the_number_of_crashes(storage: &dyn Storage) {
    let run = started_run(storage, 1).await.run;
    let mut claim = claim(2, 500);
    claim.crashes_max = 1;
    let claims = storage.claim(claim).await.unwrap();
    assert_eq!((claims.claimed.len(), claims.poisoned), (0, vec![run]));
}

/// Creates runs 1 to 3 and returns a second at which they are orphans. Run 1 crashed twice, the
/// others once.
async fn one_suspect_and_two_others(storage: &dyn Storage) -> i64 {
    let suspect = pending_run(storage, 1).await;
    crash(storage, suspect, 1..3).await;
    for n in [2, 3] {
        pending_run(storage, n).await;
    }
    let mut others = claim(3, 210);
    others.suspects = false;
    assert_eq!(claimed_ids(storage, others).await, [2, 3].map(run_id));
    1_000
}

/// While a run is suspected, orphans MUST be claimed one at a time, fewest claims first.
pub async fn with_a_suspect_orphans_are_claimed_one_at_a_time(storage: &dyn Storage) {
    let seconds = one_suspect_and_two_others(storage).await;
    let mut suspects_left = Vec::new();
    let (mut order, mut held) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let mut next = claim(9, seconds);
        next.held.clone_from(&held);
        let claims = storage.claim(next).await.unwrap();
        let [claimed] = claims.claimed.as_slice() else {
            panic!("expected one orphan, got {:?}", claims.claimed);
        };
        order.push(claimed.run.id);
        suspects_left.push(claims.suspects_left);
        let mut driver = Driver::new(claimed);
        let entries = [node_started(0, 1), node_finished(0, NodeStatus::Success)];
        driver.append(storage, entries).await;
        held.push(driver.held());
    }
    assert_eq!(order, [2, 3, 1].map(run_id));
    assert_eq!(suspects_left, [true, true, false]);
}

/// An owner that holds a suspect MUST NOT get another orphan.
pub async fn no_orphan_is_claimed_while_its_owner_holds_a_suspect(storage: &dyn Storage) {
    let seconds = one_suspect_and_two_others(storage).await;
    let held = claim_one(storage, claim(9, seconds), run_id(2)).await;
    let mut again = claim(9, seconds);
    again.held = vec![Driver::new(&held).held()];
    let claims = storage.claim(again).await.unwrap();
    assert_eq!(claims.claimed.len(), 0);
    assert!(claims.suspects_left);
    let other = claimed_ids(storage, claim(10, seconds)).await;
    assert_eq!(other, [run_id(3)]);
}

/// A run that its owner claimed for the first time MUST NOT delay orphans, even if one crash
/// suffices for suspicion.
pub async fn a_run_in_its_first_claim_delays_no_orphan(storage: &dyn Storage) {
    let fresh = started_run(storage, 1).await;
    let orphan = pending_run(storage, 2).await;
    claim_one(storage, claim(2, 20), orphan).await;
    let mut next = claim(1, 1_000);
    (next.held, next.crashes_max) = (vec![fresh.held()], 2);
    assert_eq!(claimed_ids(storage, next).await, [orphan]);
}

/// With a suspect, no orphan MUST be claimed until the claim allows suspects. Pending runs MUST be
/// claimed meanwhile.
pub async fn orphans_wait_until_suspects_are_allowed(storage: &dyn Storage) {
    let seconds = one_suspect_and_two_others(storage).await;
    pending_run(storage, 4).await;
    let mut early = claim(9, seconds);
    early.suspects = false;
    let claims = storage.claim(early).await.unwrap();
    let ids: Vec<_> = claims
        .claimed
        .iter()
        .map(|claimed| claimed.run.id)
        .collect();
    assert_eq!(ids, [run_id(4)]);
    assert!(claims.suspects_left);
}

/// Without a suspect, one claim MUST return all orphans.
pub async fn without_a_suspect_all_orphans_are_claimed_at_once(storage: &dyn Storage) {
    for n in 1..=3 {
        pending_run(storage, n).await;
    }
    assert_eq!(claimed_ids(storage, claim(1, 10)).await.len(), 3);
    let mut again = claim(2, 500);
    again.suspects = false;
    let claims = storage.claim(again).await.unwrap();
    assert_eq!((claims.claimed.len(), claims.suspects_left), (3, false));
    assert!(
        claims
            .claimed
            .iter()
            .all(|claimed| claimed.claim_count == 2)
    );
}

/// A node that succeeds or fails MUST set the claim count of its run to 1.
pub async fn progress_resets_the_claim_count(storage: &dyn Storage) {
    for (n, status) in [(1, NodeStatus::Success), (2, NodeStatus::Failed)] {
        let run = pending_run(storage, n).await;
        let owners = n * 10;
        let seconds = crash(storage, run, owners..owners + 2).await;
        let claimed = claim_one(storage, claim(owners + 5, seconds), run).await;
        assert_eq!(claimed.claim_count, 3);
        let mut driver = Driver::new(&claimed);
        driver
            .append(storage, [node_started(0, 1), node_finished(0, status)])
            .await;
        let again = claim_one(storage, claim(owners + 6, seconds + 100), run).await;
        assert_eq!(again.claim_count, 2);
        driver = Driver::new(&again);
        driver
            .append(storage, [run_finished(n, RunStatus::Failed)])
            .await;
    }
}

/// A skipped node MUST NOT change the claim count.
pub async fn a_skipped_node_is_no_progress(storage: &dyn Storage) {
    let run = pending_run(storage, 1).await;
    let seconds = crash(storage, run, 1..2).await;
    let claimed = claim_one(storage, claim(5, seconds), run).await;
    let mut driver = Driver::new(&claimed);
    driver
        .append(storage, [node_reused(0, run_id(9)), node_started(1, 1)])
        .await;
    let again = claim_one(storage, claim(6, seconds + 100), run).await;
    assert_eq!((claimed.claim_count, again.claim_count), (2, 3));
}

/// A release MUST take its claim off the count, so shutdowns never poison a run.
pub async fn a_release_lowers_the_claim_count(storage: &dyn Storage) {
    let run = pending_run(storage, 1).await;
    for n in 1..=5 {
        let claimed = claim_one(storage, claim(n, 10), run).await;
        assert_eq!(claimed.claim_count, 1);
        let held = vec![Driver::new(&claimed).held()];
        assert_eq!(storage.release(owner(n), held).await.unwrap(), []);
    }
}
