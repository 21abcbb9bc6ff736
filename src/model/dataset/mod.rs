//! Datasets: the tables of rows that nodes exchange. A dataset is opaque and cheap to share.
//!
//! A dataset stores its columns in Arrow arrays. A column with values of one type is a typed array,
//! every other column has JSON texts. Every JSON value survives a round trip: mixed types, nested
//! values, null and missing cells, and large integers. `nodes` reads and writes files, `storage`
//! stores datasets.

mod build;
mod codec;
mod column;
mod concat;
#[cfg(feature = "nodes")]
mod infer;
mod json;
#[cfg(test)]
mod limit_tests;
mod number;
mod parse;
mod preview;
mod profile;
mod rows;
mod shape;
#[cfg(test)]
mod tests;
#[cfg(feature = "nodes")]
mod typed;

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Preview, PreviewBounds, Profile};
use crate::error::Result;
use crate::limits::DatasetLimits;
use build::Room;
#[cfg(feature = "nodes")]
pub(crate) use build::{DatasetBuilder, RowError};
pub(crate) use column::Cell;
use column::Column;
#[cfg(feature = "nodes")]
pub(crate) use json::write_cell;
#[cfg(feature = "nodes")]
pub(crate) use number::is_number_text;
pub(crate) use shape::Shape;
#[cfg(feature = "nodes")]
pub(crate) use typed::{ColumnType, Misfit, OtherColumns};

