//! Edits of the labels and the note of a run.

use super::state::State;
use crate::error::{Error, Result};
use crate::storage::EditRun;

impl State {
    pub(super) fn edit_run(&mut self, edit: EditRun) -> Result<()> {
        let EditRun {
            run: id,
            scope,
            labels,
            note,
            audit,
        } = edit;
        let found = self.run(id, &scope);
        let before = found
            .ok_or_else(|| Error::run_not_found(id))?
            .run
            .labels
            .clone();
        let after = before.edited(&labels)?;
        // A reader may have kept the run as it was.
        let _change = self.finished_changes.begin();
        let run = &mut self.run_mut(id)?.run;
        run.labels = after;
        if let Some(note) = note {
            run.note = Some(note).filter(|note| !note.is_empty());
        }
        let tenant = run.tenant.clone();
        self.audit(audit, tenant.as_ref());
        Ok(())
    }
}
