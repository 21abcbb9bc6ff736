//! Concurrency keys: which pending runs of a key are ready, and which their key holds back.
//!
//! `rules` decides which becomes ready next, and `key_table` has the runs of each key.

use std::collections::{BTreeMap, BTreeSet};

use super::key_table::Key;
use super::lane::{Lane, lane_of};
use super::rules::{self, FirstHeld, KeyStep};
use super::state::State;
use crate::model::{Rank, RunId, RunStatus};

impl State {
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

    fn first_held(&self, key: &Key) -> Option<(Rank, RunId)> {
        let heads = self
            .index
            .keys
            .held(key)
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
