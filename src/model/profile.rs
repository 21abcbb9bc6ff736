//! Statistics of a node's output, column by column.
//!
//! This file defines the data as stored and sent. `model/dataset` computes it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

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
#[non_exhaustive]
pub struct ColumnProfile {
    /// The name of the column.
    pub name: String,
    /// The type of the values: `integer`, `float`, `boolean`, `string`, `json` or `null`. A column
    /// of mixed or nested values has the type `json`, a column without values `null`.
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
    /// The smallest value. Absent for the types `json` and `null`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub min_val: Option<Value>,
    /// The greatest value. Absent for the types `json` and `null`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub max_val: Option<Value>,
    /// The mean. Present only for the types `integer` and `float`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mean_val: Option<f64>,
    /// Whether the type is `integer` or `float`.
    pub is_numeric: bool,
    /// The first distinct values, at most five.
    pub sample_values: Vec<Value>,
    /// Whether the column has more than 1,000,000 distinct values, which are not counted exactly.
    pub capped: bool,
}
