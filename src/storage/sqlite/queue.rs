//! The storage methods of the queue: delivers claims to callers, renews and releases leases.
//!
//! `claim` chooses and claims runs.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rusqlite::params;
use tokio::sync::oneshot;

use super::SqliteStorage;
use super::inbox::{Inbox, InboxPriority};
use super::state::ActiveRun;
use super::step::{StepFn, StepKind, WriteStep};
use super::store_error::StoreError;
use super::tx::Tx;
use super::values::{millis, node_keys};
use crate::error::{Result, log, trace_causes};
use crate::model::{NodeStatus, OwnerId, RunId, Scope, Waiting};
use crate::storage::{Claim, ClaimOutcome, HeldRun, Queue};

#[async_trait]
impl Queue for SqliteStorage {
    async fn claim(&self, claim: Claim) -> Result<ClaimOutcome> {
        let (sender, answer) = oneshot::channel();
        let owner = claim.owner;
        let steps = Arc::clone(&self.0.steps);
        let deliver = move |outcome: Result<ClaimOutcome>| {
            // If the receiver is gone, dropping `Undelivered` releases the claims.
            drop(sender.send(outcome.map(|claims| Undelivered {
                claims: Some(claims),
                owner,
                steps,
            })));
        };
        self.send(
            InboxPriority::Normal,
            StepFn::boxed(StepKind::Ordinary, move |tx| tx.claim(&claim), deliver),
        )
        .await?;
        match answer.await {
            Ok(outcome) => outcome.map(Undelivered::deliver),
            Err(_) => Err(super::step_dropped()),
        }
    }

    async fn renew(
        &self,
        owner: OwnerId,
        held: Vec<HeldRun>,
        lease: Duration,
        now: DateTime<Utc>,
    ) -> Result<Vec<HeldRun>> {
        let until = lease_end(now, lease);
        self.step_for_leases(move |tx| tx.renew(owner, &held, until))
            .await
    }

    async fn release(&self, owner: OwnerId, held: Vec<HeldRun>) -> Result<Vec<HeldRun>> {
        self.step_for_leases(move |tx| tx.release(owner, &held))
            .await
    }

    async fn waiting(
        &self,
        run: RunId,
        scope: &Scope,
        now: DateTime<Utc>,
    ) -> Result<Option<Waiting>> {
        let scope = scope.clone();
        self.read(move |reader| reader.snapshot(|reader| reader.waiting(run, &scope, now)))
            .await
    }
}

/// Claims that the caller has not received yet. Dropping them releases their runs.
struct Undelivered {
    claims: Option<ClaimOutcome>,
    owner: OwnerId,
    steps: Arc<Inbox<Box<dyn WriteStep>>>,
}

impl Undelivered {
    fn deliver(mut self) -> ClaimOutcome {
        self.claims.take().unwrap_or_default()
    }
}

impl Drop for Undelivered {
    fn drop(&mut self) {
        let claims = self.claims.take().unwrap_or_default();
        let held: Vec<_> = claims
            .claimed
            .iter()
            .map(|claimed| HeldRun::new(claimed.run.id, claimed.epoch))
            .collect();
        if held.is_empty() {
            return;
        }
        let owner = self.owner;
        let log_failure = |outcome: Result<Vec<HeldRun>>| {
            if let Err(error) = outcome {
                log::error!(%error, "claims that no caller received could not be released");
                trace_causes(&error);
            }
        };
        self.steps.push_internal(StepFn::boxed(
            StepKind::Lease,
            move |tx| tx.release(owner, &held),
            log_failure,
        ));
    }
}

/// Returns the end of a lease that begins now. A lease beyond the calendar never ends.
pub(super) fn lease_end(now: DateTime<Utc>, lease: Duration) -> i64 {
    let lease = i64::try_from(lease.as_millis()).unwrap_or(i64::MAX);
    millis(now).saturating_add(lease)
}

impl Tx {
    /// Returns the run of a claim unless its owner lost the lease.
    fn held_by(&mut self, owner: OwnerId, claim: &HeldRun) -> Option<&mut ActiveRun> {
        let active = self.state.running.get_mut(&claim.run)?;
        (active.owner == Some(owner) && active.epoch == claim.epoch).then_some(active)
    }

    pub(super) fn renew(
        &mut self,
        owner: OwnerId,
        held: &[HeldRun],
        until: i64,
    ) -> Result<Vec<HeldRun>, StoreError> {
        let mut lost = Vec::new();
        for claim in held {
            let Some(active) = self.held_by(owner, claim) else {
                lost.push(*claim);
                continue;
            };
            active.lease_until = until;
            let key = active.key;
            let count = self.write(
                "UPDATE runs SET lease_until = ? WHERE key = ? AND status = 1",
                [until, key],
            )?;
            if count == 0 {
                lost.push(*claim);
            }
        }
        Ok(lost)
    }

    pub(super) fn release(
        &mut self,
        owner: OwnerId,
        held: &[HeldRun],
    ) -> Result<Vec<HeldRun>, StoreError> {
        let mut lost = Vec::new();
        for claim in held {
            let Some(active) = self.held_by(owner, claim) else {
                lost.push(*claim);
                continue;
            };
            active.claims = active.claims.saturating_sub(1);
            self.disown(claim.run)?;
        }
        Ok(lost)
    }

    /// Takes a running run from its owner, so that it is an orphan at once.
    pub(super) fn disown(&mut self, run: RunId) -> Result<(), StoreError> {
        let Some(active) = self.state.running.get_mut(&run) else {
            return Ok(());
        };
        active.owner = None;
        if let Some(cached) = active.cached.as_mut() {
            cached.reset_nodes();
        }
        let (key, claims) = (active.key, active.claims);
        self.write(
            "UPDATE runs SET owner = NULL, lease_until = NULL, claims = ? WHERE key = ?",
            params![claims, key],
        )?;
        self.reset_nodes(key)
    }

    /// Resets running nodes to pending, because their attempts were lost with the claim.
    pub(super) fn reset_nodes(&mut self, run: i64) -> Result<(), StoreError> {
        let (first, last) = node_keys(run);
        self.write(
            "UPDATE node_runs SET status = 0 WHERE key BETWEEN ? AND ? AND status = 1",
            [first, last],
        )?;
        Ok(())
    }
}

impl super::state::CachedRun {
    /// Does the same as [`Tx::reset_nodes`] in memory.
    pub(super) fn reset_nodes(&mut self) {
        for status in self.nodes.values_mut() {
            if *status == NodeStatus::Running {
                *status = NodeStatus::Pending;
            }
        }
    }
}
