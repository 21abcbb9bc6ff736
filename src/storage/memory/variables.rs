//! Variables: put, find, list, delete.
//!
//! The table is left to `settings`.

use async_trait::async_trait;

use super::MemoryStorage;
use super::rules::PutSetting;
use crate::error::Result;
use crate::model::{Page, PageRequest, Scope, StoredVariable, VariableKey};
use crate::storage::{DeleteVariable, PutVariable, VariableFilter, Variables};

#[async_trait]
impl Variables for MemoryStorage {
    async fn put_variable(&self, put: PutVariable) -> Result<StoredVariable> {
        let mut put = PutSetting::from(put);
        let audit = put.audit.take();
        let mut state = self.state()?;
        let saved = state.variables.put(put)?;
        state.audit(audit, saved.tenant.as_ref());
        Ok(saved)
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

    async fn delete_variable(&self, delete: DeleteVariable) -> Result<()> {
        let mut state = self.state()?;
        let tenant = state.variables.delete(&delete.key, &delete.scope)?;
        state.audit(delete.audit, tenant.as_ref());
        Ok(())
    }
}
