//! The store as a whole: its figures, its size, purge, and its end.
//!
//! Counting runs is left to `tx`, dropping outputs to `outputs`.

use async_trait::async_trait;
use rusqlite::params;

use super::SqliteStorage;
use super::fault::Fault;
use super::inbox::Lane;
use super::reader::Reader;
use super::rows::tenant;
use super::state::meta;
use super::tx::{Counted, Tx};
use super::values::{date, day, id, millis, node_keys, to_run_status, uint};
use crate::error::Result;
use crate::model::{RunStatus, Scope, TenantId};
use crate::storage::{Figures, FiguresFilter, Purge, Purged, Stats, System};

#[async_trait]
impl System for SqliteStorage {
    async fn stats(&self, scope: &Scope) -> Result<Stats> {
        let scope = scope.clone();
        self.read(move |reader| reader.snapshot(|reader| reader.stats(&scope)))
            .await
    }

    async fn figures(&self, filter: FiguresFilter) -> Result<Vec<Figures>> {
        self.read(move |reader| reader.snapshot(|reader| reader.figures(&filter)))
            .await
    }

    async fn purge(&self, purge: Purge) -> Result<Purged> {
        self.step(Lane::Normal, move |tx| tx.purge(&purge)).await
    }

    async fn close(&self) -> Result<()> {
        self.end().await
    }
}

impl Reader {
    fn stats(&self, scope: &Scope) -> Result<Stats, Fault> {
        let tenant = scope.tenant().map(TenantId::as_str);
        let one = |sql, tenant| self.row(sql, [tenant], |row| Ok(uint(row.get(0)?)));
        let pipelines =
            "SELECT count(*) FROM pipelines WHERE slug IS NOT NULL AND (?1 IS NULL OR tenant = ?1)";
        let counts = self.row(
            "SELECT ifnull(sum(running), 0), ifnull(sum(pending), 0) FROM daily WHERE pipeline = 0 AND tenant = ?",
            [tenant.unwrap_or("")],
            |row| Ok((uint(row.get(0)?), uint(row.get(1)?))),
        )?;
        let (running_count, pending_count) = counts.unwrap_or_default();
        let bytes = self.row(
            "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
            [],
            |row| Ok(uint(row.get(0)?)),
        )?;
        let dead = "SELECT count(*) FROM parked p JOIN runs r ON r.key = p.run \
             WHERE p.is_dead = 1 AND (?1 IS NULL OR r.tenant = ?1)";
        Ok(Stats {
            pipeline_count: one(pipelines, tenant)?.unwrap_or_default(),
            running_count,
            pending_count,
            bytes: bytes.unwrap_or_default(),
            purged_seq: uint(meta(&self.conn, "purged_seq")?),
            dead_letter_count: one(dead, tenant)?.unwrap_or_default(),
        })
    }

    fn figures(&self, filter: &FiguresFilter) -> Result<Vec<Figures>, Fault> {
        let FiguresFilter {
            scope,
            pipeline,
            from,
            to,
        } = filter;
        let key = match pipeline {
            None => Some(0),
            Some(id) => self.row(
                "SELECT key FROM pipelines WHERE id = ?",
                [id.as_str()],
                |row| Ok(row.get(0)?),
            )?,
        };
        let Some(key) = key else {
            return Ok(Vec::new());
        };
        let days = (day(*from), day(*to));
        match (pipeline, scope.tenant()) {
            // A pipeline that was deleted and taken up again by another tenant has figures of both.
            (Some(_), None) => self.rows(
                "SELECT day, sum(pending), sum(running), sum(success), sum(failed), sum(cancelled) FROM daily \
                 WHERE pipeline = ? AND day BETWEEN ? AND ? GROUP BY day \
                 HAVING sum(pending + running + success + failed + cancelled) > 0 ORDER BY day",
                params![key, days.0, days.1],
                read_figures,
            ),
            (_, tenant) => self.rows(
                "SELECT day, pending, running, success, failed, cancelled FROM daily \
                 WHERE pipeline = ? AND tenant = ? AND day BETWEEN ? AND ? \
                 AND pending + running + success + failed + cancelled > 0 ORDER BY day",
                params![key, tenant.map_or("", TenantId::as_str), days.0, days.1],
                read_figures,
            ),
        }
    }
}

fn read_figures(row: &rusqlite::Row<'_>) -> Result<Figures, Fault> {
    Ok(Figures {
        date: date(row.get(0)?)?,
        pending: uint(row.get(1)?),
        running: uint(row.get(2)?),
        success: uint(row.get(3)?),
        failed: uint(row.get(4)?),
        cancelled: uint(row.get(5)?),
    })
}

/// A finished run that is to go.
struct Gone {
    key: i64,
    pipeline: i64,
    tenant: Option<TenantId>,
    created_at: i64,
    status: RunStatus,
    idempotency: Option<i64>,
}

