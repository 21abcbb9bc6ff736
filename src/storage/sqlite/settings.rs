//! The rows of settings, which are connections and variables.
//!
//! A deleted setting keeps its row without fields. `connections` and `variables` define the columns
//! of the fields, and `rules` decides the effect of a save.

use chrono::{DateTime, Utc};
use rusqlite::types::Value;
use rusqlite::{Row, params, params_from_iter};

use super::pages::{Conditions, ListQuery, Window, cursor, wants_total};
use super::reader::Reader;
use super::rules::{self, PutSetting, Setting, SettingMetadata, StoredSetting};
use super::store_error::StoreError;
use super::tx::Tx;
use super::values::{self, millis, time, to_u32, to_u64};
use crate::model::{Page, PageRequest, Scope, TenantId};

/// A setting with its table.
pub(super) trait SettingRow: Setting {
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
        let found = self.row(&select_by_id::<T>(), [id.as_ref()], read_row::<T>)?;
        Ok(found
            .filter(|(_, stored)| stored.is_visible(scope))
            .and_then(join_fields))
    }

    pub(super) fn list_settings<T: SettingRow>(
        &self,
        scope: &Scope,
        page: &PageRequest,
    ) -> Result<Page<T>, StoreError> {
        let mut conditions = Conditions::default();
        conditions.add("deleted_at IS NULL", []);
        if let Some(tenant) = scope.tenant() {
            conditions.add("tenant = ?", [Value::Text(tenant.to_string())]);
        }
        let total = wants_total(page)
            .then(|| self.count_settings::<T>(&conditions))
            .transpose()?;
        if let Some(cursor) = cursor(page) {
            let position = self.setting_cursor::<T>(cursor, scope)?;
            conditions.add("(created_at, id) < (?, ?)", position);
        }
        let sql = format!(
            "SELECT {} FROM {}{} ORDER BY created_at DESC, id DESC",
            columns::<T>(),
            T::TABLE,
            conditions.sql(),
        );
        let query = ListQuery {
            what: T::TABLE,
            sql,
            values: conditions.values(),
            window: Window::new(page),
            total,
        };
        let page = self.page(&query, read_row::<T>, |(id, _)| id.to_string())?;
        let items = page.items.into_iter().filter_map(join_fields).collect();
        Ok(Page::new(items, page.total, page.next))
    }

    fn count_settings<T: SettingRow>(&self, conditions: &Conditions) -> Result<u64, StoreError> {
        let sql = format!("SELECT count(*) FROM {}{}", T::TABLE, conditions.sql());
        let values = params_from_iter(conditions.values());
        let count = self.row(&sql, values, |row| Ok(row.get(0)?))?;
        Ok(count.map_or(0, to_u64))
    }

    /// Returns the sort key of a cursor. A deleted setting is still a valid cursor.
    fn setting_cursor<T: SettingRow>(
        &self,
        cursor: &str,
        scope: &Scope,
    ) -> Result<[Value; 2], StoreError> {
        let sql = format!(
            "SELECT created_at, id, tenant FROM {} WHERE id = ?",
            T::TABLE
        );
        let found = self.row(&sql, [cursor], |row| {
            let cursor = [Value::Integer(row.get(0)?), Value::Text(row.get(1)?)];
            Ok((cursor, values::tenant(row.get(2)?)?))
        })?;
        found
            .filter(|(_, tenant)| scope.admits(tenant.as_ref()))
            .map(|(cursor, _)| cursor)
            .ok_or_else(|| rules::bad_cursor(cursor).into())
    }
}

impl Tx {
    pub(super) fn put_setting<T: SettingRow>(
        &mut self,
        put: &PutSetting<T>,
    ) -> Result<T, StoreError> {
        let stored = self.stored_setting::<T>(&put.id)?;
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

    pub(super) fn delete_setting<T: SettingRow>(
        &mut self,
        id: &T::Id,
        scope: &Scope,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let stored = self.stored_setting::<T>(id)?;
        rules::check_deletion(id, stored.as_ref(), scope)?;
        let cleared: String = T::COLUMNS
            .iter()
            .map(|column| format!(", {column} = NULL"))
            .collect();
        let sql = format!(
            "UPDATE {} SET deleted_at = ?{cleared} WHERE id = ?",
            T::TABLE
        );
        self.write(&sql, params![millis(now), id.as_ref()])?;
        Ok(())
    }

    fn stored_setting<T: SettingRow>(
        &self,
        id: &T::Id,
    ) -> Result<Option<StoredSetting<T>>, StoreError> {
        let found = self.row(&select_by_id::<T>(), [id.as_ref()], read_row::<T>)?;
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

fn select_by_id<T: SettingRow>() -> String {
    format!("SELECT {} FROM {} WHERE id = ?", columns::<T>(), T::TABLE)
}

/// Converts a sealed secret for a column.
pub(super) fn blob(sealed: Option<&crate::model::Sealed>) -> Value {
    sealed.map_or(Value::Null, |sealed| {
        Value::Blob(sealed.as_bytes().to_vec())
    })
}
