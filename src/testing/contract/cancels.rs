//! Asking a run to cancel.
//!
//! What a running run may still append then is promised in `journal`.

use super::fixtures::{
    at, claim, claimed_ids, end_of, ended, events_of, found, pending, refused_as, run_id, running,
    save_for, scope, snapshot,
};
use crate::error::Problem;
use crate::model::{Cancel, Event, EventKind, EventStatus, RunId, RunStatus};
use crate::storage::{CancelOutcome, CancelRequest, Storage};

async fn cancel(storage: &dyn Storage, run: RunId, cancel: Cancel) -> CancelOutcome {
    let request = CancelRequest::new(run, cancel, at(50));
    storage.request_cancel(request).await.unwrap()
}

fn last(events: &[Event]) -> (EventKind, Option<EventStatus>) {
    let last = events.last().unwrap();
    assert_eq!(last.timestamp, at(50));
    (last.kind, last.status)
}

/// A pending run is cancelled at once and never claimed.
pub async fn a_pending_run_is_cancelled_at_once(storage: &dyn Storage) {
    let run = pending(storage, 1).await;
    let cancelled = cancel(storage, run, Cancel::Plain).await;
    assert_eq!(cancelled, CancelOutcome::new(RunStatus::Cancelled, 2));
    let stored = found(storage, run).await.run;
    assert_eq!(stored.status, RunStatus::Cancelled);
    assert_eq!(
        (stored.started_at, stored.finished_at),
        (None, Some(at(50)))
    );
    let expected = (EventKind::RunCancelled, Some(EventStatus::Cancelled));
    assert_eq!(last(&events_of(storage, run).await), expected);
    assert_eq!(claimed_ids(storage, claim(1, 60)).await, []);
}

/// A running run is asked to cancel: it goes on running and an event says so.
pub async fn a_running_run_is_asked_to_cancel(storage: &dyn Storage) {
    let run = running(storage, 1).await.run;
    let cancelled = cancel(storage, run, Cancel::Plain).await;
    assert_eq!(cancelled, CancelOutcome::new(RunStatus::Running, 3));
    let stored = found(storage, run).await.run;
    assert_eq!(stored.status, RunStatus::Running);
    assert_eq!(stored.cancel, Some(Cancel::Plain));
    let expected = (EventKind::RunCancelling, Some(EventStatus::Running));
    assert_eq!(last(&events_of(storage, run).await), expected);
}

/// A repeated wish writes no event.
pub async fn a_repeated_cancel_changes_nothing(storage: &dyn Storage) {
    let run = running(storage, 1).await.run;
    let first = cancel(storage, run, Cancel::Plain).await;
    let before = snapshot(storage).await;
    assert_eq!(cancel(storage, run, Cancel::Plain).await, first);
    assert_eq!(snapshot(storage).await, before);
}

/// A forced wish escalates a plain one without an event, and a plain one changes nothing about it.
pub async fn a_forced_cancel_escalates_a_plain_one(storage: &dyn Storage) {
    let run = running(storage, 1).await.run;
    cancel(storage, run, Cancel::Plain).await;
    let events = events_of(storage, run).await;
    for wish in [Cancel::Forced, Cancel::Plain] {
        cancel(storage, run, wish).await;
        let stored = found(storage, run).await.run;
        assert_eq!(stored.cancel, Some(Cancel::Forced));
    }
    assert_eq!(events_of(storage, run).await, events);
}

/// A cancelled run answers as it stands.
pub async fn a_cancelled_run_answers_as_it_stands(storage: &dyn Storage) {
    let waited = pending(storage, 1).await;
    cancel(storage, waited, Cancel::Plain).await;
    let mut driver = running(storage, 2).await;
    cancel(storage, driver.run, Cancel::Plain).await;
    driver
        .append(storage, [end_of(2, RunStatus::Cancelled)])
        .await;
    let before = snapshot(storage).await;
    for run in [waited, driver.run] {
        let again = cancel(storage, run, Cancel::Forced).await;
        assert_eq!(again.status, RunStatus::Cancelled);
    }
    assert_eq!(snapshot(storage).await, before);
}

/// Cancelling a run that succeeded or failed conflicts.
pub async fn cancelling_a_finished_run_conflicts(storage: &dyn Storage) {
    for (n, status) in [(1, RunStatus::Success), (2, RunStatus::Failed)] {
        let run = ended(storage, n, status).await;
        let before = snapshot(storage).await;
        let request = CancelRequest::new(run, Cancel::Plain, at(50));
        refused_as(storage.request_cancel(request).await, Problem::RunFinished);
        assert_eq!(snapshot(storage).await, before);
    }
}

/// Cancelling a missing run, and another tenant's, is refused.
pub async fn cancelling_a_missing_run_is_not_found(storage: &dyn Storage) {
    save_for(storage, "daily", "ann").await;
    let run = pending(storage, 1).await;
    let before = snapshot(storage).await;
    let missing = CancelRequest::new(run_id(2), Cancel::Plain, at(50));
    refused_as(storage.request_cancel(missing).await, Problem::RunNotFound);
    let mut foreign = CancelRequest::new(run, Cancel::Plain, at(50));
    foreign.scope = scope("ben");
    refused_as(storage.request_cancel(foreign).await, Problem::RunNotFound);
    assert_eq!(snapshot(storage).await, before);
}
