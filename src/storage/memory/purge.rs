//! Purge: which finished runs it deletes, and their removal from every table.
//!
//! The engine decides when a purge runs. Beyond the maximum of retained runs, every finished run
//! causes one.

use std::collections::HashMap;
use std::ops::Bound;

use super::rows::Key;
use super::run_list::newest_first;
use super::state::State;
use crate::model::{PipelineId, Qualified, RunId, RunStatus};
use crate::storage::{Purge, PurgeCursor, PurgeOutcome};

impl State {
    pub(super) fn purge(&mut self, purge: &Purge) -> PurgeOutcome {
        let (outcome, runs) = self.select_purge(purge);
        runs.into_iter().for_each(|id| self.purge_run(id));
        self.audit(purge.audit.clone(), purge.scope.tenant());
        outcome
    }

    /// Returns the outcome of a purge, and the runs that it deletes.
    pub(super) fn select_purge(&self, purge: &Purge) -> (PurgeOutcome, Vec<RunId>) {
        let Purge {
            before,
            count_max,
            scope,
            keep_last,
            after,
            mode: _,
            audit: _,
        } = purge;
        let after = after.map_or(Bound::Unbounded, |after| {
            Bound::Excluded((after.finished_at, after.run))
        });
        let finished = self.index.finished.range((after, Bound::Unbounded));
        let looked_at: Vec<_> = finished
            .take_while(|(at, _)| at < before)
            .filter_map(|(at, id)| Some((*at, self.runs.get(id)?)))
            .take(*count_max as usize)
            .collect();
        let next = looked_at
            .last()
            .filter(|_| looked_at.len() == *count_max as usize)
            .map(|(at, row)| PurgeCursor::new(*at, row.run.id));
        let undelivered = self.cursors.undelivered();
        let mut retained = HashMap::new();
        let rows = looked_at.into_iter().map(|(_, row)| row);
        let selected: Vec<_> = rows
            .filter(|row| scope.admits(row.run.tenant.as_ref()) && !undelivered.contains(row))
            .map(|row| &row.run)
            .filter(|run| {
                let oldest = retained
                    .entry(run.qualified_pipeline())
                    .or_insert_with_key(|pipeline| self.oldest_retained(pipeline, *keep_last));
                oldest.is_none_or(|oldest| run.id < oldest)
            })
            .map(|run| run.id)
            .collect();
        (PurgeOutcome::new(selected.len() as u64, next), selected)
    }

    /// Returns the smallest id among the newest finished runs of a pipeline, or `None` if none is
    /// retained.
    fn oldest_retained(&self, pipeline: &Qualified<PipelineId>, keep_last: u32) -> Option<RunId> {
        let terminal = [RunStatus::Success, RunStatus::Failed, RunStatus::Cancelled];
        let sets = terminal
            .into_iter()
            .filter_map(|status| self.index.with_status(Some(pipeline), status));
        newest_first(sets, None).take(keep_last as usize).last()
    }

    /// Purges the earliest finished runs beyond the maximum.
    ///
    /// Runs that a notifier still needs are retained, up to the same number again.
    pub(super) fn purge_surplus(&mut self) {
        let surplus = self
            .index
            .finished
            .len()
            .saturating_sub(self.options.runs_max);
        if surplus == 0 {
            return;
        }
        let undelivered = self.cursors.undelivered();
        let mut forced = surplus.saturating_sub(self.options.runs_max);
        let mut selected = Vec::new();
        for (_, id) in &self.index.finished {
            if selected.len() == surplus {
                break;
            }
            let is_spared = self
                .runs
                .get(id)
                .is_some_and(|row| undelivered.contains(row));
            if is_spared && forced == 0 {
                continue;
            }
            forced = forced.saturating_sub(1);
            selected.push(*id);
        }
        selected.iter().for_each(|id| self.purge_run(*id));
    }

    fn purge_run(&mut self, id: RunId) {
        let _step = self.finished_changes.begin();
        let Some(row) = self.runs.remove(&id) else {
            return;
        };
        self.index.remove(&row.run);
        self.events.purge(&row.seqs);
        self.cursors.purge(&row.seqs);
        if let Some(key) = row.key {
            self.remove_unused_key(&key);
        }
        if let Some(backfill) = row.run.backfill_id {
            self.remove_empty_backfill(backfill);
        }
        if let Some(at) = row.fire_at {
            self.ticks.remove(&(row.run.qualified_pipeline(), at));
        }
        self.forget_end(&row.run);
        if let Some(upstream) = row.run.upstream_run_id {
            let key = (row.run.qualified_pipeline(), upstream);
            self.upstream_runs.remove(&key);
        }
    }

    /// Removes a key once the last run that it created is purged.
    fn remove_unused_key(&mut self, key: &Key) {
        let created = self.keys.get(key).map(|row| &row.run_ids);
        if created.is_some_and(|created| !created.iter().any(|run| self.runs.contains_key(run))) {
            self.keys.remove(key);
        }
    }
}