impl Tx {
    fn purge(&mut self, purge: &Purge) -> Result<Purged, Fault> {
        let runs = self.finished(purge)?;
        let mut purged_seq = meta(&self.conn, "purged_seq")?;
        for run in &runs {
            let newest: Option<i64> = self
                .row(
                    "SELECT max(seq) FROM journal WHERE run = ?",
                    [run.key],
                    |row| Ok(row.get(0)?),
                )?
                .flatten();
            purged_seq = purged_seq.max(newest.unwrap_or(0));
            self.purge_run(run)?;
        }
        if !runs.is_empty() {
            self.note_purged(purged_seq)?;
            self.free_pages()?;
        }
        Ok(Purged::new(runs.len() as u64))
    }

    /// Up to which number every notifier has got the events; all of them without a notifier.
    fn least_cursor(&self) -> Result<i64, Fault> {
        let least = self.row("SELECT min(seq) FROM notifiers", [], |row| {
            Ok(row.get::<_, Option<i64>>(0)?)
        })?;
        Ok(least.flatten().unwrap_or(i64::MAX))
    }

    fn finished(&self, purge: &Purge) -> Result<Vec<Gone>, Fault> {
        let Purge {
            before,
            count_max,
            scope,
        } = purge;
        self.rows(
            "SELECT key, pipeline, tenant, created_at, status, idempotency FROM runs \
             WHERE finished_at < ?1 AND (?2 IS NULL OR tenant = ?2) \
             AND (SELECT max(seq) FROM journal WHERE run = runs.key) <= ?4 \
             AND NOT EXISTS (SELECT 1 FROM parked WHERE run = runs.key AND is_dead = 0) \
             ORDER BY finished_at, id LIMIT ?3",
            params![
                millis(*before),
                scope.tenant().map(TenantId::as_str),
                i64::from(*count_max),
                self.least_cursor()?,
            ],
            |row| {
                Ok(Gone {
                    key: row.get(0)?,
                    pipeline: row.get(1)?,
                    tenant: tenant(row.get(2)?)?,
                    created_at: row.get(3)?,
                    status: to_run_status(row.get(4)?)?,
                    idempotency: row.get(5)?,
                })
            },
        )
    }

    fn purge_run(&mut self, run: &Gone) -> Result<(), Fault> {
        let Gone {
            key,
            pipeline,
            tenant,
            created_at,
            status,
            idempotency,
        } = run;
        self.drop_outputs(*key, |_, _| false)?;
        let (first, last) = node_keys(*key);
        self.write(
            "DELETE FROM previews WHERE key BETWEEN ? AND ?",
            [first, last],
        )?;
        self.write(
            "DELETE FROM profiles WHERE key BETWEEN ? AND ?",
            [first, last],
        )?;
        self.write(
            "DELETE FROM node_runs WHERE key BETWEEN ? AND ?",
            [first, last],
        )?;
        self.write("DELETE FROM parked WHERE run = ?", [key])?;
        self.write("DELETE FROM journal WHERE run = ?", [key])?;
        if let Some(idempotency) = idempotency {
            self.write(
                "UPDATE idempotency SET runs_left = runs_left - 1 WHERE key = ?",
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
        };
        self.count(&counted, Some(*status), None)?;
        self.write("DELETE FROM runs WHERE key = ?", [key])?;
        Ok(())
    }

    /// Keeps what must not be given out again though its last bearer is gone.
    fn note_purged(&mut self, purged_seq: i64) -> Result<(), Fault> {
        let (next_seq, next_run) = (self.state.next_seq, self.state.next_run);
        for (name, value) in [
            ("purged_seq", purged_seq),
            ("next_seq", next_seq),
            ("next_run", next_run),
        ] {
            self.write(
                "UPDATE meta SET value = ? WHERE name = ?",
                params![value, name],
            )?;
        }
        let newest = self.state.newest_run;
        self.write(
            "UPDATE meta SET value = ? WHERE name = 'newest_run'",
            [newest.as_ref().map_or(&[][..], id)],
        )?;
        Ok(())
    }

    /// Gives pages back to the system, a few at a time, once a good part of the file is free; what stays free is used by the next runs.
    fn free_pages(&mut self) -> Result<(), Fault> {
        const FREE_MIN: i64 = 1_024;
        const STEP: i64 = 256;
        let number = |name: &str| {
            self.conn
                .pragma_query_value(None, name, |row| row.get::<_, i64>(0))
        };
        let free = number("freelist_count")?;
        if free > FREE_MIN && free > number("page_count")? / 4 {
            self.conn
                .execute_batch(&format!("PRAGMA incremental_vacuum({STEP})"))?;
        }
        Ok(())
    }
}
