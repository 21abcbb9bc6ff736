//! The limits of one dataset.
//!
//! `model/dataset` applies them to every dataset that it builds.

use super::{KIB, MIB};

/// Limits of one dataset.
///
/// The limits of an engine are [`Limits::dataset`](crate::Limits::dataset). An executor finds them
/// in [`Ctx::dataset_limits`](crate::executor::Ctx::dataset_limits).
///
/// ```
/// use floret::{Dataset, DatasetLimits, Problem};
/// use serde_json::json;
///
/// let mut limits = DatasetLimits::default();
/// limits.columns_max = 1;
/// let rows = [json!({"id": 1, "amount": 9.5})];
/// let error = Dataset::from_serialize_within(&rows, limits).unwrap_err();
/// assert_eq!(error.problem(), Problem::DatasetTooLarge);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DatasetLimits {
    /// The number of bytes of a dataset in memory. 256 MiB: some million rows, and a machine of
    /// 2 GiB can hold a few.
    pub bytes_max: u64,
    /// The number of columns. 4,096: more than a spreadsheet or a database shows.
    pub columns_max: usize,
    /// The number of bytes of a cell or of a column's name. 16 MiB: a document, not a file system.
    pub cell_bytes_max: usize,
    /// The number of bytes of a row's text, as a file or a program gives it. 32 MiB: a cell of the
    /// maximum size, escaped.
    pub row_bytes_max: usize,
}

impl Default for DatasetLimits {
    fn default() -> Self {
        Self {
            bytes_max: 256 * 1024 * 1024,
            columns_max: 4 * KIB,
            cell_bytes_max: 16 * MIB,
            row_bytes_max: 32 * MIB,
        }
    }
}
