//! The checks that a body names the object of its request: by id and by tenant.
//!
//! Whether that id exists is checked by the command itself.

use std::fmt;

use serde_json::Value;

use crate::error::{Error, Issue, Problem, Result, quote};
use crate::model::TenantId;

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

/// Refuses a body that names another tenant than that of the object.
///
/// # Errors
/// `Malformed` (`id-mismatch`); `Invalid` (`invalid-field`).
pub(super) fn refuse_other_tenant(body: &Value, tenant: Option<&TenantId>) -> Result<()> {
    let named = match body.get("tenant") {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::String(named)) => named,
        Some(_) => {
            let issue = Issue::pointer("/tenant", "tenant must be a string");
            return Err(Error::invalid(Problem::InvalidField, vec![issue]));
        }
    };
    let owner = match tenant {
        Some(own) if own.as_str() == named => return Ok(()),
        Some(own) => format!("belongs to the tenant {own}"),
        None => "belongs to none".to_owned(),
    };
    let message = format!(
        "the body has the tenant {} and the object {owner}; the parameter tenant of the request names \
         the tenant",
        quote(named)
    );
    Err(Error::new(Problem::IdMismatch, message))
}
