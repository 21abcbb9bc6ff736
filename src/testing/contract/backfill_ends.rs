//! How a backfill ends: with its last run, by too many failures, by a caller's wish.
//!
//! How a run is cancelled is promised in `cancels`.

use super::fixtures::{
    Driver, at, backfill_id, backfills, claim, claimed_ids, end_of, events_of, found, new_backfill,
    refused, refused_as, run_id, save, save_for, scope, snapshot,
};
use crate::error::{ErrorKind, Problem};
use crate::model::{Backfill, BackfillStatus, Cancel, EventKind, RunStatus};
use crate::storage::{CancelBackfill, CreateRuns, Storage};

/// A backfill of so many runs that may all execute at once.
fn wide(dates: u64, max_failures: Option<u32>) -> CreateRuns {
    let mut create = new_backfill(1, "daily", 1, dates);
    let backfill = &mut create.backfill.as_mut().unwrap().backfill;
    (backfill.max_parallel, backfill.max_failures) = (100, max_failures);
    create
}

async fn made(storage: &dyn Storage, create: CreateRuns) {
    save(storage, "daily").await;
    storage.create_runs(create).await.unwrap();
}

/// So many of its runs, claimed.
async fn drivers(storage: &dyn Storage, count_max: u32) -> Vec<Driver> {
    let mut claim = claim(1, 10);
    claim.count_max = count_max;
    let claimed = storage.claim(claim).await.unwrap().claimed;
    claimed.iter().map(Driver::of).collect()
}

async fn stands(storage: &dyn Storage) -> Backfill {
    backfills(storage).await.pop().unwrap().backfill
}

async fn statuses(storage: &dyn Storage) -> Vec<RunStatus> {
    let detail = backfills(storage).await.pop().unwrap();
    detail.runs.iter().map(|run| run.status).collect()
}

fn wish(cancel: Cancel) -> CancelBackfill {
    CancelBackfill::new(backfill_id(1), cancel, at(50))
}

/// A backfill ends with its last run: failed when one failed, else cancelled when one was, else
/// with success.
pub async fn a_backfill_ends_with_its_last_run(storage: &dyn Storage) {
    use RunStatus::{Cancelled, Failed, Success};
    save(storage, "daily").await;
    for (n, ends, expected) in [
        (1, [Success, Success], BackfillStatus::Success),
        (2, [Cancelled, Success], BackfillStatus::Cancelled),
        (3, [Failed, Cancelled], BackfillStatus::Failed),
        (4, [Success, Failed], BackfillStatus::Failed),
    ] {
        let create = new_backfill(n, "daily", n * 10, 2);
        storage.create_runs(create).await.unwrap();
        for (second, status) in (1..).zip(ends) {
            let open = storage.find_backfill(backfill_id(n), &crate::Scope::All);
            let open = open.await.unwrap().unwrap().backfill;
            assert_eq!(open.status, BackfillStatus::Running);
            assert_eq!(open.finished_at, None);
            let mut driver = drivers(storage, 1).await.pop().unwrap();
            driver.append(storage, [end_of(second, status)]).await;
        }
        let ended = storage.find_backfill(backfill_id(n), &crate::Scope::All);
        let ended = ended.await.unwrap().unwrap().backfill;
        assert_eq!(ended.status, expected);
        assert_eq!(ended.finished_at, Some(at(1_002)));
    }
}

/// With the last failure that it may have its rest is cancelled: what waits at once, what executes
/// by a wish. The append tells it, repeated too.
pub async fn too_many_failures_cancel_the_rest(storage: &dyn Storage) {
    made(storage, wide(5, Some(2))).await;
    let mut running = drivers(storage, 3).await;
    let first = running[0].append(storage, [end_of(1, RunStatus::Failed)]);
    assert_eq!(first.await.cancelled_backfill, None);
    assert_eq!(stands(storage).await.cancel, None);
    let append = running[1].next([end_of(2, RunStatus::Failed)]);
    for _ in 0..2 {
        let appended = storage.append(append.clone()).await.unwrap();
        assert_eq!(appended.cancelled_backfill, Some(backfill_id(1)));
    }
    use RunStatus::{Cancelled, Failed, Running};
    let expected = [Failed, Failed, Running, Cancelled, Cancelled];
    assert_eq!(statuses(storage).await, expected);
    let asked = found(storage, run_id(3)).await.run;
    assert_eq!(asked.cancel, Some(Cancel::Plain));
    assert_eq!(stands(storage).await.status, BackfillStatus::Running);
    let ends = [end_of(3, RunStatus::Success)];
    refused(
        storage.append(running[2].next(ends)).await,
        ErrorKind::CancelRequested,
    );
    running[2].append(storage, [end_of(3, Cancelled)]).await;
    assert_eq!(stands(storage).await.status, BackfillStatus::Failed);
    assert_eq!(claimed_ids(storage, claim(1, 60)).await, []);
}

