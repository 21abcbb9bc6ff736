//! Trigger: makes a run, durable before the answer.
//!
//! When it executes is decided by `queue`.

use std::collections::BTreeMap;

use super::Engine;
use crate::error::{Error, Result};
use crate::model::{PipelineId, RunId, Scope};

/// A caller's idempotency key with the SHA-256 of the parsed body.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) key: String,
    pub(crate) body_hash: [u8; 32],
}

/// A wish to start a run.
#[derive(Debug, Clone)]
pub(crate) struct Start {
    /// The pipeline's id or slug.
    pub(crate) pipeline: String,
    /// Parameters over the pipeline's own.
    pub(crate) params: BTreeMap<String, String>,
    pub(crate) key: Option<Key>,
    pub(crate) scope: Scope,
}

/// A run that was made, or that the first call with the same key made.
#[derive(Debug, Clone)]
pub(crate) struct Started {
    pub(crate) run_id: RunId,
    pub(crate) pipeline_id: PipelineId,
    pub(crate) replayed: bool,
}

impl Engine {
    /// Makes a run.
    pub(crate) async fn trigger(&self, _start: Start) -> Result<Started> {
        Err(Error::internal("stub"))
    }
}
