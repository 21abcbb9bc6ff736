//! The parameters that the runs of a backfill share. Its row stores them once.
//!
//! `backfills` writes them, and `rows` reads and writes the parameters of a run.

use std::collections::BTreeMap;

use rusqlite::Row;

use super::store_error::StoreError;
use super::values::{json, text};
use crate::graph::params::DATE;
use crate::model::Run;
use crate::storage::NewRun;

/// The parameters of each run of a backfill, except for the date of the run.
#[derive(Debug)]
pub(super) struct SharedParams(BTreeMap<String, String>);

impl SharedParams {
    /// Takes the parameters of the first run.
    pub(super) fn of_runs(runs: &[NewRun]) -> Self {
        let first = runs.first().map(|new| new.run.params.clone());
        let mut params = first.unwrap_or_default();
        params.remove(DATE);
        Self(params)
    }

    /// Returns the text for the row of the backfill.
    pub(super) fn text(&self) -> Result<String, StoreError> {
        text(&self.0)
    }

    /// Returns whether a run has these parameters and its date, and nothing else.
    fn covers(&self, run: &Run) -> bool {
        let date = run.date.to_string();
        let is_shared = |(name, value): (&String, &String)| {
            let shared = if name == DATE {
                Some(&date)
            } else {
                self.0.get(name)
            };
            shared == Some(value)
        };
        run.params.contains_key(DATE)
            && run.params.len() == self.0.len() + 1
            && run.params.iter().all(is_shared)
    }
}

/// Returns the text for the row of a run. It is `None` if the run has the parameters of its
/// backfill, or if it has neither a backfill nor parameters.
pub(super) fn own_params(
    run: &Run,
    shared: Option<&SharedParams>,
) -> Result<Option<String>, StoreError> {
    let is_absent = match shared {
        Some(shared) => shared.covers(run),
        None => run.params.is_empty(),
    };
    (!is_absent).then(|| text(&run.params)).transpose()
}

/// Reads the parameters of a run: the column `own` of its row, or else the column `shared` of its
/// backfill and its date. Backfills of older versions share nothing.
pub(super) fn read_params(
    row: &Row<'_>,
    own: usize,
    shared: usize,
    run: &mut Run,
) -> Result<(), StoreError> {
    if let Some(text) = row.get::<_, Option<String>>(own)? {
        run.params = json("a run's params", &text)?;
    } else if let Some(text) = row.get::<_, Option<String>>(shared)? {
        run.params = json("a backfill's params", &text)?;
        run.params.insert(DATE.to_owned(), run.date.to_string());
    }
    Ok(())
}
