//! Reads the rows of runs, nodes and pipelines, and inserts the row of a new run.
//!
//! `values` converts single values, and `body` converts events.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use rusqlite::{Row, params};
use serde::Serialize;

use super::backfill_params::{SharedParams, own_params, read_params};
use super::definitions::Definition;
use super::lanes::{self, LaneKey};
use super::store_error::StoreError;
use super::tx::Tx;
use super::unreadable::UnreadableRows;
use super::values::{
    self, backfill_id, date, day, hash, json, millis, node_index, optional_run, optional_time,
    pipeline_id, run_id, tenant, text, time, to_cancel, to_node_status, to_run_status, to_trigger,
    to_u32, to_u64, to_unstored, trace_parent,
};
use crate::model::{
    CallerName, Labels, Managed, NodeRun, Pause, PipelineId, Priority, Run, RunCancel,
    RunConcurrency, RunId, Slug, StoredPipeline, TenantId, TokenHash,
};

/// The columns that [`read_run`] reads, in this order.
pub(super) const RUN: &str = "r.key, r.definition, r.id, p.id, d.version, r.tenant, r.status, r.cancel, r.trigger, r.params, \
     r.date, r.created_at, r.started_at, r.finished_at, r.error, r.resumed_from, r.first_run, r.inherited, r.generations, \
     (SELECT b.id FROM backfills b WHERE b.key = r.backfill), \
     CASE WHEN r.params IS NULL THEN (SELECT b.params FROM backfills b WHERE b.key = r.backfill) END, r.created_by, r.labels, r.note, r.cancel_by, r.cancel_reason, r.cancel_at, r.rerun_of, r.priority, r.run_after, r.upstream_run, r.concurrency_key, r.concurrency_max, coalesce(r.fire_at, r.scheduled_at), r.traceparent";

/// The `FROM` clause for the columns [`RUN`].
pub(super) const RUN_FROM: &str = "runs r CROSS JOIN pipelines p ON p.key = r.pipeline CROSS JOIN definitions d ON d.key = r.definition";

/// A run, the key of its row and the key of its definition.
#[derive(Debug)]
pub(super) struct RunRow {
    pub(super) key: i64,
    pub(super) definition: i64,
    pub(super) run: Run,
}

/// Reads a run from the columns [`RUN`].
pub(super) fn read_run(row: &Row<'_>) -> Result<RunRow, StoreError> {
    let id = run_id(row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?)?;
    let mut run = Run::new(
        id,
        pipeline_id(row.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?)?,
        to_u32(row.get(4)?),
        to_trigger(row.get(8)?)?,
        date(row.get(10)?)?,
        time(row.get(11)?)?,
    );
    run.tenant = tenant(row.get(5)?)?;
    run.status = to_run_status(row.get(6)?)?;
    run.cancel = read_cancel(row)?;
    read_params(row, 9, 20, &mut run)?;
    run.started_at = optional_time(row.get(12)?)?;
    run.finished_at = optional_time(row.get(13)?)?;
    run.error = row.get(14)?;
    run.resumed_from = optional_run(row.get(15)?)?;
    run.first_run = optional_run(row.get(16)?)?.unwrap_or(id);
    if let Some(text) = row.get::<_, Option<String>>(17)? {
        run.inherited = json("a run's inherited outputs", &text)?;
    }
    if let Some(text) = row.get::<_, Option<String>>(18)? {
        run.generations = json("a run's generations", &text)?;
    }
    run.backfill_id = row
        .get::<_, Option<Vec<u8>>>(19)?
        .map(|bytes| backfill_id(&bytes))
        .transpose()?;
    run.created_by = row.get::<_, Option<String>>(21)?.map(CallerName::from);
    if let Some(text) = row.get::<_, Option<String>>(22)? {
        run.labels = json("a run's labels", &text)?;
    }
    run.note = row.get(23)?;
    run.rerun_of = optional_run(row.get(27)?)?;
    // A damaged priority must not hide the run.
    let rank = lanes::read_number(row.get(28)?);
    run.priority = rank.map_or(Priority::Normal, |(rank, _)| rank.priority);
    run.run_after = optional_time(row.get(29)?)?;
    run.upstream_run_id = optional_run(row.get(30)?)?;
    run.concurrency = read_concurrency(row)?;
    run.scheduled_at = optional_time(row.get(33)?)?;
    run.traceparent = trace_parent(row, 34);
    Ok(RunRow {
        key: row.get(0)?,
        definition: row.get(1)?,
        run,
    })
}

/// Reads the concurrency key of a run from the columns [`RUN`].
fn read_concurrency(row: &Row<'_>) -> Result<Option<RunConcurrency>, StoreError> {
    let Some(key) = row.get::<_, Option<String>>(31)? else {
        return Ok(None);
    };
    // A damaged number must not hide the run.
    let max = row.get::<_, Option<i64>>(32)?.map_or(1, to_u32);
    Ok(Some(RunConcurrency::new(key, max)))
}

