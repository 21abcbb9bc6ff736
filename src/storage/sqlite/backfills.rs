//! Backfills: creates, reads, lists and cancels them.
//!
//! `create` creates their runs, `existing_runs` skips some, and `settlement` settles a backfill.

use async_trait::async_trait;
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params};

use super::SqliteStorage;
use super::backfill_params::SharedParams;
use super::cached_pipelines::CachedPipeline;
use super::open_backfills::{CachedBackfill, order};
use super::pages::{Conditions, ListQuery, Window, cursor, wants_total};
use super::pipeline_keys::PipelineKeys;
use super::query::{readable_rows, row};
use super::reader::Reader;
use super::rows::read_pause;
use super::store_error::StoreError;
use super::tx::Tx;
use super::unreadable::UnreadableRows;
use super::values::{
    self, backfill_id, backfill_status, date, day, millis, optional_time, pipeline_id, run_id,
    tenant, time, to_backfill_status, to_backfill_unit, to_cancel, to_run_status, to_u32, to_u64,
};
use crate::error::{Error, Result};
use crate::model::{
    Backfill, BackfillCounts, BackfillId, BackfillOrder, BackfillRun, BackfillStatus, Page,
    PageRequest, Scope, TenantId,
};
use crate::storage::{
    BackfillDetail, BackfillFilter, Backfills, CancelBackfill, CancelBackfillOutcome, NewBackfill,
    SetBackfillPause, rules,
};

#[async_trait]
impl Backfills for SqliteStorage {
    async fn find_backfill(
        &self,
        backfill: BackfillId,
        scope: &Scope,
    ) -> Result<Option<BackfillDetail>> {
        let scope = scope.clone();
        self.read(move |reader| {
            reader.snapshot(|reader| {
                let found = find(&reader.conn, backfill, &scope)?;
                let unreadable = &reader.unreadable;
                found
                    .map(|found| detail(&reader.conn, unreadable, found))
                    .transpose()
            })
        })
        .await
    }

    async fn list_backfills(
        &self,
        filter: BackfillFilter,
        page: PageRequest,
    ) -> Result<Page<Backfill>> {
        self.read(move |reader| reader.snapshot(|reader| reader.backfills(&filter, &page)))
            .await
    }

    async fn set_backfill_pause(&self, request: SetBackfillPause) -> Result<BackfillDetail> {
        self.step(move |tx| tx.set_backfill_pause(&request)).await
    }

    async fn cancel_backfill(&self, cancel: CancelBackfill) -> Result<CancelBackfillOutcome> {
        self.step(move |tx| tx.cancel_backfill(&cancel)).await
    }
}

/// The columns of [`read_backfill`].
pub(super) const BACKFILL: &str = "b.key, b.id, p.id, b.tenant, b.status, b.start_date, b.end_date, b.is_descending, b.max_parallel, b.max_failures, \
     b.cancel, b.created_at, b.finished_at, b.pending, b.running, b.success, b.failed, b.cancelled, b.rerun_of, b.unit, \
     b.paused_at, b.paused_by, b.pause_reason";

/// The tables of [`BACKFILL`].
const BACKFILL_FROM: &str = "backfills b CROSS JOIN pipelines p ON p.key = b.pipeline";

/// Reads the columns [`BACKFILL`]: the key of the row and the backfill.
fn read_backfill(row: &Row<'_>) -> Result<(i64, Backfill), StoreError> {
    let mut backfill = Backfill::new(
        backfill_id(&row.get::<_, Vec<u8>>(1)?)?,
        pipeline_id(row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?)?,
        (date(row.get(5)?)?, date(row.get(6)?)?),
        time(row.get(11)?)?,
    );
    backfill.tenant = tenant(row.get(3)?)?;
    backfill.status = to_backfill_status(row.get(4)?)?;
    backfill.order = order(row.get(7)?);
    backfill.max_parallel = to_u32(row.get(8)?);
    backfill.max_failures = row.get::<_, Option<i64>>(9)?.map(to_u32);
    backfill.cancel = row.get::<_, Option<i64>>(10)?.map(to_cancel).transpose()?;
    backfill.finished_at = optional_time(row.get(12)?)?;
    backfill.counts = BackfillCounts {
        pending: to_u64(row.get(13)?),
        running: to_u64(row.get(14)?),
        success: to_u64(row.get(15)?),
        failed: to_u64(row.get(16)?),
        cancelled: to_u64(row.get(17)?),
    };
    let rerun_of = row.get::<_, Option<Vec<u8>>>(18)?;
    backfill.rerun_of = rerun_of.map(|bytes| backfill_id(&bytes)).transpose()?;
    backfill.unit = to_backfill_unit(row.get(19)?);
    backfill.paused = read_pause(row, 20)?;
    if backfill.status == BackfillStatus::Running && backfill.paused.is_some() {
        backfill.status = BackfillStatus::Paused;
    }
    Ok((row.get(0)?, backfill))
}

