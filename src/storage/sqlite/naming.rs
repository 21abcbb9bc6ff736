//! What a name stands for: rows of several tenants may have the same id, key or slug.
//!
//! `Scope::choose` decides. The indexes sort the rows of a name by tenant, those without one first,
//! so that a look-up reads few rows, however many tenants use the name.

use rusqlite::{Connection, Row, params_from_iter};

use super::store_error::StoreError;
use super::unreadable::{UnreadableRows, row_key};
use super::values::tenant as tenant_of;
use crate::model::{Scope, TenantId};

/// How many rows with a tenant [`Scope::choose`] needs to see that a name is unclear.
const ROWS_MAX: usize = 2;

/// Returns the text by which indexes and figures tell tenants apart. It is empty without a tenant.
pub(super) fn tenant_text(tenant: Option<&TenantId>) -> &str {
    tenant.map_or("", TenantId::as_str)
}

/// Returns the tenant text of all rows in a scope, or `None` if the scope has rows of any tenant.
pub(super) fn exact_tenant(scope: &Scope) -> Option<&str> {
    match scope {
        Scope::All => None,
        Scope::NoTenant | Scope::Tenant(_) => Some(tenant_text(scope.tenant())),
    }
}

/// A query for the live rows with a name.
pub(super) struct NamedQuery<'a> {
    /// What a row is, for the log.
    pub(super) what: &'static str,
    /// The query up to its conditions, with a `?` for the name. Its tables have one column
    /// `tenant`.
    pub(super) sql: String,
    /// The index of the column `tenant` in the result.
    pub(super) tenant: usize,
    pub(super) name: &'a str,
}

/// The rows with a name that [`Scope::choose`] needs to see.
pub(super) struct NamedRows<T> {
    /// With a tenant that can be read, or without one.
    readable: Vec<(Option<TenantId>, T)>,
    /// The first row whose tenant cannot be read. It must not hide the others.
    unreadable: Option<T>,
}

impl NamedQuery<'_> {
    /// Reads the rows of a scope.
    pub(super) fn rows<T>(
        &self,
        (conn, unreadable): (&Connection, &UnreadableRows),
        scope: &Scope,
        mut read: impl FnMut(&Row<'_>) -> T,
    ) -> Result<NamedRows<T>, StoreError> {
        let exact = exact_tenant(scope);
        let condition = exact.map_or("", |_| " AND coalesce(tenant, '') = ?");
        let sql = format!("{}{condition} ORDER BY coalesce(tenant, '')", self.sql);
        let values = [Some(self.name), exact].into_iter().flatten();
        let mut statement = conn.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(values))?;
        let mut found = NamedRows {
            readable: Vec::new(),
            unreadable: None,
        };
        while !found.is_decided()
            && let Some(row) = rows.next()?
        {
            let tenant = row.get(self.tenant).map_err(StoreError::from);
            let tenant = tenant.and_then(tenant_of);
            match unreadable.skip(self.what, row_key(row), tenant)? {
                Some(tenant) => found.readable.push((tenant, read(row))),
                None => {
                    found.unreadable.get_or_insert_with(|| read(row));
                }
            }
        }
        Ok(found)
    }

    /// Returns the row that the name stands for, with its tenant.
    ///
    /// # Errors
    /// - `tenant-required`: the name is unclear in this scope.
    /// - `Unreadable`: there are rows, and no tenant can be read.
    pub(super) fn choose<T>(
        &self,
        from: (&Connection, &UnreadableRows),
        scope: &Scope,
        read: impl FnMut(&Row<'_>) -> T,
    ) -> Result<Option<(Option<TenantId>, T)>, StoreError> {
        self.rows(from, scope, read)?.choose(self, scope)
    }
}

impl<T> NamedRows<T> {
    /// Adds the rows of the tenants that another query has found for the same name.
    pub(super) fn and(mut self, others: Self) -> Self {
        for (tenant, row) in others.readable {
            if self.readable.iter().all(|(own, _)| *own != tenant) {
                self.readable.push((tenant, row));
            }
        }
        self.unreadable = self.unreadable.or(others.unreadable);
        self
    }

    /// Returns the row that the name stands for, with its tenant.
    ///
    /// # Errors
    /// The same as [`NamedQuery::choose`].
    pub(super) fn choose(
        self,
        query: &NamedQuery<'_>,
        scope: &Scope,
    ) -> Result<Option<(Option<TenantId>, T)>, StoreError> {
        if self.readable.is_empty() && self.unreadable.is_some() {
            return Err(StoreError::unreadable(query.what, "its tenant"));
        }
        Ok(scope.choose(query.name, self.readable, |(tenant, _)| tenant.as_ref())?)
    }

    /// Returns whether further rows cannot change what the name stands for.
    fn is_decided(&self) -> bool {
        let mut readable = self.readable.iter();
        self.readable.len() >= ROWS_MAX || readable.any(|(tenant, _)| tenant.is_none())
    }

    /// Returns the tenants that can be read.
    pub(super) fn into_tenants(self) -> impl Iterator<Item = Option<TenantId>> {
        self.readable.into_iter().map(|(tenant, _)| tenant)
    }

    /// Returns the rows whose tenant can be read, or else one whose tenant cannot be read.
    pub(super) fn into_rows(self) -> impl Iterator<Item = T> {
        let last_resort = self.unreadable.filter(|_| self.readable.is_empty());
        let readable = self.readable.into_iter().map(|(_, row)| row);
        readable.chain(last_resort)
    }
}
