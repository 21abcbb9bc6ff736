//! Purge: selects finished runs and deletes their rows. What belongs to them is left to `sweep`, so
//! that a step is bounded whatever its runs hold.
//!
//! `tx` counts runs, `repair` stores the numbers of deleted rows, and the engine decides when to
//! purge.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rusqlite::{Connection, Row, params};

use super::counts::Counted;
use super::meta::meta;
use super::query::{row, rows};
use super::reader::Reader;
use super::store_error::StoreError;
use super::sweep_queue::Sweep;
use super::tx::Tx;
use super::unreadable::UnreadableRows;
use super::values::{
    NUMBERS_END, id, json, millis, nearest_time, run_id, tenant_or_none, to_run_status,
};
use crate::model::{Labels, RunId, RunStatus, TenantId};
use crate::storage::{Purge, PurgeCursor, PurgeOutcome};

/// A finished run that a purge may delete.
///
/// A damaged value is absent. It does not keep the run for ever.
struct PurgeCandidate {
    key: i64,
    id: Option<RunId>,
    finished_at: i64,
    pipeline: i64,
    tenant: Option<TenantId>,
    created_at: i64,
    status: Option<RunStatus>,
    idempotency: Option<i64>,
    backfill: Option<i64>,
    labels: Labels,
    /// Whether its backfill counts it as a success, although it failed.
    is_recovered: bool,
    /// Whether a notifier still waits for one of its events.
    is_undelivered: bool,
}

/// Selects the runs of a purge. Returns its outcome and these runs.
fn select_runs(
    conn: &Connection,
    unreadable: &UnreadableRows,
    purge: &Purge,
) -> Result<(PurgeOutcome, Vec<PurgeCandidate>), StoreError> {
    let runs = candidates(conn, unreadable, purge)?;
    let next = runs
        .last()
        .filter(|_| runs.len() == purge.count_max as usize)
        .map(cursor_after);
    let mut retained = HashMap::new();
    let mut purged = Vec::new();
    for run in runs {
        if run.is_undelivered || !purge.scope.admits(run.tenant.as_ref()) {
            continue;
        }
        let first = match retained.entry(run.pipeline) {
            Entry::Occupied(oldest) => *oldest.get(),
            Entry::Vacant(entry) => {
                *entry.insert(oldest_retained(conn, run.pipeline, purge.keep_last)?)
            }
        };
        if first.is_none_or(|first| run.id.is_none_or(|id| id < first)) {
            purged.push(run);
        }
    }
    Ok((PurgeOutcome::new(purged.len() as u64, next), purged))
}

/// Returns the cursor after a run. A run without a readable id counts as the last of its time.
fn cursor_after(run: &PurgeCandidate) -> PurgeCursor {
    let last = RunId::from_uuid(uuid::Uuid::max());
    PurgeCursor::new(nearest_time(run.finished_at), run.id.unwrap_or(last))
}

/// Returns the next finished runs, including runs that the purge must keep.
fn candidates(
    conn: &Connection,
    unreadable: &UnreadableRows,
    purge: &Purge,
) -> Result<Vec<PurgeCandidate>, StoreError> {
    let Purge {
        before,
        count_max,
        scope: _,
        keep_last: _,
        after,
        mode: _,
        audit: _,
    } = purge;
    let after_at = after.map_or(i64::MIN, |after| millis(after.finished_at));
    let after_id = after.as_ref().map_or(&[][..], |after| id(&after.run));
    rows(
        conn,
        "SELECT key, pipeline, tenant, created_at, status, idempotency, id, finished_at, \
         ifnull((SELECT max(seq) FROM journal WHERE run = runs.key AND seq < ?6), 0) > ?5 \
         OR EXISTS (SELECT 1 FROM parked WHERE run = runs.key AND is_dead = 0), backfill, is_recovered IS NOT NULL, labels FROM runs \
         WHERE finished_at < ?1 AND (finished_at, id) > (?2, ?3) \
         ORDER BY finished_at, id LIMIT ?4",
        params![
            millis(*before),
            after_at,
            after_id,
            count_max,
            least_cursor(conn)?,
            NUMBERS_END,
        ],
        |row| {
            let key: i64 = row.get(0)?;
            let status = to_run_status(row.get(4)?);
            let id = run_id(&row.get::<_, Vec<u8>>(6)?);
            let labels = read_labels(row, 11);
            Ok(PurgeCandidate {
                key,
                pipeline: row.get(1)?,
                tenant: tenant_or_none(row, 2),
                created_at: row.get(3)?,
                status: unreadable.skip("a finished run", key, status)?,
                idempotency: row.get(5)?,
                id: unreadable.skip("a finished run", key, id)?,
                finished_at: row.get(7)?,
                is_undelivered: row.get(8)?,
                backfill: row.get(9)?,
                is_recovered: row.get(10)?,
                labels: unreadable
                    .skip("a finished run", key, labels)?
                    .flatten()
                    .unwrap_or_default(),
            })
        },
    )
}

