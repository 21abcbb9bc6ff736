//! Cancel requests for runs: cancels a pending run, and records the request of a running one.
//!
//! The owner of a running run carries the request out.

use chrono::{DateTime, Utc};

use super::finish::RunOutcome;
use super::rules;
use super::state::State;
use crate::error::{Error, Result};
use crate::model::{EventKind, RunCancel, RunId, RunStatus};
use crate::storage::{CancelOutcome, CancelRequest};

impl State {
    pub(super) fn request_cancel(&mut self, request: &CancelRequest) -> Result<CancelOutcome> {
        let CancelRequest {
            run: id,
            scope,
            cancel: _,
            by: _,
            reason: _,
            now,
            audit,
        } = request;
        let found = self.run(*id, scope);
        let found = found.ok_or_else(|| Error::run_not_found(id))?;
        let tenant = found.run.tenant.clone();
        let status = self.cancel_run(*id, &request.record(), *now)?;
        self.audit(audit.clone(), tenant.as_ref());
        Ok(CancelOutcome::new(status, self.events.newest()))
    }

    /// Cancels a pending run or records the request of a running one, and returns the status.
    pub(super) fn cancel_run(
        &mut self,
        id: RunId,
        cancel: &RunCancel,
        now: DateTime<Utc>,
    ) -> Result<RunStatus> {
        let run = &mut self.run_mut(id)?.run;
        let status = run.status;
        match (status, &run.cancel) {
            (RunStatus::Pending, _) => {
                run.cancel = Some(cancel.clone());
                self.finish_run(id, RunOutcome::cancelled(now))?;
                return Ok(RunStatus::Cancelled);
            }
            (RunStatus::Running, None) => {
                self.change_run(id, EventKind::RunCancelling, now, |run| {
                    run.cancel = Some(cancel.clone());
                })?;
            }
            (RunStatus::Running, Some(before)) => {
                if cancel.escalates(Some(before)) {
                    run.cancel = Some(cancel.clone());
                }
            }
            (RunStatus::Cancelled, _) => {}
            (RunStatus::Success | RunStatus::Failed, _) => return Err(rules::run_finished(id)),
        }
        Ok(status)
    }
}
