//! The effect of entries on a run, its nodes and its events.
//!
//! `fences` covers refused appends.

use super::fixtures::{
    Driver, at, claim, claim_one, events_of, log_line, node_finished, node_id, node_retrying,
    node_reused, node_started, read_node, read_run, run_finished, run_id, started_run,
};
use crate::error::ErrorKind;
use crate::model::{
    Event, EventKind, EventStatus, Level, NodeIndex, NodeStatus, Profile, RunStatus,
};
use crate::storage::{Entry, FinishedNode, Storage};

fn kinds(events: &[Event]) -> Vec<EventKind> {
    events.iter().map(|event| event.kind).collect()
}

async fn last_event(storage: &dyn Storage) -> Event {
    events_of(storage, run_id(1)).await.pop().unwrap()
}

fn node_recovered(node_index: NodeIndex, attempt: u32) -> Entry {
    Entry::NodeRecovered {
        node_index,
        attempt,
        reason: "its process ended".to_owned(),
        at: at(35),
    }
}

/// Entries MUST write their events in order, whether they come together or one by one.
pub async fn entries_write_their_events_in_order(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    let first = [
        node_started(0, 1),
        log_line(Some(0), "one"),
        log_line(None, "two"),
    ];
    driver.append(storage, first).await;
    driver
        .append(storage, [node_finished(0, NodeStatus::Success)])
        .await;
    let second = [node_started(1, 1), node_finished(1, NodeStatus::Failed)];
    driver.append(storage, second).await;
    let last = [
        node_finished(2, NodeStatus::Skipped),
        run_finished(1, RunStatus::Failed),
    ];
    let outcome = driver.append(storage, last).await;
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
    assert_eq!(events.last().map(|event| event.seq), Some(outcome.seq));
}

/// A start MUST make the node `running`. The time and the wait of the first start MUST be kept.
pub async fn a_started_node_is_running(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    driver.append(storage, [node_started(0, 1)]).await;
    let event = last_event(storage).await;
    assert_eq!(event.kind, EventKind::NodeStarted);
    assert_eq!(event.status, Some(EventStatus::Running));
    assert_eq!(
        (event.attempt, event.node_id),
        (Some(1), Some(node_id("load")))
    );
    driver.append(storage, [node_retrying(0, 2)]).await;
    let later = Entry::NodeStarted {
        node_index: 0,
        attempt: 2,
        queue_ms: 99,
        at: at(32),
    };
    driver.append(storage, [later]).await;
    let row = read_node(storage, driver.run, 0).await;
    assert_eq!((row.status, row.attempt), (NodeStatus::Running, Some(2)));
    assert_eq!(row.started_at, Some(at(20)));
    assert_eq!((row.queue_ms, row.finished_at), (Some(5), None));
    assert_eq!(row.error, None);
}

/// A node that waits for its next attempt MUST be `pending` with the error of the last attempt.
pub async fn a_retrying_node_is_pending(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    driver
        .append(storage, [node_started(0, 1), node_retrying(0, 2)])
        .await;
    let row = read_node(storage, driver.run, 0).await;
    assert_eq!(row.status, NodeStatus::Pending);
    assert_eq!(row.error.as_deref(), Some("try later"));
    let event = last_event(storage).await;
    assert_eq!(event.kind, EventKind::NodeRetrying);
    assert_eq!(event.status, Some(EventStatus::Pending));
    assert_eq!((event.attempt, event.duration_ms), (Some(2), Some(1_500)));
    assert_eq!(event.error.as_deref(), Some("try later"));
}

/// A recovered node MUST stay as it is, and its event MUST name the attempt and the reason. A node
/// that is not `pending` MUST NOT be recovered.
pub async fn a_recovered_node_stays_pending(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    driver.append(storage, [node_started(0, 2)]).await;
    let refused = driver.next_append([node_recovered(0, 2)]);
    let refused = storage.append(refused).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::IllegalTransition);
    let claimed = claim_one(storage, claim(2, 100), driver.run).await;
    let mut driver = Driver::new(&claimed);
    let before = read_node(storage, driver.run, 0).await;
    assert_eq!(before.status, NodeStatus::Pending);
    driver.append(storage, [node_recovered(0, 2)]).await;
    assert_eq!(read_node(storage, driver.run, 0).await, before);
    let event = last_event(storage).await;
    assert_eq!(event.kind, EventKind::NodeRecovered);
    assert_eq!(event.status, Some(EventStatus::Pending));
    assert_eq!(
        (event.attempt, event.node_id),
        (Some(2), Some(node_id("load")))
    );
    assert_eq!(event.error.as_deref(), Some("its process ended"));
    driver.append(storage, [node_started(0, 2)]).await;
    let row = read_node(storage, driver.run, 0).await;
    assert_eq!((row.status, row.attempt), (NodeStatus::Running, Some(2)));
}

