//! Which appends are refused, in which order that is checked, and that a refused one changes
//! nothing.
//!
//! What accepted entries make is promised in `journal`.

use super::fixtures::{
    Driver, at, claim, claim_one, end_of, finished, found, line, purge_all, refused, retrying,
    run_id, running, snapshot, started,
};
use crate::error::ErrorKind;
use crate::error::ErrorKind::{
    CancelRequested, IllegalTransition, Internal, NotFound, RunFinished, StaleEpoch,
};
use crate::model::{Cancel, NodeStatus, RunStatus, Scope};
use crate::storage::{Append, CancelRequest, Entry, Storage};

/// The append is refused with this kind and changes nothing.
async fn assert_refused(storage: &dyn Storage, append: Append, kind: ErrorKind) {
    let before = snapshot(storage).await;
    refused(storage.append(append).await, kind);
    assert_eq!(snapshot(storage).await, before);
}

/// The append is answered Ok and changes nothing.
async fn assert_passed(storage: &dyn Storage, append: Append) {
    let before = snapshot(storage).await;
    storage.append(append).await.unwrap();
    assert_eq!(snapshot(storage).await, before);
}

async fn cancel(storage: &dyn Storage, driver: &Driver) {
    let request = CancelRequest::new(driver.run, Cancel::Plain, at(50));
    storage.request_cancel(request).await.unwrap();
}

/// An append under an epoch that is not the newest is refused.
pub async fn a_stale_epoch_is_refused(storage: &dyn Storage) {
    let old = running(storage, 1).await;
    let new = Driver::of(&claim_one(storage, claim(2, 500), old.run).await);
    assert_refused(storage, old.next([started(0, 1)]), StaleEpoch).await;
    let mut future = new.next([started(0, 1)]);
    future.epoch += 1;
    assert_refused(storage, future, StaleEpoch).await;
}

/// An append whose position was passed is answered Ok, though the same entries would be illegal by
/// now.
pub async fn a_repeated_append_changes_nothing(storage: &dyn Storage) {
    let mut driver = running(storage, 1).await;
    let first = driver;
    driver
        .append(storage, [started(0, 1), line(None, "one")])
        .await;
    let second = driver;
    driver
        .append(storage, [finished(0, NodeStatus::Success)])
        .await;
    assert_passed(storage, first.next([started(0, 1), line(None, "one")])).await;
    assert_passed(storage, second.next([finished(0, NodeStatus::Success)])).await;
    driver.append(storage, [started(1, 1)]).await;
}

/// The append that ended the run may be repeated, too.
pub async fn a_repeated_end_changes_nothing(storage: &dyn Storage) {
    let mut driver = running(storage, 1).await;
    let last = driver;
    driver
        .append(storage, [end_of(1, RunStatus::Success)])
        .await;
    assert_passed(storage, last.next([end_of(1, RunStatus::Success)])).await;
}

/// The position goes on over a crash, so that a lost answer can be repeated by nobody else.
pub async fn the_position_goes_on_over_a_crash(storage: &dyn Storage) {
    let mut driver = running(storage, 1).await;
    driver
        .append(storage, [started(0, 1), line(None, "one")])
        .await;
    let claimed = claim_one(storage, claim(2, 500), driver.run).await;
    assert_eq!(claimed.position, 2);
    let mut again = Driver::of(&claimed);
    again.append(storage, [started(0, 1)]).await;
    let mut passed = again;
    passed.position = 0;
    assert_passed(storage, passed.next([line(None, "two")])).await;
}

/// An append that leaves a gap is refused.
pub async fn a_gap_is_refused(storage: &dyn Storage) {
    let mut driver = running(storage, 1).await;
    driver.position = 1;
    assert_refused(storage, driver.next([started(0, 1)]), Internal).await;
}

/// After the run's end everything is refused, lines too.
pub async fn after_the_end_everything_is_refused(storage: &dyn Storage) {
    for (n, status) in [(1, RunStatus::Success), (2, RunStatus::Cancelled)] {
        let mut driver = running(storage, n).await;
        driver.append(storage, [end_of(n, status)]).await;
        for entry in [line(None, "late"), started(0, 1), end_of(n, status)] {
            assert_refused(storage, driver.next([entry]), RunFinished).await;
        }
    }
}

