//! Finishes a run: its row, its figures and, if storage itself finishes it, its event and nodes.
//!
//! `outputs` handles its outputs, and `settlement` its backfill.

use chrono::{DateTime, Utc};
use rusqlite::params;

use super::body::{JournalBody, terminal_kind};
use super::counts::Counted;
use super::state::ActiveRun;
use super::store_error::StoreError;
use super::tx::Tx;
use super::values::{self, millis, node_keys};
use crate::model::{RunStatus, TenantId};

/// A run with its outcome.
pub(super) struct RunCompletion<'a> {
    pub(super) key: i64,
    pub(super) pipeline: i64,
    pub(super) tenant: Option<&'a TenantId>,
    pub(super) created_at: i64,
    pub(super) backfill: Option<i64>,
    pub(super) concurrency_key: Option<&'a str>,
    pub(super) before: RunStatus,
    pub(super) status: RunStatus,
    pub(super) error: Option<&'a str>,
    pub(super) at: DateTime<Utc>,
}

impl<'a> RunCompletion<'a> {
    /// Creates the completion of a running run.
    pub(super) fn of_running(
        active: &'a ActiveRun,
        status: RunStatus,
        error: Option<&'a str>,
        at: DateTime<Utc>,
    ) -> Self {
        Self {
            key: active.key,
            pipeline: active.pipeline,
            tenant: active.tenant.as_ref(),
            created_at: active.created_at,
            backfill: active.backfill,
            concurrency_key: active.concurrency_key.as_deref(),
            before: RunStatus::Running,
            status,
            error,
            at,
        }
    }
}

impl Tx {
    /// Writes the outcome of a run, counts it, notes its end for dependent pipelines, and lets the
    /// next run of its key become ready.
    pub(super) fn finish_run(&mut self, finished: &RunCompletion<'_>) -> Result<(), StoreError> {
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
        self.count(&counted, Some(finished.before), Some(finished.status))?;
        self.note_end(finished)?;
        match finished.concurrency_key {
            Some(text) => self.settle_key(finished.pipeline, text),
            None => Ok(()),
        }
    }

    /// Writes the terminal event of a run that storage itself finishes.
    pub(super) fn write_finish_event(
        &mut self,
        finished: &RunCompletion<'_>,
    ) -> Result<(), StoreError> {
        let Some(kind) = terminal_kind(finished.status) else {
            return Ok(());
        };
        let body = JournalBody::of_run(kind, finished.status, finished.error, finished.at)?;
        self.write_events(finished.key, &body, None).map(drop)
    }

    /// Sets the final status of unfinished nodes after the run has failed or was cancelled.
    pub(super) fn finish_open_nodes(
        &mut self,
        finished: &RunCompletion<'_>,
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
