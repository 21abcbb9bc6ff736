//! The tenant that a request names. It narrows the scope of a caller that sees several tenants.
//!
//! `access` asks the host for the scope of the caller.

use super::query::{self, TENANT};
use crate::error::{Error, Problem, Result, quote};
use crate::model::{Scope, TenantId};

/// Returns the scope of the tenant that a query names, if it names one. An empty name stands for
/// the objects without a tenant.
///
/// # Errors
/// `Malformed` (`invalid-parameter`).
pub(super) fn named(query: Option<&str>) -> Result<Option<Scope>> {
    let Some(text) = query::value_of(query, TENANT) else {
        return Ok(None);
    };
    if text.is_empty() {
        return Ok(Some(Scope::NoTenant));
    }
    match TenantId::new(&text) {
        Ok(tenant) => Ok(Some(Scope::Tenant(tenant))),
        Err(error) => {
            let detail = format!("{error}, received {}", quote(&text));
            Err(query::invalid(TENANT, detail))
        }
    }
}

/// Returns the part of a granted scope that a request names.
///
/// # Errors
/// `Forbidden`: the request names another tenant than that of the caller.
pub(super) fn narrow(granted: Scope, named: Option<&Scope>) -> Result<Scope> {
    match named {
        None => Ok(granted),
        Some(named) if granted == Scope::All || granted == *named => Ok(named.clone()),
        Some(_) => Err(Error::new(
            Problem::Forbidden,
            "the parameter tenant names another tenant than that of the caller",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_narrows_the_scope_of_its_caller_and_never_widens_it() {
        let tenant = |name| Scope::Tenant(TenantId::new(name).unwrap());
        for (granted, query, expected) in [
            (Scope::All, "", Ok(Scope::All)),
            (Scope::All, "page=1&tenant=ann", Ok(tenant("ann"))),
            (Scope::All, "tenant=", Ok(Scope::NoTenant)),
            (Scope::All, "t%65nant=a%6En", Ok(tenant("ann"))),
            (Scope::All, "tenant=-", Err("invalid-parameter")),
            (tenant("ann"), "", Ok(tenant("ann"))),
            (tenant("ann"), "tenant=ann", Ok(tenant("ann"))),
            (tenant("ann"), "tenant=ben", Err("forbidden")),
            (tenant("ann"), "tenant=", Err("forbidden")),
            (Scope::NoTenant, "tenant=", Ok(Scope::NoTenant)),
            (Scope::NoTenant, "tenant=ann", Err("forbidden")),
        ] {
            let shown = format!("{granted:?} {query}");
            let narrowed = named(Some(query)).and_then(|named| narrow(granted, named.as_ref()));
            assert_eq!(narrowed.map_err(|error| error.slug()), expected, "{shown}");
        }
    }
}