/// Returns a backfill that is visible in the scope, with its key.
pub(super) fn find(
    conn: &Connection,
    id: BackfillId,
    scope: &Scope,
) -> Result<Option<(i64, Backfill)>, StoreError> {
    let sql = format!("SELECT {BACKFILL} FROM {BACKFILL_FROM} WHERE b.id = ?");
    let found = row(conn, &sql, [&id.as_uuid().as_bytes()[..]], read_backfill)?;
    Ok(found.filter(|(_, backfill)| scope.admits(backfill.tenant.as_ref())))
}

/// Reads the runs of a backfill.
pub(super) fn detail(
    conn: &Connection,
    unreadable: &UnreadableRows,
    (key, backfill): (i64, Backfill),
) -> Result<BackfillDetail, StoreError> {
    let sql = "SELECT id, date, status, coalesce(fire_at, scheduled_at) FROM runs WHERE backfill = ? ORDER BY id";
    let what = (unreadable, "a run of a backfill");
    let runs = readable_rows(conn, what, sql, [key], |row| {
        let id = run_id(&row.get::<_, Vec<u8>>(0)?)?;
        Ok(BackfillRun {
            scheduled_at: optional_time(row.get(3)?)?,
            ..BackfillRun::new(id, date(row.get(1)?)?, to_run_status(row.get(2)?)?)
        })
    })?;
    Ok(BackfillDetail::new(backfill, runs))
}

impl Reader {
    fn backfills(
        &self,
        filter: &BackfillFilter,
        page: &PageRequest,
    ) -> Result<Page<Backfill>, StoreError> {
        let pipelines = match &filter.pipeline {
            None => None,
            Some(id) => Some(self.pipeline_keys(id, &filter.scope)?),
        };
        let conditions_by = |several| conditions(filter, pipelines.as_ref(), several);
        let total = wants_total(page)
            .then(|| self.count(BACKFILL_FROM, &conditions_by("b.pipeline")))
            .transpose()?;
        let mut conditions = conditions_by("+b.pipeline");
        if let Some(text) = cursor(page) {
            let after: BackfillId = text.parse().map_err(|_| rules::bad_cursor(text))?;
            let after = after.as_uuid().as_bytes().to_vec();
            conditions.add("b.id < ?", [Value::Blob(after)]);
        }
        let sql = format!(
            "SELECT {BACKFILL} FROM {BACKFILL_FROM}{} ORDER BY b.id DESC",
            conditions.sql(),
        );
        let query = ListQuery {
            what: "a backfill of a list",
            sql,
            complete: str::to_owned,
            values: conditions.values(),
            window: Window::new(page),
            total,
        };
        let read = |row: &Row<'_>| Ok(read_backfill(row)?.1);
        self.page(&query, read, |item| item.id.to_string())
    }
}

/// Returns the conditions of a filter. `several` is the column of one of several pipelines.
fn conditions(
    filter: &BackfillFilter,
    pipelines: Option<&PipelineKeys>,
    several: &str,
) -> Conditions {
    let BackfillFilter {
        scope,
        backfill,
        pipeline: _,
    } = filter;
    let mut conditions = Conditions::default();
    if let Some(backfill) = backfill {
        let id = backfill.as_uuid().as_bytes().to_vec();
        conditions.add("b.id = ?", [Value::Blob(id)]);
    }
    match pipelines {
        Some(pipelines) => {
            conditions.add_pipelines(pipelines, "b.pipeline", several);
            // The `+` keeps SQLite from the index by tenant, which has more backfills.
            conditions.add_scope("+b.tenant", scope);
        }
        None => conditions.add_scope("b.tenant", scope),
    }
    conditions
}

