//! The reason why a row cannot be added to a dataset.
//!
//! The caller knows the number of the row.

use std::fmt;

use crate::error::{Error, Problem};

/// The reason why a row cannot be added.
#[derive(Debug)]
pub(crate) struct RowError {
    reason: String,
    problem: Problem,
}

impl RowError {
    /// Creates the error of a row that is invalid.
    pub(in crate::model::dataset) fn new(reason: impl Into<String>) -> Self {
        Self::with_problem(Problem::InvalidField, reason)
    }

    /// Creates the error of a dataset that exceeds one of its limits.
    pub(in crate::model::dataset) fn too_large(reason: impl Into<String>) -> Self {
        Self::with_problem(Problem::DatasetTooLarge, reason)
    }

    pub(in crate::model::dataset) fn with_problem(
        problem: Problem,
        reason: impl Into<String>,
    ) -> Self {
        Self {
            reason: reason.into(),
            problem,
        }
    }

    pub(crate) const fn problem(&self) -> Problem {
        self.problem
    }

    /// Converts this into the error of the row with this index.
    pub(in crate::model::dataset) fn in_row(&self, row_index: usize) -> Error {
        let message = format!("row {}: {self}", row_index.saturating_add(1));
        Error::new(self.problem, message)
    }
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl From<RowError> for Error {
    fn from(error: RowError) -> Self {
        Self::new(error.problem, error.reason)
    }
}
