//! Rows that travel between nodes: one table, opaque, cheap to share.
//!
//! Arrow inside, a column of one kind of values typed and every other one JSON. What goes in comes
//! out: mixed types, nested values, null against missing, big integers. Files and processes are
//! left to `nodes`, keeping to `storage`.

mod build;
mod codec;
mod column;
mod concat;
#[cfg(feature = "nodes")]
mod infer;
mod json;
mod parse;
mod preview;
mod profile;
mod rows;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Preview, Profile};
use crate::error::Result;
#[cfg(feature = "nodes")]
pub(crate) use build::{DatasetBuilder, RowError};
pub(crate) use column::Cell;
use column::Column;
#[cfg(feature = "nodes")]
pub(crate) use json::write_cell;

/// A table of rows. Clones share the data.
///
/// A row is a JSON object; it need not have every column, and the values of a column may be of
/// different kinds.
///
/// ```
/// use floret::Dataset;
/// #[derive(serde::Serialize, serde::Deserialize, PartialEq, Debug)]
/// struct Order { id: u64, amount: f64 }
///
/// let orders = [Order { id: 1, amount: 9.5 }, Order { id: 2, amount: 20.0 }];
/// let dataset = Dataset::from_serialize(&orders)?;
/// assert_eq!(dataset.columns(), ["id", "amount"]);
/// assert_eq!(dataset.deserialize::<Order>()?, orders);
/// # Ok::<_, floret::Error>(())
/// ```
#[derive(Clone)]
pub struct Dataset(Arc<Table>);

struct Table {
    /// All of the same length, their names different.
    columns: Vec<Column>,
    row_count: usize,
}

impl fmt::Debug for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dataset")
            .field("columns", &self.columns())
            .field("row_count", &self.len())
            .finish_non_exhaustive()
    }
}

impl Dataset {
    /// A dataset of these rows. Its columns are in the order in which they are first seen.
    ///
    /// # Errors
    /// `Invalid` when a value is nested more than 120 levels deep; the message names the row,
    /// counted from 1.
    pub fn from_rows(rows: Vec<Map<String, Value>>) -> Result<Self> {
        rows::from_rows(rows)
    }

    /// Rows from anything that serialises to JSON objects; the columns of a struct are in the order
    /// of its fields.
    ///
    /// As in JSON, NaN and infinities become null, and integers beyond 64 bits floats.
    ///
    /// # Errors
    /// `Invalid` when a row does not serialise, or not to an object; the message names the row,
    /// counted from 1.
    pub fn from_serialize<T: Serialize>(rows: &[T]) -> Result<Self> {
        rows::from_serialize(rows)
    }

    /// A dataset of these columns, each named once, without rows.
    #[must_use]
    pub fn from_columns<N: AsRef<str>>(columns: impl IntoIterator<Item = N>) -> Self {
        Self::from_parts(Column::without_cells(columns), 0)
    }

    /// The rows of all, one dataset after another; the columns in the order in which they are first
    /// seen.
    ///
    /// # Errors
    /// `Internal` when Arrow refuses; no dataset is known to cause it.
    pub fn concat(datasets: &[Self]) -> Result<Self> {
        concat::concat(datasets)
    }

    /// The rows. What is missing in a row has no key in it.
    ///
    /// # Errors
    /// `Internal` when a decoded dataset holds a text that is no JSON.
    pub fn rows(&self) -> Result<Vec<Map<String, Value>>> {
        rows::to_rows(self)
    }

    /// The rows as `T`s.
    ///
    /// # Errors
    /// `Invalid` when a row is no `T`; the message names the row, counted from 1, and what is wrong
    /// with it.
    pub fn deserialize<T: DeserializeOwned>(&self) -> Result<Vec<T>> {
        rows::deserialize(self)
    }

    /// The names of the columns, in order.
    #[must_use]
    pub fn columns(&self) -> Vec<String> {
        self.table()
            .iter()
            .map(|column| column.name.to_string())
            .collect()
    }

    /// How many rows.
    #[must_use]
    pub fn row_count(&self) -> u64 {
        self.len() as u64
    }

    /// The first `count` rows with all columns, the data shared.
    #[must_use]
    pub fn head(&self, count: usize) -> Self {
        if count >= self.len() {
            return self.clone();
        }
        let columns = self.table().iter().map(|column| column.slice(0, count));
        Self::from_parts(columns.collect(), count)
    }

    /// The first rows for a reader, at most `rows_max`.
    ///
    /// A string longer than `cell_bytes_max` is cut at a character and marked; a nested value with
    /// a longer text is its cut text.
    ///
    /// # Errors
    /// `Internal` when a decoded dataset holds a text that is no JSON.
    pub fn preview(&self, rows_max: usize, cell_bytes_max: usize) -> Result<Preview> {
        preview::preview(self, rows_max, cell_bytes_max)
    }

    /// Statistics of every column; `profiling_ms` is left 0. It computes: call it off the async
    /// threads.
    ///
    /// # Errors
    /// `Internal` when a decoded dataset holds a text that is no JSON.
    pub fn profile(&self) -> Result<Profile> {
        profile::profile(self)
    }

    /// An Arrow IPC stream with lz4, followed by its SHA-256. It computes: call it off the async
    /// threads.
    ///
    /// # Errors
    /// `Internal` when Arrow refuses; no dataset is known to cause it.
    pub fn encode(&self) -> Result<Vec<u8>> {
        codec::encode(self)
    }

    /// Decodes what [`Dataset::encode`] made.
    ///
    /// # Errors
    /// `Internal` when a byte of it differs.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        codec::decode(bytes)
    }

    /// About how many bytes the rows take in memory.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.table().iter().map(Column::memory_bytes).sum()
    }

    fn from_parts(columns: Vec<Column>, row_count: usize) -> Self {
        Self(Arc::new(Table { columns, row_count }))
    }

    fn table(&self) -> &[Column] {
        &self.0.columns
    }

    /// How many rows.
    pub(crate) fn len(&self) -> usize {
        self.0.row_count
    }

    /// Whether `is_match` says so of a text in it: a string, a nested value as JSON, the name of a
    /// column.
    pub(crate) fn any_text(&self, is_match: impl Fn(&str) -> bool) -> bool {
        let in_cell = |cell: Cell<'_>| match cell {
            Cell::Text(text) | Cell::Json(text) => is_match(text),
            Cell::Missing
            | Cell::Null
            | Cell::Int(_)
            | Cell::UInt(_)
            | Cell::Float(_)
            | Cell::Bool(_) => false,
        };
        self.table().iter().any(|column| {
            is_match(&column.name) || (0..self.len()).any(|row| in_cell(column.cell(row)))
        })
    }

    /// The cells of a row, one a column.
    #[cfg(feature = "nodes")]
    pub(crate) fn cells(&self, row: usize) -> impl Iterator<Item = Cell<'_>> {
        self.table().iter().map(move |column| column.cell(row))
    }
}
