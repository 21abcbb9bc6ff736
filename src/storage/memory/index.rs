//! By what runs are found without looking at all of them: status, pipeline, lane of the queue,
//! chain, end, day.
//!
//! Which of them a question uses is decided by its noun.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::figures::Days;
use crate::model::{BackfillId, PipelineId, Priority, Run, RunId, RunStatus};

/// What waits in one line: priority, pipeline and backfill.
pub(super) type Lane = (Priority, PipelineId, Option<BackfillId>);

/// Runs of each status.
type ByStatus = BTreeMap<RunStatus, BTreeSet<RunId>>;

/// Every run stands in it exactly as its row does.
#[derive(Default)]
pub(super) struct RunIndex {
    all: ByStatus,
    of_pipelines: BTreeMap<PipelineId, ByStatus>,
    of_backfills: BTreeMap<BackfillId, ByStatus>,
    /// Pending runs by priority, pipeline and backfill; none is empty, so that a claim's cost is
    /// their number.
    pub(super) lanes: BTreeMap<Lane, BTreeSet<RunId>>,
    /// Runs by the first of their chain of resumes.
    chains: BTreeMap<RunId, BTreeSet<RunId>>,
    /// Finished runs, the longest finished first.
    pub(super) finished: BTreeSet<(DateTime<Utc>, RunId)>,
    pub(super) days: Days,
}

impl RunIndex {
    pub(super) fn insert(&mut self, run: &Run) {
        let of_pipeline = self
            .of_pipelines
            .entry(run.pipeline_id.clone())
            .or_default();
        of_pipeline.entry(run.status).or_default().insert(run.id);
        if let Some(backfill) = run.backfill_id {
            let of_backfill = self.of_backfills.entry(backfill).or_default();
            of_backfill.entry(run.status).or_default().insert(run.id);
        }
        self.all.entry(run.status).or_default().insert(run.id);
        self.chains.entry(run.first_run).or_default().insert(run.id);
        if run.status == RunStatus::Pending {
            self.lanes.entry(lane(run)).or_default().insert(run.id);
        }
        if let Some(at) = run.finished_at {
            self.finished.insert((at, run.id));
        }
        self.days.add(run);
    }

    pub(super) fn remove(&mut self, run: &Run) {
        if let Some(of_pipeline) = self.of_pipelines.get_mut(&run.pipeline_id) {
            take(of_pipeline, &run.status, &run.id);
            if of_pipeline.is_empty() {
                self.of_pipelines.remove(&run.pipeline_id);
            }
        }
        if let Some(backfill) = run.backfill_id
            && let Some(of_backfill) = self.of_backfills.get_mut(&backfill)
        {
            take(of_backfill, &run.status, &run.id);
            if of_backfill.is_empty() {
                self.of_backfills.remove(&backfill);
            }
        }
        take(&mut self.all, &run.status, &run.id);
        take(&mut self.chains, &run.first_run, &run.id);
        take(&mut self.lanes, &lane(run), &run.id);
        if let Some(at) = run.finished_at {
            self.finished.remove(&(at, run.id));
        }
        self.days.subtract(run);
    }

    pub(super) fn with_status(
        &self,
        pipeline: Option<&PipelineId>,
        status: RunStatus,
    ) -> Option<&BTreeSet<RunId>> {
        match pipeline {
            None => self.all.get(&status),
            Some(id) => self.of_pipelines.get(id)?.get(&status),
        }
    }

    pub(super) fn count(&self, pipeline: Option<&PipelineId>, status: RunStatus) -> u64 {
        self.with_status(pipeline, status)
            .map_or(0, |runs| runs.len() as u64)
    }

    pub(super) fn has_backfill(&self, backfill: BackfillId) -> bool {
        self.of_backfills.contains_key(&backfill)
    }

    /// The runs of a backfill, those of one status after another's.
    pub(super) fn of_backfill(&self, backfill: BackfillId) -> impl Iterator<Item = RunId> {
        let by_status = self.of_backfills.get(&backfill).into_iter().flatten();
        by_status.flat_map(|(_, runs)| runs).copied()
    }

    /// Those of them that are pending or running.
    pub(super) fn unfinished_of_backfill(
        &self,
        backfill: BackfillId,
    ) -> impl Iterator<Item = RunId> {
        let by_status = self.of_backfills.get(&backfill).into_iter().flatten();
        by_status
            .filter(|(status, _)| !status.is_terminal())
            .flat_map(|(_, runs)| runs)
            .copied()
    }

    pub(super) fn count_of_backfill(&self, backfill: BackfillId, status: RunStatus) -> u64 {
        let by_status = self.of_backfills.get(&backfill);
        by_status
            .and_then(|by_status| by_status.get(&status))
            .map_or(0, |runs| runs.len() as u64)
    }

    /// The runs of a chain, oldest first.
    pub(super) fn chain(&self, first_run: RunId) -> impl Iterator<Item = RunId> {
        self.chains.get(&first_run).into_iter().flatten().copied()
    }
}

fn lane(run: &Run) -> Lane {
    let priority = run.trigger.priority();
    (priority, run.pipeline_id.clone(), run.backfill_id)
}

fn take<K: Ord, V: Ord>(sets: &mut BTreeMap<K, BTreeSet<V>>, key: &K, value: &V) {
    if let Some(set) = sets.get_mut(key) {
        set.remove(value);
        if set.is_empty() {
            sets.remove(key);
        }
    }
}
