//! Labels and notes of runs: given at the trigger, edited at any time.
//!
//! `model/labels` has the bounds of labels, and `note` those of notes.

use super::Engine;
use super::audit::{Audited, Author, Named};
use super::note::check_note;
use crate::error::Result;
use crate::model::{AuditAction, AuditSubject, CallerName, Labels, Run};
use crate::storage::EditRun;

/// What a caller attaches to a new run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Annotations {
    pub(crate) labels: Labels,
    pub(crate) note: Option<String>,
}

impl Annotations {
    /// Attaches the labels and the note to a run.
    ///
    /// # Errors
    /// `Invalid` (`invalid-field`).
    pub(super) fn attach(self, mut run: Run) -> Result<Run> {
        self.labels.check()?;
        check_note(self.note.as_deref())?;
        run.labels = self.labels;
        run.note = self.note.filter(|note| !note.is_empty());
        Ok(run)
    }
}

impl Engine {
    /// Changes the labels and the note of a run.
    ///
    /// # Errors
    /// `NotFound` (`run-not-found`), `Invalid` (`invalid-field`), and any error of storage.
    pub(crate) async fn edit_run(&self, mut edit: EditRun, by: Option<CallerName>) -> Result<()> {
        // Storage checks the number of labels that the run then has.
        let set = edit.labels.iter();
        let set: Labels = set
            .filter_map(|(name, value)| Some((name, value.as_deref()?)))
            .collect();
        set.check()?;
        check_note(edit.note.as_deref())?;
        let scope = edit.scope.clone();
        let author = Author { scope, by };
        let audited = Audited::new(AuditAction::RunEdit, Named::Run(edit.run), author);
        self.audited(audited, |shared, audited| async move {
            let now = shared.clock.now();
            edit.audit = Some(audited.entry(AuditSubject::Run(edit.run), now));
            shared.storage.edit_run(edit).await
        })
        .await
    }
}
