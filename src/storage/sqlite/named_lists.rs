//! The order and the cursor of a list whose rows have a name: pipelines, connections and variables.
//!
//! `pages` builds the parts of a page, and `naming` finds a single row.

use std::fmt;
use std::str::FromStr;

use rusqlite::types::Value;

use super::naming::tenant_text;
use super::pages::Conditions;
use super::reader::Reader;
use super::store_error::StoreError;
use crate::model::{IdError, Qualified, Scope};
use crate::storage::rules;

/// Returns the order of a list. Within the scope of one tenant, the tenant decides nothing.
pub(super) const fn list_order(scope: &Scope) -> &'static str {
    match scope {
        Scope::All => " ORDER BY created_at DESC, id DESC, coalesce(tenant, '') DESC",
        Scope::NoTenant | Scope::Tenant(_) => " ORDER BY created_at DESC, id DESC",
    }
}

/// The position of a cursor in a list.
pub(super) struct NamedCursor {
    created_at: i64,
    id: String,
    tenant: String,
}

impl NamedCursor {
    /// Returns the time, the id and the tenant of the position.
    pub(super) fn position(&self) -> (i64, &str, &str) {
        (self.created_at, &self.id, &self.tenant)
    }
}

impl Reader {
    /// Reads the position of a cursor, which may name a deleted row.
    pub(super) fn named_cursor<Id>(
        &self,
        table: &str,
        cursor: &str,
        scope: &Scope,
    ) -> Result<NamedCursor, StoreError>
    where
        Id: fmt::Display + FromStr<Err = IdError>,
    {
        let bad = || StoreError::from(rules::bad_cursor(cursor));
        let own: Qualified<Id> = cursor.parse().map_err(|_| bad())?;
        if !scope.admits(own.tenant.as_ref()) {
            return Err(bad());
        }
        let (id, tenant) = (own.id.to_string(), tenant_text(own.tenant.as_ref()));
        let sql =
            format!("SELECT created_at FROM {table} WHERE id = ? AND coalesce(tenant, '') = ?");
        let created_at = self.row(&sql, [id.as_str(), tenant], |row| Ok(row.get(0)?))?;
        Ok(NamedCursor {
            created_at: created_at.ok_or_else(bad)?,
            tenant: tenant.to_owned(),
            id,
        })
    }
}

impl Conditions {
    /// Adds the condition that a row comes after a cursor in the order of [`list_order`].
    pub(super) fn add_after(&mut self, cursor: NamedCursor, scope: &Scope) {
        let NamedCursor {
            created_at,
            id,
            tenant,
        } = cursor;
        let (created_at, id) = (Value::Integer(created_at), Value::Text(id));
        match scope {
            Scope::All => self.add(
                "(created_at, id, coalesce(tenant, '')) < (?, ?, ?)",
                [created_at, id, Value::Text(tenant)],
            ),
            Scope::NoTenant | Scope::Tenant(_) => {
                self.add("(created_at, id) < (?, ?)", [created_at, id]);
            }
        }
    }
}
