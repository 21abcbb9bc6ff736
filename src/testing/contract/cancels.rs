//! Cancel requests for runs.
//!
//! `fences` covers what a running run can still append after a cancel request.

use super::fixtures::{
    assert_problem, at, claim, claimed_ids, events_of, finished_run, pending_run, read_run,
    run_finished, run_id, save_for, scope, snapshot, started_run,
};
use crate::error::Problem;
use crate::model::{
    CallerName, Cancel, Event, EventKind, EventStatus, RunCancel, RunId, RunStatus,
};
use crate::storage::{CancelOutcome, CancelRequest, Storage};

async fn cancel(storage: &dyn Storage, run: RunId, cancel: Cancel) -> CancelOutcome {
    let request = CancelRequest::new(run, cancel, at(50));
    storage.request_cancel(request).await.unwrap()
}

fn last_event(events: &[Event]) -> (EventKind, Option<EventStatus>) {
    let last = events.last().unwrap();
    assert_eq!(last.timestamp, at(50));
    (last.kind, last.status)
}

/// A cancel request MUST cancel a pending run at once. The run MUST NOT be claimed.
pub async fn a_pending_run_is_cancelled_at_once(storage: &dyn Storage) {
    let run = pending_run(storage, 1).await;
    let cancelled = cancel(storage, run, Cancel::Plain).await;
    assert_eq!(cancelled, CancelOutcome::new(RunStatus::Cancelled, 2));
    let stored = read_run(storage, run).await.run;
    assert_eq!(stored.status, RunStatus::Cancelled);
    assert_eq!(
        (stored.started_at, stored.finished_at),
        (None, Some(at(50)))
    );
    let expected = (EventKind::RunCancelled, Some(EventStatus::Cancelled));
    assert_eq!(last_event(&events_of(storage, run).await), expected);
    assert_eq!(claimed_ids(storage, claim(1, 60)).await, []);
}

/// A cancel request MUST leave a running run `running`, be stored with it, and write an event.
pub async fn a_running_run_gets_a_cancel_request(storage: &dyn Storage) {
    let run = started_run(storage, 1).await.run;
    let cancelled = cancel(storage, run, Cancel::Plain).await;
    assert_eq!(cancelled, CancelOutcome::new(RunStatus::Running, 3));
    let stored = read_run(storage, run).await.run;
    assert_eq!(stored.status, RunStatus::Running);
    assert_eq!(stored.cancel, Some(RunCancel::new(Cancel::Plain, at(50))));
    let expected = (EventKind::RunCancelling, Some(EventStatus::Running));
    assert_eq!(last_event(&events_of(storage, run).await), expected);
}

/// A repeated cancel request MUST change nothing and write no event.
pub async fn a_repeated_cancel_request_changes_nothing(storage: &dyn Storage) {
    let run = started_run(storage, 1).await.run;
    let first = cancel(storage, run, Cancel::Plain).await;
    let before = snapshot(storage).await;
    assert_eq!(cancel(storage, run, Cancel::Plain).await, first);
    assert_eq!(snapshot(storage).await, before);
}

/// A forced cancel request MUST replace a plain one without an event. A plain one MUST NOT replace
/// a forced one.
pub async fn a_forced_cancel_request_escalates_a_plain_one(storage: &dyn Storage) {
    let run = started_run(storage, 1).await.run;
    cancel(storage, run, Cancel::Plain).await;
    let events = events_of(storage, run).await;
    for request in [Cancel::Forced, Cancel::Plain] {
        cancel(storage, run, request).await;
        let stored = read_run(storage, run).await.run;
        let expected = RunCancel::new(Cancel::Forced, at(50));
        assert_eq!(stored.cancel, Some(expected));
    }
    assert_eq!(events_of(storage, run).await, events);
}

/// A cancel request for a cancelled run MUST succeed and change nothing.
pub async fn cancelling_a_cancelled_run_changes_nothing(storage: &dyn Storage) {
    let pending = pending_run(storage, 1).await;
    cancel(storage, pending, Cancel::Plain).await;
    let mut driver = started_run(storage, 2).await;
    cancel(storage, driver.run, Cancel::Plain).await;
    driver
        .append(storage, [run_finished(2, RunStatus::Cancelled)])
        .await;
    let before = snapshot(storage).await;
    for run in [pending, driver.run] {
        let again = cancel(storage, run, Cancel::Forced).await;
        assert_eq!(again.status, RunStatus::Cancelled);
    }
    assert_eq!(snapshot(storage).await, before);
}

/// A cancel request for a run that succeeded or failed MUST be refused.
pub async fn cancelling_a_finished_run_conflicts(storage: &dyn Storage) {
    for (n, status) in [(1, RunStatus::Success), (2, RunStatus::Failed)] {
        let run = finished_run(storage, n, status).await;
        let before = snapshot(storage).await;
        let request = CancelRequest::new(run, Cancel::Plain, at(50));
        assert_problem(storage.request_cancel(request).await, Problem::RunFinished);
        assert_eq!(snapshot(storage).await, before);
    }
}

/// A run MUST record its cancel request. Only a request that escalates it replaces the record.
pub async fn a_run_records_who_cancelled_it_and_why(storage: &dyn Storage) {
    let driver = started_run(storage, 2).await;
    let pending = pending_run(storage, 1).await;
    for run in [pending, driver.run] {
        for (n, kind, by) in [
            (1, Cancel::Plain, "ann"),
            (2, Cancel::Plain, "ben"),
            (3, Cancel::Forced, "carol"),
            (4, Cancel::Forced, "dan"),
        ] {
            let mut request = CancelRequest::new(run, kind, at(50 + n));
            request.by = Some(CallerName::new(by));
            request.reason = Some(format!("reason {n} \u{0}\u{1f980}"));
            let record = request.record();
            storage.request_cancel(request).await.unwrap();
            let stored = read_run(storage, run).await.run.cancel;
            // The first request has finished the pending run.
            let is_recorded = n == 1 || n == 3 && run == driver.run;
            assert_eq!(stored == Some(record), is_recorded, "{n}: {stored:?}");
        }
    }
}

/// A cancel request for a run that does not exist or belongs to another tenant MUST be refused.
pub async fn cancelling_a_missing_run_is_not_found(storage: &dyn Storage) {
    save_for(storage, "daily", "ann").await;
    let run = pending_run(storage, 1).await;
    let before = snapshot(storage).await;
    let missing = CancelRequest::new(run_id(2), Cancel::Plain, at(50));
    assert_problem(storage.request_cancel(missing).await, Problem::RunNotFound);
    let mut foreign = CancelRequest::new(run, Cancel::Plain, at(50));
    foreign.scope = scope("ben");
    assert_problem(storage.request_cancel(foreign).await, Problem::RunNotFound);
    assert_eq!(snapshot(storage).await, before);
}
