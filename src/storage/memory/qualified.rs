//! Tables whose ids are unique within a tenant.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::rules;
use crate::error::Result;
use crate::model::{Qualified, Scope};

/// Returns the entries with this id, in the order of their tenants.
pub(super) fn with_id<'a, I: Ord + Clone, T>(
    table: &'a BTreeMap<Qualified<I>, T>,
    id: &I,
) -> impl Iterator<Item = (&'a Qualified<I>, &'a T)> {
    // No tenant comes before every tenant.
    let first = Qualified::new(id.clone(), None);
    table
        .range(first..)
        .take_while(move |(own, _)| own.id == *id)
}

/// Returns the entry after which a page of a list begins.
pub(super) fn at_cursor<'a, I: Ord, T>(
    table: &'a BTreeMap<Qualified<I>, T>,
    cursor: &str,
    scope: &Scope,
) -> Result<(&'a Qualified<I>, &'a T)>
where
    Qualified<I>: FromStr,
{
    let named = cursor.parse().ok();
    let found = named.and_then(|own: Qualified<I>| table.get_key_value(&own));
    let seen = found.filter(|(own, _)| scope.admits(own.tenant.as_ref()));
    seen.ok_or_else(|| rules::bad_cursor(cursor))
}
