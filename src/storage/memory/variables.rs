//! Variables: put, find, list, delete.
//!
//! The table is left to `settings`.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::MemoryStorage;
use crate::error::Result;
use crate::model::{Page, PageRequest, Scope, StoredVariable, VariableKey};
use crate::storage::{PutVariable, VariableFilter, Variables};

#[async_trait]
impl Variables for MemoryStorage {
    async fn put_variable(&self, put: PutVariable) -> Result<StoredVariable> {
        self.state()?.variables.put(put.into())
    }

    async fn find_variables(
        &self,
        keys: &[VariableKey],
        scope: &Scope,
    ) -> Result<Vec<StoredVariable>> {
        let state = self.state()?;
        let found = keys
            .iter()
            .filter_map(|key| state.variables.find(key, scope).transpose());
        found.collect()
    }

    async fn list_variables(
        &self,
        filter: VariableFilter,
        page: PageRequest,
    ) -> Result<Page<StoredVariable>> {
        self.state()?.variables.list(&filter.scope, &page)
    }

    async fn delete_variable(
        &self,
        key: &VariableKey,
        scope: &Scope,
        _now: DateTime<Utc>,
    ) -> Result<()> {
        self.state()?.variables.delete(key, scope)
    }
}