/// Reads the cancel request of a run from the columns [`RUN`].
fn read_cancel(row: &Row<'_>) -> Result<Option<RunCancel>, StoreError> {
    let Some(kind) = row.get::<_, Option<i64>>(7)?.map(to_cancel).transpose()? else {
        return Ok(None);
    };
    let mut cancel = RunCancel::new(kind, DateTime::UNIX_EPOCH);
    cancel.by = row.get::<_, Option<String>>(24)?.map(CallerName::from);
    cancel.reason = row.get(25)?;
    cancel.at = optional_time(row.get(26)?)?;
    Ok(Some(cancel))
}

/// The column values for a new run's row that [`Run`] does not contain.
pub(super) struct RunKeys<'a> {
    pub(super) key: i64,
    pub(super) lane: LaneKey,
    pub(super) definition: i64,
    pub(super) fire_at: Option<DateTime<Utc>>,
    pub(super) idempotency: Option<i64>,
    pub(super) shared_params: Option<&'a SharedParams>,
}

/// Returns the text of labels in the row of their run.
pub(super) fn labels_text(labels: &Labels) -> Result<Option<String>, StoreError> {
    text_unless(labels.is_empty(), labels)
}

/// Returns the text of a value, unless the value is empty.
fn text_unless(is_empty: bool, value: &impl Serialize) -> Result<Option<String>, StoreError> {
    (!is_empty).then(|| text(value)).transpose()
}

const INSERT_RUN: &str = "INSERT INTO runs (key, id, pipeline, definition, tenant, status, priority, trigger, cancel, date, fire_at, created_at, \
     started_at, finished_at, epoch, claims, position, idempotency, resumed_from, first_run, error, params, inherited, generations, backfill, created_by, labels, note, rerun_of, run_after, upstream_run, concurrency_key, concurrency_max, scheduled_at, traceparent) \
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// Inserts the row of a new run. Its labels have rows of their own, too.
pub(super) fn insert_run(tx: &mut Tx, run: &Run, keys: &RunKeys<'_>) -> Result<(), StoreError> {
    let Run {
        id,
        pipeline_id: _,
        pipeline_version: _,
        tenant,
        status,
        cancel,
        trigger,
        params: _,
        date,
        scheduled_at,
        created_at,
        started_at,
        finished_at,
        error,
        created_by,
        labels,
        note,
        priority: _,
        run_after,
        concurrency,
        traceparent,
        backfill_id: _,
        resumed_from,
        rerun_of,
        upstream_run_id,
        first_run,
        inherited,
        generations,
    } = run;
    let params = own_params(run, keys.shared_params)?;
    tx.write(
        INSERT_RUN,
        params![
            keys.key,
            values::id(id),
            keys.lane.pipeline,
            keys.definition,
            tenant.as_ref().map(TenantId::as_str),
            values::run_status(*status),
            keys.lane.number(),
            values::trigger(*trigger),
            cancel.as_ref().map(|cancel| values::cancel(cancel.kind)),
            day(*date),
            keys.fire_at.map(millis),
            millis(*created_at),
            started_at.map(millis),
            finished_at.map(millis),
            keys.idempotency,
            resumed_from.as_ref().map(values::id),
            resumed_from.as_ref().map(|_| values::id(first_run)),
            error,
            params,
            text_unless(inherited.is_empty(), inherited)?,
            text_unless(generations.is_empty(), generations)?,
            keys.lane.backfill,
            created_by.as_ref().map(CallerName::as_str),
            labels_text(labels)?,
            note,
            rerun_of.as_ref().map(values::id),
            run_after.map(millis),
            upstream_run_id.as_ref().map(values::id),
            concurrency.as_ref().map(|own| &own.key),
            concurrency.as_ref().map(|own| own.max),
            scheduled_at.filter(|_| keys.fire_at.is_none()).map(millis),
            traceparent.map(String::from),
        ],
    )
    .map(drop)
}

/// The columns that [`read_node`] reads, in this order.
pub(super) const NODE: &str = "n.key, n.status, n.attempt, n.row_count, n.duration_ms, n.queue_ms, n.started_at, n.finished_at, \
     n.has_dataset, n.reused_from, n.error, n.branch, o.hash";

/// The `FROM` clause for the columns [`NODE`].
pub(super) const NODE_FROM: &str = "node_runs n LEFT JOIN outputs o ON o.key = n.key";

