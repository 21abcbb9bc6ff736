//! Whether a purge may have deleted a run since it was read.
//!
//! A finished run never changes until it is purged, so that a reader may keep what it has read as
//! long as this says so. The backends count their purges here; `views` asks.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The purges of a store. Clones count together.
#[derive(Debug, Clone, Default)]
pub(super) struct Purges {
    /// How many steps that purge have begun or ended: odd while one deletes runs.
    ///
    /// A step is counted before its commit and again before its caller has the answer. The ordering
    /// makes a read that begins after the end of a step see what it has deleted.
    count: Arc<AtomicU64>,
}

/// The knowledge that no run of a store has been purged since a read began.
#[derive(Clone)]
pub(crate) struct Unpurged {
    purges: Purges,
    count: u64,
}

/// A step that deletes runs. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct PurgeStep(Purges);

impl Purges {
    /// Returns what a read that begins now knows until the next purge. `None` while a step deletes
    /// runs: its commit may come before or after the read.
    pub(super) fn unpurged(&self) -> Option<Unpurged> {
        let count = self.count.load(Ordering::Acquire);
        let is_deleting = count % 2 == 1;
        (!is_deleting).then(|| Unpurged {
            purges: self.clone(),
            count,
        })
    }

    /// Begins a step that deletes runs, before its commit. A store has one step at a time.
    pub(super) fn begin(&self) -> PurgeStep {
        self.count.fetch_add(1, Ordering::AcqRel);
        PurgeStep(self.clone())
    }

    /// Ends all knowledge, because the store is closed: it answers nothing any more.
    pub(super) fn close(&self) {
        drop(self.begin());
    }
}

impl Drop for PurgeStep {
    fn drop(&mut self) {
        self.0.count.fetch_add(1, Ordering::AcqRel);
    }
}

impl Unpurged {
    /// Returns whether every run that was stored when the read began is still stored.
    pub(crate) fn holds(&self) -> bool {
        self.purges.count.load(Ordering::Acquire) == self.count
    }
}

impl fmt::Debug for Unpurged {
    /// The count is left out: a run that two reads or two backends return is printed alike.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unpurged").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_knows_nothing_once_a_purge_has_begun() {
        let purges = Purges::default();
        let before = purges.unpurged().unwrap();
        assert!(before.holds());
        let step = purges.begin();
        assert!(!before.holds());
        assert!(purges.unpurged().is_none());
        drop(step);
        assert!(!before.holds());
        assert!(purges.unpurged().unwrap().holds());
    }

    #[test]
    fn a_read_of_a_closed_store_knows_nothing() {
        let purges = Purges::default();
        let before = purges.unpurged().unwrap();
        purges.close();
        assert!(!before.holds());
    }
}