/// A table of rows. Clones share the data.
///
/// A row is a JSON object. A row need not have every column, and a column may have values of
/// different types.
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
    /// All columns have the same length and different names.
    columns: Vec<Column>,
    row_count: usize,
    /// What lives as long as the rows.
    held: OnceLock<Box<dyn Any + Send + Sync>>,
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
    /// Creates a dataset from rows. The columns are in the order of their first appearance.
    ///
    /// # Errors
    /// `Invalid` if a value is nested more than 120 levels deep, or the dataset exceeds the default
    /// [`DatasetLimits`] (`dataset-too-large`). The message names the row, counted from 1.
    pub fn from_rows(rows: Vec<Map<String, Value>>) -> Result<Self> {
        Self::from_rows_within(rows, DatasetLimits::default())
    }

    /// Creates a dataset from rows, within these limits.
    ///
    /// # Errors
    /// Those of [`Dataset::from_rows`].
    pub fn from_rows_within(rows: Vec<Map<String, Value>>, limits: DatasetLimits) -> Result<Self> {
        rows::from_rows(rows, limits)
    }

    /// Creates a dataset from values that serialize to JSON objects. The columns of a struct are in
    /// the order of its fields.
    ///
    /// As in JSON, NaN and infinities become null. Integers of more than 64 bits keep their digits;
    /// [`Dataset::rows`] returns them as floats.
    ///
    /// # Errors
    /// `Invalid` if a row does not serialize to an object, or has a value that is nested more than
    /// 120 levels deep, or the dataset exceeds the default [`DatasetLimits`] (`dataset-too-large`).
    /// The message names the row, counted from 1.
    pub fn from_serialize<T: Serialize>(rows: &[T]) -> Result<Self> {
        Self::from_serialize_within(rows, DatasetLimits::default())
    }

    /// Creates a dataset from values that serialize to JSON objects, within these limits.
    ///
    /// # Errors
    /// Those of [`Dataset::from_serialize`].
    pub fn from_serialize_within<T: Serialize>(rows: &[T], limits: DatasetLimits) -> Result<Self> {
        rows::from_serialize(rows, limits)
    }

    /// Creates a dataset from a value of any shape: a sequence of rows, or one row. Returns `None`
    /// for nothing, such as `()`.
    ///
    /// # Errors
    /// Those of [`Dataset::from_serialize`], and `Invalid` for a value of another shape.
    pub(crate) fn from_value<T: Serialize>(
        value: &T,
        limits: DatasetLimits,
    ) -> Result<Option<Self>> {
        shape::from_value(value, limits)
    }

    /// Creates a dataset without rows. A repeated column name counts once.
    #[must_use]
    pub fn from_columns<N: AsRef<str>>(columns: impl IntoIterator<Item = N>) -> Self {
        Self::from_parts(Column::without_cells(columns), 0)
    }

    /// Returns the rows of all datasets, one dataset after another. The columns are in the order of
    /// their first appearance.
    ///
    /// # Errors
    /// `Invalid` if the result exceeds the default [`DatasetLimits`] (`dataset-too-large`).
    /// `Internal` if Arrow reports an error. No known dataset causes one.
    pub fn concat(datasets: &[Self]) -> Result<Self> {
        Self::concat_within(datasets, DatasetLimits::default())
    }

    /// Returns the rows of all datasets, one dataset after another, within these limits.
    ///
    /// # Errors
    /// Those of [`Dataset::concat`].
    pub fn concat_within(datasets: &[Self], limits: DatasetLimits) -> Result<Self> {
        concat::concat(datasets, limits)
    }

    /// Returns the rows. A missing cell has no key in its row.
    ///
    /// # Errors
    /// `Internal` if a decoded dataset has a text that is not valid JSON.
    pub fn rows(&self) -> Result<Vec<Map<String, Value>>> {
        rows::to_rows(self)
    }

    /// Returns the rows, deserialized as `T`.
    ///
    /// # Errors
    /// `Invalid` if a row does not deserialize. The message names the row, counted from 1, and the
    /// reason.
    pub fn deserialize<T: DeserializeOwned>(&self) -> Result<Vec<T>> {
        rows::deserialize(self)
    }

    /// Returns the column names, in order.
    #[must_use]
    pub fn columns(&self) -> Vec<String> {
        self.table()
            .iter()
            .map(|column| column.name.to_string())
            .collect()
    }

    /// Returns the number of rows.
    #[must_use]
    pub fn row_count(&self) -> u64 {
        self.len() as u64
    }

    /// Returns the first `count` rows with all columns. The result shares the data.
    #[must_use]
    pub fn head(&self, count: usize) -> Self {
        if count >= self.len() {
            return self.clone();
        }
        let columns = self.table().iter().map(|column| column.slice(0, count));
        Self::from_parts(columns.collect(), count)
    }

    /// Returns the first `count` rows with all columns. Unlike [`Dataset::head`], the result does
    /// not keep the other rows in memory.
    ///
    /// # Errors
    /// `Internal` if Arrow reports an error. No known dataset causes one.
    pub(crate) fn copy_head(&self, count: usize) -> Result<Self> {
        if count >= self.len() {
            return Ok(self.clone());
        }
        let columns = self
            .table()
            .iter()
            .map(|column| concat::copy(column, count));
        Ok(Self::from_parts(columns.collect::<Result<_>>()?, count))
    }

    /// Returns a preview of the first `rows_max` rows.
    ///
    /// A string longer than `cell_bytes_max` bytes is truncated at a character boundary and ends
    /// with a mark. A nested value with a longer JSON text becomes that text, truncated.
    ///
    ///
    /// # Errors
    /// `Internal` if a decoded dataset has a text that is not valid JSON.
    pub fn preview(&self, rows_max: usize, cell_bytes_max: usize) -> Result<Preview> {
        self.preview_within(PreviewBounds {
            rows_max,
            cell_bytes_max,
            bytes_max: usize::MAX,
        })
    }

    /// Returns a preview within these bounds.
    ///
    /// # Errors
    /// Those of [`Dataset::preview`].
    pub(crate) fn preview_within(&self, bounds: PreviewBounds) -> Result<Preview> {
        preview::preview(self, bounds)
    }

    /// Returns a row with whole cells. A missing cell has no key.
    ///
    /// # Errors
    /// `Internal` if a decoded dataset has a text that is not valid JSON.
    pub(crate) fn row(&self, row_index: usize) -> Result<Map<String, Value>> {
        preview::row(self, row_index, usize::MAX).map(|(row, _)| row)
    }

    /// Computes statistics of every column. `profiling_ms` stays 0.
    ///
    /// The computation blocks. Call it outside the async threads.
    ///
    /// # Errors
    /// `Internal` if a decoded dataset has a text that is not valid JSON.
    pub fn profile(&self) -> Result<Profile> {
        profile::profile(self)
    }

    /// Encodes the dataset as an Arrow IPC stream with LZ4, followed by the SHA-256 of the stream.
    ///
    /// The computation blocks. Call it outside the async threads.
    ///
    /// # Errors
    /// `Internal` if Arrow reports an error. No known dataset causes one.
    pub fn encode(&self) -> Result<Vec<u8>> {
        codec::encode(self)
    }

    /// Decodes the result of [`Dataset::encode`].
    ///
    /// The computation blocks. Call it outside the async threads.
    ///
    /// # Errors
    /// `Internal` if the bytes are damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        codec::decode(bytes)
    }

    /// Returns the number of bytes of the rows and the column names in memory, as
    /// [`DatasetLimits::bytes_max`] counts them.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.table().iter().map(Column::memory_bytes).sum()
    }

    /// Checks the size of the whole dataset, for one that was built within other limits.
    ///
    /// # Errors
    /// `Invalid` (`dataset-too-large`).
    pub(crate) fn check(&self, limits: &DatasetLimits) -> Result<()> {
        let mut room = Room::new(*limits);
        for (index, column) in self.table().iter().enumerate() {
            room.take_column(&column.name, index)?;
            room.replace(column.name.len() as u64, column.memory_bytes())?;
        }
        Ok(())
    }

    fn from_parts(columns: Vec<Column>, row_count: usize) -> Self {
        Self(Arc::new(Table {
            columns,
            row_count,
            held: OnceLock::new(),
        }))
    }

    /// Keeps a value until the last clone of the dataset is dropped, unless it keeps one already.
    pub(crate) fn hold(&self, value: impl FnOnce() -> Box<dyn Any + Send + Sync>) {
        self.0.held.get_or_init(value);
    }

    /// Returns an address that clones of the dataset share and no other living dataset has.
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    fn table(&self) -> &[Column] {
        &self.0.columns
    }

    /// How many rows.
    pub(crate) fn len(&self) -> usize {
        self.0.row_count
    }

    /// Returns for each column whether one of its cells matches `is_match`.
    pub(crate) fn columns_where(&self, is_match: impl Fn(Cell<'_>) -> bool) -> Vec<bool> {
        let columns = self.table().iter();
        columns
            .map(|column| (0..self.len()).any(|row| is_match(column.cell(row))))
            .collect()
    }

    /// Returns the cells of a row, one per column.
    #[cfg(feature = "nodes")]
    pub(crate) fn cells(&self, row: usize) -> impl Iterator<Item = Cell<'_>> {
        self.table().iter().map(move |column| column.cell(row))
    }
}
