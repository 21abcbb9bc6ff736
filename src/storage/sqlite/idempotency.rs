//! Idempotency keys: records what the first request with a key created.
//!
//! `create` creates runs.

use rusqlite::{Connection, Row, params};

use super::naming::tenant_text;
use super::query::row;
use super::store_error::StoreError;
use super::tx::Tx;
use super::values::{backfill_id, hash, id, run_id};
use crate::model::{PipelineId, Qualified, RunId};
use crate::storage::{CreatedRuns, FirstCreation, IdempotencyKey, IdempotentOperation, NewRun};

impl Tx {
    pub(super) fn write_key(
        &mut self,
        pipeline: i64,
        key: &IdempotencyKey,
        runs: &[NewRun],
        backfill: Option<i64>,
    ) -> Result<(), StoreError> {
        let IdempotencyKey {
            operation,
            key: name,
            body_hash,
        } = key;
        let ids: Vec<u8> = runs
            .iter()
            .flat_map(|new| new.run.id.as_uuid().into_bytes())
            .collect();
        let count = i64::try_from(runs.len()).unwrap_or(i64::MAX);
        let first = self.state.next_run;
        let resumed = match operation {
            IdempotentOperation::Run(_) | IdempotentOperation::Backfill(_) => None,
            IdempotentOperation::Resume(run) => Some(repeated(run, false)),
            IdempotentOperation::Rerun(run) => Some(repeated(run, true)),
        };
        self.write(
            "INSERT INTO idempotency (key, pipeline, resumed, name, body_hash, run_ids, runs_left, backfill) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            params![first, pipeline, resumed, name, body_hash, ids, count, backfill],
        )?;
        Ok(())
    }
}

/// Returns what the first request with this key created. `newest` is the number of the newest
/// event.
pub(super) fn find_key(
    conn: &Connection,
    operation: &IdempotentOperation,
    name: &str,
    newest: u64,
) -> Result<Option<FirstCreation>, StoreError> {
    let read = |row: &Row<'_>| {
        let backfill: Option<Vec<u8>> = row.get(2)?;
        Ok((
            row.get::<_, Vec<u8>>(0)?,
            row.get::<_, Vec<u8>>(1)?,
            backfill,
        ))
    };
    let is_rerun = matches!(operation, IdempotentOperation::Rerun(_));
    let found = match operation {
        IdempotentOperation::Run(pipeline) => row(
            conn,
            "SELECT i.body_hash, i.run_ids, NULL FROM pipelines p CROSS JOIN idempotency i ON i.pipeline = p.key \
             AND i.resumed IS NULL AND i.backfill IS NULL WHERE p.id = ? AND coalesce(p.tenant, '') = ? AND i.name = ?",
            names(pipeline, name),
            read,
        ),
        IdempotentOperation::Backfill(pipeline) => row(
            conn,
            "SELECT i.body_hash, i.run_ids, b.id FROM pipelines p CROSS JOIN idempotency i ON i.pipeline = p.key \
             AND i.backfill IS NOT NULL CROSS JOIN backfills b ON b.key = i.backfill \
             WHERE p.id = ? AND coalesce(p.tenant, '') = ? AND i.name = ?",
            names(pipeline, name),
            read,
        ),
        IdempotentOperation::Resume(run) | IdempotentOperation::Rerun(run) => row(
            conn,
            "SELECT body_hash, run_ids, NULL FROM idempotency WHERE resumed = ? AND resumed IS NOT NULL AND name = ?",
            params![repeated(run, is_rerun), name],
            read,
        ),
    }?;
    let Some((body_hash, ids, backfill)) = found else {
        return Ok(None);
    };
    if ids.is_empty() {
        return Err(StoreError::unreadable(
            "an idempotency key",
            "it names no run",
        ));
    }
    let run_ids = ids.chunks(16).map(run_id).collect::<Result<_, _>>()?;
    let created = CreatedRuns {
        is_replayed: true,
        backfill: backfill.map(|bytes| backfill_id(&bytes)).transpose()?,
        ..CreatedRuns::new(run_ids, newest)
    };
    Ok(Some(FirstCreation::new(hash(&body_hash)?, created)))
}

/// Returns what the column `resumed` has for a resume of a run, or for a rerun of it.
fn repeated(run: &RunId, is_rerun: bool) -> Vec<u8> {
    let mut bytes = id(run).to_vec();
    // No id of a run has 17 bytes.
    bytes.extend(is_rerun.then_some(0));
    bytes
}

/// Returns the id and the tenant of a pipeline, and the name of one of its keys.
fn names<'a>(pipeline: &'a Qualified<PipelineId>, key: &'a str) -> [&'a str; 3] {
    let tenant = tenant_text(pipeline.tenant.as_ref());
    [pipeline.id.as_str(), tenant, key]
}
