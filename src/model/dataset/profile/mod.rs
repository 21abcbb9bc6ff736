//! Computes the statistics of a dataset, column by column.
//!
//! [`ColumnProfile`] documents their meaning. `engine` decides when to compute them.

mod distinct;
mod mixed;
mod stats;
#[cfg(test)]
mod tests;

use super::Dataset;
use super::column::{Cells, Column};
use crate::error::Result;
use crate::model::{ColumnProfile, Profile, percent};
use stats::ColumnStats;

/// The most bytes of a string in a profile, the same as in a preview.
const CELL_BYTES_MAX: usize = 4096;

pub(super) fn profile(dataset: &Dataset) -> Result<Profile> {
    let rows = dataset.row_count();
    let columns = dataset.table().iter().map(|column| {
        let stats = match &column.cells {
            Cells::Json(texts) => mixed::stats(texts)?,
            Cells::Gaps(_)
            | Cells::Int(_)
            | Cells::UInt(_)
            | Cells::Float(_)
            | Cells::Bool(_)
            | Cells::Text(_) => stats::for_cells(&column.cells)?,
        };
        Ok(column_profile(column, rows, stats))
    });
    Ok(Profile {
        row_count: rows,
        column_count: dataset.table().len() as u64,
        columns: columns.collect::<Result<_>>()?,
        profiling_ms: 0,
        truncated: false,
    })
}

fn column_profile(column: &Column, rows: u64, stats: ColumnStats) -> ColumnProfile {
    let null_count = rows.saturating_sub(stats.value_count);
    ColumnProfile {
        name: column.name.to_string(),
        kind: stats.kind.to_owned(),
        null_count,
        null_pct: percent(null_count, rows).unwrap_or_default(),
        unique_count: stats.unique_count,
        unique_pct: percent(stats.unique_count, rows).unwrap_or_default(),
        min_val: stats.min,
        max_val: stats.max,
        mean_val: stats.mean,
        is_numeric: stats.is_numeric,
        sample_values: stats.samples,
        capped: stats.is_capped,
    }
}
