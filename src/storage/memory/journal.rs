//! The write path of a running run: the checks in their order, then every entry.
//!
//! The checks that need rows, and how an entry changes a node and its event, are in `rules`.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::finish::RunOutcome;
use super::rows::{NodeRow, RunRow};
use super::state::State;
use super::{MemoryStorage, rules};
use crate::error::{Error, Result};
use crate::model::{EventKind, NodeIndex, NodeRun, NodeStatus, RunId, RunStatus};
use crate::storage::{Append, AppendOutcome, Entry, FinishedNode, Journal};

impl State {
    fn append(&mut self, append: &Append) -> Result<AppendOutcome> {
        let row = self.runs.get(&append.run);
        let row = row.ok_or_else(|| Error::run_not_found(append.run))?;
        if row.claim.epoch != append.epoch {
            return Err(rules::stale_epoch(append.run));
        }
        if append.position < row.position {
            return Ok(self.append_outcome(append.run));
        }
        if append.position > row.position {
            return Err(rules::position_gap(
                append.run,
                row.position,
                append.position,
            ));
        }
        if row.run.status.is_terminal() {
            return Err(rules::run_finished(append.run));
        }
        rules::check_entries(&row.run, &append.entries, |node_index| {
            row.node_status(node_index)
        })?;
        self.run_mut(append.run)?.position += append.entries.len() as u64;
        for entry in &*append.entries {
            self.write_entry(append.run, entry.clone(), append.result_bytes_max)?;
        }
        Ok(self.append_outcome(append.run))
    }

    fn append_outcome(&self, run: RunId) -> AppendOutcome {
        let row = self.runs.get(&run);
        AppendOutcome {
            cancelled_backfill: row.and_then(|row| self.cancelled_backfill(&row.run)),
            // A run that is purged at once has ended.
            may_start_others: row
                .is_none_or(|row| row.run.status.is_terminal() && self.is_upstream(&row.run)),
            ..AppendOutcome::new(self.events.newest())
        }
    }

    fn write_entry(&mut self, id: RunId, entry: Entry, result_bytes_max: u64) -> Result<()> {
        if let Entry::RunFinished { status, error, at } = entry {
            let outcome = run_outcome(id, status, error, at, result_bytes_max)?;
            for node in self.run_mut(id)?.nodes.values_mut() {
                rules::finish_node(&mut node.node, status);
            }
            return self.finish_run(id, outcome);
        }
        let row = self
            .runs
            .get_mut(&id)
            .ok_or_else(|| Error::run_not_found(id))?;
        let graph = &row.version.graph;
        if let Some(event) = rules::entry_event(&row.run, &entry, |node_index| graph.id(node_index))
        {
            row.seqs.push(self.events.push(event));
        }
        row.apply_entry(entry)
    }
}

fn run_outcome(
    id: RunId,
    status: RunStatus,
    error: Option<String>,
    at: DateTime<Utc>,
    result_bytes_max: u64,
) -> Result<RunOutcome> {
    let kind = match status {
        RunStatus::Success => EventKind::RunCompleted,
        RunStatus::Failed => EventKind::RunFailed,
        RunStatus::Cancelled => EventKind::RunCancelled,
        RunStatus::Pending | RunStatus::Running => {
            return Err(rules::illegal_transition(
                id,
                "a run cannot finish with this status",
            ));
        }
    };
    Ok(RunOutcome {
        status,
        kind,
        error,
        at,
        result_bytes_max,
    })
}

impl RunRow {
    /// Returns the status of a node, or `None` if the graph has no node with this index.
    pub(super) fn node_status(&self, node_index: NodeIndex) -> Option<NodeStatus> {
        self.version.graph.id(node_index)?;
        let row = self.nodes.get(&node_index);
        Some(row.map_or(NodeStatus::Pending, |row| row.node.status))
    }

    /// Applies an entry to the rows of nodes.
    fn apply_entry(&mut self, entry: Entry) -> Result<()> {
        match entry {
            Entry::NodeStarted { node_index, .. } | Entry::NodeRetrying { node_index, .. } => {
                rules::apply_entry(&mut self.node_mut(node_index)?.node, &entry);
            }
            Entry::NodeFinished(ref finished) => {
                let row = self.node_mut(finished.node_index)?;
                rules::apply_entry(&mut row.node, &entry);
                row.preview.clone_from(&finished.preview);
                self.store_output(finished);
                self.record_progress(finished);
            }
            Entry::Profile {
                node_index,
                profile,
            } => self.node_mut(node_index)?.profile = Some(*profile),
            Entry::NodeRecovered { .. } | Entry::Log { .. } | Entry::RunFinished { .. } => {}
        }
        Ok(())
    }

    fn record_progress(&mut self, finished: &FinishedNode) {
        if matches!(finished.status, NodeStatus::Success | NodeStatus::Failed) {
            self.claim.count = 1;
        }
    }

    fn node_mut(&mut self, node_index: NodeIndex) -> Result<&mut NodeRow> {
        let run = self.run.id;
        let version = Arc::clone(&self.version);
        let id = version.graph.id(node_index);
        let id = id.ok_or_else(|| {
            rules::illegal_transition(run, format_args!("no node has index {node_index}"))
        })?;
        Ok(self.nodes.entry(node_index).or_insert_with(|| NodeRow {
            node: NodeRun::unstarted(run, id.clone(), node_index, NodeStatus::Pending),
            preview: None,
            profile: None,
        }))
    }
}

#[async_trait]
impl Journal for MemoryStorage {
    async fn append(&self, append: Append) -> Result<AppendOutcome> {
        self.state()?.append(&append)
    }
}
