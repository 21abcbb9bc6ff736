//! Why a pending run waits, and how many runs come before it.
//!
//! `rules` chooses the reason. A reader finds what a claim knows from the memory of the writer, so
//! that a caller has its answer while nothing can be written. No query examines more rows than
//! [`Waiting::EXAMINED_MAX`].

use chrono::{DateTime, Utc};
use rusqlite::{Row, params};

use super::cached_pipelines::read_max_concurrent_runs;
use super::dependency_rules::{read_end, read_rule};
use super::keys;
use super::lanes::{self, Held};
use super::naming::tenant_text;
use super::reader::Reader;
use super::store_error::StoreError;
use super::values::{self, id, optional_time, to_i64, to_u64};
use crate::model::{LaneClass, Rank, RunId, Scope, TenantId, WaitReason, Waiting};
use crate::storage::rules::{Competitors, LaneLimits, Obstacles, Usage};

/// A pending run, as far as its place in the queue needs it.
struct PendingRun {
    id: RunId,
    rank: Rank,
    held: Held,
    pipeline: i64,
    backfill: Option<i64>,
    run_after: Option<DateTime<Utc>>,
    tenant: Option<TenantId>,
    is_paused: bool,
    max_concurrent_runs: Option<u64>,
    concurrency_key: Option<String>,
}

impl Reader {
    pub(super) fn waiting(
        &self,
        run: RunId,
        scope: &Scope,
        now: DateTime<Utc>,
    ) -> Result<Option<Waiting>, StoreError> {
        let found = self.row(
            "SELECT r.priority, r.pipeline, r.backfill, r.run_after, r.tenant, p.paused_at IS NOT NULL OR b.paused_at IS NOT NULL, p.max_concurrent_runs, r.concurrency_key \
             FROM runs r CROSS JOIN pipelines p ON p.key = r.pipeline LEFT JOIN backfills b ON b.key = r.backfill WHERE r.id = ? AND r.status = 0",
            [id(&run)],
            |row| {
                self.unreadable
                    .skip("a pending run", run, read_pending(row, run))
            },
        )?;
        let Some(found) = found.flatten() else {
            return Ok(None);
        };
        if !scope.admits(found.tenant.as_ref()) {
            return Ok(None);
        }
        let until = found.run_after.filter(|after| *after > now);
        let (limits, is_descending) = self.limits_of(&found)?;
        let obstacles = Obstacles {
            is_paused: found.is_paused,
            is_delayed: until.is_some(),
            is_blocked: self.is_behind_gate(&found, now)?,
            is_held: found.held == Held::ByKey,
            limits,
        };
        let reason = obstacles.reason();
        let ahead = self.ahead(&found, reason, is_descending)?;
        let mut waiting = Waiting::new(reason, ahead);
        waiting.until = until.filter(|_| reason == WaitReason::RunAfter);
        Ok(Some(waiting))
    }

    /// Returns the limits on the lane of a run, and whether its backfill is claimed in descending
    /// order.
    fn limits_of(&self, run: &PendingRun) -> Result<(LaneLimits, bool), StoreError> {
        let (mut running, mut scheduled) = (0, 0);
        for rank in Rank::all() {
            let of_rank = self.running_of_rank(rank, run.pipeline)?;
            running += of_rank;
            if rank.class == LaneClass::Schedule {
                scheduled += of_rank;
            }
        }
        let backfill = self.backfill_usage(run.backfill)?;
        let limits = LaneLimits {
            class: run.rank.class,
            pipeline: Usage {
                running,
                max: run.max_concurrent_runs,
            },
            backfill: backfill.map(|(usage, _)| usage),
            is_schedule_executing: scheduled > 0,
        };
        Ok((limits, backfill.is_some_and(|(_, descending)| descending)))
    }

    /// Counts the executing runs of a rank, which are usually older than those that wait.
    fn running_of_rank(&self, rank: Rank, pipeline: i64) -> Result<u64, StoreError> {
        let found = self.row(
            "SELECT count(*) FILTER (WHERE status = 1) FROM (SELECT status FROM runs INDEXED BY runs_active \
             WHERE finished_at IS NULL AND priority = ? AND pipeline = ? LIMIT ?)",
            params![values::rank(rank), pipeline, examined_max()],
            |row| Ok(to_u64(row.get(0)?)),
        )?;
        Ok(found.unwrap_or(0))
    }

    fn backfill_usage(&self, backfill: Option<i64>) -> Result<Option<(Usage, bool)>, StoreError> {
        self.row(
            "SELECT running, max_parallel, is_descending FROM backfills WHERE key = ?",
            [backfill],
            |row| {
                let usage = Usage {
                    running: to_u64(row.get(0)?),
                    max: Some(to_u64(row.get(1)?)),
                };
                Ok((usage, row.get(2)?))
            },
        )
    }

