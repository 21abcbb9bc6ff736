//! The check that a body's id is the id in its path.
//!
//! Whether that id exists is checked by the command itself.

use std::fmt;

use serde_json::Value;

use crate::error::{Error, Problem, Result, quote};

/// Refuses a body whose `field` differs from the id in its path.
///
/// # Errors
/// `Malformed` (`id-mismatch`).
pub(super) fn refuse_id_mismatch(
    body: &Value,
    field: &str,
    path_id: &impl fmt::Display,
) -> Result<()> {
    let path_id = path_id.to_string();
    match body.get(field).and_then(Value::as_str) {
        Some(other) if other != path_id => Err(Error::new(
            Problem::IdMismatch,
            format!(
                "the body has the {field} {} and the path names the object {path_id}",
                quote(other)
            ),
        )),
        Some(_) | None => Ok(()),
    }
}
