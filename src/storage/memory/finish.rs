//! Every change of a run's status, with its event. A finished run settles its outputs and backfill.
//!
//! No other file changes a status, so every index stays correct. `queue`, `journal` and
//! `runs` decide when to change one.

use chrono::{DateTime, Utc};

use super::key_table::key_of;
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
    /// Then purges the earliest finished runs beyond the maximum.
    pub(super) fn finish_run(&mut self, id: RunId, outcome: RunOutcome) -> Result<()> {
        let RunOutcome {
            status,
            kind,
            error,
            at,
            result_bytes_max,
        } = outcome;
        self.change_run(id, kind, at, |run| {
            run.status = status;
            run.finished_at = Some(at);
            run.error = error;
        })?;
        let row = self.run_mut(id)?;
        row.claim.owner = None;
        row.staged.clear();
        let (backfill, key) = (row.run.backfill_id, key_of(&row.run));
        self.note_end(id)?;
        if let Some(key) = key {
            self.settle_key(&key);
        }
        self.settle_outputs(id, result_bytes_max)?;
        if let Some(backfill) = backfill {
            self.settle_backfill(backfill, status, at)?;
        }
        if status == RunStatus::Success {
            self.recover_first_run(id);
        }
        self.purge_surplus();
        Ok(())
    }
}

/// The outcome of a run.
pub(super) struct RunOutcome {
    pub(super) status: RunStatus,
    pub(super) kind: EventKind,
    pub(super) error: Option<String>,
    pub(super) at: DateTime<Utc>,
    pub(super) result_bytes_max: u64,
}

impl RunOutcome {
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
