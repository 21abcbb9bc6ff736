//! The end of a run: its row, its figures and, where storage ends it by itself, its event.
//!
//! What becomes of its outputs is left to `outputs`, of its backfill to `settlement`.

use chrono::{DateTime, Utc};
use rusqlite::params;

use super::body::{Body, terminal_kind};
use super::store_error::StoreError;
use super::tx::{Counted, Tx};
use super::values::{self, millis, node_keys};
use crate::model::{RunStatus, TenantId};

/// A run and how it ends.
pub(super) struct FinishedRun<'a> {
    pub(super) key: i64,
    pub(super) pipeline: i64,
    pub(super) tenant: Option<&'a TenantId>,
    pub(super) created_at: i64,
    pub(super) backfill: Option<i64>,
    pub(super) before: RunStatus,
    pub(super) status: RunStatus,
    pub(super) error: Option<&'a str>,
    pub(super) at: DateTime<Utc>,
}

impl Tx {
    /// Writes a run's end and counts it.
    pub(super) fn finish_run(&mut self, finished: &FinishedRun<'_>) -> Result<(), StoreError> {
        self.write(
            "UPDATE runs SET status = ?, finished_at = ?, error = ?, owner = NULL, lease_until = NULL WHERE key = ?",
            params![
                values::run_status(finished.status),
                millis(finished.at),
                finished.error,
                finished.key,
            ],
        )?;
        let counted = Counted {
            pipeline: finished.pipeline,
            tenant: finished.tenant,
            created_at: finished.created_at,
            backfill: finished.backfill,
        };
        self.count(&counted, Some(finished.before), Some(finished.status))
    }

    /// Writes the event of an end that no entry tells.
    pub(super) fn write_finish_event(
        &mut self,
        finished: &FinishedRun<'_>,
    ) -> Result<(), StoreError> {
        let Some(kind) = terminal_kind(finished.status) else {
            return Ok(());
        };
        let body = Body::of_run(kind, finished.status, finished.error, finished.at)?;
        self.write_events(finished.key, &body, None).map(drop)
    }

    /// Ends the nodes that were on their way when storage itself ended the run.
    pub(super) fn finish_open_nodes(
        &mut self,
        finished: &FinishedRun<'_>,
    ) -> Result<(), StoreError> {
        let (first, last) = node_keys(finished.key);
        let status = values::node_status(finished.status.unstarted_node());
        self.write(
            "UPDATE node_runs SET status = ? WHERE key BETWEEN ? AND ? AND status IN (0, 1)",
            [status, first, last],
        )?;
        Ok(())
    }
}
