//! Concurrency keys: which pending runs of a key are ready, and which their key holds back.
//!
//! `rules` decides which becomes ready next, and `key_table` has the runs of each key.

use std::collections::{BTreeMap, BTreeSet};

use super::key_table::{Key, key_of};
use super::lane::{Lane, lane_of};
use super::rules::{self, FirstHeld, KeyStep};
use super::state::State;
use crate::error::Result;
use crate::model::{BackfillId, PipelineId, Qualified, Rank, RunCancel, RunId, RunStatus};
use crate::storage::{CreateRuns, NewRun, ReplacedRun};

impl State {
    /// Skips the runs of a backfill whose concurrency keys are taken, and returns them.
    pub(super) fn skip_taken(
        &self,
        create: &mut CreateRuns,
        pipeline: &Qualified<PipelineId>,
    ) -> Vec<RunId> {
        let mut created: BTreeMap<String, u64> = BTreeMap::new();
        let mut skipped = Vec::new();
        if create.backfill.is_none() {
            return skipped;
        }
        create.runs.retain(|new| {
            let Some(own) = &new.run.concurrency else {
                return true;
            };
            let count = created.entry(own.key.clone()).or_default();
            let unfinished = self.unfinished_of_key(pipeline, &own.key).len() as u64;
            let skips = rules::skipping_key(new).is_some();
            let is_taken = skips && unfinished + *count >= rules::key_max(own);
            *count += u64::from(!is_taken);
            skipped.extend(is_taken.then_some(new.run.id));
            !is_taken
        });
        skipped
    }

    /// Refuses a run whose concurrency key is taken.
    pub(super) fn check_key(&self, new: &NewRun, pipeline: &Qualified<PipelineId>) -> Result<()> {
        let Some(own) = rules::skipping_key(new) else {
            return Ok(());
        };
        let unfinished = self.unfinished_of_key(pipeline, &own.key);
        match unfinished.first() {
            Some(run) if unfinished.len() as u64 >= rules::key_max(own) => {
                Err(rules::key_taken(&own.key, *run))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Cancels the unfinished runs of each key that are too many beside new ones.
    pub(super) fn replace_runs_of_keys(
        &mut self,
        new: &[NewRun],
        pipeline: &Qualified<PipelineId>,
    ) -> Result<Vec<ReplacedRun>> {
        let Some(at) = new.first().map(|new| new.run.created_at) else {
            return Ok(Vec::new());
        };
        let created: BTreeSet<_> = new.iter().map(|new| new.run.id).collect();
        let mut replaced = Vec::new();
        for (text, replacing) in rules::replacing(new) {
            let others = self.unfinished_of_key(pipeline, text);
            let others: Vec<_> = others.difference(&created).copied().collect();
            let surplus = replacing.surplus(others.len());
            for run in others.into_iter().take(surplus) {
                let status = self.cancel_run(run, &RunCancel::of_key(at), at)?;
                replaced.push(ReplacedRun::new(run, status));
            }
        }
        replaced.sort_unstable_by_key(|one| one.run);
        Ok(replaced)
    }

    fn unfinished_of_key(&self, pipeline: &Qualified<PipelineId>, text: &str) -> BTreeSet<RunId> {
        let key = (pipeline.clone(), text.to_owned());
        self.index.keys.unfinished(&key)
    }

    /// Lets the runs of a key become ready as far as it allows, in their order.
    pub(super) fn settle_key(&mut self, key: &Key) {
        while let Some((rank, id)) = self.first_held(key)
            && let Some(row) = self.runs.get(&id)
        {
            let max = row.run.concurrency.as_ref().map_or(1, rules::key_max);
            let occupied = self.index.keys.occupying(key).count() as u64;
            let last = self.last_ready(key);
            let step = KeyStep::of(
                FirstHeld { rank, max },
                occupied,
                last.map(|(rank, _)| rank),
            );
            if step == KeyStep::Wait {
                return;
            }
            let last = last.and_then(|(_, id)| self.runs.get(&id));
            if let Some(last) = last.filter(|_| step == KeyStep::Replace) {
                self.index.hold_back(&last.run);
            }
            self.index.make_ready(&row.run);
        }
    }

    /// Makes a paused backfill leave its keys to other runs, or lets its runs become ready again.
    pub(super) fn settle_keys_of_backfill(&mut self, id: BackfillId, is_paused: bool) {
        let pending = self.index.with_backfill(id, RunStatus::Pending);
        let pending: Vec<_> = pending.into_iter().flatten().copied().collect();
        let mut keys = BTreeSet::new();
        for row in pending.iter().filter_map(|run| self.runs.get(run)) {
            let Some(key) = key_of(&row.run) else {
                continue;
            };
            keys.insert(key);
            if is_paused {
                self.index.hold_back(&row.run);
            }
        }
        keys.iter().for_each(|key| self.settle_key(key));
    }

    fn first_held(&self, key: &Key) -> Option<(Rank, RunId)> {
        let heads = self
            .index
            .keys
            .held(key)
            .filter(|(lane, _)| !self.is_backfill_paused(lane))
            .filter_map(|(lane, ids)| Some((lane.0, self.head_of(lane, ids)?)));
        heads.min()
    }

    /// Returns the ready run of a key that a claim starts last.
    fn last_ready(&self, key: &Key) -> Option<(Rank, RunId)> {
        let rows = self.index.keys.occupying(key);
        let rows = rows.filter_map(|id| self.runs.get(&id));
        let mut lanes: BTreeMap<Lane, BTreeSet<RunId>> = BTreeMap::new();
        for row in rows.filter(|row| row.run.status == RunStatus::Pending) {
            let lane = lane_of(&row.run);
            lanes.entry(lane).or_default().insert(row.run.id);
        }
        let tails = lanes
            .iter()
            .filter_map(|(lane, ids)| Some((lane.0, self.tail_of(lane, ids)?)));
        tails.max()
    }
}
