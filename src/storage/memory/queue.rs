//! Who executes which run: orphans first, then what waits, within the limits.
//!
//! The order of lanes and the limits are those of the contract on [`Queue`]; nothing here looks at every waiting run.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
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
    BackfillId, BackfillOrder, EventKind, OwnerId, PipelineId, Priority, RunId, RunStatus, Scope,
};
use crate::storage::{Claim, ClaimOutcome, ClaimedRun, HeldRun, Queue};

impl State {
    fn claim(&mut self, claim: &Claim) -> Result<ClaimOutcome> {
        let mut claims = ClaimOutcome::default();
        let orphans = self.end_poisoned(claim, &mut claims)?;
        let chosen = self.choose_orphans(claim, &orphans, &mut claims);
        let rest = (claim.count_max as usize).saturating_sub(chosen.len());
        let waiting = self.choose_waiting(claim.runs_max, rest);
        for id in chosen {
            let claimed = self.take(id, claim)?;
            claims.claimed.push(claimed);
        }
        for id in waiting {
            let created_at = self.runs.get(&id).map(|row| row.run.created_at);
            let at = created_at.map_or(claim.now, |created_at| claim.now.max(created_at));
            self.change_run(id, EventKind::RunStarted, at, |run| {
                run.status = RunStatus::Running;
                run.started_at = Some(at);
            })?;
            let claimed = self.take(id, claim)?;
            claims.claimed.push(claimed);
        }
        claims.lease_until = self.earliest_lease(claim);
        claims.seq = self.events.newest();
        Ok(claims)
    }

    fn running(&self) -> impl Iterator<Item = RunId> {
        let running = self.index.with_status(None, RunStatus::Running);
        running.into_iter().flatten().copied()
    }

    fn is_orphan(&self, id: RunId, claim: &Claim) -> bool {
        self.runs.get(&id).is_some_and(|row| {
            let owner = row.claim.owner;
            owner.is_none_or(|owner| owner != claim.owner && row.claim.lease_until <= claim.now)
        })
    }

    fn crashes(&self, id: RunId) -> u32 {
        self.runs.get(&id).map_or(0, |row| row.claim.count)
    }

    /// Ends the orphans that crashed too often and gives the others, fewest claims first.
    fn end_poisoned(&mut self, claim: &Claim, claims: &mut ClaimOutcome) -> Result<Vec<RunId>> {
        let crashes_max = claim.crashes_max.max(1);
        let orphans = self.running().filter(|id| self.is_orphan(*id, claim));
        let orphans: Vec<_> = orphans.collect();
        let (poisoned, mut rest): (Vec<_>, Vec<_>) = orphans
            .into_iter()
            .partition(|id| self.crashes(*id) >= crashes_max);
        for id in poisoned {
            self.end_as_poisoned(id, claim.now)?;
            claims.poisoned.push(id);
            let row = self.runs.get(&id);
            claims
                .stopped
                .extend(row.and_then(|row| self.stopped_by(&row.run)));
        }
        rest.sort_by_key(|id| (self.crashes(*id), *id));
        Ok(rest)
    }

    fn end_as_poisoned(&mut self, id: RunId, now: DateTime<Utc>) -> Result<()> {
        let row = self.run_mut(id)?;
        let end = if row.run.cancel.is_some() {
            RunEnd::cancelled(now)
        } else {
            RunEnd::failed(rules::poisoned(row.claim.count), now)
        };
        for node in row.nodes.values_mut() {
            rules::settle_node(&mut node.node, end.status);
        }
        self.end_run(id, end)
    }

    /// While one is suspected of ending the process, orphans go one at a time.
    fn choose_orphans(
        &self,
        claim: &Claim,
        orphans: &[RunId],
        claims: &mut ClaimOutcome,
    ) -> Vec<RunId> {
        let suspected = claim.crashes_max.saturating_sub(1).max(1);
        let count_max = claim.count_max as usize;
        if orphans.iter().all(|id| self.crashes(*id) < suspected) {
            return orphans.iter().take(count_max).copied().collect();
        }
        let holds_one = self.running().any(|id| {
            let row = self.runs.get(&id);
            row.is_some_and(|row| {
                row.claim.owner == Some(claim.owner) && row.claim.count >= suspected
            })
        });
        let one_max = usize::from(claim.suspects && !holds_one).min(count_max);
        claims.suspects_left = orphans.len() > one_max;
        orphans.iter().take(one_max).copied().collect()
    }

    /// The next waiting runs by priority, then age. The cost is that of the lanes, not of the runs in them.
    fn choose_waiting(&self, runs_max: u32, count_max: usize) -> Vec<RunId> {
        let running = self.index.count(None, RunStatus::Running);
        let free = u64::from(runs_max).saturating_sub(running);
        let count_max = count_max.min(usize::try_from(free).unwrap_or(usize::MAX));
        let mut chosen = Vec::new();
        if count_max == 0 {
            return chosen;
        }
        let mut rooms = Rooms::default();
        let mut heads = BinaryHeap::new();
        for (lane, waiting) in &self.index.lanes {
            if rooms.have_some(self, lane) && !self.is_schedule_executing(lane) {
                heads.extend(Head::of(lane, self.in_order(lane.2, waiting)).map(Reverse));
            }
        }
        while chosen.len() < count_max
            && let Some(Reverse(Head { id, lane, waiting })) = heads.pop()
        {
            if rooms.take(self, lane) {
                chosen.push(id);
                if !rules::runs_one_at_a_time(lane.0) {
                    heads.extend(Head::of(lane, waiting).map(Reverse));
                }
            }
        }
        chosen
    }

