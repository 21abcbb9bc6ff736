//! What entries make of a run, its nodes and its events.
//!
//! Which appends are refused is promised in `fences`.

use super::fixtures::{
    at, end_of, events_of, finished, found, line, node, node_id, retrying, reused, run_id, running,
    started,
};
use crate::model::{Event, EventKind, EventStatus, Level, NodeStatus, Profile, RunStatus};
use crate::storage::{Entry, FinishedNode, Storage};

fn kinds(events: &[Event]) -> Vec<EventKind> {
    events.iter().map(|event| event.kind).collect()
}

async fn last_event(storage: &dyn Storage) -> Event {
    events_of(storage, run_id(1)).await.pop().unwrap()
}

/// Entries write their events in their order, whether they come together or one by one.
pub async fn entries_are_written_in_their_order(storage: &dyn Storage) {
    let mut driver = running(storage, 1).await;
    let first = [started(0, 1), line(Some(0), "one"), line(None, "two")];
    driver.append(storage, first).await;
    driver
        .append(storage, [finished(0, NodeStatus::Success)])
        .await;
    let second = [started(1, 1), finished(1, NodeStatus::Failed)];
    driver.append(storage, second).await;
    let last = [
        finished(2, NodeStatus::Skipped),
        end_of(1, RunStatus::Failed),
    ];
    let appended = driver.append(storage, last).await;
    let events = events_of(storage, driver.run).await;
    let expected = [
        EventKind::RunCreated,
        EventKind::RunStarted,
        EventKind::NodeStarted,
        EventKind::Log,
        EventKind::Log,
        EventKind::NodeCompleted,
        EventKind::NodeStarted,
        EventKind::NodeFailed,
        EventKind::NodeSkipped,
        EventKind::RunFailed,
    ];
    assert_eq!(kinds(&events), expected);
    assert_eq!(events.last().map(|event| event.seq), Some(appended.seq));
}

/// A start makes the node running; of the first one time and wait are kept.
pub async fn a_started_node_is_running(storage: &dyn Storage) {
    let mut driver = running(storage, 1).await;
    driver.append(storage, [started(0, 1)]).await;
    let event = last_event(storage).await;
    assert_eq!(event.kind, EventKind::NodeStarted);
    assert_eq!(event.status, Some(EventStatus::Running));
    assert_eq!(
        (event.attempt, event.node_id),
        (Some(1), Some(node_id("load")))
    );
    driver.append(storage, [retrying(0, 2)]).await;
    let later = Entry::NodeStarted {
        node_index: 0,
        attempt: 2,
        queue_ms: 99,
        at: at(32),
    };
    driver.append(storage, [later]).await;
    let row = node(storage, driver.run, 0).await;
    assert_eq!((row.status, row.attempt), (NodeStatus::Running, Some(2)));
    assert_eq!(row.started_at, Some(at(20)));
    assert_eq!((row.queue_ms, row.finished_at), (Some(5), None));
    assert_eq!(row.error, None);
}

/// A node that waits for its next attempt is pending and tells why.
pub async fn a_retrying_node_is_pending(storage: &dyn Storage) {
    let mut driver = running(storage, 1).await;
    driver
        .append(storage, [started(0, 1), retrying(0, 2)])
        .await;
    let row = node(storage, driver.run, 0).await;
    assert_eq!(row.status, NodeStatus::Pending);
    assert_eq!(row.error.as_deref(), Some("try later"));
    let event = last_event(storage).await;
    assert_eq!(event.kind, EventKind::NodeRetrying);
    assert_eq!(event.status, Some(EventStatus::Pending));
    assert_eq!((event.attempt, event.duration_ms), (Some(2), Some(1_500)));
    assert_eq!(event.error.as_deref(), Some("try later"));
}

/// A node's end is kept with all that is known of it.
pub async fn a_finished_node_keeps_what_is_known(storage: &dyn Storage) {
    let mut driver = running(storage, 1).await;
    let mut end = FinishedNode::new(0, NodeStatus::Failed, at(45));
    (end.attempt, end.row_count) = (Some(3), Some(7));
    (end.duration_ms, end.has_dataset) = (Some(12), true);
    end.error = Some("no disk".to_owned());
    let end = Entry::NodeFinished(Box::new(end));
    driver.append(storage, [started(0, 3), end]).await;
    let row = node(storage, driver.run, 0).await;
    assert_eq!((row.status, row.attempt), (NodeStatus::Failed, Some(3)));
    assert_eq!((row.row_count, row.duration_ms), (Some(7), Some(12)));
    assert_eq!(row.error.as_deref(), Some("no disk"));
    assert_eq!(row.finished_at, Some(at(45)));
    assert!(row.has_dataset);
    let event = last_event(storage).await;
    assert_eq!(event.kind, EventKind::NodeFailed);
    assert_eq!(event.status, Some(EventStatus::Failed));
    assert_eq!((event.row_count, event.duration_ms), (Some(7), Some(12)));
    assert_eq!(
        (event.attempt, event.error.as_deref()),
        (Some(3), Some("no disk"))
    );
}

