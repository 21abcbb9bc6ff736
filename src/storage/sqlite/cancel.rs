//! The wish to cancel a run: a pending one ends here, a running one is told by its event.
//!
//! What a running run makes of it is left to its driver.

use chrono::{DateTime, Utc};
use rusqlite::params;

use super::body::Body;
use super::ends::Ended;
use super::fault::Fault;
use super::rows::tenant;
use super::tx::Tx;
use super::values::{self, id, to_cancel, to_run_status};
use crate::error::{Error, Result};
use crate::model::{EventKind, RunId, RunStatus};
use crate::storage::{Cancelled, RequestCancel, rules};

impl Tx {
    pub(super) fn request_cancel(&mut self, request: &RequestCancel) -> Result<Cancelled, Fault> {
        let RequestCancel {
            run,
            scope,
            cancel,
            now,
        } = request;
        let found = self.row(
            "SELECT key, status, cancel, tenant FROM runs WHERE id = ?",
            [id(run)],
            |row| {
                let before = row.get::<_, Option<i64>>(2)?.map(to_cancel).transpose()?;
                let status = to_run_status(row.get(1)?)?;
                Ok((row.get::<_, i64>(0)?, status, before, tenant(row.get(3)?)?))
            },
        )?;
        let (key, status, before, _) = found
            .filter(|(_, _, _, tenant)| scope.admits(tenant.as_ref()))
            .ok_or_else(|| Error::run_not_found(run))?;
        match status {
            RunStatus::Success | RunStatus::Failed => return Err(rules::run_finished(*run).into()),
            RunStatus::Cancelled => {}
            RunStatus::Pending => {
                self.write(
                    "UPDATE runs SET cancel = ? WHERE key = ?",
                    [values::cancel(*cancel), key],
                )?;
                self.cancel_pending(key, *run, *now)?;
                return Ok(Cancelled::new(RunStatus::Cancelled, self.newest_seq()));
            }
            RunStatus::Running if before < Some(*cancel) => {
                self.write(
                    "UPDATE runs SET cancel = ? WHERE key = ?",
                    [values::cancel(*cancel), key],
                )?;
                if before.is_none() {
                    let body = Body::of_run(EventKind::RunCancelling, status, None, *now)?;
                    self.write_events(key, &body, None)?;
                }
                if let Some(active) = self.state.running.get_mut(run) {
                    active.cancel = Some(*cancel);
                    if let Some(driven) = active.driven.as_mut() {
                        driven.run.cancel = Some(*cancel);
                    }
                }
            }
            RunStatus::Running => {}
        }
        Ok(Cancelled::new(status, self.newest_seq()))
    }

    fn cancel_pending(&mut self, key: i64, run: RunId, now: DateTime<Utc>) -> Result<(), Fault> {
        let sql = "SELECT pipeline, tenant, created_at, priority FROM runs WHERE key = ?";
        let (pipeline, tenant, created_at, priority) = self
            .row(sql, params![key], |row| {
                Ok((
                    row.get(0)?,
                    tenant(row.get(1)?)?,
                    row.get(2)?,
                    row.get::<_, u8>(3)?,
                ))
            })?
            .ok_or_else(|| Error::run_not_found(run))?;
        let ended = Ended {
            key,
            pipeline,
            tenant: tenant.as_ref(),
            created_at,
            before: RunStatus::Pending,
            status: RunStatus::Cancelled,
            error: None,
            at: now,
        };
        self.end_run(&ended)?;
        self.write_end_event(&ended)?;
        self.state.lanes.remove(priority, pipeline, run);
        Ok(())
    }
}
