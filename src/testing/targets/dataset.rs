//! Rows of JSON as a dataset: kept and given back; and bytes that should be a kept dataset.
//!
//! How it is laid out is left to `model::dataset`.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::json;
use crate::model::Dataset;

/// Makes a dataset of rows and takes it back, from memory and from its kept form.
///
/// The bytes are also read as a kept dataset, with and without a digest that is right: that may
/// fail and never panics.
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
    assert_eq!(dataset.rows().expect("rows can be taken back"), rows);
    let kept = dataset.encode().expect("a dataset can be kept");
    let again = Dataset::decode(&kept).expect("what was kept can be read");
    assert_eq!(again.rows().expect("rows can be taken back"), rows);
    let profile = again.profile().expect("a dataset can be profiled");
    assert_eq!(profile.row_count, again.row_count());
    let preview = again.preview(50, 4096).expect("a dataset can be shown");
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
