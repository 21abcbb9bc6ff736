//! The storage as a whole: statistics, figures, purge and close.
//!
//! The trail file is closed in `audited`.

use std::collections::BTreeMap;

use async_trait::async_trait;
use floret::storage::{
    Figures, FiguresBy, FiguresFilter, Purge, PurgeCursor, PurgeMode, PurgeOutcome, Stats, System,
};
use floret::{Error, Result, Run, RunId, RunStatus, Scope};

use crate::audited::AuditedStorage;
use crate::rows::Rows;

#[async_trait]
impl System for AuditedStorage {
    async fn stats(&self, scope: &Scope) -> Result<Stats> {
        let bytes = self.trail_bytes()?;
        self.read(|rows| {
            let runs = || {
                rows.runs
                    .values()
                    .filter(|row| scope.admits(row.run.tenant.as_ref()))
            };
            let count = |status| runs().filter(|row| row.run.status == status).count() as u64;
            let parked = rows
                .cursors
                .values()
                .flat_map(|cursor| cursor.parked.values());
            let dead =
                parked.filter(|parked| parked.is_dead && rows.run(parked.run, scope).is_some());
            let pipelines = rows.pipelines.items();
            let seen = pipelines.filter(|pipeline| scope.admits(pipeline.tenant.as_ref()));
            let mut stats = Stats::default();
            stats.pipeline_count = seen.count() as u64;
            stats.running_count = count(RunStatus::Running);
            stats.pending_count = count(RunStatus::Pending);
            stats.bytes = bytes;
            stats.purged_seq = rows.purged_seq;
            stats.dead_letter_count = dead.count() as u64;
            stats.kind = "audited";
            stats
        })
    }

    async fn figures(&self, filter: FiguresFilter) -> Result<Vec<Figures>> {
        self.read(|rows| figures(rows, &filter))?
    }

    async fn purge(&self, purge: Purge) -> Result<PurgeOutcome> {
        match purge.mode {
            PurgeMode::Delete => self.write("purge", |rows| Ok(purge_runs(rows, &purge))),
            PurgeMode::Preview => self.read(|rows| purge_runs(&mut rows.clone(), &purge)),
            other => Err(Error::internal(format!("cannot purge as {other:?}"))),
        }
    }

    async fn close(&self) -> Result<()> {
        self.close_trail()
    }
}

fn figures(rows: &Rows, filter: &FiguresFilter) -> Result<Vec<Figures>> {
    let days = filter.from..=filter.to;
    let runs = rows.runs.values().map(|row| &row.run).filter(|run| {
        filter.scope.admits(run.tenant.as_ref())
            && filter
                .pipeline
                .as_ref()
                .is_none_or(|pipeline| *pipeline == run.pipeline_id)
            && days.contains(&run.created_at.date_naive())
    });
    match filter.by {
        FiguresBy::Day => {
            let mut by_day = BTreeMap::new();
            for run in runs {
                let date = run.created_at.date_naive();
                count(
                    by_day.entry(date).or_insert_with(|| Figures::new(date)),
                    run,
                );
            }
            Ok(by_day.into_values().collect())
        }
        FiguresBy::FailingPipeline { count_max } => {
            let mut by_pipeline = BTreeMap::new();
            for run in runs {
                let own = run.qualified_pipeline();
                if rows.pipelines.get(&own).is_none() {
                    continue;
                }
                let new = || Figures::new(filter.from);
                let figures = by_pipeline.entry(own.clone()).or_insert_with(new);
                figures.pipeline = Some(own);
                count(figures, run);
            }
            let mut all: Vec<_> = by_pipeline.into_values().collect();
            all.retain(|figures| figures.failed > 0);
            // The sort is stable, so pipelines with equal counts stay ordered by id and tenant.
            all.sort_by_key(|figures| std::cmp::Reverse(figures.failed));
            all.truncate(usize::try_from(count_max).unwrap_or(usize::MAX));
            Ok(all)
        }
        other => Err(Error::internal(format!("cannot count by {other:?}"))),
    }
}

