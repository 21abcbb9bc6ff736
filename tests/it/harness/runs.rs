//! Pipelines for tests, and checks of runs and their events.
//!
//! Triggering runs is left to `host`.

use std::collections::BTreeMap;

use floret::storage::RunDetail;
use floret::{
    Event, EventKind, Node, NodeRun, NodeStatus, Pipeline, Result, RunStatus, Subscription,
};

/// The node type of the scripted executor.
pub(crate) const STEP: &str = "step";

/// Returns a scripted node.
pub(crate) fn step(id: &str) -> Node {
    Node::new(id, STEP)
}

/// Returns a pipeline of scripted nodes in a row.
pub(crate) fn chain(id: &str, nodes: &[&str]) -> Pipeline {
    let mut pipeline = Pipeline::new(id);
    for (index, node) in nodes.iter().enumerate() {
        pipeline = pipeline.node(*node, STEP);
        if let Some(before) = index.checked_sub(1) {
            pipeline = pipeline.after(nodes[before]);
        }
    }
    pipeline
}

/// Returns the status of each node of a run by node id.
pub(crate) fn statuses(detail: &RunDetail) -> BTreeMap<String, NodeStatus> {
    let unstarted = detail.run.status.unstarted_node();
    let nodes = detail.definition.nodes.iter();
    let mut statuses: BTreeMap<_, _> = nodes.map(|node| (node.id.clone(), unstarted)).collect();
    let rows = detail.nodes.iter();
    statuses.extend(rows.map(|row| (row.node_id.to_string(), row.status)));
    statuses
}

/// Asserts the status of a run and of each of its nodes.
#[track_caller]
pub(crate) fn assert_statuses(detail: &RunDetail, run: RunStatus, nodes: &[(&str, NodeStatus)]) {
    let expected: BTreeMap<_, _> = nodes
        .iter()
        .map(|(node, status)| ((*node).to_owned(), *status))
        .collect();
    assert_eq!((detail.run.status, statuses(detail)), (run, expected));
}

/// Reads a subscription up to and including the first event for which `is_last` returns true.
pub(crate) async fn until(
    events: &mut Subscription,
    mut is_last: impl FnMut(&Event) -> bool,
) -> Result<Vec<Event>> {
    let mut read = Vec::new();
    while let Some(event) = events.next().await {
        let event = event?;
        let stop = is_last(&event);
        read.push(event);
        if stop {
            break;
        }
    }
    Ok(read)
}

/// Returns the row of a node.
#[track_caller]
pub(crate) fn node<'a>(detail: &'a RunDetail, id: &str) -> &'a NodeRun {
    let mut rows = detail.nodes.iter();
    rows.find(|row| row.node_id.as_str() == id).unwrap()
}

/// Returns the kinds of events, in order.
pub(crate) fn kinds(events: &[Event]) -> Vec<EventKind> {
    events.iter().map(|event| event.kind).collect()
}

/// Returns the texts of the log lines among events.
pub(crate) fn lines(events: &[Event]) -> Vec<&str> {
    let messages = events.iter().filter_map(|event| event.message.as_deref());
    messages.collect()
}
