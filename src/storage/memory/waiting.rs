//! Why a pending run waits, and how many runs come before it.
//!
//! `rules` chooses the reason.

use chrono::{DateTime, Utc};

use super::key_table::key_of;
use super::lane::Lane;
use super::rules::{Competitors, Obstacles};
use super::state::State;
use crate::model::{BackfillOrder, Run, RunId, RunStatus, Scope, WaitReason, Waiting};

impl State {
    pub(super) fn waiting(&self, id: RunId, scope: &Scope, now: DateTime<Utc>) -> Option<Waiting> {
        let run = &self.run(id, scope)?.run;
        if run.status != RunStatus::Pending {
            return None;
        }
        let pipeline = run.qualified_pipeline();
        let lane = (run.rank(), pipeline.clone(), run.backfill_id);
        let stored = self.pipelines.live(&pipeline);
        let until = run.run_after.filter(|after| *after > now);
        let obstacles = Obstacles {
            is_paused: stored.is_some_and(|stored| stored.paused.is_some())
                || self.is_backfill_paused(&lane),
            is_delayed: until.is_some(),
            is_blocked: self.is_blocked(&pipeline, now),
            is_held: self.index.keys.is_held(run),
            limits: self.own_limits(&lane),
        };
        let reason = obstacles.reason();
        let mut waiting = Waiting::new(reason, self.ahead(run, &lane, reason));
        waiting.until = until.filter(|_| reason == WaitReason::RunAfter);
        Some(waiting)
    }

    /// Returns how many runs come before a run, among those that its reason is about.
    fn ahead(&self, run: &Run, own: &Lane, reason: WaitReason) -> Option<u64> {
        let (rank, pipeline, backfill) = own;
        let (mut ahead, mut examined) = (0, 0);
        let lanes: Vec<_> = match Competitors::of(reason) {
            Competitors::OfKey => {
                let ready = self.ready_of_key(run);
                (ahead, examined) = (ready, ready);
                let key = key_of(run);
                let held = key.iter().flat_map(|key| self.index.keys.held(key));
                held.collect()
            }
            Competitors::All => self.index.lanes.iter().collect(),
            Competitors::OfPipeline => {
                let lanes = self.index.lanes.iter();
                lanes.filter(|(lane, _)| lane.1 == *pipeline).collect()
            }
            Competitors::OfBackfill => {
                let lanes = self.index.lanes.iter();
                lanes.filter(|(lane, _)| lane.2 == *backfill).collect()
            }
        };
        for (lane, runs) in lanes.into_iter().filter(|(lane, _)| lane.0 <= *rank) {
            let before = if lane.0 < *rank {
                runs.len()
            } else if lane == own && self.order_of(own) == BackfillOrder::Descending {
                runs.range(run.id..).filter(|id| **id != run.id).count()
            } else {
                runs.range(..run.id).count()
            };
            ahead += before as u64;
            examined += runs.len() as u64;
        }
        (examined <= Waiting::EXAMINED_MAX).then_some(ahead)
    }

    /// Returns how many runs of the key of a run are pending and ready.
    fn ready_of_key(&self, run: &Run) -> u64 {
        let key = key_of(run);
        let ids = key.iter().flat_map(|key| self.index.keys.occupying(key));
        let rows = ids.filter_map(|id| self.runs.get(&id));
        rows.filter(|row| row.run.status == RunStatus::Pending)
            .count() as u64
    }
}
