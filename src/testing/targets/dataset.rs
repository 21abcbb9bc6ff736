//! The fuzz target of datasets: rows of JSON that are encoded and decoded, and arbitrary bytes that
//! are decoded.
//!
//! The encoding is left to `model::dataset`.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::json;
use crate::model::Dataset;

/// Makes a dataset of JSON rows, and reads the rows back from it and from its encoding.
///
/// Also decodes the bytes themselves as a dataset, with and without a valid digest. That may fail
/// but MUST NOT panic.
pub fn dataset(bytes: &[u8]) {
    drop(Dataset::decode(bytes));
    let digest = Sha256::digest(bytes);
    drop(Dataset::decode(&[bytes, digest.as_slice()].concat()));
    let Some(rows) = rows(bytes) else {
        return;
    };
    let Ok(dataset) = Dataset::from_rows(rows.clone()) else {
        return;
    };
    assert_eq!(dataset.rows().expect("rows can be read back"), rows);
    let encoded = dataset.encode().expect("a dataset can be encoded");
    let decoded = Dataset::decode(&encoded).expect("an encoded dataset can be decoded");
    assert_eq!(decoded.rows().expect("rows can be read back"), rows);
    let profile = decoded.profile().expect("a dataset can be profiled");
    assert_eq!(profile.row_count, decoded.row_count());
    let preview = decoded
        .preview(50, 4096)
        .expect("a dataset can be previewed");
    assert_eq!(preview.rows.len(), rows.len().min(50));
}

fn rows(bytes: &[u8]) -> Option<Vec<Map<String, Value>>> {
    let Value::Array(rows) = json::read(bytes).ok()? else {
        return None;
    };
    rows.into_iter()
        .map(|row| match row {
            Value::Object(row) => Some(row),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => None,
        })
        .collect()
}
