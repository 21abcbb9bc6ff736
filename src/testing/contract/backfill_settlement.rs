//! How a backfill finishes: with its last run, after too many failures, or by a cancel request.
//!
//! `cancels` covers the cancel request of a run.

use super::fixtures::{
    Driver, all_backfills, assert_kind, assert_problem, at, backfill_id, claim, claimed_ids,
    events_of, new_backfill, read_run, run_finished, run_id, save, save_for, scope, snapshot,
};
use crate::error::{ErrorKind, Problem};
use crate::model::{Backfill, BackfillStatus, CallerName, Cancel, EventKind, RunCancel, RunStatus};
use crate::storage::{CancelBackfill, CreateRuns, Storage};

/// Returns a backfill of this many dates whose runs can all execute at once.
fn parallel_backfill(dates: u64, max_failures: Option<u32>) -> CreateRuns {
    let mut create = new_backfill(1, "daily", 1, dates);
    let backfill = &mut create.backfill.as_mut().unwrap().backfill;
    (backfill.max_parallel, backfill.max_failures) = (100, max_failures);
    create
}

async fn create_backfill(storage: &dyn Storage, create: CreateRuns) {
    save(storage, "daily").await;
    storage.create_runs(create).await.unwrap();
}

/// Claims up to this many runs of the backfill.
async fn claim_drivers(storage: &dyn Storage, count_max: u32) -> Vec<Driver> {
    let mut claim = claim(1, 10);
    claim.count_max = count_max;
    let claimed = storage.claim(claim).await.unwrap().claimed;
    claimed.iter().map(Driver::new).collect()
}

async fn read_backfill(storage: &dyn Storage) -> Backfill {
    all_backfills(storage).await.pop().unwrap().backfill
}

async fn statuses(storage: &dyn Storage) -> Vec<RunStatus> {
    let detail = all_backfills(storage).await.pop().unwrap();
    detail.runs.iter().map(|run| run.status).collect()
}

fn cancel_request(cancel: Cancel) -> CancelBackfill {
    let mut request = CancelBackfill::new(backfill_id(1), cancel, at(50));
    request.by = Some(CallerName::new("ann"));
    request.reason = Some("the wrong month".to_owned());
    request
}

/// A backfill MUST finish with its last run: `failed` if a run failed, else `cancelled` if a run
/// was cancelled, else `success`.
pub async fn a_backfill_finishes_with_its_last_run(storage: &dyn Storage) {
    use RunStatus::{Cancelled, Failed, Success};
    save(storage, "daily").await;
    for (n, outcomes, expected) in [
        (1, [Success, Success], BackfillStatus::Success),
        (2, [Cancelled, Success], BackfillStatus::Cancelled),
        (3, [Failed, Cancelled], BackfillStatus::Failed),
        (4, [Success, Failed], BackfillStatus::Failed),
    ] {
        let create = new_backfill(n, "daily", n * 10, 2);
        storage.create_runs(create).await.unwrap();
        for (second, status) in (1..).zip(outcomes) {
            let open = storage.find_backfill(backfill_id(n), &crate::Scope::All);
            let open = open.await.unwrap().unwrap().backfill;
            assert_eq!(open.status, BackfillStatus::Running);
            assert_eq!(open.finished_at, None);
            let mut driver = claim_drivers(storage, 1).await.pop().unwrap();
            driver.append(storage, [run_finished(second, status)]).await;
        }
        let finished = storage.find_backfill(backfill_id(n), &crate::Scope::All);
        let finished = finished.await.unwrap().unwrap().backfill;
        assert_eq!(finished.status, expected);
        assert_eq!(finished.finished_at, Some(at(1_002)));
    }
}