impl Tx {
    /// Writes the row of a backfill, before its `count` runs are created. Returns its key.
    pub(super) fn create_backfill(
        &mut self,
        pipeline: &CachedPipeline,
        new: &NewBackfill,
        count: u64,
        params: &SharedParams,
    ) -> Result<i64, StoreError> {
        let Backfill {
            id,
            pipeline_id: _,
            tenant: _,
            status: _,
            start_date,
            end_date,
            unit,
            order,
            max_parallel,
            max_failures,
            paused: _,
            cancel,
            rerun_of,
            counts: _,
            created_at,
            finished_at,
        } = &new.backfill;
        let key = self.state.backfills.next_key;
        self.write(
            "INSERT INTO backfills (key, id, pipeline, tenant, status, start_date, end_date, is_descending, max_parallel, max_failures, cancel, \
             created_at, finished_at, params, rerun_of, unit, pending, running, success, failed, cancelled, ended_failed, ended_cancelled) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0, 0, 0, 0)",
            params![
                key,
                &id.as_uuid().as_bytes()[..],
                pipeline.key,
                pipeline.tenant.as_ref().map(TenantId::as_str),
                backfill_status(BackfillStatus::Running),
                day(*start_date),
                day(*end_date),
                *order == BackfillOrder::Descending,
                max_parallel,
                max_failures,
                cancel.map(values::cancel),
                millis(*created_at),
                finished_at.map(millis),
                params.text()?,
                rerun_of.as_ref().map(|id| &id.as_uuid().as_bytes()[..]),
                values::backfill_unit(*unit),
            ],
        )?;
        let cached = CachedBackfill {
            order: *order,
            max_parallel: *max_parallel,
            max_failures: *max_failures,
            is_paused: false,
            is_cancelled: cancel.is_some(),
            unfinished: count,
            outcomes: rules::BackfillOutcomes::default(),
        };
        self.state.backfills.next_key += 1;
        self.state.backfills.by_key.insert(key, cached);
        Ok(key)
    }

    /// Returns whether its failures alone have cancelled a backfill.
    fn was_stopped(&self, key: i64) -> Result<bool, StoreError> {
        let sql = "SELECT is_stopped FROM backfills WHERE key = ?";
        let found = self.row(sql, [key], |row| Ok(row.get(0)?))?;
        Ok(found.unwrap_or(false))
    }

    fn cancel_backfill(
        &mut self,
        request: &CancelBackfill,
    ) -> Result<CancelBackfillOutcome, StoreError> {
        let CancelBackfill {
            backfill: id,
            scope,
            cancel: _,
            by: _,
            reason: _,
            now,
            audit,
        } = request;
        let (key, found) =
            find(&self.conn, *id, scope)?.ok_or_else(|| Error::backfill_not_found(id))?;
        match found.status {
            BackfillStatus::Running | BackfillStatus::Paused => {
                self.cancel_rest(key, &request.record(), *now)?;
                self.write_stopped(key, false)?;
            }
            BackfillStatus::Success | BackfillStatus::Failed | BackfillStatus::Cancelled => {
                if found.cancel.is_none() || self.was_stopped(key)? {
                    return Err(rules::backfill_finished(*id).into());
                }
            }
        }
        // The counts of the current group are not in the rows yet.
        self.write_backfills()?;
        let found = find(&self.conn, *id, scope)?.ok_or_else(|| Error::backfill_not_found(id))?;
        let detail = detail(&self.conn, &self.unreadable, found)?;
        self.audit(audit.as_ref(), detail.backfill.tenant.as_ref())?;
        Ok(CancelBackfillOutcome::new(detail, self.newest_seq()))
    }
}
