//! Who executes which run: claim, renew, release.
//!
//! The choice among orphans and the limits on pending runs are in `rules`. No step reads every
//! pending run.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::finish::RunOutcome;
use super::key_table::key_of;
use super::lane::Lane;
use super::rows::RunRow;
use super::state::State;
use super::{MemoryStorage, rules};
use crate::error::Result;
use crate::model::{
    BackfillOrder, EventKind, OwnerId, PipelineId, Qualified, Rank, RunId, RunStatus, Scope,
    Waiting,
};
use crate::storage::{Claim, ClaimOutcome, ClaimedRun, HeldRun, Queue};

/// The next pending run of a lane. The smallest head of all lanes is claimed first.
type Head = Reverse<(Rank, RunId, Lane)>;

impl State {
    fn claim(&mut self, claim: &Claim) -> Result<ClaimOutcome> {
        let lost = self.settle_holdings(claim);
        let choice = rules::choose_orphans(claim, self.running());
        let mut outcome = ClaimOutcome {
            lost,
            lease_until: choice.lease_until,
            ..ClaimOutcome::default()
        };
        self.poison(&choice, claim, &mut outcome)?;
        self.claim_orphans(&choice, claim, &mut outcome)?;
        self.claim_pending(claim, &mut outcome)?;
        outcome.seq = self.events.newest();
        Ok(outcome)
    }

    /// Settles the runs that the claim's owner has already, and returns the claims that it lost.
    fn settle_holdings(&mut self, claim: &Claim) -> Vec<HeldRun> {
        let holdings = rules::settle_holdings(claim, self.running());
        let until = lease_end(claim.now, claim.lease);
        let owner = claim.owner;
        self.update_held(owner, holdings.renewed, |row| {
            row.claim.lease_until = until;
        });
        self.update_held(owner, holdings.broken_off, RunRow::disown);
        self.update_held(owner, holdings.unreceived, RunRow::release);
        holdings.lost
    }

    fn running(&self) -> impl Iterator<Item = rules::RunningRun> {
        let running = self.index.with_status(None, RunStatus::Running);
        let rows = running.into_iter().flatten();
        rows.filter_map(|id| self.runs.get(id))
            .map(|row| rules::RunningRun {
                run: row.run.id,
                owner: row.claim.owner,
                epoch: row.claim.epoch,
                lease_until: row.claim.lease_until,
                claim_count: row.claim.count,
            })
    }

    /// Finishes the orphans that crashed too often.
    fn poison(
        &mut self,
        choice: &rules::OrphanChoice,
        claim: &Claim,
        outcome: &mut ClaimOutcome,
    ) -> Result<()> {
        for &run in &choice.poisoned {
            let is_upstream = self.runs.get(&run).map(|row| self.is_upstream(&row.run));
            outcome.may_start_others |= is_upstream.unwrap_or_default();
            self.poison_run(run, claim.now)?;
            outcome.poisoned.push(run);
            let row = self.runs.get(&run);
            let backfill = row.and_then(|row| self.cancelled_backfill(&row.run));
            outcome.cancelled_backfills.extend(backfill);
        }
        Ok(())
    }

    fn poison_run(&mut self, id: RunId, now: DateTime<Utc>) -> Result<()> {
        let row = self.run_mut(id)?;
        let (status, error) = rules::poisoned_outcome(row.run.cancel.is_some(), row.claim.count);
        for node in row.nodes.values_mut() {
            rules::finish_node(&mut node.node, status);
        }
        let outcome = error.map_or_else(
            || RunOutcome::cancelled(now),
            |error| RunOutcome::failed(error, now),
        );
        self.finish_run(id, outcome)
    }

    fn claim_orphans(
        &mut self,
        choice: &rules::OrphanChoice,
        claim: &Claim,
        outcome: &mut ClaimOutcome,
    ) -> Result<()> {
        for &run in choice.claimable.iter().take(choice.count_max) {
            let claimed = self.claim_run(run, claim)?;
            outcome.claimed.push(claimed);
        }
        outcome.suspects_left = choice.leaves_suspects(outcome.claimed.len());
        Ok(())
    }

