//! A column of a dataset and its cells. Only this file knows which Arrow array holds which values.
//!
//! `build` builds columns, `codec` encodes them.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, UInt64Type};
use arrow_array::{Array, BooleanArray, Float64Array, Int64Array, LargeStringArray, UInt64Array};
use arrow_schema::DataType;

/// The bytes of a number.
pub(super) const NUMBER_BYTES: u64 = 8;
/// The bytes of a boolean and its mark.
pub(super) const BOOL_BYTES: u64 = 1;
/// The bytes of a text's position, in addition to the text.
pub(super) const TEXT_BYTES: u64 = 8;

/// A named column, with the length of its dataset.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: Arc<str>,
    pub(super) cells: Cells,
    /// The meaning of the nulls in the array. Has no meaning for JSON texts, where an array null is
    /// a missing cell.
    pub(super) gap: Gap,
}

/// The meaning of an array null, for all rows of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gap {
    /// The row has the column with the value null.
    Null,
    /// The row does not have the column.
    Missing,
}

/// The cells of a column.
#[derive(Debug, Clone)]
pub(super) enum Cells {
    /// This many array nulls and no values.
    Gaps(usize),
    Int(Int64Array),
    /// Integers, of which none is negative and at least one does not fit `i64`.
    UInt(UInt64Array),
    Float(Float64Array),
    Bool(BooleanArray),
    Text(LargeStringArray),
    /// JSON texts: values of mixed types, nested values, or nulls next to missing cells.
    Json(LargeStringArray),
}

/// The value of a column in a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Cell<'a> {
    /// The row does not have the column.
    Missing,
    Null,
    Int(i64),
    UInt(u64),
    Float(f64),
    Bool(bool),
    Text(&'a str),
    /// The JSON text of a value other than null.
    Json(&'a str),
}

impl Column {
    /// Creates columns without cells. A repeated name counts once.
    pub(super) fn without_cells<N: AsRef<str>>(names: impl IntoIterator<Item = N>) -> Vec<Self> {
        let mut seen = HashSet::new();
        names
            .into_iter()
            .map(|name| Arc::<str>::from(name.as_ref()))
            .filter(|name| seen.insert(Arc::clone(name)))
            .map(|name| Self {
                name,
                cells: Cells::Gaps(0),
                gap: Gap::Missing,
            })
            .collect()
    }

    /// Returns the cell of a row. The row MUST exist.
    pub(super) fn cell(&self, row: usize) -> Cell<'_> {
        let found = match &self.cells {
            Cells::Gaps(_) => None,
            Cells::Int(array) => array.is_valid(row).then(|| Cell::Int(array.value(row))),
            Cells::UInt(array) => array.is_valid(row).then(|| Cell::UInt(array.value(row))),
            Cells::Float(array) => array.is_valid(row).then(|| Cell::Float(array.value(row))),
            Cells::Bool(array) => array.is_valid(row).then(|| Cell::Bool(array.value(row))),
            Cells::Text(array) => array.is_valid(row).then(|| Cell::Text(array.value(row))),
            Cells::Json(array) => return json_cell(array, row),
        };
        found.unwrap_or(match self.gap {
            Gap::Null => Cell::Null,
            Gap::Missing => Cell::Missing,
        })
    }

    /// Returns `count` cells from the row `from`. The result shares the data.
    pub(super) fn slice(&self, from: usize, count: usize) -> Self {
        let cells = match &self.cells {
            Cells::Gaps(_) => Cells::Gaps(count),
            Cells::Int(array) => Cells::Int(array.slice(from, count)),
            Cells::UInt(array) => Cells::UInt(array.slice(from, count)),
            Cells::Float(array) => Cells::Float(array.slice(from, count)),
            Cells::Bool(array) => Cells::Bool(array.slice(from, count)),
            Cells::Text(array) => Cells::Text(array.slice(from, count)),
            Cells::Json(array) => Cells::Json(array.slice(from, count)),
        };
        Self {
            name: Arc::clone(&self.name),
            cells,
            gap: self.gap,
        }
    }

    /// Returns the bytes of the name and the cells.
    pub(super) fn memory_bytes(&self) -> u64 {
        (self.name.len() as u64).saturating_add(self.cells.memory_bytes())
    }

    /// Returns whether the column has array nulls with the meaning [`Column::gap`].
    pub(super) fn has_gaps(&self) -> bool {
        match &self.cells {
            Cells::Gaps(count) => *count > 0,
            Cells::Json(_) => false,
            Cells::Int(_) | Cells::UInt(_) | Cells::Float(_) | Cells::Bool(_) | Cells::Text(_) => {
                self.cells
                    .array()
                    .is_some_and(|array| array.null_count() > 0)
            }
        }
    }
}

