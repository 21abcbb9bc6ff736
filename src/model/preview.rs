//! The first rows of a node's output, which storage keeps together with its checkpoint.
//!
//! The whole output is a [`Dataset`](super::Dataset). Its statistics are a
//! [`Profile`](super::Profile).

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::truncate;
use crate::limits::{Room, json_size};

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
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Preview {
    /// The column names, in order.
    pub columns: Vec<String>,
    /// The first rows, at most `Limits::preview_rows_max`. Each cell is truncated to
    /// `Limits::preview_cell_bytes_max` bytes, or to fewer if the first row is too wide.
    pub rows: Vec<Map<String, Value>>,
    /// The number of rows of the whole output.
    pub row_count: u64,
    /// Whether the preview lacks rows, columns or parts of cells.
    pub truncated: bool,
}

/// The bounds of a preview.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PreviewBounds {
    pub(crate) rows_max: usize,
    pub(crate) cell_bytes_max: usize,
    /// The size of the preview as JSON.
    pub(crate) bytes_max: usize,
}

/// Builds a preview within its bounds.
#[derive(Debug)]
pub(crate) struct PreviewBuilder {
    preview: Preview,
    bounds: PreviewBounds,
    /// The bytes that are left for rows.
    room: Room,
    /// Whether the preview lacks columns, whose cells the rows lack, too.
    lacks_columns: bool,
}

/// The bytes of a preview without columns and rows, and of a comma and a colon between its parts.
const FRAME_BYTES: usize = 128;

impl PreviewBuilder {
    /// Begins a preview of a dataset with these columns and this number of rows. The columns take
    /// at most half of the bytes; the last ones are left out otherwise.
    pub(crate) fn new(columns: Vec<String>, row_count: u64, bounds: PreviewBounds) -> Self {
        let bytes = bounds.bytes_max.saturating_sub(FRAME_BYTES);
        let column_count = columns.len();
        let mut room = Room(bytes / 2);
        let fitting = columns.into_iter().take_while(|name| room.take(name));
        let kept: Vec<_> = fitting.collect();
        // What the columns leave of their half goes to the rows.
        room.0 = room.0.saturating_add(bytes - bytes / 2);
        let lacks_columns = kept.len() < column_count;
        Self {
            preview: Preview::new(kept, Vec::new(), row_count, lacks_columns),
            bounds,
            room,
            lacks_columns,
        }
    }

    /// Adds the next row with shorter cells. Returns whether there is room for more.
    ///
    /// The first row of a wide dataset gets cells that are as short as its room needs.
    pub(crate) fn push(&mut self, mut row: Map<String, Value>) -> bool {
        if self.preview.rows.len() >= self.bounds.rows_max {
            self.preview.truncated = true;
            return false;
        }
        if self.lacks_columns {
            let kept: HashSet<_> = self.preview.columns.iter().collect();
            row.retain(|name, _| kept.contains(name));
        }
        let cell_bytes_max = self.bounds.cell_bytes_max;
        let mut is_truncated = shorten(&mut row, cell_bytes_max);
        if self.preview.rows.is_empty() {
            let shorter = SHORTER_CELLS
                .iter()
                .filter(|bytes| **bytes < cell_bytes_max);
            for bytes in shorter {
                if json_size(&row) < self.room.0 {
                    break;
                }
                is_truncated |= shorten(&mut row, *bytes);
            }
        }
        if !self.room.take(&row) {
            self.preview.truncated = true;
            return false;
        }
        self.preview.truncated |= is_truncated;
        self.preview.rows.push(row);
        true
    }

    /// Notes that a cell of the rows was truncated before.
    pub(crate) const fn set_truncated(&mut self) {
        self.preview.truncated = true;
    }

    pub(crate) fn finish(self) -> Preview {
        self.preview
    }
}

/// The sizes of cells that are tried until the first row fits.
const SHORTER_CELLS: [usize; 4] = [1_024, 256, 64, 16];

/// Truncates every cell to `bytes_max` bytes. A nested value that is longer becomes its truncated
/// JSON text. Returns whether a cell was truncated.
fn shorten(row: &mut Map<String, Value>, bytes_max: usize) -> bool {
    let mut is_truncated = false;
    for value in row.values_mut() {
        let text = match value {
            Value::String(text) => std::mem::take(text),
            Value::Array(_) | Value::Object(_) => value.to_string(),
            Value::Null | Value::Bool(_) | Value::Number(_) => continue,
        };
        let is_longer = text.len() > bytes_max;
        if is_longer || value.is_string() {
            *value = Value::String(truncate(text, bytes_max));
        }
        is_truncated |= is_longer;
    }
    is_truncated
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
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn preview(columns: &[&str], rows: &[Value], bytes_max: usize) -> Preview {
        let bounds = PreviewBounds {
            rows_max: 50,
            cell_bytes_max: 4_096,
            bytes_max,
        };
        let columns = columns.iter().map(|name| (*name).to_owned()).collect();
        let mut builder = PreviewBuilder::new(columns, rows.len() as u64, bounds);
        for row in rows {
            if !builder.push(row.as_object().unwrap().clone()) {
                break;
            }
        }
        let preview = builder.finish();
        let size = json_size(&preview);
        assert!(size <= bytes_max, "{size} exceeds {bytes_max}: {preview:?}");
        preview
    }

    #[test]
    fn rows_beyond_the_bytes_are_left_out() {
        let rows: Vec<_> = (0..3).map(|_| json!({"a": "x".repeat(92)})).collect();
        // A row has 100 bytes, and a column name four.
        let all = preview(&["a"], &rows, FRAME_BYTES + 4 + 3 * 101);
        assert_eq!((all.rows.len(), all.truncated), (3, false));
        let fewer = preview(&["a"], &rows, FRAME_BYTES + 4 + 3 * 101 - 1);
        assert_eq!((fewer.rows.len(), fewer.truncated), (2, true));
        assert_eq!(fewer.row_count, 3);
        assert_eq!(fewer.rows[0], rows[0].as_object().unwrap().clone());
    }

    #[test]
    fn the_first_row_has_shorter_cells_rather_than_none() {
        let nested = vec![vec!["y"; 50]; 50];
        let row = json!({"a": "x".repeat(4_000), "b": nested, "c": 1});
        let found = preview(&["a", "b", "c"], &[row.clone(), row], 3_000);
        assert!(found.truncated);
        assert_eq!(found.rows.len(), 1);
        assert_eq!(found.rows[0]["a"].as_str().unwrap().len(), 1_024);
        assert_eq!(found.rows[0]["c"], 1);
    }

    #[test]
    fn columns_beyond_half_of_the_bytes_are_left_out() {
        let names = ["a".repeat(400), "b".repeat(400), "c".repeat(400)];
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let row: Map<_, _> = names
            .iter()
            .map(|name| ((*name).to_owned(), json!(1)))
            .collect();
        let found = preview(&names, &[Value::Object(row)], 2_000);
        assert!(found.truncated);
        assert_eq!(found.columns, names[..2]);
        assert_eq!(found.rows[0].len(), 2);
        let none = preview(&names, &[json!({"a": 1})], FRAME_BYTES);
        assert_eq!((none.columns.len(), none.rows.len()), (0, 0));
        assert!(none.truncated);
    }
}
