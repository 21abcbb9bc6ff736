//! Stub.
mod output;
use crate::error::{Error, Result};
use crate::model::{RunId, Scope};
use crate::storage::{RunDetail, Storage};
use std::sync::Arc;
/// Stub.
#[derive(Debug, Clone)]
pub struct Views {
    storage: Arc<dyn Storage>,
}
impl Views {
    pub(crate) fn new(storage: Arc<dyn Storage>) -> Self {
        Self { storage }
    }
    async fn detail(&self, run: RunId, scope: &Scope) -> Result<RunDetail> {
        self.storage
            .find_run(run, scope)
            .await?
            .ok_or_else(|| Error::run_not_found(run))
    }
}