/// The failure that reaches `max_failures` MUST cancel pending runs at once and request the cancel
/// of running ones. The append MUST return the backfill, on a repeat too.
pub async fn too_many_failures_cancel_the_remaining_runs(storage: &dyn Storage) {
    create_backfill(storage, parallel_backfill(5, Some(2))).await;
    let mut running = claim_drivers(storage, 3).await;
    let first = running[0].append(storage, [run_finished(1, RunStatus::Failed)]);
    assert_eq!(first.await.cancelled_backfill, None);
    assert_eq!(read_backfill(storage).await.cancel, None);
    let append = running[1].next_append([run_finished(2, RunStatus::Failed)]);
    for _ in 0..2 {
        let outcome = storage.append(append.clone()).await.unwrap();
        assert_eq!(outcome.cancelled_backfill, Some(backfill_id(1)));
    }
    use RunStatus::{Cancelled, Failed, Running};
    let expected = [Failed, Failed, Running, Cancelled, Cancelled];
    assert_eq!(statuses(storage).await, expected);
    let run = read_run(storage, run_id(3)).await.run;
    let failed_at = run.cancel.as_ref().and_then(|cancel| cancel.at);
    assert_eq!(run.cancel, failed_at.map(RunCancel::of_failures));
    assert_eq!(read_backfill(storage).await.status, BackfillStatus::Running);
    let outcomes = [run_finished(3, RunStatus::Success)];
    assert_kind(
        storage.append(running[2].next_append(outcomes)).await,
        ErrorKind::CancelRequested,
    );
    running[2]
        .append(storage, [run_finished(3, Cancelled)])
        .await;
    assert_eq!(read_backfill(storage).await.status, BackfillStatus::Failed);
    assert_eq!(claimed_ids(storage, claim(1, 60)).await, []);
}

/// A poisoned run MUST count as a failure. The claim MUST return a backfill that it cancels.
pub async fn a_poisoned_run_counts_as_a_failure_of_its_backfill(storage: &dyn Storage) {
    create_backfill(storage, backfill_with_max_failures(1)).await;
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
    assert_eq!(read_backfill(storage).await.status, BackfillStatus::Failed);
}

fn backfill_with_max_failures(max_failures: u32) -> CreateRuns {
    let mut create = new_backfill(1, "daily", 1, 2);
    let backfill = &mut create.backfill.as_mut().unwrap().backfill;
    backfill.max_failures = Some(max_failures);
    create
}

/// Cancelling a backfill MUST cancel its pending runs at once and request the cancel of running
/// ones. The backfill MUST finish with the last of them.
pub async fn cancelling_a_backfill_cancels_every_unfinished_run(storage: &dyn Storage) {
    use RunStatus::{Cancelled, Running, Success};
    create_backfill(storage, parallel_backfill(4, None)).await;
    let mut running = claim_drivers(storage, 2).await;
    running[0].append(storage, [run_finished(1, Success)]).await;
    let cancelled = storage
        .cancel_backfill(cancel_request(Cancel::Plain))
        .await
        .unwrap();
    assert_eq!(cancelled.seq, storage.newest_seq().await.unwrap());
    assert_eq!(cancelled.detail, all_backfills(storage).await[0]);
    assert_eq!(
        statuses(storage).await,
        [Success, Running, Cancelled, Cancelled]
    );
    let pending = read_run(storage, run_id(3)).await.run;
    assert_eq!(pending.finished_at, Some(at(50)));
    let last = |events: &[crate::Event]| events.last().map(|event| event.kind);
    let events = events_of(storage, run_id(2)).await;
    assert_eq!(last(&events), Some(EventKind::RunCancelling));
    let events = events_of(storage, run_id(3)).await;
    assert_eq!(last(&events), Some(EventKind::RunCancelled));
    assert_eq!(read_backfill(storage).await.status, BackfillStatus::Running);
    running[1]
        .append(storage, [run_finished(2, Cancelled)])
        .await;
    let finished = read_backfill(storage).await;
    assert_eq!(finished.status, BackfillStatus::Cancelled);
    assert_eq!(finished.finished_at, Some(at(1_002)));
}

/// Cancelling a backfill without a running run MUST finish it.
pub async fn a_backfill_without_running_runs_is_cancelled_at_once(storage: &dyn Storage) {
    create_backfill(storage, parallel_backfill(3, None)).await;
    let cancelled = storage
        .cancel_backfill(cancel_request(Cancel::Plain))
        .await
        .unwrap();
    let backfill = cancelled.detail.backfill;
    assert_eq!(backfill.status, BackfillStatus::Cancelled);
    assert_eq!(backfill.counts.cancelled, 3);
    assert_eq!(backfill.finished_at, Some(at(50)));
}