/// Reads a node from the columns [`NODE`].
pub(super) fn read_node(
    row: &Row<'_>,
    run: RunId,
    definition: &Definition,
    unreadable: &UnreadableRows,
) -> Result<NodeRun, StoreError> {
    let key = row.get(0)?;
    let node_index = node_index(key);
    let node_id = definition.node(node_index)?.clone();
    let mut node = NodeRun::unstarted(run, node_id, node_index, to_node_status(row.get(1)?)?);
    node.attempt = row.get::<_, Option<i64>>(2)?.map(to_u32);
    node.row_count = row.get::<_, Option<i64>>(3)?.map(to_u64);
    node.duration_ms = row.get::<_, Option<i64>>(4)?.map(to_u64);
    node.queue_ms = row.get::<_, Option<i64>>(5)?.map(to_u64);
    node.started_at = optional_time(row.get(6)?)?;
    node.finished_at = optional_time(row.get(7)?)?;
    let dataset = row.get::<_, i64>(8)?;
    node.has_dataset = dataset != 0;
    node.unstored = to_unstored(dataset);
    node.reused_from = optional_run(row.get(9)?)?;
    node.error = row.get(10)?;
    node.branch = row.get(11)?;
    let output_hash = row
        .get::<_, Option<Vec<u8>>>(12)?
        .map(|bytes| hash(&bytes))
        .transpose();
    // An output that cannot be read is absent, so that its node executes again.
    node.output_hash = unreadable.skip("an output", key, output_hash)?.flatten();
    Ok(node)
}

/// The columns that [`read_pipeline`] reads, in this order.
pub(super) const PIPELINE: &str = "p.id, p.slug, p.tenant, p.version, p.created_at, p.updated_at, d.key, p.code_version IS NOT NULL, \
     p.paused_at, p.paused_by, p.pause_reason, p.webhook_token";

/// The `FROM` clause for the columns [`PIPELINE`].
///
/// It includes deleted pipelines. They have no slug, so [`read_pipeline`] cannot read them.
pub(super) const PIPELINE_FROM: &str =
    "pipelines p CROSS JOIN definitions d ON d.pipeline = p.key AND d.version = p.version";

/// Reads a pipeline and the key of its definition from the columns [`PIPELINE`].
pub(super) fn read_pipeline(row: &Row<'_>) -> Result<(PipelineRow, i64), StoreError> {
    let pipeline = PipelineRow {
        id: pipeline_id(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?,
        slug: Slug::new(row.get::<_, String>(1)?)
            .map_err(|error| StoreError::unreadable("a slug", error))?,
        tenant: tenant(row.get(2)?)?,
        version: to_u32(row.get(3)?),
        created_at: time(row.get(4)?)?,
        updated_at: time(row.get(5)?)?,
        managed: managed(row.get(7)?),
        paused: read_pause(row, 8)?,
        webhook_token: read_token(row, 11)?,
    };
    Ok((pipeline, row.get(6)?))
}

/// Reads a pause from three columns, of which this is the first.
pub(super) fn read_pause(row: &Row<'_>, column: usize) -> Result<Option<Pause>, StoreError> {
    let Some(at) = row.get::<_, Option<i64>>(column)? else {
        return Ok(None);
    };
    // A damaged time must not hide the row, nor end its pause.
    let mut pause = Pause::new(values::nearest_time(at));
    let by = row.get::<_, Option<String>>(column + 1)?;
    pause.by = by.map(CallerName::from);
    pause.reason = row.get(column + 2)?;
    Ok(Some(pause))
}

/// Reads the hash of a token. A damaged one must not hide the pipeline, and no token matches it.
pub(super) fn read_token(row: &Row<'_>, column: usize) -> Result<Option<TokenHash>, StoreError> {
    let bytes = row.get_ref(column)?.as_bytes_or_null();
    let bytes = bytes.ok().flatten().and_then(|bytes| bytes.try_into().ok());
    Ok(bytes.map(TokenHash::from_bytes))
}

const fn managed(has_code_version: bool) -> Managed {
    if has_code_version {
        Managed::Code
    } else {
        Managed::Api
    }
}

/// A pipeline without its definition.
#[derive(Debug)]
pub(super) struct PipelineRow {
    pub(super) id: PipelineId,
    pub(super) slug: Slug,
    pub(super) tenant: Option<TenantId>,
    pub(super) version: u32,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
    pub(super) managed: Managed,
    pub(super) paused: Option<Pause>,
    pub(super) webhook_token: Option<TokenHash>,
}

impl PipelineRow {
    /// Returns the pipeline with its definition.
    pub(super) fn with_definition(self, definition: &Definition) -> StoredPipeline {
        let Self {
            id,
            slug,
            tenant,
            version,
            created_at,
            updated_at,
            managed,
            paused,
            webhook_token,
        } = self;
        StoredPipeline {
            id,
            slug,
            tenant,
            version,
            definition: Arc::clone(&definition.pipeline),
            managed,
            paused,
            webhook_token,
            created_at,
            updated_at,
        }
    }
}
