//! Every change of a run's status, with its event; a finished run settles its outputs and backfill.
//!
//! No other file changes a status, so that every index follows. When to change one is left to
//! `queue`, `journal` and `runs`.

use chrono::{DateTime, Utc};

use super::rules;
use super::state::State;
use crate::error::{Error, Result};
use crate::model::{EventKind, Run, RunId, RunStatus};

impl State {
    /// Changes a run's status and times, and writes the event.
    pub(super) fn change_run(
        &mut self,
        id: RunId,
        kind: EventKind,
        at: DateTime<Utc>,
        change: impl FnOnce(&mut Run),
    ) -> Result<()> {
        let row = self
            .runs
            .get_mut(&id)
            .ok_or_else(|| Error::run_not_found(id))?;
        self.index.remove(&row.run);
        change(&mut row.run);
        self.index.insert(&row.run);
        row.seqs
            .push(self.events.push(rules::run_event(&row.run, kind, at)));
        Ok(())
    }

    /// Finishes a run: its status, claim, outputs, event and backfill.
    ///
    /// Then purges the oldest finished runs beyond the maximum.
    pub(super) fn end_run(&mut self, id: RunId, end: RunEnd) -> Result<()> {
        let RunEnd {
            status,
            kind,
            error,
            at,
            result_bytes_max,
        } = end;
        self.change_run(id, kind, at, |run| {
            run.status = status;
            run.finished_at = Some(at);
            run.error = error;
        })?;
        let row = self.run_mut(id)?;
        row.claim.owner = None;
        row.staged.clear();
        let backfill = row.run.backfill_id;
        self.settle_outputs(id, result_bytes_max)?;
        if let Some(backfill) = backfill {
            self.settle_backfill(backfill, status, at)?;
        }
        self.purge_surplus();
        Ok(())
    }
}

/// The outcome of a run.
pub(super) struct RunEnd {
    pub(super) status: RunStatus,
    pub(super) kind: EventKind,
    pub(super) error: Option<String>,
    pub(super) at: DateTime<Utc>,
    pub(super) result_bytes_max: u64,
}

impl RunEnd {
    pub(super) const fn cancelled(at: DateTime<Utc>) -> Self {
        Self {
            status: RunStatus::Cancelled,
            kind: EventKind::RunCancelled,
            error: None,
            at,
            result_bytes_max: 0,
        }
    }

    pub(super) const fn failed(error: String, at: DateTime<Utc>) -> Self {
        Self {
            status: RunStatus::Failed,
            kind: EventKind::RunFailed,
            error: Some(error),
            at,
            result_bytes_max: 0,
        }
    }
}