/// A repeated cancel request MUST change nothing, even after the backfill was cancelled. A forced
/// one MUST replace a plain one.
pub async fn a_repeated_cancel_request_changes_nothing(storage: &dyn Storage) {
    create_backfill(storage, parallel_backfill(3, None)).await;
    let mut running = claim_drivers(storage, 1).await;
    storage
        .cancel_backfill(cancel_request(Cancel::Plain))
        .await
        .unwrap();
    let before = snapshot(storage).await;
    storage
        .cancel_backfill(cancel_request(Cancel::Plain))
        .await
        .unwrap();
    assert_eq!(snapshot(storage).await, before);
    for cancel in [Cancel::Forced, Cancel::Plain] {
        storage
            .cancel_backfill(cancel_request(cancel))
            .await
            .unwrap();
        let run = read_run(storage, run_id(1)).await.run;
        let expected = cancel_request(Cancel::Forced).record();
        assert_eq!(run.cancel, Some(expected));
        assert_eq!(read_backfill(storage).await.cancel, Some(Cancel::Forced));
    }
    let outcome = run_finished(1, RunStatus::Cancelled);
    running[0].append(storage, [outcome]).await;
    let before = snapshot(storage).await;
    let again = storage
        .cancel_backfill(cancel_request(Cancel::Plain))
        .await
        .unwrap();
    assert_eq!(again.detail.backfill.status, BackfillStatus::Cancelled);
    assert_eq!(snapshot(storage).await, before);
}

/// Cancelling a backfill that finished without a cancel request MUST be refused, also if its
/// failures have cancelled the other runs. A request meanwhile MUST be one that may be repeated.
pub async fn cancelling_a_finished_backfill_conflicts(storage: &dyn Storage) {
    create_backfill(storage, parallel_backfill(1, None)).await;
    let mut running = claim_drivers(storage, 1).await;
    running[0]
        .append(storage, [run_finished(1, RunStatus::Failed)])
        .await;
    let before = snapshot(storage).await;
    assert_problem(
        storage
            .cancel_backfill(cancel_request(Cancel::Forced))
            .await,
        Problem::RunFinished,
    );
    assert_eq!(snapshot(storage).await, before);
    end_by_a_failure(storage, 2, None).await;
    let before = snapshot(storage).await;
    for kind in [Cancel::Plain, Cancel::Forced] {
        let cancel = CancelBackfill::new(backfill_id(2), kind, at(50));
        assert_problem(storage.cancel_backfill(cancel).await, Problem::RunFinished);
    }
    assert_eq!(snapshot(storage).await, before);
    let cancel = CancelBackfill::new(backfill_id(3), Cancel::Plain, at(50));
    end_by_a_failure(storage, 3, Some(&cancel)).await;
    let again = storage.cancel_backfill(cancel).await.unwrap();
    assert_eq!(again.detail.backfill.status, BackfillStatus::Failed);
}

/// Ends backfill `n` by the failure of its first run. A caller may cancel it meanwhile.
async fn end_by_a_failure(storage: &dyn Storage, n: u64, cancel: Option<&CancelBackfill>) {
    let mut create = new_backfill(n, "daily", n * 10, 3);
    let backfill = &mut create.backfill.as_mut().unwrap().backfill;
    (backfill.max_parallel, backfill.max_failures) = (3, Some(1));
    storage.create_runs(create).await.unwrap();
    let mut running = claim_drivers(storage, 2).await;
    running[0]
        .append(storage, [run_finished(1, RunStatus::Failed)])
        .await;
    if let Some(cancel) = cancel {
        storage.cancel_backfill(cancel.clone()).await.unwrap();
    }
    running[1]
        .append(storage, [run_finished(2, RunStatus::Cancelled)])
        .await;
}

/// Cancelling a backfill that does not exist or belongs to another tenant MUST be refused.
pub async fn cancelling_a_missing_backfill_is_not_found(storage: &dyn Storage) {
    save_for(storage, "daily", "ann").await;
    storage
        .create_runs(parallel_backfill(1, None))
        .await
        .unwrap();
    let before = snapshot(storage).await;
    let missing = CancelBackfill::new(backfill_id(2), Cancel::Plain, at(50));
    let mut foreign = cancel_request(Cancel::Plain);
    foreign.scope = scope("ben");
    for refused in [missing, foreign] {
        assert_problem(
            storage.cancel_backfill(refused).await,
            Problem::BackfillNotFound,
        );
    }
    assert_eq!(snapshot(storage).await, before);
}