/// A node that never ran ends without a start.
pub async fn a_node_that_never_ran_ends_without_a_start(storage: &dyn Storage) {
    let mut driver = running(storage, 1).await;
    let mut cancelled = FinishedNode::new(1, NodeStatus::Cancelled, at(45));
    cancelled.error = None;
    let cancelled = Entry::NodeFinished(Box::new(cancelled));
    driver
        .append(storage, [reused(0, run_id(9)), cancelled])
        .await;
    let nodes = found(storage, driver.run).await.nodes;
    assert_eq!(nodes[0].status, NodeStatus::Skipped);
    assert_eq!(nodes[0].reused_from, Some(run_id(9)));
    assert_eq!(nodes[1].status, NodeStatus::Cancelled);
    assert!(
        nodes
            .iter()
            .all(|node| node.started_at.is_none() && node.attempt.is_none())
    );
    let events = events_of(storage, driver.run).await;
    let expected = [EventKind::NodeSkipped, EventKind::NodeCancelled];
    assert_eq!(kinds(&events[2..]), expected);
}

/// A node that is cancelled between two attempts keeps the newest one.
pub async fn a_node_cancelled_between_attempts_keeps_its_attempt(storage: &dyn Storage) {
    let mut driver = running(storage, 1).await;
    let cancelled = FinishedNode::new(0, NodeStatus::Cancelled, at(45));
    let cancelled = Entry::NodeFinished(Box::new(cancelled));
    driver
        .append(storage, [started(0, 1), retrying(0, 2), cancelled])
        .await;
    let row = node(storage, driver.run, 0).await;
    assert_eq!((row.status, row.attempt), (NodeStatus::Cancelled, Some(1)));
    assert_eq!(
        (row.started_at, row.finished_at),
        (Some(at(20)), Some(at(45)))
    );
    assert_eq!(last_event(storage).await.attempt, None);
}

/// A line is an event with its level, its text and its node.
pub async fn a_line_is_an_event(storage: &dyn Storage) {
    let mut driver = running(storage, 1).await;
    let text = "ünïcode \u{1b}[31m\n\u{0}";
    driver
        .append(storage, [line(None, text), line(Some(2), text)])
        .await;
    let events = events_of(storage, driver.run).await;
    for (event, node_index) in events[2..].iter().zip([None, Some("save")]) {
        assert_eq!(
            (event.kind, event.level),
            (EventKind::Log, Some(Level::Warning))
        );
        assert_eq!(event.message.as_deref(), Some(text));
        assert_eq!(event.node_id, node_index.map(node_id));
        assert_eq!(event.attempt, node_index.map(|_| 1));
        assert_eq!((event.status, event.timestamp), (None, at(35)));
    }
}

/// A profile is kept without an event and counts as an entry.
pub async fn a_profile_writes_no_event(storage: &dyn Storage) {
    let mut driver = running(storage, 1).await;
    driver
        .append(storage, [started(0, 1), finished(0, NodeStatus::Success)])
        .await;
    let before = events_of(storage, driver.run).await;
    let profile = serde_json::json!({
        "row_count": 1, "column_count": 0, "columns": [], "profiling_ms": 3,
    });
    let profile: Profile = serde_json::from_value(profile).unwrap();
    let profile = Box::new(profile);
    driver
        .append(
            storage,
            [Entry::Profile {
                node_index: 0,
                profile,
            }],
        )
        .await;
    assert_eq!(events_of(storage, driver.run).await, before);
    driver
        .append(storage, [end_of(1, RunStatus::Success)])
        .await;
}

/// A run's end is its last event, with its status, its error and how long it took.
pub async fn a_runs_end_is_its_last_event(storage: &dyn Storage) {
    for (n, status, kind) in [
        (1, RunStatus::Success, EventKind::RunCompleted),
        (2, RunStatus::Failed, EventKind::RunFailed),
        (3, RunStatus::Cancelled, EventKind::RunCancelled),
    ] {
        let mut driver = running(storage, n).await;
        driver
            .append(storage, [line(None, "bye"), end_of(n, status)])
            .await;
        let run = found(storage, driver.run).await.run;
        let end = at(1_000 + i64::try_from(n).unwrap());
        assert_eq!((run.status, run.finished_at), (status, Some(end)));
        let error = (status == RunStatus::Failed).then(|| "no disk".to_owned());
        assert_eq!(run.error, error);
        let last = events_of(storage, driver.run).await.pop().unwrap();
        assert_eq!((last.kind, last.status), (kind, Some(status.into())));
        assert_eq!((last.error, last.timestamp), (error, end));
        assert_eq!(last.duration_ms, Some(990_000 + n * 1_000));
    }
}
