//! The storage as a whole: its statistics, and its close.
//!
//! `figures` counts runs with every change, and `purge` deletes them.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::MemoryStorage;
use super::rows::RunRow;
use super::state::State;
use crate::error::Result;
use crate::model::{Event, PipelineId, Qualified, RunStatus, Scope};
use crate::storage::{Figures, FiguresFilter, Purge, PurgeMode, PurgeOutcome, Stats, System};

impl State {
    fn stats(&self, scope: &Scope) -> Stats {
        let mut stats = Stats {
            bytes: self.bytes(),
            purged_seq: self.events.purged(),
            dead_letter_count: self.dead_letter_count(scope),
            kind: "memory",
            ..Stats::default()
        };
        for pipeline in self.pipelines.in_scope(scope) {
            // A pipeline with active runs cannot be deleted, so this counts every active run.
            stats.pipeline_count += 1;
            let id = pipeline.qualified_id();
            stats.running_count += self.index.count(Some(&id), RunStatus::Running);
            stats.pending_count += self.index.count(Some(&id), RunStatus::Pending);
        }
        stats
    }

    /// Returns the size of the rows themselves and of the outputs. Other data that a row points to
    /// is not counted.
    fn bytes(&self) -> u64 {
        let mut outputs = BTreeMap::new();
        for held in self.runs.values().flat_map(|row| row.outputs.values()) {
            outputs.insert(held.made_by, held.output.length);
        }
        let rows = self.runs.len() * size_of::<RunRow>() + self.events.len() * size_of::<Event>();
        rows as u64 + outputs.values().sum::<u64>()
    }
}

#[async_trait]
impl System for MemoryStorage {
    async fn stats(&self, scope: &Scope) -> Result<Stats> {
        Ok(self.state()?.stats(scope))
    }

    async fn figures(&self, filter: FiguresFilter) -> Result<Vec<Figures>> {
        let state = self.state()?;
        let is_live = |pipeline: &Qualified<PipelineId>| state.pipelines.live(pipeline).is_some();
        Ok(state.index.days.figures(&filter, is_live))
    }

    async fn purge(&self, purge: Purge) -> Result<PurgeOutcome> {
        match purge.mode {
            PurgeMode::Delete => Ok(self.state()?.purge(&purge)),
            PurgeMode::Preview => Ok(self.state()?.select_purge(&purge).0),
        }
    }

    async fn close(&self) -> Result<()> {
        let mut state = self.0.state.lock();
        state.is_closed = true;
        state.finished_changes.close();
        Ok(())
    }
}