/// The outcome of a node MUST be stored with everything that the entry carries.
pub async fn a_finished_node_keeps_its_outcome(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    let mut failed = FinishedNode::new(0, NodeStatus::Failed, at(45));
    (failed.attempt, failed.row_count) = (Some(3), Some(7));
    (failed.duration_ms, failed.has_dataset) = (Some(12), true);
    failed.error = Some("no disk".to_owned());
    let failed = Entry::NodeFinished(Box::new(failed));
    driver.append(storage, [node_started(0, 3), failed]).await;
    let row = read_node(storage, driver.run, 0).await;
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

/// A node that was never executed MUST be able to finish as skipped or cancelled without a start.
pub async fn a_node_can_finish_without_a_start(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    let mut cancelled = FinishedNode::new(1, NodeStatus::Cancelled, at(45));
    cancelled.error = None;
    let cancelled = Entry::NodeFinished(Box::new(cancelled));
    driver
        .append(storage, [node_reused(0, run_id(9)), cancelled])
        .await;
    let nodes = read_run(storage, driver.run).await.nodes;
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

/// A node that is cancelled between two attempts MUST keep the number of the last attempt.
pub async fn a_node_cancelled_between_attempts_keeps_its_last_attempt(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    let cancelled = FinishedNode::new(0, NodeStatus::Cancelled, at(45));
    let cancelled = Entry::NodeFinished(Box::new(cancelled));
    driver
        .append(
            storage,
            [node_started(0, 1), node_retrying(0, 2), cancelled],
        )
        .await;
    let row = read_node(storage, driver.run, 0).await;
    assert_eq!((row.status, row.attempt), (NodeStatus::Cancelled, Some(1)));
    assert_eq!(
        (row.started_at, row.finished_at),
        (Some(at(20)), Some(at(45)))
    );
    assert_eq!(last_event(storage).await.attempt, None);
}

/// A log line MUST be an event with its level, text and node.
pub async fn a_log_line_is_an_event(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    let text = "ünïcode \u{1b}[31m\n\u{0}";
    driver
        .append(storage, [log_line(None, text), log_line(Some(2), text)])
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

/// A profile MUST be stored without an event, and MUST count as an entry.
pub async fn a_profile_writes_no_event(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    driver
        .append(
            storage,
            [node_started(0, 1), node_finished(0, NodeStatus::Success)],
        )
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
        .append(storage, [run_finished(1, RunStatus::Success)])
        .await;
}

/// The outcome of a run MUST be its last event, with status, error and duration.
pub async fn the_outcome_of_a_run_is_its_last_event(storage: &dyn Storage) {
    for (n, status, kind) in [
        (1, RunStatus::Success, EventKind::RunCompleted),
        (2, RunStatus::Failed, EventKind::RunFailed),
        (3, RunStatus::Cancelled, EventKind::RunCancelled),
    ] {
        let mut driver = started_run(storage, n).await;
        driver
            .append(storage, [log_line(None, "bye"), run_finished(n, status)])
            .await;
        let run = read_run(storage, driver.run).await.run;
        let finished_at = at(1_000 + i64::try_from(n).unwrap());
        assert_eq!((run.status, run.finished_at), (status, Some(finished_at)));
        let error = (status == RunStatus::Failed).then(|| "no disk".to_owned());
        assert_eq!(run.error, error);
        let last = events_of(storage, driver.run).await.pop().unwrap();
        assert_eq!((last.kind, last.status), (kind, Some(status.into())));
        assert_eq!((last.error, last.timestamp), (error, finished_at));
        assert_eq!(last.duration_ms, Some(990_000 + n * 1_000));
    }
}

/// The unfinished nodes of a run that fails or is cancelled MUST finish with it.
pub async fn a_failed_or_cancelled_run_has_no_unfinished_node(storage: &dyn Storage) {
    for (n, run, node) in [
        (1, RunStatus::Failed, NodeStatus::Skipped),
        (2, RunStatus::Cancelled, NodeStatus::Cancelled),
    ] {
        let mut driver = started_run(storage, n).await;
        let entries = [
            node_started(0, 1),
            node_finished(0, NodeStatus::Success),
            node_started(1, 1),
            node_started(2, 1),
            node_retrying(2, 2),
            run_finished(n, run),
        ];
        driver.append(storage, entries).await;
        let nodes = read_run(storage, driver.run).await.nodes;
        let statuses: Vec<_> = nodes.iter().map(|node| node.status).collect();
        assert_eq!(statuses, [NodeStatus::Success, node, node]);
    }
}