/// A run that was asked to cancel takes entries and ends cancelled, no other way.
pub async fn a_run_to_be_cancelled_ends_no_other_way(storage: &dyn Storage) {
    let mut driver = running(storage, 1).await;
    driver.append(storage, [started(0, 1)]).await;
    cancel(storage, &driver).await;
    for status in [RunStatus::Success, RunStatus::Failed] {
        let end = [finished(0, NodeStatus::Success), end_of(1, status)];
        assert_refused(storage, driver.next(end), CancelRequested).await;
    }
    driver
        .append(storage, [finished(0, NodeStatus::Success)])
        .await;
    driver
        .append(storage, [end_of(1, RunStatus::Cancelled)])
        .await;
    assert_eq!(
        found(storage, driver.run).await.run.status,
        RunStatus::Cancelled
    );
}

/// Changes that the tables of transitions do not have are refused.
pub async fn illegal_transitions_are_refused(storage: &dyn Storage) {
    let mut driver = running(storage, 1).await;
    driver
        .append(
            storage,
            [
                started(0, 1),
                finished(0, NodeStatus::Success),
                started(1, 1),
            ],
        )
        .await;
    for entries in [
        vec![started(0, 2)],
        vec![retrying(0, 2)],
        vec![finished(0, NodeStatus::Failed)],
        vec![started(1, 2)],
        vec![finished(1, NodeStatus::Skipped)],
        vec![finished(1, NodeStatus::Running)],
        vec![finished(1, NodeStatus::Pending)],
        vec![finished(2, NodeStatus::Success)],
        vec![finished(2, NodeStatus::Failed)],
        vec![retrying(2, 2)],
        vec![end_of(1, RunStatus::Running)],
        vec![end_of(1, RunStatus::Pending)],
        vec![end_of(1, RunStatus::Success), line(None, "late")],
        vec![end_of(1, RunStatus::Success), end_of(1, RunStatus::Success)],
        vec![
            started(2, 1),
            finished(2, NodeStatus::Success),
            started(2, 2),
        ],
    ] {
        assert_refused(storage, driver.next(entries), IllegalTransition).await;
    }
}

/// An append is refused whole: of legal entries before the illegal one nothing stays.
pub async fn an_append_is_refused_whole(storage: &dyn Storage) {
    let mut driver = running(storage, 1).await;
    let entries = [
        started(0, 1),
        line(Some(0), "one"),
        finished(0, NodeStatus::Success),
        finished(1, NodeStatus::Success),
    ];
    assert_refused(storage, driver.next(entries), IllegalTransition).await;
    driver.append(storage, [started(0, 1)]).await;
}

/// Epoch, position, end, cancel, transitions are checked in this order.
pub async fn refusals_are_checked_in_their_order(storage: &dyn Storage) {
    let mut driver = running(storage, 1).await;
    driver.append(storage, [line(None, "one")]).await;
    let illegal = || {
        vec![
            finished(0, NodeStatus::Success),
            end_of(1, RunStatus::Success),
        ]
    };
    cancel(storage, &driver).await;
    assert_refused(storage, driver.next(illegal()), CancelRequested).await;
    driver
        .append(storage, [end_of(1, RunStatus::Cancelled)])
        .await;
    assert_refused(storage, driver.next(illegal()), RunFinished).await;
    let mut gap = driver.next(illegal());
    gap.position += 1;
    assert_refused(storage, gap.clone(), Internal).await;
    let mut passed = driver.next(illegal());
    passed.position = 0;
    assert_passed(storage, passed.clone()).await;
    for mut stale in [gap, passed] {
        stale.epoch += 1;
        assert_refused(storage, stale, StaleEpoch).await;
    }
}

/// Nothing to append is no append: position, end and epoch are checked all the same.
pub async fn an_append_of_nothing_is_checked(storage: &dyn Storage) {
    let driver = running(storage, 1).await;
    assert_passed(storage, driver.next([])).await;
    let mut stale = driver.next(Vec::<Entry>::new());
    stale.epoch += 1;
    assert_refused(storage, stale, StaleEpoch).await;
}

/// An append to a purged run is refused and brings nothing back.
pub async fn an_append_to_a_purged_run_is_refused(storage: &dyn Storage) {
    let mut driver = running(storage, 1).await;
    let last = driver;
    driver
        .append(storage, [end_of(1, RunStatus::Success)])
        .await;
    assert_eq!(purge_all(storage).await, 1);
    for late in [last, driver] {
        assert_refused(storage, late.next([line(None, "late")]), NotFound).await;
    }
    let missing = Append::new(run_id(9), 1, 0, vec![line(None, "late")]);
    assert_refused(storage, missing, NotFound).await;
    let found = storage.find_run(driver.run, &Scope::All).await.unwrap();
    assert_eq!(found, None);
}
