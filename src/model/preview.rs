//! The first rows of a node's output, as they are kept beside its checkpoint.
//!
//! The whole output is a [`Dataset`](super::Dataset); its statistics are a
//! [`Profile`](super::Profile).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::truncate;

/// The first rows of a node's output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Preview {
    /// The names of the columns, in order.
    pub columns: Vec<String>,
    /// The first rows, at most `Limits::preview_rows_max`, each cell cut at
    /// `Limits::preview_cell_bytes_max`.
    pub rows: Vec<Map<String, Value>>,
    /// How many rows the whole output has.
    pub row_count: u64,
    /// Whether rows or parts of cells are missing here.
    pub truncated: bool,
}

impl Preview {
    /// A preview of these rows.
    #[must_use]
    pub const fn new(
        columns: Vec<String>,
        rows: Vec<Map<String, Value>>,
        row_count: u64,
        truncated: bool,
    ) -> Self {
        Self {
            columns,
            rows,
            row_count,
            truncated,
        }
    }

    /// The same with no cell longer than `bytes_max`: a string is cut, a longer nested value is its
    /// cut text.
    pub(crate) fn shortened(mut self, bytes_max: usize) -> Self {
        for value in self.rows.iter_mut().flat_map(Map::values_mut) {
            let text = match value {
                Value::String(text) => std::mem::take(text),
                Value::Array(_) | Value::Object(_) => value.to_string(),
                Value::Null | Value::Bool(_) | Value::Number(_) => continue,
            };
            let is_longer = text.len() > bytes_max;
            if is_longer || value.is_string() {
                *value = Value::String(truncate(text, bytes_max));
            }
            self.truncated |= is_longer;
        }
        self
    }
}
