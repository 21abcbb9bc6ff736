//! How an entry changes the row of a node.
//!
//! The backends store the output, and set the row's `output_hash` with it.

use crate::model::{NodeRun, NodeStatus, RunStatus};
use crate::storage::{Entry, FinishedNode};

/// Applies an entry about a node to its row. The entry was checked before.
pub(in crate::storage) fn apply_entry(node: &mut NodeRun, entry: &Entry) {
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
        Entry::NodeFinished(finished) => apply_outcome(node, finished),
        Entry::NodeRecovered { .. }
        | Entry::Profile { .. }
        | Entry::Log { .. }
        | Entry::RunFinished { .. } => {}
    }
}

fn apply_outcome(node: &mut NodeRun, finished: &FinishedNode) {
    let FinishedNode {
        node_index: _,
        status,
        at,
        attempt,
        row_count,
        duration_ms,
        error,
        reused_from,
        branch,
        has_dataset,
        unstored,
        output: _,
        output_bytes: _,
        preview: _,
    } = finished;
    node.status = *status;
    node.finished_at = Some(*at);
    node.attempt = attempt.or(node.attempt);
    node.row_count = *row_count;
    node.duration_ms = *duration_ms;
    node.error.clone_from(error);
    node.reused_from = *reused_from;
    node.branch = *branch;
    node.has_dataset = *has_dataset;
    node.unstored = *unstored;
}

/// Makes a node whose attempt was lost `pending` again, so that the next attempt can start.
pub(in crate::storage) fn reset_node(node: &mut NodeRun) {
    if node.status == NodeStatus::Running {
        node.status = NodeStatus::Pending;
    }
}

/// Finishes an unfinished node of a run that has failed or was cancelled.
pub(in crate::storage) fn finish_node(node: &mut NodeRun, run: RunStatus) {
    let status = run.unstarted_node();
    if status.is_terminal() && !node.status.is_terminal() {
        node.status = status;
    }
}
