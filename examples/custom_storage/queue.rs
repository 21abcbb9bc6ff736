//! Claims of runs: claim, renew and release.
//!
//! Claimed runs write through `journal`.

use std::collections::HashSet;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use floret::storage::{Claim, ClaimOutcome, ClaimedRun, HeldRun, LaneClass, OwnerId, Queue};
use floret::{BackfillOrder, EventKind, NodeStatus, Result, Run, RunId, RunStatus, Scope, Waiting};

use crate::audited::AuditedStorage;
use crate::dependencies::may_start_others;
use crate::finish::{Outcome, finish};
use crate::rows::{Rows, RunRow};
use crate::waiting::{is_held, waiting};

#[async_trait]
impl Queue for AuditedStorage {
    async fn claim(&self, claim: Claim) -> Result<ClaimOutcome> {
        self.write("claim", |rows| {
            let mut claims = ClaimOutcome::default();
            claims.lost = settle_holdings(rows, &claim);
            poison_orphans(rows, &claim, &mut claims)?;
            claim_orphans(rows, &claim, &mut claims)?;
            if claims.claimed.len() < count_max(&claim) {
                claims.due_at = next_due(rows, &claim);
            }
            while claims.claimed.len() < count_max(&claim) {
                let Some(next) = next_pending(rows, &claim) else {
                    break;
                };
                let claimed = start(rows, &claim, next)?;
                claims.claimed.push(claimed);
            }
            let others =
                running(rows).filter(|row| row.owner.is_some_and(|owner| owner != claim.owner));
            claims.lease_until = others
                .map(|row| row.lease_until)
                .filter(|until| *until > claim.now)
                .min();
            claims.seq = rows.seq;
            Ok(claims)
        })
    }

    async fn renew(
        &self,
        owner: OwnerId,
        held: Vec<HeldRun>,
        lease: Duration,
        now: DateTime<Utc>,
    ) -> Result<Vec<HeldRun>> {
        self.write("renew", |rows| {
            Ok(each_held(rows, owner, held, |row| {
                row.lease_until = lease_end(now, lease)
            }))
        })
    }

    async fn release(&self, owner: OwnerId, held: Vec<HeldRun>) -> Result<Vec<HeldRun>> {
        self.write("release", |rows| Ok(each_held(rows, owner, held, release)))
    }

    async fn waiting(
        &self,
        run: RunId,
        scope: &Scope,
        now: DateTime<Utc>,
    ) -> Result<Option<Waiting>> {
        self.read(|rows| waiting(rows, run, scope, now))
    }
}

/// Applies a change to each run that the owner holds, and returns the lost claims.
fn each_held(
    rows: &mut Rows,
    owner: OwnerId,
    held: Vec<HeldRun>,
    mut change: impl FnMut(&mut RunRow),
) -> Vec<HeldRun> {
    let mut lost = Vec::new();
    for held in held {
        let row = rows.runs.get_mut(&held.run);
        match row.filter(|row| row.owner == Some(owner) && row.epoch == held.epoch) {
            Some(row) => change(row),
            None => lost.push(held),
        }
    }
    lost
}

/// Releases a run without a charge.
fn release(row: &mut RunRow) {
    row.owner = None;
    row.claim_count = row.claim_count.saturating_sub(1);
    requeue_nodes(row);
}

/// Renews what the owner of a claim holds, and frees its other runs. Returns the lost claims.
fn settle_holdings(rows: &mut Rows, claim: &Claim) -> Vec<HeldRun> {
    let lease_until = lease_end(claim.now, claim.lease);
    let disown = |row: &mut RunRow| {
        row.owner = None;
        requeue_nodes(row);
    };
    each_held(rows, claim.owner, claim.broken_off.clone(), disown);
    let lost = each_held(rows, claim.owner, claim.held.clone(), |row| {
        row.lease_until = lease_until;
    });
    // The owner never received the rest of its runs.
    let held: HashSet<_> = claim.held.iter().copied().collect();
    let own = rows.runs.values_mut().filter(|row| {
        row.run.status == RunStatus::Running
            && row.owner == Some(claim.owner)
            && !held.contains(&HeldRun::new(row.run.id, row.epoch))
    });
    own.for_each(release);
    lost
}

