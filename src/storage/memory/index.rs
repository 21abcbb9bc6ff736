//! By what runs are found without looking at all of them: status, pipeline, lane of the queue, chain, end, day.
//!
//! Which of them a question uses is decided by its noun.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::figures::Days;
use crate::model::{PipelineId, Run, RunId, RunStatus};

/// Runs of each status.
type ByStatus = BTreeMap<RunStatus, BTreeSet<RunId>>;

/// Every run stands in it exactly as its row does.
#[derive(Default)]
pub(super) struct RunIndex {
    all: ByStatus,
    of_pipelines: BTreeMap<PipelineId, ByStatus>,
    /// Pending runs by priority and pipeline; none is empty, so that a claim's cost is their number.
    pub(super) lanes: BTreeMap<(u8, PipelineId), BTreeSet<RunId>>,
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

    /// The runs of a chain, oldest first.
    pub(super) fn chain(&self, first_run: RunId) -> impl Iterator<Item = RunId> {
        self.chains.get(&first_run).into_iter().flatten().copied()
    }
}

fn lane(run: &Run) -> (u8, PipelineId) {
    (run.trigger.priority(), run.pipeline_id.clone())
}

fn take<K: Ord, V: Ord>(sets: &mut BTreeMap<K, BTreeSet<V>>, key: &K, value: &V) {
    if let Some(set) = sets.get_mut(key) {
        set.remove(value);
        if set.is_empty() {
            sets.remove(key);
        }
    }
}
