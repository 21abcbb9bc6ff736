//! Which finished runs a purge takes, and taking them out of every table.
//!
//! When a purge is due is decided above; beyond the number that is kept, the end of a run decides
//! it.

use std::collections::HashMap;
use std::ops::Bound;

use super::rows::Key;
use super::run_list::newest_first;
use super::state::State;
use crate::model::{PipelineId, RunId, RunStatus};
use crate::storage::{Purge, PurgeCursor, PurgeOutcome};

impl State {
    pub(super) fn purge(&mut self, purge: &Purge) -> PurgeOutcome {
        let (purged, due) = self.due(purge);
        due.into_iter().for_each(|id| self.purge_run(id));
        purged
    }

    /// What a purge answers, and the runs that it takes.
    pub(super) fn due(&self, purge: &Purge) -> (PurgeOutcome, Vec<RunId>) {
        let Purge {
            before,
            count_max,
            scope,
            keep_last,
            after,
            mode: _,
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
        let mut kept = HashMap::new();
        let rows = looked_at.into_iter().map(|(_, row)| row);
        let due: Vec<_> = rows
            .filter(|row| scope.admits(row.run.tenant.as_ref()) && !undelivered.spares(row))
            .map(|row| &row.run)
            .filter(|run| {
                let first = kept
                    .entry(&run.pipeline_id)
                    .or_insert_with(|| self.first_kept(&run.pipeline_id, *keep_last));
                first.is_none_or(|first| run.id < first)
            })
            .map(|run| run.id)
            .collect();
        (PurgeOutcome::new(due.len() as u64, next), due)
    }

    /// The smallest id among the last finished runs of a pipeline that are kept; nothing where none
    /// is.
    fn first_kept(&self, pipeline: &PipelineId, keep_last: u32) -> Option<RunId> {
        let ends = [RunStatus::Success, RunStatus::Failed, RunStatus::Cancelled];
        let sets = ends
            .into_iter()
            .filter_map(|status| self.index.with_status(Some(pipeline), status));
        newest_first(sets, None).take(keep_last as usize).last()
    }

    /// Purges the longest finished runs beyond the number that is kept. As many again are spared
    /// for notifiers that have not got them.
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
        let mut due = Vec::new();
        for (_, id) in &self.index.finished {
            if due.len() == surplus {
                break;
            }
            let is_spared = self.runs.get(id).is_some_and(|row| undelivered.spares(row));
            if is_spared && forced == 0 {
                continue;
            }
            forced = forced.saturating_sub(1);
            due.push(*id);
        }
        due.iter().for_each(|id| self.purge_run(*id));
    }

    fn purge_run(&mut self, id: RunId) {
        let Some(row) = self.runs.remove(&id) else {
            return;
        };
        self.index.remove(&row.run);
        self.events.purge(&row.seqs);
        self.cursors.purge(&row.seqs);
        if let Some(key) = row.key {
            self.end_key(&key);
        }
        if let Some(backfill) = row.run.backfill_id {
            self.end_backfill(backfill);
        }
        if let Some(at) = row.fire_at {
            self.ticks.remove(&(row.run.pipeline_id, at));
        }
    }

    /// Forgets a key once the last run that it made is purged.
    fn end_key(&mut self, key: &Key) {
        let made = self.keys.get(key).map(|row| &row.run_ids);
        if made.is_some_and(|made| !made.iter().any(|run| self.runs.contains_key(run))) {
            self.keys.remove(key);
        }
    }
}
