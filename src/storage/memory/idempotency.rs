//! Idempotency keys: finds what the first request with a key created.
//!
//! `runs` records the keys, and `purge` deletes them with their runs.

use super::rules;
use super::state::State;
use crate::error::Result;
use crate::storage::{CreatedRuns, IdempotencyKey};

impl State {
    /// Returns what the first request with this key created.
    ///
    /// # Errors
    /// `Invalid` (`idempotency-key-reused`) if that request had another body.
    pub(super) fn find_idempotent(&self, key: &IdempotencyKey) -> Result<Option<CreatedRuns>> {
        let Some(row) = self.keys.get(&(key.operation.clone(), key.key.clone())) else {
            return Ok(None);
        };
        rules::check_same_body(&row.body_hash, &key.body_hash)?;
        Ok(Some(CreatedRuns {
            is_replayed: true,
            backfill: row.backfill,
            ..CreatedRuns::new(row.run_ids.clone(), self.events.newest())
        }))
    }
}