    /// Whether the runs of a lane wait for one that executes.
    fn is_schedule_executing(&self, (priority, pipeline, _): &Lane) -> bool {
        let running = self.index.with_status(Some(pipeline), RunStatus::Running);
        rules::runs_one_at_a_time(*priority)
            && running.into_iter().flatten().any(|id| {
                let row = self.runs.get(id);
                row.is_some_and(|row| row.run.trigger.priority() == *priority)
            })
    }

    /// The runs of a lane, that first which goes first.
    fn in_order<'a>(
        &self,
        backfill: Option<BackfillId>,
        waiting: &'a std::collections::BTreeSet<RunId>,
    ) -> Waiting<'a> {
        let row = backfill.and_then(|id| self.backfills.get(&id));
        match row.map_or(BackfillOrder::Ascending, |row| row.backfill.order) {
            BackfillOrder::Ascending => Box::new(waiting.iter().copied()),
            BackfillOrder::Descending => Box::new(waiting.iter().rev().copied()),
        }
    }

    /// How many more runs of a backfill may execute.
    fn room_of_backfill(&self, id: BackfillId) -> u64 {
        let max = self.backfills.get(&id).map(|row| row.backfill.max_parallel);
        let running = self.index.count_of_backfill(id, RunStatus::Running);
        max.map_or(u64::MAX, |max| u64::from(max).saturating_sub(running))
    }

    /// How many more runs of a pipeline may execute.
    fn room(&self, pipeline: &PipelineId) -> u64 {
        let stored = self.pipelines.live(pipeline.as_str(), &Scope::All);
        let max = stored.and_then(|stored| stored.definition.max_concurrent_runs);
        let running = self.index.count(Some(pipeline), RunStatus::Running);
        max.map_or(u64::MAX, |max| u64::from(max).saturating_sub(running))
    }

    /// Makes a running run the asker's.
    fn take(&mut self, id: RunId, claim: &Claim) -> Result<ClaimedRun> {
        let row = self.run_mut(id)?;
        row.put_back_nodes();
        row.claim.owner = Some(claim.owner);
        row.claim.lease_until = later(claim.now, claim.lease);
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

    fn earliest_lease(&self, claim: &Claim) -> Option<DateTime<Utc>> {
        self.running()
            .filter_map(|id| self.runs.get(&id))
            .filter(|row| row.claim.owner.is_some_and(|owner| owner != claim.owner))
            .map(|row| row.claim.lease_until)
            .filter(|until| *until > claim.now)
            .min()
    }

    /// Changes what the owner still holds and gives back what it has lost.
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

/// What is left of the limits of pipelines and backfills within one claim.
#[derive(Default)]
struct Rooms<'a> {
    pipelines: BTreeMap<&'a PipelineId, u64>,
    backfills: BTreeMap<BackfillId, u64>,
}

impl<'a> Rooms<'a> {
    fn have_some(&mut self, state: &State, (_, pipeline, backfill): &'a Lane) -> bool {
        let room = *self
            .pipelines
            .entry(pipeline)
            .or_insert_with(|| state.room(pipeline));
        let of_backfill = backfill.map_or(u64::MAX, |id| {
            *self
                .backfills
                .entry(id)
                .or_insert_with(|| state.room_of_backfill(id))
        });
        room > 0 && of_backfill > 0
    }

    /// Takes the place of one run; false where there is none.
    fn take(&mut self, state: &State, lane: &'a Lane) -> bool {
        let has_some = self.have_some(state, lane);
        if has_some {
            let (_, pipeline, backfill) = lane;
            let of_backfill = backfill.and_then(|id| self.backfills.get_mut(&id));
            let rooms = self.pipelines.get_mut(pipeline).into_iter();
            rooms.chain(of_backfill).for_each(|room| *room -= 1);
        }
        has_some
    }
}

/// The runs of a lane that are not chosen yet.
type Waiting<'a> = Box<dyn Iterator<Item = RunId> + 'a>;

/// The next run of a lane, ordered by priority and age; the lane goes on behind it.
struct Head<'a> {
    id: RunId,
    lane: &'a Lane,
    waiting: Waiting<'a>,
}

impl<'a> Head<'a> {
    fn of(lane: &'a Lane, mut waiting: Waiting<'a>) -> Option<Self> {
        let id = waiting.next()?;
        Some(Self { id, lane, waiting })
    }
}

impl Head<'_> {
    const fn order(&self) -> (Priority, RunId) {
        (self.lane.0, self.id)
    }
}

impl PartialEq for Head<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl Eq for Head<'_> {}

impl PartialOrd for Head<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Head<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order().cmp(&other.order())
    }
}

/// A lease too long for the calendar holds to its end.
fn later(now: DateTime<Utc>, lease: Duration) -> DateTime<Utc> {
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
        let until = later(now, lease);
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
