//! Statistics of a node's output, column by column.
//!
//! This file defines the data as stored and sent. `model/dataset` computes it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::percent::percent;
use crate::error::truncate;
use crate::limits::{Room, json_size};

/// Statistics of a dataset.
///
/// ```
/// use floret::Dataset;
/// use serde_json::json;
///
/// let orders = Dataset::from_serialize(&[json!({"amount": 19}), json!({"amount": 23})])?;
/// let profile = orders.profile()?;
/// assert_eq!((profile.row_count, profile.column_count), (2, 1));
/// # Ok::<(), floret::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Profile {
    /// The number of rows.
    pub row_count: u64,
    /// The number of columns.
    pub column_count: u64,
    /// One entry per column, in the order of the columns.
    pub columns: Vec<ColumnProfile>,
    /// The duration of the computation in milliseconds.
    pub profiling_ms: u64,
    /// Whether values were truncated, or columns left out, to stay within
    /// `Limits::profile_bytes_max`.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub truncated: bool,
}

/// The bytes of a profile without columns.
const FRAME_BYTES: usize = 256;

/// The sizes of texts that are tried until a profile fits.
const SHORTER_TEXTS: [usize; 4] = [1_024, 256, 64, 16];

impl Profile {
    /// Returns how many cells are null or missing, in percent of all cells, from 0 to 100 with one
    /// decimal. Returns `None` if there are no cells.
    ///
    /// If the profile is [truncated](Profile::truncated), the columns that it has count.
    ///
    /// ```
    /// use floret::Dataset;
    /// use serde_json::json;
    ///
    /// let orders = [json!({"id": 1, "note": "late"}), json!({"id": 2, "note": null})];
    /// let profile = Dataset::from_serialize(&orders)?.profile()?;
    /// assert_eq!(profile.null_pct(), Some(25.0));
    /// # Ok::<(), floret::Error>(())
    /// ```
    #[must_use]
    pub fn null_pct(&self) -> Option<f64> {
        let nulls = self.columns.iter().map(|column| column.null_count);
        let nulls = nulls.fold(0, u64::saturating_add);
        let columns = u64::try_from(self.columns.len()).unwrap_or(u64::MAX);
        percent(nulls, self.row_count.saturating_mul(columns))
    }

    /// Returns the profile with texts that are as short as `bytes_max` bytes of JSON need. The last
    /// columns are left out if that is not enough.
    pub(crate) fn fitted(mut self, bytes_max: usize) -> Self {
        for text_bytes_max in SHORTER_TEXTS {
            if json_size(&self) <= bytes_max {
                return self;
            }
            self.truncated = true;
            let columns = self.columns.iter_mut();
            columns.for_each(|column| column.shorten(text_bytes_max));
        }
        let mut room = Room(bytes_max.saturating_sub(FRAME_BYTES));
        let kept = self.columns.iter().take_while(|column| room.take(column));
        let kept = kept.count();
        self.columns.truncate(kept);
        self
    }
}

/// Statistics of a column.
///
/// Percentages are from 0 to 100 with one decimal.
///
/// ```
/// use floret::Dataset;
/// use serde_json::json;
///
/// let orders = Dataset::from_serialize(&[json!({"amount": 19}), json!({"amount": 23})])?;
/// let amount = &orders.profile()?.columns[0];
/// assert_eq!((amount.name.as_str(), amount.kind.as_str()), ("amount", "integer"));
/// assert_eq!((amount.null_count, amount.mean_val), (0, Some(21.0)));
/// # Ok::<(), floret::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ColumnProfile {
    /// The name of the column.
    pub name: String,
    /// The type of the values: `integer`, `float`, `boolean`, `string`, `json` or `null`. A column
    /// of mixed or nested values has the type `json`, a column without values `null`.
    #[cfg_attr(test, schemars(extend("enum" = ["integer", "float", "boolean", "string", "json", "null"])))]
    #[serde(rename = "type")]
    pub kind: String,
    /// The number of rows in which the column is null or missing.
    pub null_count: u64,
    /// The percentage of rows in which the column is null or missing.
    pub null_pct: f64,
    /// The number of distinct values other than null. It is a lower bound if `capped` is true.
    pub unique_count: u64,
    /// The number of distinct values in percent of the rows.
    pub unique_pct: f64,
    /// The smallest value. Absent for the types `json` and `null`. Texts are compared as numbers if
    /// all of them are numbers.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub min_val: Option<Value>,
    /// The greatest value. Absent for the types `json` and `null`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub max_val: Option<Value>,
    /// The mean. Present only if `is_numeric` is true.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mean_val: Option<f64>,
    /// Whether the column has values and all of them are numbers: the type is `integer` or `float`,
    /// or it is `string` and each text is a number.
    pub is_numeric: bool,
    /// The first distinct values, at most five.
    pub sample_values: Vec<Value>,
    /// Whether the column has more than 1,000,000 distinct values, which are not counted exactly.
    pub capped: bool,
}

impl ColumnProfile {
    fn shorten(&mut self, text_bytes_max: usize) {
        let values = [&mut self.min_val, &mut self.max_val];
        let values = values.into_iter().flatten().chain(&mut self.sample_values);
        for value in values {
            if let Value::String(text) = value {
                *text = truncate(std::mem::take(text), text_bytes_max);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::Dataset;

    #[test]
    fn a_profile_that_is_too_large_has_shorter_texts_and_then_fewer_columns() {
        let text = "x".repeat(3_000);
        let row = json!({"a": text, "b": text, "c": 1});
        let profile = Dataset::from_serialize(&[row]).unwrap().profile().unwrap();
        let size = json_size(&profile);
        assert_eq!(profile.clone().fitted(size), profile);
        for bytes_max in [size - 1, 5_000, 2_000, 1_000, 700, 300, FRAME_BYTES] {
            let fitted = profile.clone().fitted(bytes_max);
            assert!(
                fitted.truncated && json_size(&fitted) <= bytes_max,
                "{fitted:?}"
            );
            assert_eq!(fitted.column_count, 3);
            assert_eq!(fitted.columns.len() < 3, bytes_max < 1_000, "{fitted:?}");
        }
    }
}
