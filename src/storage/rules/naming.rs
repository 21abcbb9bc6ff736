//! Names: which object a save creates or replaces.
//!
//! [`Scope::choose`] decides among the objects that have one name.

use crate::error::Result;
use crate::model::{Scope, TenantId};
use crate::storage::Expect;

/// Returns the tenant of the object that a save creates or replaces.
///
/// `live` has the tenants of all objects with this name that are not deleted.
///
/// # Errors
/// `Conflict` (`tenant-required`).
pub(in crate::storage) fn saved_tenant(
    expect: Expect,
    scope: &Scope,
    name: impl std::fmt::Display,
    live: impl IntoIterator<Item = Option<TenantId>>,
) -> Result<Option<TenantId>> {
    let existing = match expect {
        Expect::Absent => None,
        Expect::Present | Expect::Version(_) | Expect::Any => {
            scope.choose(name, live, Option::as_ref)?
        }
    };
    Ok(existing.unwrap_or_else(|| scope.tenant().cloned()))
}
