//! Runs that crash again and again: suspected, taken one at a time, given up in the end.
//!
//! What a claim is otherwise is promised in `queue`.

use super::fixtures::{
    Driver, at, claim, claim_one, claimed_ids, end_of, events_of, finished, found, owner, pending,
    reused, run_id, running, started,
};
use crate::model::{Cancel, EventKind, NodeStatus, RunId, RunStatus};
use crate::storage::{CancelRequest, Storage};

/// Lets a run crash: claims by owners that never come back, each when the lease before ran out.
/// Nothing but this run may be claimable. Gives the second at which the last lease has run out.
async fn crash(storage: &dyn Storage, run: RunId, owners: std::ops::Range<u64>) -> i64 {
    let mut seconds = 0;
    for n in owners {
        seconds = i64::try_from(n).unwrap() * 100;
        claim_one(storage, claim(n, seconds), run).await;
    }
    seconds + 100
}

/// A run that crashed three times without progress fails as poisoned and is claimed no more.
pub async fn the_third_crash_fails_a_run(storage: &dyn Storage) {
    let run = pending(storage, 1).await;
    let seconds = crash(storage, run, 1..4).await;
    let claims = storage.claim(claim(9, seconds)).await.unwrap();
    assert_eq!((claims.claimed.len(), claims.poisoned), (0, vec![run]));
    let stored = found(storage, run).await.run;
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

/// A poisoned run that was asked to cancel ends cancelled.
pub async fn a_poisoned_run_that_was_to_cancel_ends_cancelled(storage: &dyn Storage) {
    let run = pending(storage, 1).await;
    let seconds = crash(storage, run, 1..4).await;
    let cancel = CancelRequest::new(run, Cancel::Plain, at(seconds));
    storage.request_cancel(cancel).await.unwrap();
    let claims = storage.claim(claim(9, seconds)).await.unwrap();
    assert_eq!(claims.poisoned, [run]);
    assert_eq!(found(storage, run).await.run.status, RunStatus::Cancelled);
    let last = events_of(storage, run).await.pop().unwrap();
    assert_eq!(last.kind, EventKind::RunCancelled);
}

/// A poisoned run leaves no node on its way.
pub async fn a_poisoned_run_leaves_no_node_running(storage: &dyn Storage) {
    let mut driver = running(storage, 1).await;
    driver.append(storage, [started(0, 1)]).await;
    let seconds = crash(storage, driver.run, 2..4).await;
    let claims = storage.claim(claim(9, seconds)).await.unwrap();
    assert_eq!(claims.poisoned, [driver.run]);
    let nodes = found(storage, driver.run).await.nodes;
    assert!(
        nodes.iter().all(|node| node.status.is_terminal()),
        "{nodes:?}"
    );
}

/// The caller of a claim sets how many crashes poison a run.
pub async fn the_caller_sets_how_many_crashes_poison(storage: &dyn Storage) {
    let run = running(storage, 1).await.run;
    let mut claim = claim(2, 500);
    claim.crashes_max = 1;
    let claims = storage.claim(claim).await.unwrap();
    assert_eq!((claims.claimed.len(), claims.poisoned), (0, vec![run]));
}

/// Runs 1 to 3, orphans at second 1,000: run 1 crashed twice, the others once. Gives that second.
async fn one_suspect_and_two_others(storage: &dyn Storage) -> i64 {
    let suspect = pending(storage, 1).await;
    crash(storage, suspect, 1..3).await;
    for n in [2, 3] {
        pending(storage, n).await;
    }
    let mut others = claim(3, 210);
    others.suspects = false;
    assert_eq!(claimed_ids(storage, others).await, [2, 3].map(run_id));
    1_000
}

/// While one is suspected orphans go one at a time, fewest claims first.
pub async fn beside_a_suspect_orphans_go_one_at_a_time(storage: &dyn Storage) {
    let seconds = one_suspect_and_two_others(storage).await;
    let mut left = Vec::new();
    let mut order = Vec::new();
    for _ in 0..3 {
        let claims = storage.claim(claim(9, seconds)).await.unwrap();
        let [claimed] = claims.claimed.as_slice() else {
            panic!("one orphan at a time, not {:?}", claims.claimed);
        };
        order.push(claimed.run.id);
        left.push(claims.suspects_left);
        let mut driver = Driver::of(claimed);
        let entries = [started(0, 1), finished(0, NodeStatus::Success)];
        driver.append(storage, entries).await;
    }
    assert_eq!(order, [2, 3, 1].map(run_id));
    assert_eq!(left, [true, true, false]);
}

/// No orphan is claimed while the owner holds a suspect itself.
pub async fn no_orphan_is_taken_beside_a_suspect_that_is_held(storage: &dyn Storage) {
    let seconds = one_suspect_and_two_others(storage).await;
    let held = claimed_ids(storage, claim(9, seconds)).await;
    assert_eq!(held, [run_id(2)]);
    let claims = storage.claim(claim(9, seconds)).await.unwrap();
    assert_eq!(claims.claimed.len(), 0);
    assert!(claims.suspects_left);
    let other = claimed_ids(storage, claim(10, seconds)).await;
    assert_eq!(other, [run_id(3)]);
}

/// Beside a suspect no orphan is taken on until suspects may be; what waits goes on.
pub async fn suspects_wait_until_they_may_be_taken_on(storage: &dyn Storage) {
    let seconds = one_suspect_and_two_others(storage).await;
    pending(storage, 4).await;
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

/// Without a suspect all orphans come back at once.
pub async fn without_a_suspect_all_orphans_come_back_at_once(storage: &dyn Storage) {
    for n in 1..=3 {
        pending(storage, n).await;
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

/// A node that ended, well or badly, sets the count of claims to 1.
pub async fn progress_sets_the_count_back(storage: &dyn Storage) {
    for (n, status) in [(1, NodeStatus::Success), (2, NodeStatus::Failed)] {
        let run = pending(storage, n).await;
        let owners = n * 10;
        let seconds = crash(storage, run, owners..owners + 2).await;
        let claimed = claim_one(storage, claim(owners + 5, seconds), run).await;
        assert_eq!(claimed.claim_count, 3);
        let mut driver = Driver::of(&claimed);
        driver
            .append(storage, [started(0, 1), finished(0, status)])
            .await;
        let again = claim_one(storage, claim(owners + 6, seconds + 100), run).await;
        assert_eq!(again.claim_count, 2);
        driver = Driver::of(&again);
        driver.append(storage, [end_of(n, RunStatus::Failed)]).await;
    }
}

/// A node that is skipped is no progress.
pub async fn a_skipped_node_is_no_progress(storage: &dyn Storage) {
    let run = pending(storage, 1).await;
    let seconds = crash(storage, run, 1..2).await;
    let claimed = claim_one(storage, claim(5, seconds), run).await;
    let mut driver = Driver::of(&claimed);
    driver
        .append(storage, [reused(0, run_id(9)), started(1, 1)])
        .await;
    let again = claim_one(storage, claim(6, seconds + 100), run).await;
    assert_eq!((claimed.claim_count, again.claim_count), (2, 3));
}

/// A release takes its claim off the count, so that shutdowns never poison a run.
pub async fn a_release_takes_its_claim_off_the_count(storage: &dyn Storage) {
    let run = pending(storage, 1).await;
    for n in 1..=5 {
        let claimed = claim_one(storage, claim(n, 10), run).await;
        assert_eq!(claimed.claim_count, 1);
        let held = vec![Driver::of(&claimed).held()];
        assert_eq!(storage.release(owner(n), held).await.unwrap(), []);
    }
}
