//! Who executes which run: claims, renewals and releases.
//!
//! Which orphans are claimed and what limits pending runs is decided in `rules`. Nothing here looks
//! at every pending run.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::finish::RunEnd;
use super::index::Lane;
use super::state::State;
use super::{MemoryStorage, rules};
use crate::error::Result;
use crate::model::{
    BackfillOrder, EventKind, OwnerId, PipelineId, Priority, RunId, RunStatus, Scope,
};
use crate::storage::{Claim, ClaimOutcome, ClaimedRun, HeldRun, Queue};

/// The pending run of a lane that goes first. The smallest of all lanes is claimed first.
type Head = Reverse<(Priority, RunId, Lane)>;

impl State {
    fn claim(&mut self, claim: &Claim) -> Result<ClaimOutcome> {
        let choice = rules::choose_orphans(claim, self.running());
        let mut claims = ClaimOutcome {
            lease_until: choice.lease_until,
            ..ClaimOutcome::default()
        };
        self.poison(&choice, claim, &mut claims)?;
        self.claim_orphans(&choice, claim, &mut claims)?;
        self.claim_pending(claim, &mut claims)?;
        claims.seq = self.events.newest();
        Ok(claims)
    }

    fn running(&self) -> impl Iterator<Item = rules::RunningRun> {
        let running = self.index.with_status(None, RunStatus::Running);
        let rows = running.into_iter().flatten();
        rows.filter_map(|id| self.runs.get(id))
            .map(|row| rules::RunningRun {
                run: row.run.id,
                owner: row.claim.owner,
                lease_until: row.claim.lease_until,
                claim_count: row.claim.count,
            })
    }

    /// Ends the orphans that crashed too often.
    fn poison(
        &mut self,
        choice: &rules::OrphanChoice,
        claim: &Claim,
        claims: &mut ClaimOutcome,
    ) -> Result<()> {
        for &run in &choice.poisoned {
            self.poison_run(run, claim.now)?;
            claims.poisoned.push(run);
            let row = self.runs.get(&run);
            let backfill = row.and_then(|row| self.cancelled_backfill(&row.run));
            claims.cancelled_backfills.extend(backfill);
        }
        Ok(())
    }

    fn poison_run(&mut self, id: RunId, now: DateTime<Utc>) -> Result<()> {
        let row = self.run_mut(id)?;
        let (status, error) = rules::poisoned_outcome(row.run.cancel, row.claim.count);
        for node in row.nodes.values_mut() {
            rules::settle_node(&mut node.node, status);
        }
        let end = error.map_or_else(
            || RunEnd::cancelled(now),
            |error| RunEnd::failed(error, now),
        );
        self.end_run(id, end)
    }

    fn claim_orphans(
        &mut self,
        choice: &rules::OrphanChoice,
        claim: &Claim,
        claims: &mut ClaimOutcome,
    ) -> Result<()> {
        for &run in choice.claimable.iter().take(choice.count_max) {
            let claimed = self.claim_run(run, claim)?;
            claims.claimed.push(claimed);
        }
        claims.suspects_left = choice.leaves_suspects(claims.claimed.len());
        Ok(())
    }

    /// Claims the next pending runs by priority, then age. The cost is that of the lanes alone.
    fn claim_pending(&mut self, claim: &Claim, claims: &mut ClaimOutcome) -> Result<()> {
        if !self.may_start(claim, claims) {
            return Ok(());
        }
        let lanes = self.index.lanes.keys();
        let mut heads: BinaryHeap<Head> = lanes
            .filter(|lane| self.limits(lane).have_room())
            .filter_map(|lane| self.head(lane.clone()))
            .collect();
        while self.may_start(claim, claims)
            && let Some(Reverse((_, run, lane))) = heads.pop()
        {
            // A run that was claimed meanwhile may have taken the room.
            if self.limits(&lane).have_room() {
                self.start_run(run, claim.now)?;
                let claimed = self.claim_run(run, claim)?;
                claims.claimed.push(claimed);
                heads.extend(self.head(lane));
            }
        }
        Ok(())
    }

