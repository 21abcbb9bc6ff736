//! The rows of settings, which are connections and variables.
//!
//! A deleted setting keeps its row without fields. `connections` and `variables` define the columns
//! of the fields, and `rules` decides the effect of a save.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use rusqlite::types::Value;
use rusqlite::{Row, params, params_from_iter};

use super::named_lists::list_order;
use super::naming::{NamedQuery, tenant_text};
use super::pages::{Conditions, ListQuery, Window, cursor, wants_total};
use super::reader::Reader;
use super::rules::{self, PutSetting, Setting, SettingMetadata, StoredSetting};
use super::store_error::StoreError;
use super::tx::Tx;
use super::values::{self, millis, time, to_u32};
use crate::model::{IdError, Page, PageRequest, Qualified, Scope, TenantId};

/// A setting with its table.
pub(super) trait SettingRow: Setting<Id: FromStr<Err = IdError>> {
    const TABLE: &'static str;
    /// The columns of the fields. In the row of a deleted setting, they are all null.
    const COLUMNS: &'static [&'static str];

    /// Reads the id of a row.
    fn read_id(text: String) -> Result<Self::Id, StoreError>;

    /// Reads the fields of a row, starting at this column.
    fn read_fields(row: &Row<'_>, from: usize) -> Result<Self::Fields, StoreError>;

    /// Returns the values of [`SettingRow::COLUMNS`].
    fn values(fields: &Self::Fields) -> Vec<Value>;
}

/// The columns that every setting has.
const SHARED: &str = "id, tenant, version, created_at, updated_at, deleted_at";
const SHARED_COUNT: usize = 6;

fn columns<T: SettingRow>() -> String {
    format!("{SHARED}, {}", T::COLUMNS.join(", "))
}

fn read_row<T: SettingRow>(row: &Row<'_>) -> Result<(T::Id, StoredSetting<T>), StoreError> {
    let is_deleted = row.get::<_, Option<i64>>(5)?.is_some();
    let stored = StoredSetting {
        metadata: SettingMetadata {
            tenant: values::tenant(row.get(1)?)?,
            version: to_u32(row.get(2)?),
            created_at: time(row.get(3)?)?,
            updated_at: time(row.get(4)?)?,
        },
        fields: (!is_deleted)
            .then(|| T::read_fields(row, SHARED_COUNT))
            .transpose()?,
    };
    Ok((T::read_id(row.get(0)?)?, stored))
}

fn join_fields<T: SettingRow>((id, stored): (T::Id, StoredSetting<T>)) -> Option<T> {
    Some(T::from_parts(id, stored.metadata, stored.fields?))
}

impl Reader {
    pub(super) fn find_setting<T: SettingRow>(
        &self,
        id: &T::Id,
        scope: &Scope,
    ) -> Result<Option<T>, StoreError> {
        let query = live_rows::<T>(id);
        let from = (&self.conn, &*self.unreadable);
        let found = query.choose(from, scope, read_row::<T>)?;
        Ok(found
            .map(|(_, read)| read)
            .transpose()?
            .and_then(join_fields))
    }

    pub(super) fn list_settings<T: SettingRow>(
        &self,
        scope: &Scope,
        page: &PageRequest,
    ) -> Result<Page<T>, StoreError> {
        let mut conditions = Conditions::default();
        conditions.add("deleted_at IS NULL", []);
        conditions.add_scope("tenant", scope);
        let total = wants_total(page)
            .then(|| self.count(T::TABLE, &conditions))
            .transpose()?;
        if let Some(cursor) = cursor(page) {
            let after = self.named_cursor::<T::Id>(T::TABLE, cursor, scope)?;
            conditions.add_after(after, scope);
        }
        let sql = format!(
            "SELECT {} FROM {}{}{}",
            columns::<T>(),
            T::TABLE,
            conditions.sql(),
            list_order(scope),
        );
        let query = ListQuery {
            what: T::TABLE,
            sql,
            complete: str::to_owned,
            values: conditions.values(),
            window: Window::new(page),
            total,
        };
        let page = self.page(&query, read_row::<T>, |(id, stored)| {
            let tenant = stored.metadata.tenant.clone();
            Qualified::new(id.clone(), tenant).to_string()
        })?;
        let items = page.items.into_iter().filter_map(join_fields).collect();
        Ok(Page::new(items, page.total, page.next))
    }
}

impl Tx {
    pub(super) fn put_setting<T: SettingRow>(
        &mut self,
        put: &PutSetting<T>,
    ) -> Result<T, StoreError> {
        let tenant = self.saved_tenant(put)?;
        let decided = PutSetting {
            id: put.id.clone(),
            fields: put.fields.clone(),
            scope: Scope::of(tenant.as_ref()),
            audit: None,
            ..*put
        };
        let saved = self.save_setting(&decided, tenant.as_ref())?;
        self.audit(put.audit.as_ref(), tenant.as_ref())?;
        Ok(saved)
    }

