//! The store as a whole: its numbers, purge, and its end.
//!
//! The figures are counted in `figures` with every change.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::MemoryStorage;
use super::state::{Key, RunRow, State};
use crate::error::Result;
use crate::model::{Event, RunId, RunStatus, Scope};
use crate::storage::{Figures, FiguresFilter, Purge, Purged, Stats, System};

impl State {
    fn stats(&self, scope: &Scope) -> Stats {
        let mut stats = Stats {
            bytes: self.bytes(),
            purged_seq: self.events.purged(),
            dead_letter_count: self.dead_letter_count(scope),
            ..Stats::default()
        };
        for pipeline in self.pipelines.in_scope(scope) {
            // A pipeline with active runs cannot be deleted, so that none is left out.
            stats.pipeline_count += 1;
            stats.running_count += self.index.count(Some(&pipeline.id), RunStatus::Running);
            stats.pending_count += self.index.count(Some(&pipeline.id), RunStatus::Pending);
        }
        stats
    }

    /// The rows at their size and the outputs; what rows point to is not counted.
    fn bytes(&self) -> u64 {
        let mut outputs = BTreeMap::new();
        for kept in self.runs.values().flat_map(|row| row.outputs.values()) {
            outputs.insert(kept.made_by, kept.output.length);
        }
        let rows = self.runs.len() * size_of::<RunRow>() + self.events.len() * size_of::<Event>();
        rows as u64 + outputs.values().sum::<u64>()
    }

    fn purge(&mut self, purge: &Purge) -> Purged {
        let undelivered = self.places.undelivered();
        let is_asked = |id: &RunId| {
            let row = self.run(*id, &purge.scope);
            row.is_some_and(|row| !undelivered.spares(row))
        };
        let before = self.index.finished.iter().map_while(|(at, id)| {
            let is_due = *at < purge.before;
            is_due.then_some(*id)
        });
        let due = before.filter(is_asked).take(purge.count_max as usize);
        let due: Vec<_> = due.collect();
        due.iter().for_each(|id| self.purge_run(*id));
        Purged::new(due.len() as u64)
    }

    /// Purges the longest finished runs beyond the number that is kept. As many again are spared for notifiers that have not got them.
    pub(super) fn purge_surplus(&mut self) {
        let surplus = self
            .index
            .finished
            .len()
            .saturating_sub(self.options.runs_max);
        if surplus == 0 {
            return;
        }
        let undelivered = self.places.undelivered();
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
        self.places.purge(&row.seqs);
        if let Some(key) = row.key {
            self.end_key(&key);
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

#[async_trait]
impl System for MemoryStorage {
    async fn stats(&self, scope: &Scope) -> Result<Stats> {
        Ok(self.read().stats(scope))
    }

    async fn figures(&self, filter: FiguresFilter) -> Result<Vec<Figures>> {
        Ok(self.read().index.days.of(&filter))
    }

    async fn purge(&self, purge: Purge) -> Result<Purged> {
        Ok(self.write()?.purge(&purge))
    }

    async fn close(&self) -> Result<()> {
        self.0.state.lock().is_closed = true;
        Ok(())
    }
}
