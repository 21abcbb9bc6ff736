//! The part of the ledger that is not stored yet, and when it must be.
//!
//! The rest of `ledger` decides which event is delivered next; `worker` stores the changes.

use std::collections::BTreeMap;

use super::Ledger;
use crate::storage::ParkedEvent;

/// How many unwanted events the cursor may pass before they alone cause a save.
pub(super) const UNWANTED_EVENTS_MAX: u64 = 10_000;

impl Ledger {
    /// Returns whether there is enough progress to save soon.
    pub(in crate::delivery) fn has_progress_to_save(&self) -> bool {
        let passed = self.cursor().saturating_sub(self.saved_cursor);
        !self.changes.is_empty()
            || (self.has_unsaved_delivery && passed > 0)
            || passed >= UNWANTED_EVENTS_MAX
    }

    /// Returns whether the next save must not wait for more progress.
    pub(in crate::delivery) fn is_save_urgent(&self) -> bool {
        self.has_unsaved_dead_letter || self.changes.len() >= self.limits.events_page_max
    }

    /// Returns whether anything differs from what is stored.
    pub(in crate::delivery) fn has_unsaved_changes(&self) -> bool {
        !self.changes.is_empty() || self.cursor() > self.saved_cursor
    }

    /// Returns the rows to write (`Some`) or to remove (`None`), by number.
    pub(in crate::delivery) const fn changes(&self) -> &BTreeMap<u64, Option<ParkedEvent>> {
        &self.changes
    }

    /// Records that the cursor and all changes are stored.
    pub(in crate::delivery) fn mark_saved(&mut self) {
        self.saved_cursor = self.cursor();
        self.changes.clear();
        self.has_unsaved_delivery = false;
        self.has_unsaved_dead_letter = false;
    }
}
