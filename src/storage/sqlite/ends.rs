//! The end of a run: its row, its figures and, where storage ends it by itself, its event.
//!
//! What becomes of its outputs is left to `outputs`, of its backfill to `settlement`.

use chrono::{DateTime, Utc};
use rusqlite::params;

use super::body::{Body, run_end_kind};
use super::fault::Fault;
use super::tx::{Counted, Tx};
use super::values::{self, millis, node_keys};
use crate::model::{RunStatus, TenantId};

/// A run and how it ends.
pub(super) struct Ended<'a> {
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
    pub(super) fn end_run(&mut self, ended: &Ended<'_>) -> Result<(), Fault> {
        self.write(
            "UPDATE runs SET status = ?, finished_at = ?, error = ?, owner = NULL, lease_until = NULL WHERE key = ?",
            params![
                values::run_status(ended.status),
                millis(ended.at),
                ended.error,
                ended.key,
            ],
        )?;
        let counted = Counted {
            pipeline: ended.pipeline,
            tenant: ended.tenant,
            created_at: ended.created_at,
            backfill: ended.backfill,
        };
        self.count(&counted, Some(ended.before), Some(ended.status))
    }

    /// Writes the event of an end that no entry tells.
    pub(super) fn write_end_event(&mut self, ended: &Ended<'_>) -> Result<(), Fault> {
        let Some(kind) = run_end_kind(ended.status) else {
            return Ok(());
        };
        let body = Body::of_run(kind, ended.status, ended.error, ended.at)?;
        self.write_events(ended.key, &body, None).map(drop)
    }

    /// Ends the nodes that were on their way when storage itself ended the run.
    pub(super) fn settle_nodes(&mut self, ended: &Ended<'_>) -> Result<(), Fault> {
        let (first, last) = node_keys(ended.key);
        let status = values::node_status(ended.status.unstarted_node());
        self.write(
            "UPDATE node_runs SET status = ? WHERE key BETWEEN ? AND ? AND status IN (0, 1)",
            [status, first, last],
        )?;
        Ok(())
    }
}
