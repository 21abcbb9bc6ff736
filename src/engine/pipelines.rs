//! Saving and deleting definitions, with every problem of one told.

use serde_json::Value;

use super::Engine;
use crate::error::{Error, Issue, Result};
use crate::model::{Scope, StoredPipeline};

/// What is wrong with a definition, and what is only odd.
#[derive(Debug, Clone, Default)]
pub(crate) struct Validation {
    pub(crate) errors: Vec<Issue>,
    pub(crate) warnings: Vec<Issue>,
}

impl Engine {
    /// Saves a definition that is not there yet; makes an id where it has none.
    pub(crate) async fn create_pipeline(
        &self,
        _definition: Value,
        _scope: &Scope,
    ) -> Result<StoredPipeline> {
        Err(Error::internal("stub"))
    }

    /// Replaces the pipeline with this id or slug; `expected` is the version that the caller has seen.
    pub(crate) async fn replace_pipeline(
        &self,
        _key: &str,
        _definition: Value,
        _expected: Option<u32>,
        _scope: &Scope,
    ) -> Result<StoredPipeline> {
        Err(Error::internal("stub"))
    }

    /// Deletes the pipeline with this id or slug.
    pub(crate) async fn delete_pipeline(&self, _key: &str, _scope: &Scope) -> Result<()> {
        Err(Error::internal("stub"))
    }

    /// Checks a saved pipeline against the executors that are registered.
    pub(crate) async fn validate_pipeline(&self, _key: &str, _scope: &Scope) -> Result<Validation> {
        Err(Error::internal("stub"))
    }
}