/// A poisoned run counts as a failure, and the claim returns the backfill that was cancelled.
pub async fn a_poisoned_run_may_cancel_its_backfill(storage: &dyn Storage) {
    made(storage, new_backfill_of(1)).await;
    for (owner, seconds) in [(1, 100), (2, 200), (3, 300)] {
        let claims = storage.claim(claim(owner, seconds));
        assert_eq!(claims.await.unwrap().claimed.len(), 1);
    }
    let last = storage.claim(claim(9, 10_000)).await.unwrap();
    assert_eq!(last.poisoned, [run_id(1)]);
    assert_eq!(last.cancelled_backfills, [backfill_id(1)]);
    assert!(last.claimed.is_empty());
    let expected = [RunStatus::Failed, RunStatus::Cancelled];
    assert_eq!(statuses(storage).await, expected);
    assert_eq!(stands(storage).await.status, BackfillStatus::Failed);
}

fn new_backfill_of(max_failures: u32) -> CreateRuns {
    let mut create = new_backfill(1, "daily", 1, 2);
    let backfill = &mut create.backfill.as_mut().unwrap().backfill;
    backfill.max_failures = Some(max_failures);
    create
}

/// A cancelled backfill leaves nothing that waits, asks what executes, and ends with it.
pub async fn a_cancelled_backfill_strands_nothing(storage: &dyn Storage) {
    use RunStatus::{Cancelled, Running, Success};
    made(storage, wide(4, None)).await;
    let mut running = drivers(storage, 2).await;
    running[0].append(storage, [end_of(1, Success)]).await;
    let cancelled = storage.cancel_backfill(wish(Cancel::Plain)).await.unwrap();
    assert_eq!(cancelled.seq, storage.newest_seq().await.unwrap());
    assert_eq!(cancelled.detail, backfills(storage).await[0]);
    assert_eq!(
        statuses(storage).await,
        [Success, Running, Cancelled, Cancelled]
    );
    let waited = found(storage, run_id(3)).await.run;
    assert_eq!(waited.finished_at, Some(at(50)));
    let last = |events: &[crate::Event]| events.last().map(|event| event.kind);
    let events = events_of(storage, run_id(2)).await;
    assert_eq!(last(&events), Some(EventKind::RunCancelling));
    let events = events_of(storage, run_id(3)).await;
    assert_eq!(last(&events), Some(EventKind::RunCancelled));
    assert_eq!(stands(storage).await.status, BackfillStatus::Running);
    running[1].append(storage, [end_of(2, Cancelled)]).await;
    let ended = stands(storage).await;
    assert_eq!(ended.status, BackfillStatus::Cancelled);
    assert_eq!(ended.finished_at, Some(at(1_002)));
}

/// A backfill without a running run ends when it is cancelled.
pub async fn a_waiting_backfill_is_cancelled_at_once(storage: &dyn Storage) {
    made(storage, wide(3, None)).await;
    let cancelled = storage.cancel_backfill(wish(Cancel::Plain)).await.unwrap();
    let backfill = cancelled.detail.backfill;
    assert_eq!(backfill.status, BackfillStatus::Cancelled);
    assert_eq!(backfill.counts.cancelled, 3);
    assert_eq!(backfill.finished_at, Some(at(50)));
}

/// A repeated wish changes nothing, after its end too; a forced one escalates.
pub async fn a_repeated_wish_changes_nothing(storage: &dyn Storage) {
    made(storage, wide(3, None)).await;
    let mut running = drivers(storage, 1).await;
    storage.cancel_backfill(wish(Cancel::Plain)).await.unwrap();
    let before = snapshot(storage).await;
    storage.cancel_backfill(wish(Cancel::Plain)).await.unwrap();
    assert_eq!(snapshot(storage).await, before);
    for cancel in [Cancel::Forced, Cancel::Plain] {
        storage.cancel_backfill(wish(cancel)).await.unwrap();
        let asked = found(storage, run_id(1)).await.run;
        assert_eq!(asked.cancel, Some(Cancel::Forced));
        assert_eq!(stands(storage).await.cancel, Some(Cancel::Forced));
    }
    let end = end_of(1, RunStatus::Cancelled);
    running[0].append(storage, [end]).await;
    let before = snapshot(storage).await;
    let again = storage.cancel_backfill(wish(Cancel::Plain)).await.unwrap();
    assert_eq!(again.detail.backfill.status, BackfillStatus::Cancelled);
    assert_eq!(snapshot(storage).await, before);
}

/// Cancelling a backfill that ended by itself conflicts.
pub async fn cancelling_a_finished_backfill_conflicts(storage: &dyn Storage) {
    made(storage, wide(1, None)).await;
    let mut running = drivers(storage, 1).await;
    running[0]
        .append(storage, [end_of(1, RunStatus::Failed)])
        .await;
    let before = snapshot(storage).await;
    refused_as(
        storage.cancel_backfill(wish(Cancel::Forced)).await,
        Problem::RunFinished,
    );
    assert_eq!(snapshot(storage).await, before);
}

/// Cancelling a missing backfill, and another tenant's, is refused.
pub async fn cancelling_a_missing_backfill_is_not_found(storage: &dyn Storage) {
    save_for(storage, "daily", "ann").await;
    storage.create_runs(wide(1, None)).await.unwrap();
    let before = snapshot(storage).await;
    let missing = CancelBackfill::new(backfill_id(2), Cancel::Plain, at(50));
    let mut foreign = wish(Cancel::Plain);
    foreign.scope = scope("ben");
    for refused in [missing, foreign] {
        refused_as(
            storage.cancel_backfill(refused).await,
            Problem::BackfillNotFound,
        );
    }
    assert_eq!(snapshot(storage).await, before);
}
