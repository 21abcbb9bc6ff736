//! Finishes runs that nobody can execute: orphans that crashed too often, and runs without an id.
//!
//! `rules` decides which orphans are poisoned. `claim` handles the other runs.

use chrono::{DateTime, Utc};

use super::finish::RunCompletion;
use super::lanes::LaneKey;
use super::state::ActiveRun;
use super::store_error::StoreError;
use super::tx::Tx;
use super::values::{id, tenant_or_none};
use crate::model::{RunId, RunStatus};
use crate::storage::rules::{self, OrphanChoice};
use crate::storage::{Claim, ClaimOutcome};

impl Tx {
    /// Finishes the poisoned orphans of a claim.
    pub(super) fn finish_poisoned(
        &mut self,
        choice: &OrphanChoice,
        claim: &Claim,
        claims: &mut ClaimOutcome,
    ) -> Result<(), StoreError> {
        for &run in &choice.poisoned {
            let Some(active) = self.state.running.remove(&run) else {
                continue;
            };
            self.state.subtract_running(&active);
            let status = self.finish_poisoned_run(run, &active, claim)?;
            claims.poisoned.push(run);
            claims.may_start_others |= self.is_upstream(active.pipeline)?;
            let backfill = self.cancelled_backfill(active.backfill, status)?;
            claims.cancelled_backfills.extend(backfill);
        }
        Ok(())
    }

    fn finish_poisoned_run(
        &mut self,
        run: RunId,
        active: &ActiveRun,
        claim: &Claim,
    ) -> Result<RunStatus, StoreError> {
        let (status, error) = rules::poisoned_outcome(active.cancel.is_some(), active.claims);
        let finished = RunCompletion::of_running(active, status, error.as_deref(), claim.now);
        self.finish_run(&finished)?;
        self.write_finish_event(&finished)?;
        self.finish_open_nodes(&finished)?;
        self.drop_staged_of_run(active.key)?;
        let resumes = self.row(
            "SELECT resumed_from IS NOT NULL FROM runs WHERE id = ?",
            [id(&run)],
            |row| Ok(row.get::<_, bool>(0)?),
        )?;
        if status == RunStatus::Cancelled && resumes == Some(false) {
            self.drop_outputs(active.key, |_, _| false)?;
        }
        self.settle_backfill(&finished)?;
        Ok(status)
    }

    /// Finishes a pending run whose id cannot be read. Nobody can name it, so it has no event.
    pub(super) fn fail_nameless_run(
        &mut self,
        key: i64,
        lane: LaneKey,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let found = self.row(
            "SELECT created_at, tenant, concurrency_key FROM runs WHERE key = ?",
            [key],
            |row| {
                let concurrency_key: Option<String> = row.get(2).unwrap_or_default();
                Ok((row.get(0)?, tenant_or_none(row, 1), concurrency_key))
            },
        )?;
        let (created_at, tenant, concurrency_key) = found.unwrap_or_default();
        let finished = RunCompletion {
            key,
            pipeline: lane.pipeline,
            tenant: tenant.as_ref(),
            created_at,
            backfill: lane.backfill,
            concurrency_key: concurrency_key.as_deref(),
            before: RunStatus::Pending,
            status: RunStatus::Failed,
            error: Some("the id of the run cannot be read"),
            at: now,
        };
        self.finish_run(&finished)?;
        self.state.lanes.discard(lane);
        self.settle_backfill(&finished)
    }
}
