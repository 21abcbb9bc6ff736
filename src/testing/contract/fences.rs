//! The checks of an append: which ones are refused, in which order, and without any change.
//!
//! The effect of accepted entries is covered in `journal`.

use super::fixtures::{
    Driver, assert_kind, at, claim, claim_one, log_line, node_finished, node_retrying,
    node_started, purge_all, read_run, run_finished, run_id, snapshot, started_run,
};
use crate::error::ErrorKind;
use crate::error::ErrorKind::{
    CancelRequested, IllegalTransition, Internal, NotFound, RunFinished, StaleEpoch,
};
use crate::model::{Cancel, NodeStatus, RunStatus, Scope};
use crate::storage::{Append, CancelRequest, Entry, Storage};

/// Asserts that the append is refused with this kind and changes nothing.
async fn assert_refused(storage: &dyn Storage, append: Append, kind: ErrorKind) {
    let before = snapshot(storage).await;
    assert_kind(storage.append(append).await, kind);
    assert_eq!(snapshot(storage).await, before);
}

/// Asserts that the append succeeds and changes nothing.
async fn assert_accepted_unchanged(storage: &dyn Storage, append: Append) {
    let before = snapshot(storage).await;
    storage.append(append).await.unwrap();
    assert_eq!(snapshot(storage).await, before);
}

async fn cancel(storage: &dyn Storage, driver: &Driver) {
    let request = CancelRequest::new(driver.run, Cancel::Plain, at(50));
    storage.request_cancel(request).await.unwrap();
}

/// An append under any epoch but the newest MUST be refused.
pub async fn a_stale_epoch_is_refused(storage: &dyn Storage) {
    let old = started_run(storage, 1).await;
    let new = Driver::new(&claim_one(storage, claim(2, 500), old.run).await);
    assert_refused(storage, old.next_append([node_started(0, 1)]), StaleEpoch).await;
    let mut future = new.next_append([node_started(0, 1)]);
    future.epoch += 1;
    assert_refused(storage, future, StaleEpoch).await;
}

/// An append at a position that was already repeated MUST succeed and change nothing, even if its
/// entries would be illegal by now.
pub async fn a_repeated_append_changes_nothing(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    let first = driver;
    driver
        .append(storage, [node_started(0, 1), log_line(None, "one")])
        .await;
    let second = driver;
    driver
        .append(storage, [node_finished(0, NodeStatus::Success)])
        .await;
    assert_accepted_unchanged(
        storage,
        first.next_append([node_started(0, 1), log_line(None, "one")]),
    )
    .await;
    assert_accepted_unchanged(
        storage,
        second.next_append([node_finished(0, NodeStatus::Success)]),
    )
    .await;
    driver.append(storage, [node_started(1, 1)]).await;
}

/// A repeat of the append that finished the run MUST succeed and change nothing.
pub async fn a_repeated_final_append_changes_nothing(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    let last = driver;
    driver
        .append(storage, [run_finished(1, RunStatus::Success)])
        .await;
    assert_accepted_unchanged(
        storage,
        last.next_append([run_finished(1, RunStatus::Success)]),
    )
    .await;
}

/// The position MUST survive a crash, so a late repeat by the new owner changes nothing.
pub async fn the_position_survives_a_crash(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    driver
        .append(storage, [node_started(0, 1), log_line(None, "one")])
        .await;
    let claimed = claim_one(storage, claim(2, 500), driver.run).await;
    assert_eq!(claimed.position, 2);
    let mut again = Driver::new(&claimed);
    again.append(storage, [node_started(0, 1)]).await;
    let mut repeated = again;
    repeated.position = 0;
    assert_accepted_unchanged(storage, repeated.next_append([log_line(None, "two")])).await;
}

/// An append that leaves a gap MUST be refused.
pub async fn a_gap_is_refused(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    driver.position = 1;
    assert_refused(storage, driver.next_append([node_started(0, 1)]), Internal).await;
}

/// A finished run MUST refuse every new entry, log lines included.
pub async fn a_finished_run_refuses_every_append(storage: &dyn Storage) {
    for (n, status) in [(1, RunStatus::Success), (2, RunStatus::Cancelled)] {
        let mut driver = started_run(storage, n).await;
        driver.append(storage, [run_finished(n, status)]).await;
        for entry in [
            log_line(None, "late"),
            node_started(0, 1),
            run_finished(n, status),
        ] {
            assert_refused(storage, driver.next_append([entry]), RunFinished).await;
        }
    }
}