    /// Claims the next pending runs by rank, then by age.
    ///
    /// The cost depends on the number of lanes, not of pending runs.
    fn claim_pending(&mut self, claim: &Claim, outcome: &mut ClaimOutcome) -> Result<()> {
        if !self.may_start(claim, outcome) {
            return Ok(());
        }
        outcome.due_at = self.end_delays(claim.now);
        let lanes = self.index.lanes.keys();
        let mut heads: BinaryHeap<Head> = lanes
            .filter(|lane| self.limits(lane, claim.now).has_room())
            .filter_map(|lane| self.head(lane.clone()))
            .collect();
        while self.may_start(claim, outcome)
            && let Some(Reverse((_, run, lane))) = heads.pop()
        {
            // An earlier run of this claim may have taken the room.
            if self.limits(&lane, claim.now).has_room() {
                self.start_run(run, claim.now)?;
                let claimed = self.claim_run(run, claim)?;
                outcome.claimed.push(claimed);
                heads.extend(self.head(lane));
            }
        }
        Ok(())
    }

    /// Adds the runs whose delay has ended to their lanes. Returns when the next delay ends.
    fn end_delays(&mut self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut keys = BTreeSet::new();
        while let Some(id) = self.index.take_due(now) {
            if let Some(row) = self.runs.get(&id) {
                self.index.enqueue(&row.run);
                keys.extend(key_of(&row.run));
            }
        }
        keys.iter().for_each(|key| self.settle_key(key));
        self.index.next_due()
    }

    fn may_start(&self, claim: &Claim, outcome: &ClaimOutcome) -> bool {
        let running = self.index.count(None, RunStatus::Running);
        rules::may_start(claim, outcome.claimed.len(), running)
    }

    /// Returns the next pending run of a lane.
    fn head(&self, lane: Lane) -> Option<Head> {
        let run = self.head_of(&lane, self.index.lanes.get(&lane)?)?;
        Some(Reverse((lane.0, run, lane)))
    }

    /// Returns the first of some runs of a lane in its order.
    pub(super) fn head_of(&self, lane: &Lane, runs: &BTreeSet<RunId>) -> Option<RunId> {
        match self.order_of(lane) {
            BackfillOrder::Ascending => runs.first().copied(),
            BackfillOrder::Descending => runs.last().copied(),
        }
    }

    /// Returns the last of some runs of a lane in its order.
    pub(super) fn tail_of(&self, lane: &Lane, runs: &BTreeSet<RunId>) -> Option<RunId> {
        match self.order_of(lane) {
            BackfillOrder::Ascending => runs.last().copied(),
            BackfillOrder::Descending => runs.first().copied(),
        }
    }

    /// Returns the order in which the runs of a lane are claimed.
    pub(super) fn order_of(&self, (_, _, backfill): &Lane) -> BackfillOrder {
        let row = backfill.and_then(|id| self.backfills.get(&id));
        row.map_or(BackfillOrder::Ascending, |row| row.backfill.order)
    }

    /// Returns the limits of a lane at the time of a claim.
    fn limits(&self, lane: &Lane, now: DateTime<Utc>) -> rules::LaneLimits {
        let mut limits = self.own_limits(lane);
        let pipeline = &lane.1;
        let stored = self.pipelines.live(pipeline);
        let is_paused = stored.is_some_and(|stored| stored.paused.is_some());
        let waits = is_paused || self.is_blocked(pipeline, now);
        limits.pipeline.max = rules::usage_max(waits, limits.pipeline.max);
        if let Some(usage) = &mut limits.backfill {
            usage.max = rules::usage_max(self.is_backfill_paused(lane), usage.max);
        }
        limits
    }

    /// Returns whether the backfill of a lane is paused.
    pub(super) fn is_backfill_paused(&self, (_, _, backfill): &Lane) -> bool {
        let row = backfill.and_then(|id| self.backfills.get(&id));
        row.is_some_and(|row| row.backfill.paused.is_some())
    }