impl Cells {
    /// Returns the number of cells.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Gaps(count) => *count,
            Self::Int(_)
            | Self::UInt(_)
            | Self::Float(_)
            | Self::Bool(_)
            | Self::Text(_)
            | Self::Json(_) => self.array().map_or(0, Array::len),
        }
    }

    /// Returns the bytes of the cells. A builder counts the same, so that a dataset that was built
    /// within its limits stays within them.
    pub(super) fn memory_bytes(&self) -> u64 {
        let count = self.len() as u64;
        match self {
            Self::Gaps(_) => 0,
            Self::Int(_) | Self::UInt(_) | Self::Float(_) => NUMBER_BYTES.saturating_mul(count),
            Self::Bool(_) => BOOL_BYTES.saturating_mul(count),
            Self::Text(texts) | Self::Json(texts) => TEXT_BYTES
                .saturating_mul(count)
                .saturating_add(text_bytes(texts)),
        }
    }

    /// Returns the bytes of `count` array nulls among cells like these.
    pub(super) const fn gap_bytes(&self, count: usize) -> u64 {
        let bytes = match self {
            Self::Gaps(_) => 0,
            Self::Int(_) | Self::UInt(_) | Self::Float(_) => NUMBER_BYTES,
            Self::Bool(_) => BOOL_BYTES,
            Self::Text(_) | Self::Json(_) => TEXT_BYTES,
        };
        bytes.saturating_mul(count as u64)
    }

    /// Returns the array, or `None` if there are no values.
    pub(super) fn array(&self) -> Option<&dyn Array> {
        match self {
            Self::Gaps(_) => None,
            Self::Int(array) => Some(array),
            Self::UInt(array) => Some(array),
            Self::Float(array) => Some(array),
            Self::Bool(array) => Some(array),
            Self::Text(array) | Self::Json(array) => Some(array),
        }
    }

    pub(super) const fn is_json(&self) -> bool {
        matches!(self, Self::Json(_))
    }

    pub(super) fn data_type(&self) -> DataType {
        self.array()
            .map_or(DataType::Null, |array| array.data_type().clone())
    }

    /// Creates cells from an array, or returns `None` if no column has its type.
    pub(super) fn from_array(array: &dyn Array, is_json: bool) -> Option<Self> {
        match array.data_type() {
            DataType::Null => Some(Self::Gaps(array.len())),
            DataType::Int64 => array
                .as_primitive_opt::<Int64Type>()
                .cloned()
                .map(Self::Int),
            DataType::UInt64 => array
                .as_primitive_opt::<UInt64Type>()
                .cloned()
                .map(Self::UInt),
            DataType::Float64 => array
                .as_primitive_opt::<Float64Type>()
                .cloned()
                .map(Self::Float),
            DataType::Boolean => array.as_boolean_opt().cloned().map(Self::Bool),
            DataType::LargeUtf8 => {
                let texts = array.as_string_opt::<i64>().cloned();
                texts.map(if is_json { Self::Json } else { Self::Text })
            }
            _ => None,
        }
    }
}

fn json_cell(array: &LargeStringArray, row: usize) -> Cell<'_> {
    if !array.is_valid(row) {
        return Cell::Missing;
    }
    match array.value(row) {
        "null" => Cell::Null,
        text => Cell::Json(text),
    }
}

/// Returns the bytes of the texts, also of a slice.
fn text_bytes(texts: &LargeStringArray) -> u64 {
    let offsets = texts.value_offsets();
    let ends = offsets.first().zip(offsets.last());
    ends.map_or(0, |(first, last)| last.abs_diff(*first))
}
