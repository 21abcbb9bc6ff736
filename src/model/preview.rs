//! The first rows of a node's output, which storage keeps together with its checkpoint.
//!
//! The whole output is a [`Dataset`](super::Dataset). Its statistics are a
//! [`Profile`](super::Profile).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::truncate;

/// The first rows of a node's output.
///
/// ```
/// use floret::Dataset;
/// use serde_json::json;
///
/// let orders = Dataset::from_serialize(&[json!({"amount": 19}), json!({"amount": 23})])?;
/// let preview = orders.preview(1, 4_096)?;
/// assert_eq!(preview.rows[0]["amount"], 19);
/// assert!(preview.truncated && preview.row_count == 2);
/// # Ok::<(), floret::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Preview {
    /// The column names, in order.
    pub columns: Vec<String>,
    /// The first rows, at most `Limits::preview_rows_max`. Each cell is truncated to
    /// `Limits::preview_cell_bytes_max` bytes.
    pub rows: Vec<Map<String, Value>>,
    /// The number of rows of the whole output.
    pub row_count: u64,
    /// Whether the preview lacks rows or parts of cells.
    pub truncated: bool,
}

impl Preview {
    /// Creates a preview.
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

    /// Returns the preview with every cell truncated to `bytes_max` bytes. A nested value that is
    /// longer becomes its truncated JSON text.
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
