//! The rows of nodes, as entries bring them on.
//!
//! Which entries a run takes is checked in `journal`.

use rusqlite::params;

use super::fault::Fault;
use super::outputs::Chunks;
use super::state::{Active, Driven};
use super::tx::Tx;
use super::values::{self, id, int, millis, node_key, optional_int};
use crate::error::Result;
use crate::model::NodeStatus;
use crate::storage::{Entry, FinishedNode};

impl Tx {
    pub(super) fn write_entry(
        &mut self,
        active: &mut Active,
        driven: &mut Driven,
        entry: &Entry,
    ) -> Result<(), Fault> {
        match entry {
            Entry::NodeStarted {
                node_index,
                attempt,
                queue_ms,
                at,
            } => {
                driven.nodes.insert(*node_index, NodeStatus::Running);
                self.write(
                    "INSERT INTO node_runs (key, status, attempt, queue_ms, started_at, has_dataset) VALUES (?, 1, ?, ?, ?, 0) \
                     ON CONFLICT (key) DO UPDATE SET status = 1, attempt = excluded.attempt, error = NULL, \
                     queue_ms = iif(started_at IS NULL, excluded.queue_ms, queue_ms), started_at = ifnull(started_at, excluded.started_at)",
                    params![node_key(active.key, *node_index), attempt, int(*queue_ms), millis(*at)],
                )?;
            }
            Entry::NodeRetrying {
                node_index, error, ..
            } => {
                driven.nodes.insert(*node_index, NodeStatus::Pending);
                self.write(
                    "UPDATE node_runs SET status = 0, error = ? WHERE key = ?",
                    params![error, node_key(active.key, *node_index)],
                )?;
            }
            Entry::NodeFinished(end) => {
                driven.nodes.insert(end.node_index, end.status);
                self.write_end(active, driven, end)?;
            }
            Entry::RunFinished { status, error, at } => {
                driven.run.status = *status;
                driven.run.error.clone_from(error);
                driven.run.finished_at = Some(*at);
            }
            Entry::Profile { node_index, .. } => {
                if driven
                    .nodes
                    .insert(*node_index, driven.status(*node_index))
                    .is_none()
                {
                    let node = node_key(active.key, *node_index);
                    self.write(
                        "INSERT INTO node_runs (key, status, has_dataset) VALUES (?, 0, 0)",
                        [node],
                    )?;
                }
            }
            Entry::Log { .. } => {}
        }
        Ok(())
    }

    fn write_end(
        &mut self,
        active: &mut Active,
        driven: &mut Driven,
        end: &FinishedNode,
    ) -> Result<(), Fault> {
        let FinishedNode {
            node_index,
            status,
            at,
            attempt,
            row_count,
            duration_ms,
            error,
            reused_from,
            has_dataset,
            output,
            preview: _,
        } = end;
        let node = node_key(active.key, *node_index);
        self.write(
            "INSERT INTO node_runs (key, status, finished_at, attempt, row_count, duration_ms, error, reused_from, has_dataset) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET status = excluded.status, \
             finished_at = excluded.finished_at, attempt = ifnull(excluded.attempt, attempt), row_count = excluded.row_count, \
             duration_ms = excluded.duration_ms, error = excluded.error, reused_from = excluded.reused_from, \
             has_dataset = excluded.has_dataset",
            params![
                node,
                values::node_status(*status),
                millis(*at),
                attempt,
                optional_int(*row_count),
                optional_int(*duration_ms),
                error,
                reused_from.as_ref().map(id),
                has_dataset,
            ],
        )?;
        let is_progress = matches!(status, NodeStatus::Success | NodeStatus::Failed);
        if is_progress && active.claims != 1 {
            active.claims = 1;
            self.write("UPDATE runs SET claims = 1 WHERE key = ?", [active.key])?;
        }
        match output {
            Some(output) if is_progress => {
                driven.has_outputs = true;
                self.keep_output(node, output)
            }
            // What it inherited is not what it made.
            None if is_progress && driven.has_outputs => self.drop_output(node, Chunks::Go),
            Some(_) | None => Ok(()),
        }
    }
}
