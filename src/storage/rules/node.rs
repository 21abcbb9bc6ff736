//! What an entry makes of a node's row.
//!
//! Which output is kept, and so the row's `output_hash`, is left to the backends.

use crate::model::{NodeRun, NodeStatus, RunStatus};
use crate::storage::{Entry, FinishedNode};

/// Brings a node's row to where it stands after an entry about it; the entry was checked before.
pub(in crate::storage) fn advance_node(node: &mut NodeRun, entry: &Entry) {
    match entry {
        Entry::NodeStarted {
            node_index: _,
            attempt,
            queue_ms,
            at,
        } => {
            if node.started_at.is_none() {
                node.started_at = Some(*at);
                node.queue_ms = Some(*queue_ms);
            }
            node.status = NodeStatus::Running;
            node.attempt = Some(*attempt);
            node.error = None;
        }
        Entry::NodeRetrying { error, .. } => {
            node.status = NodeStatus::Pending;
            node.error = Some(error.clone());
        }
        Entry::NodeFinished(end) => finish(node, end),
        Entry::Profile { .. } | Entry::Log { .. } | Entry::RunFinished { .. } => {}
    }
}

fn finish(node: &mut NodeRun, end: &FinishedNode) {
    let FinishedNode {
        node_index: _,
        status,
        at,
        attempt,
        row_count,
        duration_ms,
        error,
        reused_from,
        has_dataset,
        output: _,
        preview: _,
    } = end;
    node.status = *status;
    node.finished_at = Some(*at);
    node.attempt = attempt.or(node.attempt);
    node.row_count = *row_count;
    node.duration_ms = *duration_ms;
    node.error.clone_from(error);
    node.reused_from = *reused_from;
    node.has_dataset = *has_dataset;
}

/// Puts a node whose attempt was lost back to where its next one can begin.
pub(in crate::storage) fn put_back_node(node: &mut NodeRun) {
    if node.status == NodeStatus::Running {
        node.status = NodeStatus::Pending;
    }
}

/// Ends a node that was on its way when storage itself ended the run.
pub(in crate::storage) fn settle_node(node: &mut NodeRun, run: RunStatus) {
    if !node.status.is_terminal() {
        node.status = run.unstarted_node();
    }
}
