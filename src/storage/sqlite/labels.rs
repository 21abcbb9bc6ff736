//! The labels of runs: rows by which lists find runs, and edits of labels and notes.
//!
//! A run's own row has its labels too, so that a read of the run needs no other row. `run_list`
//! lists runs by their labels.

use rusqlite::params;

use super::rows::{RUN, RUN_FROM, labels_text, read_run};
use super::store_error::StoreError;
use super::tx::Tx;
use super::values::id;
use crate::error::{Error, Result};
use crate::model::{Labels, RunId};
use crate::storage::EditRun;

impl Tx {
    /// Writes the rows of the labels of a new run.
    pub(super) fn add_labels(&mut self, run: RunId, labels: &Labels) -> Result<(), StoreError> {
        for (name, value) in labels.iter() {
            self.write(
                "INSERT OR IGNORE INTO labels (name, value, run) VALUES (?, ?, ?)",
                params![name, value, id(&run)],
            )?;
        }
        Ok(())
    }

    /// Deletes the rows of the labels of a run.
    pub(super) fn remove_labels(&mut self, run: RunId, labels: &Labels) -> Result<(), StoreError> {
        for (name, value) in labels.iter() {
            self.write(
                "DELETE FROM labels WHERE name = ? AND value = ? AND run = ?",
                params![name, value, id(&run)],
            )?;
        }
        Ok(())
    }

    pub(super) fn edit_run(&mut self, edit: &EditRun) -> Result<(), StoreError> {
        let EditRun {
            run,
            scope,
            labels,
            note,
            audit,
        } = edit;
        let sql = format!("SELECT {RUN} FROM {RUN_FROM} WHERE r.id = ?");
        let row = self
            .row(&sql, [id(run)], read_run)?
            .filter(|row| scope.admits(row.run.tenant.as_ref()))
            .ok_or_else(|| Error::run_not_found(run))?;
        let before = row.run.labels;
        let after = before.edited(labels)?;
        let note = match note {
            Some(note) => Some(note.clone()).filter(|note| !note.is_empty()),
            None => row.run.note,
        };
        self.changes_finished = true;
        self.remove_labels(*run, &before.without(&after))?;
        self.add_labels(*run, &after.without(&before))?;
        self.write(
            "UPDATE runs SET labels = ?, note = ? WHERE key = ?",
            params![labels_text(&after)?, note, row.key],
        )?;
        if let Some(active) = self.state.running.get_mut(run)
            && let Some(cached) = active.cached.as_mut()
        {
            cached.run.labels = after;
            cached.run.note = note;
        }
        self.audit(audit.as_ref(), row.run.tenant.as_ref())
    }
}
