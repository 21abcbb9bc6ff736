//! Whether a finished run may have changed since it was read.
//!
//! Only a purge or an edit changes a finished run, so that a reader may keep what it has read as
//! long as this says so. The backends count both here; `views` asks.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The purges and edits of a store. Clones count together.
#[derive(Debug, Clone, Default)]
pub(super) struct FinishedChanges {
    /// How many such steps have begun or ended: odd while one changes runs.
    ///
    /// A step is counted before its commit and again before its caller has the answer. The ordering
    /// makes a read that begins after the end of a step see what it has changed.
    count: Arc<AtomicU64>,
}

/// The knowledge that no finished run of a store has changed since a read began.
#[derive(Clone)]
pub(crate) struct Unchanged {
    changes: FinishedChanges,
    count: u64,
}

/// A step that changes finished runs. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct ChangeStep(FinishedChanges);

impl FinishedChanges {
    /// Returns what a read that begins now knows until the next change. `None` while a step
    /// changes runs: its commit may come before or after the read.
    pub(super) fn unchanged(&self) -> Option<Unchanged> {
        let count = self.count.load(Ordering::Acquire);
        let is_changing = count % 2 == 1;
        (!is_changing).then(|| Unchanged {
            changes: self.clone(),
            count,
        })
    }

    /// Begins a step that changes runs, before its commit. A store has one step at a time.
    pub(super) fn begin(&self) -> ChangeStep {
        self.count.fetch_add(1, Ordering::AcqRel);
        ChangeStep(self.clone())
    }

    /// Ends all knowledge, because the store is closed: it answers nothing any more.
    pub(super) fn close(&self) {
        drop(self.begin());
    }
}

impl Drop for ChangeStep {
    fn drop(&mut self) {
        self.0.count.fetch_add(1, Ordering::AcqRel);
    }
}

impl Unchanged {
    /// Returns whether every finished run is as it was when the read began.
    pub(crate) fn holds(&self) -> bool {
        self.changes.count.load(Ordering::Acquire) == self.count
    }
}

impl fmt::Debug for Unchanged {
    /// The count is left out: a run that two reads or two backends return is printed alike.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unchanged").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_knows_nothing_once_a_change_has_begun() {
        let changes = FinishedChanges::default();
        let before = changes.unchanged().unwrap();
        assert!(before.holds());
        let step = changes.begin();
        assert!(!before.holds());
        assert!(changes.unchanged().is_none());
        drop(step);
        assert!(!before.holds());
        assert!(changes.unchanged().unwrap().holds());
    }

    #[test]
    fn a_read_of_a_closed_store_knows_nothing() {
        let changes = FinishedChanges::default();
        let before = changes.unchanged().unwrap();
        changes.close();
        assert!(!before.holds());
    }
}
