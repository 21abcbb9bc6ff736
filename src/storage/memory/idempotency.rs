//! Repeats: finds what the first request with a key created, and what an earlier call of a creation
//! has stored.
//!
//! `runs` records the keys, and `purge` deletes them with their runs.

use super::rules;
use super::state::State;
use crate::error::Result;
use crate::model::{PipelineId, Qualified};
use crate::storage::{CreateRuns, CreatedRuns, FirstCreation, IdempotentOperation, NewRun};

impl State {
    /// Returns what the first request with this key created.
    pub(super) fn find_idempotent(
        &self,
        operation: &IdempotentOperation,
        key: &str,
    ) -> Option<FirstCreation> {
        let row = self.keys.get(&(operation.clone(), key.to_owned()))?;
        let created = CreatedRuns {
            is_replayed: true,
            backfill: row.backfill,
            ..CreatedRuns::new(row.run_ids.clone(), self.events.newest())
        };
        Some(FirstCreation::new(row.body_hash, created))
    }

    /// Returns the result of a creation whose runs an earlier call has already stored.
    pub(super) fn repeated_creation(
        &self,
        create: &CreateRuns,
        pipeline: &Qualified<PipelineId>,
    ) -> Result<Option<CreatedRuns>> {
        if create.is_preview {
            return Ok(None);
        }
        let mut stored = Vec::new();
        for NewRun { run, .. } in &create.runs {
            match self.runs.get(&run.id) {
                Some(row) if row.run.is_of(pipeline) => stored.push(run.id),
                Some(_) => return Err(rules::run_exists(run.id)),
                None => {}
            }
        }
        let new = create.backfill.as_ref();
        let has_backfill = new.is_some_and(|new| self.backfills.contains_key(&new.backfill.id));
        rules::repeated_creation(create, stored, has_backfill, self.events.newest())
    }
}