fn count(figures: &mut Figures, run: &Run) {
    match run.status {
        RunStatus::Pending => figures.pending += 1,
        RunStatus::Running => figures.running += 1,
        RunStatus::Success => figures.success += 1,
        RunStatus::Failed => figures.failed += 1,
        RunStatus::Cancelled => figures.cancelled += 1,
        _ => {}
    }
}

fn purge_runs(rows: &mut Rows, purge: &Purge) -> PurgeOutcome {
    let runs = rows.runs.values().map(|row| &row.run);
    let finished = runs.filter_map(|run| Some(PurgeCursor::new(run.finished_at?, run.id)));
    let mut cursors: Vec<_> = finished
        .filter(|cursor| cursor.finished_at < purge.before)
        .filter(|cursor| purge.after.is_none_or(|after| *cursor > after))
        .collect();
    cursors.sort_unstable();
    let count = usize::try_from(purge.count_max).unwrap_or(usize::MAX);
    cursors.truncate(count);
    let next = cursors.last().copied().filter(|_| cursors.len() == count);
    cursors.retain(|cursor| {
        let is_seen = rows.run(cursor.run, &purge.scope).is_some();
        is_seen && !must_stay(rows, cursor.run, purge.keep_last)
    });
    for cursor in &cursors {
        delete(rows, cursor.run);
    }
    delete_unreferenced(rows);
    rows.audit(purge.audit.as_ref(), purge.scope.tenant());
    PurgeOutcome::new(cursors.len() as u64, next)
}

/// Returns whether a run is one of the last of its pipeline, or has an event that a notifier has
/// not received.
fn must_stay(rows: &Rows, id: RunId, keep_last: u32) -> bool {
    let Some(row) = rows.runs.get(&id) else {
        return true;
    };
    let own = row.run.qualified_pipeline();
    let others = rows.runs_of(&own).map(|row| &row.run);
    let newer = others
        .filter(|run| run.id > id && run.status.is_terminal())
        .count();
    let is_of_run = |seq: &&u64| {
        rows.events
            .get(*seq)
            .is_some_and(|event| event.run_id == id)
    };
    let last_seq = rows.events.keys().rev().find(is_of_run);
    (newer as u64) < u64::from(keep_last)
        || rows.cursors.values().any(|cursor| {
            let mut parked = cursor.parked.values();
            last_seq.is_some_and(|seq| cursor.seq < *seq)
                || parked.any(|parked| parked.run == id && !parked.is_dead)
        })
}

/// Deletes a run, its events and those parked of them.
fn delete(rows: &mut Rows, id: RunId) {
    rows.runs.remove(&id);
    for ends in rows.waiting_ends.values_mut() {
        ends.remove(&id);
    }
    let Rows {
        events, purged_seq, ..
    } = rows;
    events.retain(|seq, event| {
        let is_of_run = event.run_id == id;
        *purged_seq = (*purged_seq).max(if is_of_run { *seq } else { 0 });
        !is_of_run
    });
    for cursor in rows.cursors.values_mut() {
        cursor.parked.retain(|_, parked| parked.run != id);
    }
}

/// Deletes what no remaining run needs.
fn delete_unreferenced(rows: &mut Rows) {
    let Rows {
        runs,
        outputs,
        keys,
        backfills,
        ..
    } = rows;
    outputs.retain(|key, _| {
        let is_held = |run: &Run| {
            let mut inherited = run.inherited.iter();
            inherited.any(|output| (output.from_run, output.from_node_index) == *key)
        };
        runs.contains_key(&key.0) || runs.values().any(|row| is_held(&row.run))
    });
    keys.retain(|_, key| key.run_ids.iter().any(|run| runs.contains_key(run)));
    backfills.retain(|id, _| runs.values().any(|row| row.run.backfill_id == Some(*id)));
}