    /// Returns the limits of a lane that does not wait.
    pub(super) fn own_limits(&self, (rank, pipeline, backfill): &Lane) -> rules::LaneLimits {
        let stored = self.pipelines.live(pipeline);
        let max = stored.and_then(|stored| stored.definition.max_concurrent_runs.map(u64::from));
        let backfill = backfill.and_then(|id| self.backfills.get(&id));
        rules::LaneLimits {
            class: rank.class,
            pipeline: rules::Usage {
                running: self.index.count(Some(pipeline), RunStatus::Running),
                max,
            },
            backfill: backfill.map(|row| rules::Usage {
                running: self
                    .index
                    .count_of_backfill(row.backfill.id, RunStatus::Running),
                max: Some(u64::from(row.backfill.max_parallel)),
            }),
            // Read only if the overlap rule applies, since it reads every running run of the
            // pipeline.
            is_schedule_executing: rules::runs_one_at_a_time(rank.class)
                && self.is_schedule_executing(pipeline),
        }
    }

    /// Returns whether a run of this pipeline's schedule is still executing.
    pub(super) fn is_schedule_executing(&self, pipeline: &Qualified<PipelineId>) -> bool {
        let running = self.index.with_status(Some(pipeline), RunStatus::Running);
        let mut rows = running
            .into_iter()
            .flatten()
            .filter_map(|id| self.runs.get(id));
        rows.any(|row| rules::runs_one_at_a_time(row.run.trigger.lane_class()))
    }

    fn start_run(&mut self, id: RunId, now: DateTime<Utc>) -> Result<()> {
        let at = now.max(self.run_mut(id)?.run.created_at);
        self.change_run(id, EventKind::RunStarted, at, |run| {
            run.status = RunStatus::Running;
            run.started_at = Some(at);
        })
    }

    /// Makes the claiming owner the owner of a running run.
    fn claim_run(&mut self, id: RunId, claim: &Claim) -> Result<ClaimedRun> {
        let row = self.run_mut(id)?;
        row.reset_nodes();
        row.claim.owner = Some(claim.owner);
        row.claim.lease_until = lease_end(claim.now, claim.lease);
        row.claim.epoch += 1;
        row.claim.count = row.claim.count.saturating_add(1);
        let definition = Arc::clone(&row.version.definition);
        Ok(ClaimedRun {
            nodes: row.node_runs(),
            position: row.position,
            claim_count: row.claim.count,
            graph: Some((Arc::clone(&definition), Arc::clone(&row.version.graph))),
            ..ClaimedRun::new(row.run.clone(), definition, row.claim.epoch)
        })
    }

    /// Changes the runs that the owner still holds, and returns the claims that it has lost.
    fn update_held(
        &mut self,
        owner: OwnerId,
        held: Vec<HeldRun>,
        change: impl Fn(&mut RunRow),
    ) -> Vec<HeldRun> {
        let mut lost = held;
        lost.retain(|held| {
            let row = self
                .runs
                .get_mut(&held.run)
                .filter(|row| row.claim.owner == Some(owner) && row.claim.epoch == held.epoch);
            let is_lost = row.is_none();
            row.into_iter().for_each(&change);
            is_lost
        });
        lost
    }
}

/// Returns the end of a lease. A lease beyond the calendar lasts forever.
fn lease_end(now: DateTime<Utc>, lease: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(lease)
        .ok()
        .and_then(|lease| now.checked_add_signed(lease))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[async_trait]
impl Queue for MemoryStorage {
    async fn claim(&self, claim: Claim) -> Result<ClaimOutcome> {
        self.state()?.claim(&claim)
    }

    async fn renew(
        &self,
        owner: OwnerId,
        held: Vec<HeldRun>,
        lease: Duration,
        now: DateTime<Utc>,
    ) -> Result<Vec<HeldRun>> {
        let until = lease_end(now, lease);
        Ok(self
            .state()?
            .update_held(owner, held, |row| row.claim.lease_until = until))
    }

    async fn release(&self, owner: OwnerId, held: Vec<HeldRun>) -> Result<Vec<HeldRun>> {
        Ok(self.state()?.update_held(owner, held, RunRow::release))
    }

    async fn waiting(
        &self,
        run: RunId,
        scope: &Scope,
        now: DateTime<Utc>,
    ) -> Result<Option<Waiting>> {
        Ok(self.state()?.waiting(run, scope, now))
    }
}
