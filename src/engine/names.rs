//! What a body and its path call a thing, where both name it.
//!
//! Whether there is such a thing is the command's own to find.

use std::fmt;

use serde_json::Value;

use crate::error::{Error, Problem, Result, quote};

/// Refuses a body that names something else than its path.
///
/// # Errors
/// `Malformed` (`id-mismatch`).
pub(super) fn refuse_another(body: &Value, field: &str, own: &impl fmt::Display) -> Result<()> {
    let own = own.to_string();
    match body.get(field).and_then(Value::as_str) {
        Some(other) if other != own => Err(Error::new(
            Problem::IdMismatch,
            format!(
                "the body has the {field} {} and the path names {own}",
                quote(other)
            ),
        )),
        Some(_) | None => Ok(()),
    }
}