    fn save_setting<T: SettingRow>(
        &mut self,
        put: &PutSetting<T>,
        tenant: Option<&TenantId>,
    ) -> Result<T, StoreError> {
        let stored = self.stored_setting::<T>(&put.id, tenant)?;
        let metadata = match (rules::decide_save(put, stored.as_ref())?, stored) {
            (Some(metadata), _) => metadata,
            (None, Some(stored)) => {
                return Ok(T::from_parts(
                    put.id.clone(),
                    stored.metadata,
                    put.fields.clone(),
                ));
            }
            (None, None) => return Err(T::not_found(&put.id).into()),
        };
        self.write_setting(put, &metadata)?;
        Ok(T::from_parts(put.id.clone(), metadata, put.fields.clone()))
    }

    /// Deletes a setting. Returns its tenant.
    pub(super) fn delete_setting<T: SettingRow>(
        &mut self,
        id: &T::Id,
        scope: &Scope,
        now: DateTime<Utc>,
    ) -> Result<Option<TenantId>, StoreError> {
        let query = live_rows::<T>(id);
        let chosen = query.choose((&self.conn, &self.unreadable), scope, |_| ())?;
        let (tenant, ()) = chosen.ok_or_else(|| T::not_found(id))?;
        let cleared: String = T::COLUMNS
            .iter()
            .map(|column| format!(", {column} = NULL"))
            .collect();
        let sql = format!(
            "UPDATE {} SET deleted_at = ?{cleared} WHERE id = ? AND coalesce(tenant, '') = ?",
            T::TABLE
        );
        let own = tenant_text(tenant.as_ref());
        self.write(&sql, params![millis(now), id.as_ref(), own])?;
        Ok(tenant)
    }

    /// Returns the tenant of the setting that a save creates or replaces.
    fn saved_tenant<T: SettingRow>(
        &self,
        put: &PutSetting<T>,
    ) -> Result<Option<TenantId>, StoreError> {
        let query = live_rows::<T>(&put.id);
        let live = query.rows((&self.conn, &self.unreadable), &put.scope, |_| ())?;
        let tenants = live.into_tenants();
        Ok(rules::saved_tenant(
            put.expect, &put.scope, &put.id, tenants,
        )?)
    }

    /// Returns the row of a setting, even if it is deleted.
    fn stored_setting<T: SettingRow>(
        &self,
        id: &T::Id,
        tenant: Option<&TenantId>,
    ) -> Result<Option<StoredSetting<T>>, StoreError> {
        let sql = format!(
            "SELECT {} FROM {} WHERE id = ? AND coalesce(tenant, '') = ?",
            columns::<T>(),
            T::TABLE
        );
        let found = self.row(&sql, [id.as_ref(), tenant_text(tenant)], read_row::<T>)?;
        Ok(found.map(|(_, stored)| stored))
    }

    fn write_setting<T: SettingRow>(
        &mut self,
        put: &PutSetting<T>,
        metadata: &SettingMetadata,
    ) -> Result<(), StoreError> {
        let SettingMetadata {
            tenant,
            version,
            created_at,
            updated_at,
        } = metadata;
        let tenant = tenant.as_ref().map(TenantId::to_string);
        let mut values = vec![
            Value::Text(put.id.to_string()),
            tenant.map_or(Value::Null, Value::Text),
            Value::Integer(i64::from(*version)),
            Value::Integer(millis(*created_at)),
            Value::Integer(millis(*updated_at)),
            Value::Null,
        ];
        values.extend(T::values(&put.fields));
        let sql = format!(
            "INSERT OR REPLACE INTO {} ({}) VALUES ({})",
            T::TABLE,
            columns::<T>(),
            vec!["?"; values.len()].join(", ")
        );
        self.write(&sql, params_from_iter(values))?;
        Ok(())
    }
}

/// Returns the query for the settings with an id that exist.
fn live_rows<T: SettingRow>(id: &T::Id) -> NamedQuery<'_> {
    NamedQuery {
        what: T::TABLE,
        sql: format!(
            "SELECT {} FROM {} WHERE id = ? AND deleted_at IS NULL",
            columns::<T>(),
            T::TABLE
        ),
        tenant: 1,
        name: id.as_ref(),
    }
}

/// Converts a sealed secret for a column.
pub(super) fn blob(sealed: Option<&crate::model::Sealed>) -> Value {
    sealed.map_or(Value::Null, |sealed| {
        Value::Blob(sealed.as_bytes().to_vec())
    })
}
