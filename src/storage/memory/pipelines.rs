//! Pipelines: put, find, list, delete.
//!
//! Slugs, versions and order are left to `pipeline_table`. The engine decides whether a definition
//! is valid, but one that forms no graph is refused here too.

use std::sync::Arc;

use async_trait::async_trait;

use super::rows::Version;
use super::state::State;
use super::{MemoryStorage, rules};
use crate::error::{Error, Result};
use crate::model::{Page, PageRequest, RunStatus, Scope, StoredPipeline};
use crate::storage::{DeletePipeline, PipelineFilter, Pipelines, PutPipeline, SetPause};

impl State {
    fn delete_pipeline(&mut self, delete: &DeletePipeline) -> Result<()> {
        let DeletePipeline {
            id,
            version,
            scope,
            now: _,
            audit,
        } = delete;
        let found = self.pipelines.named(id, scope)?;
        let found = found.ok_or_else(|| Error::pipeline_not_found(id))?;
        let pipeline = found.qualified_id();
        rules::check_version(id, *version, found.version)?;
        let active = [RunStatus::Pending, RunStatus::Running];
        if active
            .iter()
            .any(|status| self.index.count(Some(&pipeline), *status) > 0)
        {
            return Err(rules::pipeline_active(id));
        }
        self.pipelines.delete(&pipeline);
        self.remove_dependencies(&pipeline);
        self.keys.retain(|_, key| key.pipeline != pipeline);
        self.audit(audit.clone(), pipeline.tenant.as_ref());
        Ok(())
    }
}

#[async_trait]
impl Pipelines for MemoryStorage {
    async fn put_pipeline(&self, put: PutPipeline) -> Result<StoredPipeline> {
        // The graph of a large definition takes a while to build, so the lock is taken afterwards.
        let version = Arc::new(Version::new(Arc::clone(&put.definition))?);
        let mut state = self.state()?;
        let audit = put.audit.clone();
        let stored = state.pipelines.put(put, version)?;
        state.save_dependencies(&stored);
        state.audit(audit, stored.tenant.as_ref());
        Ok(stored)
    }

    async fn find_pipeline(&self, key: &str, scope: &Scope) -> Result<Option<StoredPipeline>> {
        Ok(self.state()?.pipelines.find(key, scope)?.cloned())
    }

    async fn list_pipelines(
        &self,
        filter: PipelineFilter,
        page: PageRequest,
    ) -> Result<Page<StoredPipeline>> {
        self.state()?.pipelines.list(&filter, &page)
    }

    async fn set_pause(&self, request: SetPause) -> Result<StoredPipeline> {
        let mut state = self.state()?;
        let stored = state.pipelines.set_pause(&request)?;
        state.audit(request.audit, stored.tenant.as_ref());
        Ok(stored)
    }

    async fn delete_pipeline(&self, delete: DeletePipeline) -> Result<()> {
        self.state()?.delete_pipeline(&delete)
    }
}