/// Makes the running nodes of a run pending again.
fn requeue_nodes(row: &mut RunRow) {
    for node_row in row.nodes.values_mut() {
        if node_row.node.status == NodeStatus::Running {
            node_row.node.status = NodeStatus::Pending;
        }
    }
}

/// Returns when a lease ends, at the latest at the last representable time.
fn lease_end(now: DateTime<Utc>, lease: Duration) -> DateTime<Utc> {
    let lease = TimeDelta::from_std(lease).unwrap_or(TimeDelta::MAX);
    now.checked_add_signed(lease)
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

fn count_max(claim: &Claim) -> usize {
    usize::try_from(claim.count_max).unwrap_or(usize::MAX)
}

fn running(rows: &Rows) -> impl Iterator<Item = &RunRow> {
    rows.runs
        .values()
        .filter(|row| row.run.status == RunStatus::Running)
}

fn orphans(rows: &Rows, claim: &Claim) -> Vec<(u32, RunId)> {
    let orphans = running(rows).filter(|row| {
        let is_others = row.owner != Some(claim.owner);
        row.owner.is_none() || (is_others && row.lease_until <= claim.now)
    });
    orphans.map(|row| (row.claim_count, row.run.id)).collect()
}

/// Finishes orphans that were claimed too often without progress.
fn poison_orphans(rows: &mut Rows, claim: &Claim, claims: &mut ClaimOutcome) -> Result<()> {
    for (claim_count, id) in orphans(rows, claim) {
        if claim_count < claim.crashes_max {
            continue;
        }
        let mut outcome = Outcome::cancelled(claim.now);
        if rows.run_mut(id)?.run.cancel.is_none() {
            outcome.status = RunStatus::Failed;
            outcome.error = Some(format!(
                "poisoned: {claim_count} claims in a row made no progress"
            ));
        }
        finish(rows, id, outcome)?;
        let row = rows.run_mut(id)?;
        let cancelled = row.run.backfill_id.filter(|_| row.has_cancelled_backfill);
        claims.cancelled_backfills.extend(cancelled);
        claims.poisoned.push(id);
        claims.may_start_others |= may_start_others(rows, id);
    }
    Ok(())
}

/// Claims orphans, one at a time while one is suspected of crashing its owner. The orphan with the
/// fewest claims goes first.
fn claim_orphans(rows: &mut Rows, claim: &Claim, claims: &mut ClaimOutcome) -> Result<()> {
    let mut orphans = orphans(rows, claim);
    orphans.sort_unstable();
    let suspected = claim.crashes_max.saturating_sub(1).max(1);
    let mut count = count_max(claim);
    if orphans
        .iter()
        .any(|(claim_count, _)| *claim_count >= suspected)
    {
        let mut held = running(rows).filter(|row| row.owner == Some(claim.owner));
        // A run in its first claim has not crashed.
        let holds_one = held.any(|row| row.claim_count >= suspected.max(2));
        count = count.min(usize::from(claim.suspects && !holds_one));
        claims.suspects_left = orphans.len() > count;
    }
    for (_, id) in orphans.into_iter().take(count) {
        requeue_nodes(rows.run_mut(id)?);
        let claimed = claim_run(rows, claim, id)?;
        claims.claimed.push(claimed);
    }
    Ok(())
}

/// Returns the first pending run that no limit delays.
fn next_pending(rows: &Rows, claim: &Claim) -> Option<RunId> {
    if running(rows).count() as u64 >= u64::from(claim.runs_max) {
        return None;
    }
    let pending = rows
        .runs
        .values()
        .filter(|row| row.run.status == RunStatus::Pending);
    let due = pending.filter(|row| is_due(&row.run, claim));
    let ready = due.filter(|row| {
        !is_held(rows, &row.run, claim.now)
            && is_next_of_backfill(rows, &row.run, claim)
            && has_slot(rows, &row.run, claim)
    });
    let first = ready.min_by_key(|row| (row.run.rank(), row.run.id))?;
    Some(first.run.id)
}

/// Returns when the next delayed run is due, if a run could start now.
fn next_due(rows: &Rows, claim: &Claim) -> Option<DateTime<Utc>> {
    if running(rows).count() as u64 >= u64::from(claim.runs_max) {
        return None;
    }
    let runs = rows.runs.values().map(|row| &row.run);
    let pending = runs.filter(|run| run.status == RunStatus::Pending);
    let delays = pending.filter_map(|run| run.run_after);
    delays.filter(|after| *after > claim.now).min()
}

/// Returns whether a run is not delayed at the time of a claim.
fn is_due(run: &Run, claim: &Claim) -> bool {
    run.run_after.is_none_or(|after| after <= claim.now)
}

/// Returns whether a run is the next one of its backfill, among those of its rank that are due. A
/// run without a backfill always is.
fn is_next_of_backfill(rows: &Rows, run: &Run, claim: &Claim) -> bool {
    let Some(row) = run.backfill_id.and_then(|id| rows.backfills.get(&id)) else {
        return true;
    };
    let siblings = rows.runs_in(row.backfill.id).map(|row| &row.run);
    let mut pending = siblings.filter(|other| {
        other.status == RunStatus::Pending
            && other.rank() == run.rank()
            && is_due(other, claim)
            && !is_held(rows, other, claim.now)
    });
    let is_descending = row.backfill.order == BackfillOrder::Descending;
    pending.all(|other| match is_descending {
        true => (other.date, other.id) <= (run.date, run.id),
        false => (other.date, other.id) >= (run.date, run.id),
    })
}

/// Returns whether the gates and the limits of pipeline, backfill and schedule let a run start.
fn has_slot(rows: &Rows, run: &Run, claim: &Claim) -> bool {
    let count = |is_counted: &dyn Fn(&Run) -> bool| {
        let others = running(rows).map(|row| &row.run);
        others.filter(|other| is_counted(other)).count() as u64
    };
    let own = run.qualified_pipeline();
    let is_sibling = |other: &Run| other.qualified_pipeline() == own;
    let pipeline = rows.pipelines.get(&own);
    let max = pipeline.and_then(|pipeline| pipeline.definition.max_concurrent_runs);
    let backfill = run.backfill_id.and_then(|id| rows.backfills.get(&id));
    let is_scheduled =
        |other: &Run| is_sibling(other) && other.trigger.lane_class() == LaneClass::Schedule;
    pipeline.is_none_or(|pipeline| pipeline.paused.is_none())
        && !rows.dependencies.is_blocked(&own, claim.now)
        && max.is_none_or(|max| count(&is_sibling) < u64::from(max))
        && backfill.is_none_or(|row| {
            let is_in = |other: &Run| other.backfill_id == run.backfill_id;
            row.backfill.paused.is_none() && count(&is_in) < u64::from(row.backfill.max_parallel)
        })
        && (!is_scheduled(run) || count(&is_scheduled) == 0)
}

/// Starts a pending run and claims it.
fn start(rows: &mut Rows, claim: &Claim, id: RunId) -> Result<ClaimedRun> {
    let run = &mut rows.run_mut(id)?.run;
    let started_at = claim.now.max(run.created_at);
    run.status = RunStatus::Running;
    run.started_at = Some(started_at);
    let run = run.clone();
    let event = rows.record_event(&run, EventKind::RunStarted, started_at);
    event.status = Some(run.status.into());
    claim_run(rows, claim, id)
}

/// Makes the caller the owner of a running run, with one more claim and a greater epoch.
fn claim_run(rows: &mut Rows, claim: &Claim, id: RunId) -> Result<ClaimedRun> {
    let row = rows.run_mut(id)?;
    row.owner = Some(claim.owner);
    row.lease_until = lease_end(claim.now, claim.lease);
    row.epoch = row.epoch.saturating_add(1);
    row.claim_count = row.claim_count.saturating_add(1);
    let row = &*row;
    let (epoch, position, claim_count) = (row.epoch, row.position, row.claim_count);
    let row = row.clone();
    let mut claimed = ClaimedRun::new(row.run.clone(), rows.definition(&row.run)?, epoch);
    claimed.nodes = rows.nodes(&row);
    (claimed.position, claimed.claim_count) = (position, claim_count);
    Ok(claimed)
}