/// Reads the labels of a run from a column.
fn read_labels(row: &Row<'_>, column: usize) -> Result<Option<Labels>, StoreError> {
    let text = row.get::<_, Option<String>>(column)?;
    text.map(|text| json("a run's labels", &text)).transpose()
}

/// Returns the number up to which no notifier needs events any more.
///
/// Without a notifier, this is the greatest number.
fn least_cursor(conn: &Connection) -> Result<i64, StoreError> {
    let least = row(conn, "SELECT min(seq) FROM notifiers", [], |row| {
        Ok(row.get::<_, Option<i64>>(0)?)
    })?;
    Ok(least.flatten().unwrap_or(i64::MAX))
}

/// Returns the oldest of the newest `keep_last` finished runs of a pipeline.
///
/// Returns `None` if the purge keeps no run of the pipeline.
fn oldest_retained(
    conn: &Connection,
    pipeline: i64,
    keep_last: u32,
) -> Result<Option<RunId>, StoreError> {
    let newest = rows(
        conn,
        "SELECT id FROM runs WHERE pipeline = ? AND finished_at IS NOT NULL ORDER BY id DESC LIMIT ?",
        params![pipeline, keep_last],
        |row| run_id(&row.get::<_, Vec<u8>>(0)?),
    )?;
    Ok(newest.last().copied())
}

impl Reader {
    pub(super) fn preview_purge(&self, purge: &Purge) -> Result<PurgeOutcome, StoreError> {
        select_runs(&self.conn, &self.unreadable, purge).map(|(outcome, _)| outcome)
    }
}

impl Tx {
    pub(super) fn purge(&mut self, purge: &Purge) -> Result<PurgeOutcome, StoreError> {
        let (outcome, runs) = select_runs(&self.conn, &self.unreadable, purge)?;
        let purged_seq = meta(&self.conn, "purged_seq");
        let purged_seq = self
            .unreadable
            .skip("a stored number", "purged_seq", purged_seq)?;
        let mut purged_seq = purged_seq.unwrap_or(0);
        for run in &runs {
            let newest: Option<i64> = self
                .row(
                    "SELECT max(seq) FROM journal WHERE run = ? AND seq < ?",
                    [run.key, NUMBERS_END],
                    |row| Ok(row.get(0)?),
                )?
                .flatten();
            purged_seq = purged_seq.max(newest.unwrap_or(0));
            self.purge_run(run)?;
        }
        if !runs.is_empty() {
            self.write_high_marks(purged_seq)?;
        }
        self.audit(purge.audit.as_ref(), purge.scope.tenant())?;
        Ok(outcome)
    }

    fn purge_run(&mut self, run: &PurgeCandidate) -> Result<(), StoreError> {
        let PurgeCandidate {
            key,
            id,
            finished_at: _,
            is_undelivered: _,
            pipeline,
            tenant,
            created_at,
            status,
            idempotency,
            backfill,
            labels,
            is_recovered,
        } = run;
        if let Some(idempotency) = idempotency {
            self.write(
                "UPDATE idempotency SET runs_left = max(runs_left, 1) - 1 WHERE key = ?",
                [idempotency],
            )?;
            self.write(
                "DELETE FROM idempotency WHERE key = ? AND runs_left <= 0",
                [idempotency],
            )?;
        }
        let counted = Counted {
            pipeline: *pipeline,
            tenant: tenant.as_ref(),
            created_at: *created_at,
            backfill: backfill.filter(|_| !is_recovered),
        };
        self.count(&counted, *status, None)?;
        if let Some(backfill) = backfill.filter(|_| *is_recovered) {
            self.backfills
                .note(backfill, Some(RunStatus::Success), None);
        }
        self.changes_finished = true;
        if let Some(id) = id {
            self.remove_labels(*id, labels)?;
            self.forget_end(id)?;
        }
        self.write("DELETE FROM runs WHERE key = ?", [key])?;
        self.sweep_later(Sweep::Run, *key)
    }
}
