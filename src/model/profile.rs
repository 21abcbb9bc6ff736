//! Statistics of a node's output, column by column.
//!
//! This file is the data as it is stored and sent; computing it is left to `model/dataset`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Statistics of one dataset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Profile {
    /// Rows of the dataset.
    pub row_count: u64,
    /// Columns of the dataset.
    pub column_count: u64,
    /// One entry a column, in order.
    pub columns: Vec<ColumnProfile>,
    /// How long the computation took, in milliseconds.
    pub profiling_ms: u64,
}

/// Statistics of one column. Percentages are 0 to 100 with one decimal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ColumnProfile {
    /// The column's name.
    pub name: String,
    /// `integer`, `float`, `boolean`, `string`, `json` or `null`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Rows in which the column is null or missing.
    pub null_count: u64,
    /// The same in percent of the rows.
    pub null_pct: f64,
    /// Distinct values that are not null; a lower bound when `capped`.
    pub unique_count: u64,
    /// The same in percent of the rows.
    pub unique_pct: f64,
    /// The smallest value, where values have an order.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub min_val: Option<Value>,
    /// The greatest value, where values have an order.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub max_val: Option<Value>,
    /// The mean of a numeric column.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mean_val: Option<f64>,
    /// Whether the column is `integer` or `float`.
    pub is_numeric: bool,
    /// The first distinct values, at most five.
    pub sample_values: Vec<Value>,
    /// Whether there were more distinct values than are counted exactly (1,000,000).
    pub capped: bool,
}
