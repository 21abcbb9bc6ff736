//! The index of runs: by status, pipeline, queue lane, chain, finish time and day.
//!
//! Each noun decides which part of it a query uses.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::figures::Days;
use super::key_table::{KeyTable, key_of};
use super::lane::{Lane, lane_of};
use super::qualified::with_id;
use crate::model::{BackfillId, PipelineId, Qualified, Run, RunId, RunStatus, Scope};

/// Runs by status.
type ByStatus = BTreeMap<RunStatus, BTreeSet<RunId>>;

/// The index of all runs. It always agrees with their rows.
#[derive(Default)]
pub(super) struct RunIndex {
    all: ByStatus,
    of_pipelines: BTreeMap<Qualified<PipelineId>, ByStatus>,
    of_backfills: BTreeMap<BackfillId, ByStatus>,
    /// Pending runs by queue lane. No lane is empty, so a claim costs no more than the number of
    /// lanes in use.
    pub(super) lanes: BTreeMap<Lane, BTreeSet<RunId>>,
    /// The runs with a concurrency key. Those that it holds back are in no lane.
    pub(super) keys: KeyTable,
    /// Pending runs that no claim has found due, the earliest due first. They are in no lane.
    delayed: BTreeSet<(DateTime<Utc>, RunId)>,
    /// Runs by the first run of their chain of resumes.
    chains: BTreeMap<RunId, BTreeSet<RunId>>,
    /// Finished runs, the earliest finished first.
    pub(super) finished: BTreeSet<(DateTime<Utc>, RunId)>,
    pub(super) days: Days,
}

impl RunIndex {
    pub(super) fn insert(&mut self, run: &Run) {
        let of_pipeline = self
            .of_pipelines
            .entry(run.qualified_pipeline())
            .or_default();
        of_pipeline.entry(run.status).or_default().insert(run.id);
        if let Some(backfill) = run.backfill_id {
            let of_backfill = self.of_backfills.entry(backfill).or_default();
            of_backfill.entry(run.status).or_default().insert(run.id);
        }
        self.all.entry(run.status).or_default().insert(run.id);
        self.chains.entry(run.first_run).or_default().insert(run.id);
        if run.status == RunStatus::Pending {
            match run.run_after {
                Some(due) => {
                    self.delayed.insert((due, run.id));
                    self.keys.delay(run);
                }
                None => self.enqueue(run),
            }
        }
        if run.status == RunStatus::Running {
            self.keys.occupy(run);
        }
        if let Some(at) = run.finished_at {
            self.finished.insert((at, run.id));
        }
        self.days.add(run);
    }

    pub(super) fn remove(&mut self, run: &Run) {
        let pipeline = run.qualified_pipeline();
        if let Some(of_pipeline) = self.of_pipelines.get_mut(&pipeline) {
            remove_from(of_pipeline, &run.status, &run.id);
            if of_pipeline.is_empty() {
                self.of_pipelines.remove(&pipeline);
            }
        }
        if let Some(backfill) = run.backfill_id
            && let Some(of_backfill) = self.of_backfills.get_mut(&backfill)
        {
            remove_from(of_backfill, &run.status, &run.id);
            if of_backfill.is_empty() {
                self.of_backfills.remove(&backfill);
            }
        }
        remove_from(&mut self.all, &run.status, &run.id);
        remove_from(&mut self.chains, &run.first_run, &run.id);
        remove_from(&mut self.lanes, &lane_of(run), &run.id);
        self.keys.remove(run);
        if let Some(due) = run.run_after {
            self.delayed.remove(&(due, run.id));
        }
        if let Some(at) = run.finished_at {
            self.finished.remove(&(at, run.id));
        }
        self.days.subtract(run);
    }

    /// Adds a pending run that is not delayed to its lane. One with a concurrency key is held back
    /// until the caller settles the key.
    pub(super) fn enqueue(&mut self, run: &Run) {
        match key_of(run) {
            Some(key) => {
                self.keys.remove(run);
                self.keys.hold(key, run);
            }
            None => self.add_to_lane(run),
        }
    }

    /// Makes a run ready that its key has held back.
    pub(super) fn make_ready(&mut self, run: &Run) {
        self.keys.remove(run);
        self.keys.occupy(run);
        self.add_to_lane(run);
    }

    /// Lets its key hold a ready run back.
    pub(super) fn hold_back(&mut self, run: &Run) {
        remove_from(&mut self.lanes, &lane_of(run), &run.id);
        self.enqueue(run);
    }

    fn add_to_lane(&mut self, run: &Run) {
        self.lanes.entry(lane_of(run)).or_default().insert(run.id);
    }

    /// Takes a delayed run that is due at this time. The caller enqueues it.
    pub(super) fn take_due(&mut self, now: DateTime<Utc>) -> Option<RunId> {
        let (due, run) = *self.delayed.first()?;
        (due <= now).then(|| {
            self.delayed.pop_first();
            run
        })
    }

    /// Returns when the next delayed run is due.
    pub(super) fn next_due(&self) -> Option<DateTime<Utc>> {
        self.delayed.first().map(|(due, _)| *due)
    }

    pub(super) fn with_status(
        &self,
        pipeline: Option<&Qualified<PipelineId>>,
        status: RunStatus,
    ) -> Option<&BTreeSet<RunId>> {
        match pipeline {
            None => self.all.get(&status),
            Some(pipeline) => self.of_pipelines.get(pipeline)?.get(&status),
        }
    }

    /// Returns the runs of the pipelines in scope with this id, a set for each pipeline.
    pub(super) fn with_pipeline_id<'a>(
        &'a self,
        id: &'a PipelineId,
        scope: &'a Scope,
        status: RunStatus,
    ) -> impl Iterator<Item = &'a BTreeSet<RunId>> {
        with_id(&self.of_pipelines, id)
            .filter(|(pipeline, _)| scope.admits(pipeline.tenant.as_ref()))
            .filter_map(move |(_, by_status)| by_status.get(&status))
    }

    pub(super) fn count(&self, pipeline: Option<&Qualified<PipelineId>>, status: RunStatus) -> u64 {
        self.with_status(pipeline, status)
            .map_or(0, |runs| runs.len() as u64)
    }

    pub(super) fn has_backfill(&self, backfill: BackfillId) -> bool {
        self.of_backfills.contains_key(&backfill)
    }

    /// Returns the runs of a backfill, grouped by status.
    pub(super) fn of_backfill(&self, backfill: BackfillId) -> impl Iterator<Item = RunId> {
        let by_status = self.of_backfills.get(&backfill).into_iter().flatten();
        by_status.flat_map(|(_, runs)| runs).copied()
    }

    /// Returns the runs of a backfill with this status.
    pub(super) fn with_backfill(
        &self,
        backfill: BackfillId,
        status: RunStatus,
    ) -> Option<&BTreeSet<RunId>> {
        self.of_backfills.get(&backfill)?.get(&status)
    }

    /// Returns the pending and running runs of a backfill.
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

    /// Returns the runs of a chain, oldest first.
    pub(super) fn chain(&self, first_run: RunId) -> impl Iterator<Item = RunId> {
        self.chains.get(&first_run).into_iter().flatten().copied()
    }
}

fn remove_from<K: Ord, V: Ord>(sets: &mut BTreeMap<K, BTreeSet<V>>, key: &K, value: &V) {
    if let Some(set) = sets.get_mut(key) {
        set.remove(value);
        if set.is_empty() {
            sets.remove(key);
        }
    }
}