/// A run with a cancel request MUST accept entries, but no terminal status other than `cancelled`.
pub async fn a_run_with_a_cancel_request_can_only_become_cancelled(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    driver.append(storage, [node_started(0, 1)]).await;
    cancel(storage, &driver).await;
    for status in [RunStatus::Success, RunStatus::Failed] {
        let outcome = [
            node_finished(0, NodeStatus::Success),
            run_finished(1, status),
        ];
        assert_refused(storage, driver.next_append(outcome), CancelRequested).await;
    }
    driver
        .append(storage, [node_finished(0, NodeStatus::Success)])
        .await;
    driver
        .append(storage, [run_finished(1, RunStatus::Cancelled)])
        .await;
    assert_eq!(
        read_run(storage, driver.run).await.run.status,
        RunStatus::Cancelled
    );
}

/// A transition that the tables of run and node statuses do not allow MUST be refused.
pub async fn illegal_transitions_are_refused(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    driver
        .append(
            storage,
            [
                node_started(0, 1),
                node_finished(0, NodeStatus::Success),
                node_started(1, 1),
            ],
        )
        .await;
    for entries in [
        vec![node_started(0, 2)],
        vec![node_retrying(0, 2)],
        vec![node_finished(0, NodeStatus::Failed)],
        vec![node_started(1, 2)],
        vec![node_finished(1, NodeStatus::Skipped)],
        vec![node_finished(1, NodeStatus::Running)],
        vec![node_finished(1, NodeStatus::Pending)],
        vec![node_finished(2, NodeStatus::Success)],
        vec![node_finished(2, NodeStatus::Failed)],
        vec![node_retrying(2, 2)],
        vec![run_finished(1, RunStatus::Running)],
        vec![run_finished(1, RunStatus::Pending)],
        vec![run_finished(1, RunStatus::Success), log_line(None, "late")],
        vec![
            run_finished(1, RunStatus::Success),
            run_finished(1, RunStatus::Success),
        ],
        vec![
            node_started(2, 1),
            node_finished(2, NodeStatus::Success),
            node_started(2, 2),
        ],
    ] {
        assert_refused(storage, driver.next_append(entries), IllegalTransition).await;
    }
}

/// A refused append MUST change nothing, even if legal entries precede the illegal one.
pub async fn an_append_is_refused_whole(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    let entries = [
        node_started(0, 1),
        log_line(Some(0), "one"),
        node_finished(0, NodeStatus::Success),
        node_finished(1, NodeStatus::Success),
    ];
    assert_refused(storage, driver.next_append(entries), IllegalTransition).await;
    driver.append(storage, [node_started(0, 1)]).await;
}

/// An append MUST be checked in this order: epoch, position, terminal, cancel, transitions.
pub async fn an_append_is_checked_in_a_fixed_order(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    driver.append(storage, [log_line(None, "one")]).await;
    let illegal = || {
        vec![
            node_finished(0, NodeStatus::Success),
            run_finished(1, RunStatus::Success),
        ]
    };
    cancel(storage, &driver).await;
    assert_refused(storage, driver.next_append(illegal()), CancelRequested).await;
    driver
        .append(storage, [run_finished(1, RunStatus::Cancelled)])
        .await;
    assert_refused(storage, driver.next_append(illegal()), RunFinished).await;
    let mut gap = driver.next_append(illegal());
    gap.position += 1;
    assert_refused(storage, gap.clone(), Internal).await;
    let mut repeated = driver.next_append(illegal());
    repeated.position = 0;
    assert_accepted_unchanged(storage, repeated.clone()).await;
    for mut stale in [gap, repeated] {
        stale.epoch += 1;
        assert_refused(storage, stale, StaleEpoch).await;
    }
}

/// An append without entries MUST be checked like any other.
pub async fn an_empty_append_is_checked(storage: &dyn Storage) {
    let driver = started_run(storage, 1).await;
    assert_accepted_unchanged(storage, driver.next_append([])).await;
    let mut stale = driver.next_append(Vec::<Entry>::new());
    stale.epoch += 1;
    assert_refused(storage, stale, StaleEpoch).await;
}

/// An append to a purged run MUST be refused and MUST NOT restore the run.
pub async fn an_append_to_a_purged_run_is_refused(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    let last = driver;
    driver
        .append(storage, [run_finished(1, RunStatus::Success)])
        .await;
    assert_eq!(purge_all(storage).await, 1);
    for late in [last, driver] {
        assert_refused(
            storage,
            late.next_append([log_line(None, "late")]),
            NotFound,
        )
        .await;
    }
    let missing = Append::new(run_id(9), 1, 0, vec![log_line(None, "late")]);
    assert_refused(storage, missing, NotFound).await;
    let found = storage.find_run(driver.run, &Scope::All).await.unwrap();
    assert_eq!(found, None);
}
