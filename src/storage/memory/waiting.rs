//! Why a pending run waits, and how many runs come before it.
//!
//! `rules` chooses the reason.

use chrono::{DateTime, Utc};

use super::index::Lane;
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
            is_paused: stored.is_some_and(|stored| stored.paused.is_some()),
            is_delayed: until.is_some(),
            is_blocked: self.is_blocked(&pipeline, now),
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
        let is_meant = |lane: &Lane| match Competitors::of(reason) {
            Competitors::All => true,
            Competitors::OfPipeline => lane.1 == *pipeline,
            Competitors::OfBackfill => lane.2 == *backfill,
        };
        let (mut ahead, mut examined) = (0, 0);
        let lanes = self.index.lanes.iter();
        for (lane, runs) in lanes.filter(|(lane, _)| lane.0 <= *rank && is_meant(lane)) {
            let before = if lane.0 < *rank {
                runs.len()
            } else if lane == own && self.is_descending(own) {
                runs.range(run.id..).filter(|id| **id != run.id).count()
            } else {
                runs.range(..run.id).count()
            };
            ahead += before as u64;
            examined += runs.len() as u64;
        }
        (examined <= Waiting::EXAMINED_MAX).then_some(ahead)
    }

    fn is_descending(&self, (_, _, backfill): &Lane) -> bool {
        let row = backfill.and_then(|id| self.backfills.get(&id));
        row.is_some_and(|row| row.backfill.order == BackfillOrder::Descending)
    }
}
