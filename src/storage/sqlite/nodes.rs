//! Applies entries to the rows of nodes.
//!
//! `journal` checks which entries a run accepts, and `outputs` stores outputs.

use rusqlite::params;

use super::dropped_outputs::OwnChunks;
use super::state::{ActiveRun, CachedRun};
use super::store_error::StoreError;
use super::tx::Tx;
use super::values::{self, id, millis, node_key, to_i64, to_optional_i64};
use crate::error::Result;
use crate::model::NodeStatus;
use crate::storage::{Entry, FinishedNode};

impl Tx {
    pub(super) fn write_entry(
        &mut self,
        active: &mut ActiveRun,
        cached: &mut CachedRun,
        entry: &Entry,
    ) -> Result<(), StoreError> {
        match entry {
            Entry::NodeStarted {
                node_index,
                attempt,
                queue_ms,
                at,
            } => {
                cached.nodes.insert(*node_index, NodeStatus::Running);
                self.write(
                    "INSERT INTO node_runs (key, status, attempt, queue_ms, started_at, has_dataset) VALUES (?, 1, ?, ?, ?, 0) \
                     ON CONFLICT (key) DO UPDATE SET status = 1, attempt = excluded.attempt, error = NULL, \
                     queue_ms = iif(started_at IS NULL, excluded.queue_ms, queue_ms), started_at = ifnull(started_at, excluded.started_at)",
                    params![node_key(active.key, *node_index), attempt, to_i64(*queue_ms), millis(*at)],
                )?;
            }
            Entry::NodeRetrying {
                node_index, error, ..
            } => {
                cached.nodes.insert(*node_index, NodeStatus::Pending);
                self.write(
                    "UPDATE node_runs SET status = 0, error = ? WHERE key = ?",
                    params![error, node_key(active.key, *node_index)],
                )?;
            }
            Entry::NodeFinished(finished) => {
                cached.nodes.insert(finished.node_index, finished.status);
                self.finish_node(active, cached, finished)?;
            }
            Entry::RunFinished { status, error, at } => {
                cached.run.status = *status;
                cached.run.error.clone_from(error);
                cached.run.finished_at = Some(*at);
            }
            Entry::Profile { node_index, .. } => {
                if cached
                    .nodes
                    .insert(*node_index, cached.status(*node_index))
                    .is_none()
                {
                    let node = node_key(active.key, *node_index);
                    self.write(
                        "INSERT INTO node_runs (key, status, has_dataset) VALUES (?, 0, 0)",
                        [node],
                    )?;
                }
            }
            Entry::NodeRecovered { .. } | Entry::Log { .. } => {}
        }
        Ok(())
    }

    fn finish_node(
        &mut self,
        active: &mut ActiveRun,
        cached: &mut CachedRun,
        finished: &FinishedNode,
    ) -> Result<(), StoreError> {
        let FinishedNode {
            node_index,
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
            output,
            output_bytes,
            preview: _,
        } = finished;
        let node = node_key(active.key, *node_index);
        self.write(
            "INSERT INTO node_runs (key, status, finished_at, attempt, row_count, duration_ms, error, reused_from, has_dataset, branch) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET status = excluded.status, \
             finished_at = excluded.finished_at, attempt = ifnull(excluded.attempt, attempt), row_count = excluded.row_count, \
             duration_ms = excluded.duration_ms, error = excluded.error, reused_from = excluded.reused_from, \
             has_dataset = excluded.has_dataset, branch = excluded.branch",
            params![
                node,
                values::node_status(*status),
                millis(*at),
                attempt,
                to_optional_i64(*row_count),
                to_optional_i64(*duration_ms),
                error,
                reused_from.as_ref().map(id),
                values::dataset(*has_dataset, *unstored),
                branch,
            ],
        )?;
        let has_executed = matches!(status, NodeStatus::Success | NodeStatus::Failed);
        if has_executed && active.claims != 1 {
            active.claims = 1;
            self.write("UPDATE runs SET claims = 1 WHERE key = ?", [active.key])?;
        }
        match output {
            Some(output) if has_executed => {
                if std::mem::replace(&mut cached.has_outputs, true) {
                    self.drop_output(node, OwnChunks::Keep)?;
                }
                match output_bytes {
                    Some(bytes) => self.store_output_bytes(node, output, bytes, cached.has_staged),
                    None => self.store_output_chunks(node, output),
                }
            }
            // An inherited output is not the output of this execution.
            None if has_executed && cached.has_outputs => self.drop_output(node, OwnChunks::Drop),
            Some(_) | None => Ok(()),
        }
    }
}
