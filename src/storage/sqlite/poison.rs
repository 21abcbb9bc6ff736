//! Orphans that crashed too often: they end in the claim that finds them.
//!
//! Which these are is decided in `rules`; the other orphans are left to `claim`.

use super::ends::Ended;
use super::fault::Fault;
use super::state::Active;
use super::tx::Tx;
use super::values::id;
use crate::model::{RunId, RunStatus};
use crate::storage::rules::{self, OrphanChoice};
use crate::storage::{Claim, ClaimOutcome};

impl Tx {
    /// Ends the orphans that crashed too often.
    pub(super) fn poison(
        &mut self,
        choice: &OrphanChoice,
        claim: &Claim,
        claims: &mut ClaimOutcome,
    ) -> Result<(), Fault> {
        for &run in &choice.poisoned {
            let Some(active) = self.state.running.remove(&run) else {
                continue;
            };
            self.state.stop(&active);
            let status = self.poison_run(run, &active, claim)?;
            claims.poisoned.push(run);
            let backfill = self.cancelled_backfill(active.backfill, status)?;
            claims.cancelled_backfills.extend(backfill);
        }
        Ok(())
    }

    fn poison_run(
        &mut self,
        run: RunId,
        active: &Active,
        claim: &Claim,
    ) -> Result<RunStatus, Fault> {
        let (status, error) = rules::poisoned_outcome(active.cancel, active.claims);
        let ended = Ended {
            key: active.key,
            pipeline: active.pipeline,
            tenant: active.tenant.as_ref(),
            created_at: active.created_at,
            backfill: active.backfill,
            before: RunStatus::Running,
            status,
            error: error.as_deref(),
            at: claim.now,
        };
        self.end_run(&ended)?;
        self.write_end_event(&ended)?;
        self.settle_nodes(&ended)?;
        self.drop_staged(active.key)?;
        let resumes = self.row(
            "SELECT resumed_from IS NOT NULL FROM runs WHERE id = ?",
            [id(&run)],
            |row| Ok(row.get::<_, bool>(0)?),
        )?;
        if status == RunStatus::Cancelled && resumes == Some(false) {
            self.drop_outputs(active.key, |_, _| false)?;
        }
        self.settle_backfill(&ended)?;
        Ok(status)
    }
}
