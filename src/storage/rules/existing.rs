//! Which new runs of a backfill an earlier success makes needless.
//!
//! `repeated` decides it for runs that repeat others.

use std::collections::HashSet;

use chrono::{DateTime, NaiveDate, Utc};

use crate::model::{BackfillUnit, Run};

/// The dates or the instants that have a successful run.
#[derive(Debug)]
pub(in crate::storage) enum Existing {
    Dates(HashSet<NaiveDate>),
    Instants(HashSet<DateTime<Utc>>),
}

impl Existing {
    /// Takes successful runs for a backfill of this unit: the date of each, and its instant.
    pub(in crate::storage) fn of(
        unit: BackfillUnit,
        runs: impl IntoIterator<Item = (NaiveDate, Option<DateTime<Utc>>)>,
    ) -> Self {
        let runs = runs.into_iter();
        if unit.is_dated() {
            Self::Dates(runs.map(|(date, _)| date).collect())
        } else {
            Self::Instants(runs.filter_map(|(_, instant)| instant).collect())
        }
    }

    /// Returns whether the date or the instant of a new run has a successful one.
    pub(in crate::storage) fn has(&self, run: &Run) -> bool {
        match self {
            Self::Dates(dates) => dates.contains(&run.date),
            Self::Instants(instants) => run.scheduled_at.is_some_and(|at| instants.contains(&at)),
        }
    }
}
