//! The table of concurrency keys: their runs that are ready or running, and those held back.
//!
//! `keys` decides which run becomes ready.

use std::collections::{BTreeMap, BTreeSet};

use super::lane::{Lane, lane_of};
use crate::model::{PipelineId, Qualified, Run, RunId};

/// A key of a pipeline.
pub(super) type Key = (Qualified<PipelineId>, String);

/// The unfinished runs of all keys.
#[derive(Default)]
pub(super) struct KeyTable(BTreeMap<Key, KeyRuns>);

/// The runs of one key.
#[derive(Default)]
struct KeyRuns {
    /// The ready and the running ones.
    occupying: BTreeSet<RunId>,
    delayed: BTreeSet<RunId>,
    /// The others, by the lane that they get into.
    held: BTreeMap<Lane, BTreeSet<RunId>>,
}

impl KeyRuns {
    fn is_empty(&self) -> bool {
        self.occupying.is_empty() && self.delayed.is_empty() && self.held.is_empty()
    }
}

impl KeyTable {
    /// Adds a run that is ready or running, if it has a key.
    pub(super) fn occupy(&mut self, run: &Run) {
        if let Some(key) = key_of(run) {
            self.0.entry(key).or_default().occupying.insert(run.id);
        }
    }

    /// Adds a run that is delayed, if it has a key.
    pub(super) fn delay(&mut self, run: &Run) {
        if let Some(key) = key_of(run) {
            self.0.entry(key).or_default().delayed.insert(run.id);
        }
    }

    /// Adds a run that its key holds back.
    pub(super) fn hold(&mut self, key: Key, run: &Run) {
        let held = &mut self.0.entry(key).or_default().held;
        held.entry(lane_of(run)).or_default().insert(run.id);
    }

    pub(super) fn remove(&mut self, run: &Run) {
        let Some(key) = key_of(run) else {
            return;
        };
        if let Some(runs) = self.0.get_mut(&key) {
            runs.occupying.remove(&run.id);
            runs.delayed.remove(&run.id);
            let lane = lane_of(run);
            if let Some(ids) = runs.held.get_mut(&lane) {
                ids.remove(&run.id);
                if ids.is_empty() {
                    runs.held.remove(&lane);
                }
            }
            if runs.is_empty() {
                self.0.remove(&key);
            }
        }
    }

    /// Returns whether its key holds a run back.
    pub(super) fn is_held(&self, run: &Run) -> bool {
        let runs = key_of(run).and_then(|key| self.0.get(&key));
        let ids = runs.and_then(|runs| runs.held.get(&lane_of(run)));
        ids.is_some_and(|ids| ids.contains(&run.id))
    }

    /// Returns the unfinished runs of a key, the oldest first.
    pub(super) fn unfinished(&self, key: &Key) -> BTreeSet<RunId> {
        let Some(runs) = self.0.get(key) else {
            return BTreeSet::new();
        };
        let held = runs.held.values().flatten();
        let others = runs.occupying.iter().chain(&runs.delayed);
        others.chain(held).copied().collect()
    }

    /// Returns the runs of a key that are ready or running.
    pub(super) fn occupying(&self, key: &Key) -> impl Iterator<Item = RunId> {
        let runs = self.0.get(key);
        runs.into_iter().flat_map(|runs| &runs.occupying).copied()
    }

    /// Returns the runs that a key holds back, by lane.
    pub(super) fn held(&self, key: &Key) -> impl Iterator<Item = (&Lane, &BTreeSet<RunId>)> {
        self.0.get(key).into_iter().flat_map(|runs| &runs.held)
    }
}

/// Returns the key of a run, if it has one.
pub(super) fn key_of(run: &Run) -> Option<Key> {
    let concurrency = run.concurrency.as_ref()?;
    Some((run.qualified_pipeline(), concurrency.key.clone()))
}