    fn may_start(&self, claim: &Claim, claims: &ClaimOutcome) -> bool {
        let running = self.index.count(None, RunStatus::Running);
        rules::may_start(claim, claims.claimed.len(), running)
    }

    /// The run of a lane that goes first.
    fn head(&self, lane: Lane) -> Option<Head> {
        let (priority, _, backfill) = lane;
        let pending = self.index.lanes.get(&lane)?;
        let row = backfill.and_then(|id| self.backfills.get(&id));
        let run = match row.map_or(BackfillOrder::Ascending, |row| row.backfill.order) {
            BackfillOrder::Ascending => pending.first(),
            BackfillOrder::Descending => pending.last(),
        };
        run.map(|run| Reverse((priority, *run, lane)))
    }

    fn limits(&self, (priority, pipeline, backfill): &Lane) -> rules::LaneLimits {
        let stored = self.pipelines.live(pipeline.as_str(), &Scope::All);
        let max = stored.and_then(|stored| stored.definition.max_concurrent_runs);
        let backfill = backfill.and_then(|id| self.backfills.get(&id));
        rules::LaneLimits {
            priority: *priority,
            pipeline: rules::Usage {
                running: self.index.count(Some(pipeline), RunStatus::Running),
                max: max.map(u64::from),
            },
            backfill: backfill.map(|row| rules::Usage {
                running: self
                    .index
                    .count_of_backfill(row.backfill.id, RunStatus::Running),
                max: Some(u64::from(row.backfill.max_parallel)),
            }),
            // Asked only where it matters: the answer costs a look at each running run of the
            // pipeline.
            is_schedule_executing: rules::runs_one_at_a_time(*priority)
                && self.is_schedule_executing(pipeline),
        }
    }

    /// Whether a run of this pipeline's schedule is still executing.
    fn is_schedule_executing(&self, pipeline: &PipelineId) -> bool {
        let running = self.index.with_status(Some(pipeline), RunStatus::Running);
        let mut rows = running
            .into_iter()
            .flatten()
            .filter_map(|id| self.runs.get(id));
        rows.any(|row| rules::runs_one_at_a_time(row.run.trigger.priority()))
    }

    fn start_run(&mut self, id: RunId, now: DateTime<Utc>) -> Result<()> {
        let at = now.max(self.run_mut(id)?.run.created_at);
        self.change_run(id, EventKind::RunStarted, at, |run| {
            run.status = RunStatus::Running;
            run.started_at = Some(at);
        })
    }

    /// Makes the caller the owner of a running run.
    fn claim_run(&mut self, id: RunId, claim: &Claim) -> Result<ClaimedRun> {
        let row = self.run_mut(id)?;
        row.put_back_nodes();
        row.claim.owner = Some(claim.owner);
        row.claim.lease_until = lease_end(claim.now, claim.lease);
        row.claim.epoch += 1;
        row.claim.count = row.claim.count.saturating_add(1);
        let definition = Arc::clone(&row.version.definition);
        Ok(ClaimedRun {
            nodes: row.node_runs(),
            position: row.position,
            claim_count: row.claim.count,
            ..ClaimedRun::new(row.run.clone(), definition, row.claim.epoch)
        })
    }

    /// Changes the runs that the owner still holds and returns the claims that it has lost.
    fn each_held(
        &mut self,
        owner: OwnerId,
        held: Vec<HeldRun>,
        change: impl Fn(&mut super::rows::RunRow),
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

/// The end of a lease. One beyond the calendar never ends.
fn lease_end(now: DateTime<Utc>, lease: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(lease)
        .ok()
        .and_then(|lease| now.checked_add_signed(lease))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[async_trait]
impl Queue for MemoryStorage {
    async fn claim(&self, claim: Claim) -> Result<ClaimOutcome> {
        self.write()?.claim(&claim)
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
            .write()?
            .each_held(owner, held, |row| row.claim.lease_until = until))
    }

    async fn release(&self, owner: OwnerId, held: Vec<HeldRun>) -> Result<Vec<HeldRun>> {
        Ok(self.write()?.each_held(owner, held, |row| {
            row.claim.owner = None;
            row.claim.count = row.claim.count.saturating_sub(1);
            row.put_back_nodes();
        }))
    }
}