    fn is_behind_gate(&self, run: &PendingRun, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let sql = "SELECT d.pipeline, e.pipeline IS NOT NULL, d.upstream, d.mode, d.state, d.within_ms, e.status, e.ended_at FROM dependencies d \
             LEFT JOIN pipelines u ON u.id = d.upstream AND coalesce(u.tenant, '') = ? AND u.slug IS NOT NULL \
             LEFT JOIN latest_ends e ON e.pipeline = u.key WHERE d.pipeline = ? AND d.mode = 0";
        let values = params![tenant_text(run.tenant.as_ref()), run.pipeline];
        let gates = self.readable_rows("a dependency", sql, values, |row| {
            let rule = read_rule(row, 2)?;
            let end = row.get::<_, bool>(1)?.then(|| read_end(row, 6));
            let end = end.map(|end| self.unreadable.skip("the end of a run", run.pipeline, end));
            // As for a claim, an end that cannot be read is none.
            let end = end.transpose()?.flatten();
            Ok(end.is_some_and(|end| end.satisfies(&rule, now)))
        })?;
        Ok(gates.contains(&false))
    }

    /// Returns how many runs come before a run, among those that its reason is about.
    fn ahead(
        &self,
        run: &PendingRun,
        reason: WaitReason,
        is_descending: bool,
    ) -> Result<Option<u64>, StoreError> {
        let competitors = Competitors::of(reason);
        let ready = match competitors {
            Competitors::OfKey => self.ready_of_key(run)?,
            Competitors::All | Competitors::OfPipeline | Competitors::OfBackfill => 0,
        };
        let (mut ahead, mut examined) = (ready, ready);
        for rank in Rank::all().filter(|rank| *rank <= run.rank) {
            let (count, before) = self.pending_of_rank(rank, run, competitors, is_descending)?;
            examined += count;
            ahead += if rank < run.rank { count } else { before };
        }
        Ok((examined <= Waiting::EXAMINED_MAX).then_some(ahead))
    }

    /// Counts the runs of the key of a run that are pending and ready.
    fn ready_of_key(&self, run: &PendingRun) -> Result<u64, StoreError> {
        let sql = format!(
            "SELECT count(*) FROM (SELECT 1 FROM runs INDEXED BY runs_of_key WHERE finished_at IS NULL \
             AND pipeline = ? AND concurrency_key = ? AND {} AND status = 0 LIMIT ?)",
            keys::READY
        );
        let values = params![run.pipeline, run.concurrency_key, examined_max()];
        let found = self.row(&sql, values, |row| Ok(to_u64(row.get(0)?)))?;
        Ok(found.unwrap_or(0))
    }

    /// Counts the pending runs of a rank that a reason is about, and those with an earlier id, or
    /// with a later one if the backfill of the run is claimed in descending order.
    fn pending_of_rank(
        &self,
        rank: Rank,
        run: &PendingRun,
        competitors: Competitors,
        is_descending: bool,
    ) -> Result<(u64, u64), StoreError> {
        let number = match competitors {
            Competitors::OfKey => lanes::number(rank, Held::ByKey),
            Competitors::All | Competitors::OfPipeline | Competitors::OfBackfill => {
                values::rank(rank)
            }
        };
        let (own, before, max) = (run.backfill, id(&run.id), examined_max());
        let read = |row: &Row<'_>| Ok((to_u64(row.get(0)?), to_u64(row.get(1)?)));
        let text = &run.concurrency_key;
        let values = params![number, own, is_descending, before, max, run.pipeline, text];
        let found = self.row(&ahead_among(competitors), values, read)?;
        Ok(found.unwrap_or_default())
    }
}

/// Returns the query that counts pending runs of a rank, and those that come before a run.
fn ahead_among(competitors: Competitors) -> String {
    let index = match competitors {
        Competitors::OfKey => "runs_of_key",
        Competitors::All | Competitors::OfPipeline | Competitors::OfBackfill => "runs_active",
    };
    let among = match competitors {
        // Each of these queries takes the same values.
        Competitors::All => " AND ?7 IS ?7 AND ?6 IS NOT NULL",
        Competitors::OfPipeline => " AND ?7 IS ?7 AND pipeline = ?6",
        Competitors::OfBackfill => " AND ?7 IS ?7 AND pipeline = ?6 AND backfill = ?2",
        Competitors::OfKey => " AND pipeline = ?6 AND concurrency_key = ?7",
    };
    format!(
        "SELECT count(*), count(*) FILTER (WHERE CASE WHEN ?3 AND backfill IS ?2 THEN id > ?4 ELSE id < ?4 END) FROM \
         (SELECT id, backfill FROM runs INDEXED BY {index} WHERE finished_at IS NULL AND priority = ?1 \
         AND status = 0{among} LIMIT ?5)"
    )
}

fn read_pending(row: &Row<'_>, id: RunId) -> Result<PendingRun, StoreError> {
    let (rank, held) = lanes::read_number(row.get(0)?)?;
    Ok(PendingRun {
        id,
        rank,
        held,
        pipeline: row.get(1)?,
        backfill: row.get(2)?,
        run_after: optional_time(row.get(3)?)?,
        tenant: values::tenant(row.get(4)?)?,
        is_paused: row.get(5)?,
        max_concurrent_runs: read_max_concurrent_runs(row, 6)?,
        concurrency_key: row.get(7)?,
    })
}

/// Returns how many rows a query examines: one more than may be examined, to notice that.
fn examined_max() -> i64 {
    to_i64(Waiting::EXAMINED_MAX + 1)
}
