//! The parameters that the runs of a backfill share. Its row stores them once.
//!
//! `backfills` writes them, and `rows` reads and writes the parameters of a run.

use std::collections::BTreeMap;

use rusqlite::Row;

use super::store_error::StoreError;
use super::values::{json, text};
use crate::model::{DATE_PARAM, Params, Run};
use crate::storage::NewRun;

/// The parameters of each run of a backfill, except for the date of the run.
#[derive(Debug)]
pub(super) struct SharedParams(Params);

impl SharedParams {
    /// Takes the parameters of the first run.
    pub(super) fn of_runs(runs: &[NewRun]) -> Self {
        let params = runs.first().map(|new| new.run.params.clone());
        Self(params.unwrap_or_default())
    }

    /// Returns the text for the row of the backfill.
    pub(super) fn text(&self) -> Result<String, StoreError> {
        let undated = self.0.iter().filter(|(name, _)| *name != DATE_PARAM);
        text(&undated.collect::<BTreeMap<_, _>>())
    }

    /// Returns whether a run has these parameters and its date, and nothing else.
    fn covers(&self, run: &Run) -> bool {
        let mut expected = self.0.clone();
        expected.insert(DATE_PARAM, run.date.to_string());
        expected == run.params
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
        run.params = read_json("a run's params", &text)?;
    } else if let Some(text) = row.get::<_, Option<String>>(shared)? {
        run.params = read_json("a backfill's params", &text)?;
        run.params.insert(DATE_PARAM, run.date.to_string());
    }
    Ok(())
}

fn read_json(what: &'static str, text: &str) -> Result<Params, StoreError> {
    json::<BTreeMap<String, String>>(what, text).map(Params::from)
}
