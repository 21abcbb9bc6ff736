//! Variables: the storage methods and the columns of the fields.
//!
//! `settings` reads and writes the rows.

use async_trait::async_trait;
use rusqlite::Row;
use rusqlite::types::Value;

use super::SqliteStorage;
use super::rules::PutSetting;
use super::settings::{SettingRow, blob};
use super::store_error::StoreError;
use crate::error::Result;
use crate::model::{
    Page, PageRequest, Scope, Sealed, StoredVariable, VariableFields, VariableKey, VariableValue,
};
use crate::storage::{DeleteVariable, PutVariable, VariableFilter, Variables};

#[async_trait]
impl Variables for SqliteStorage {
    async fn put_variable(&self, put: PutVariable) -> Result<StoredVariable> {
        let put: PutSetting<StoredVariable> = put.into();
        self.step(move |tx| tx.put_setting(&put)).await
    }

    async fn find_variables(
        &self,
        keys: &[VariableKey],
        scope: &Scope,
    ) -> Result<Vec<StoredVariable>> {
        let (keys, scope) = (keys.to_vec(), scope.clone());
        self.read(move |reader| {
            reader.snapshot(|reader| {
                let found = keys.iter().map(|key| reader.find_setting(key, &scope));
                found.filter_map(Result::transpose).collect()
            })
        })
        .await
    }

    async fn list_variables(
        &self,
        filter: VariableFilter,
        page: PageRequest,
    ) -> Result<Page<StoredVariable>> {
        self.read(move |reader| {
            reader.snapshot(|reader| reader.list_settings(&filter.scope, &page))
        })
        .await
    }

    async fn delete_variable(&self, delete: DeleteVariable) -> Result<()> {
        let DeleteVariable {
            key,
            scope,
            now,
            audit,
        } = delete;
        self.step(move |tx| {
            let tenant = tx.delete_setting::<StoredVariable>(&key, &scope, now)?;
            tx.audit(audit.as_ref(), tenant.as_ref())
        })
        .await
    }
}

impl SettingRow for StoredVariable {
    const TABLE: &'static str = "variables";
    const COLUMNS: &'static [&'static str] = &["value", "sealed", "description"];

    fn read_id(text: String) -> Result<VariableKey, StoreError> {
        VariableKey::new(text).map_err(|error| StoreError::unreadable("a variable's key", error))
    }

    fn read_fields(row: &Row<'_>, from: usize) -> Result<VariableFields, StoreError> {
        let plain: Option<String> = row.get(from)?;
        let sealed: Option<Vec<u8>> = row.get(from + 1)?;
        let value = match (plain, sealed) {
            (Some(text), None) => VariableValue::Plain(text),
            (None, Some(bytes)) => VariableValue::Secret(Sealed::from_bytes(bytes)),
            (Some(_), Some(_)) | (None, None) => {
                return Err(StoreError::unreadable(
                    "a variable",
                    "it needs exactly one of value and sealed",
                ));
            }
        };
        Ok(VariableFields {
            value,
            description: row.get(from + 2)?,
        })
    }

    fn values(fields: &VariableFields) -> Vec<Value> {
        let VariableFields { value, description } = fields;
        let (plain, sealed) = match value {
            VariableValue::Plain(text) => (Value::Text(text.clone()), Value::Null),
            VariableValue::Secret(sealed) => (Value::Null, blob(Some(sealed))),
        };
        vec![plain, sealed, Value::Text(description.clone())]
    }
}
