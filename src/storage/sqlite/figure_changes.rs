//! The changes that a transaction makes to the figures.
//!
//! `counts` collects and writes them, and `figures` reads the rows.

use std::collections::HashMap;

use super::values::run_status;
use crate::model::RunStatus;

/// The unit of the total of a day.
pub(super) const UNIT_DAY: i64 = 0;
/// The unit of the total of a minute.
pub(super) const UNIT_MINUTE: i64 = 1;

/// A row of figures.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum FigureKey {
    /// The runs of a pipeline on a day.
    Pipeline {
        day: i64,
        pipeline: i64,
        tenant: String,
    },
    /// The runs of a tenant on a day. The empty tenant stands for all.
    Day { tenant: String, day: i64 },
    /// All runs of a minute.
    Minute(i64),
}

/// The changes to the counts of a row.
#[derive(Debug, Default)]
pub(super) struct FigureChange {
    /// In the order of the columns.
    pub(super) by_status: [i64; 5],
    pub(super) has_purged: bool,
}

/// The changes to the figures.
#[derive(Debug, Default)]
pub(super) struct FigureChanges(pub(super) HashMap<FigureKey, FigureChange>);

impl FigureChanges {
    /// Returns whether a row changes.
    pub(super) fn has(&self, key: &FigureKey) -> bool {
        self.0.contains_key(key)
    }

    /// Moves a run from one status to another in a row.
    pub(super) fn note(
        &mut self,
        key: FigureKey,
        before: Option<RunStatus>,
        after: Option<RunStatus>,
    ) {
        let FigureChange {
            by_status,
            has_purged,
        } = self.0.entry(key).or_default();
        *has_purged |= after.is_none();
        for (status, change) in [(before, -1), (after, 1)] {
            let count = status
                .and_then(|status| usize::try_from(run_status(status)).ok())
                .and_then(|index| by_status.get_mut(index));
            if let Some(count) = count {
                *count += change;
            }
        }
    }
}
