//! Orphans that crashed too often: ended within the claim that finds them.
//!
//! Who is claimed instead is left to `claim`.

use super::ends::Ended;
use super::fault::Fault;
use super::state::Active;
use super::tx::Tx;
use super::values::id;
use crate::model::{RunId, RunStatus};
use crate::storage::{Claim, ClaimOutcome, rules};

impl Tx {
    /// Ends the orphans that crashed too often.
    pub(super) fn poison(&mut self, claim: &Claim, claims: &mut ClaimOutcome) -> Result<(), Fault> {
        let crashes_max = claim.crashes_max.max(1);
        for run in self.orphans(claim, |active| active.claims >= crashes_max) {
            let Some(active) = self.state.running.remove(&run) else {
                continue;
            };
            self.state.stop(&active);
            let status = self.poison_run(run, &active, claim)?;
            claims.poisoned.push(run);
            claims
                .stopped
                .extend(self.stopped_by(active.backfill, status)?);
        }
        Ok(())
    }

    fn poison_run(
        &mut self,
        run: RunId,
        active: &Active,
        claim: &Claim,
    ) -> Result<RunStatus, Fault> {
        let error = rules::poisoned(active.claims);
        let (status, error) = match active.cancel {
            Some(_) => (RunStatus::Cancelled, None),
            None => (RunStatus::Failed, Some(error.as_str())),
        };
        let ended = Ended {
            key: active.key,
            pipeline: active.pipeline,
            tenant: active.tenant.as_ref(),
            created_at: active.created_at,
            backfill: active.backfill,
            before: RunStatus::Running,
            status,
            error,
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
