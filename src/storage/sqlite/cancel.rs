//! The wish to cancel a run: a pending one ends here, a running one is told by its event.
//!
//! What a running run makes of it is left to its driver.

use chrono::{DateTime, Utc};
use rusqlite::{Row, params};

use super::body::Body;
use super::ends::Ended;
use super::fault::Fault;
use super::lanes::LaneKey;
use super::tx::Tx;
use super::values::{self, id, run_id, tenant, to_cancel, to_priority, to_run_status};
use crate::error::{Error, Result};
use crate::model::{Cancel, EventKind, RunId, RunStatus, TenantId};
use crate::storage::{CancelOutcome, CancelRequest, rules};

/// A run as far as a wish to cancel asks for it.
pub(super) struct Wished {
    run: RunId,
    key: i64,
    status: RunStatus,
    before: Option<Cancel>,
    tenant: Option<TenantId>,
    created_at: i64,
    lane: LaneKey,
}

/// The columns of [`read_wished`].
pub(super) const WISHED: &str =
    "id, key, status, cancel, tenant, created_at, priority, pipeline, backfill";

/// Reads the columns [`WISHED`].
pub(super) fn read_wished(row: &Row<'_>) -> Result<Wished, Fault> {
    Ok(Wished {
        run: run_id(&row.get::<_, Vec<u8>>(0)?)?,
        key: row.get(1)?,
        status: to_run_status(row.get(2)?)?,
        before: row.get::<_, Option<i64>>(3)?.map(to_cancel).transpose()?,
        tenant: tenant(row.get(4)?)?,
        created_at: row.get(5)?,
        lane: LaneKey {
            priority: to_priority(row.get(6)?)?,
            pipeline: row.get(7)?,
            backfill: row.get(8)?,
        },
    })
}

impl Tx {
    pub(super) fn request_cancel(
        &mut self,
        request: &CancelRequest,
    ) -> Result<CancelOutcome, Fault> {
        let CancelRequest {
            run,
            scope,
            cancel,
            now,
        } = request;
        let sql = format!("SELECT {WISHED} FROM runs WHERE id = ?");
        let wished = self
            .row(&sql, [id(run)], read_wished)?
            .filter(|wished| scope.admits(wished.tenant.as_ref()))
            .ok_or_else(|| Error::run_not_found(run))?;
        let status = self.cancel_run(&wished, *cancel, *now)?;
        Ok(CancelOutcome::new(status, self.newest_seq()))
    }

    /// Ends a pending run, notes the wish of a running one, and tells where it stands then.
    pub(super) fn cancel_run(
        &mut self,
        wished: &Wished,
        cancel: Cancel,
        now: DateTime<Utc>,
    ) -> Result<RunStatus, Fault> {
        let &Wished {
            run,
            key,
            status,
            before,
            ..
        } = wished;
        match status {
            RunStatus::Success | RunStatus::Failed => return Err(rules::run_finished(run).into()),
            RunStatus::Cancelled => {}
            RunStatus::Pending => {
                self.note_wish(key, cancel)?;
                self.cancel_pending(wished, now)?;
                return Ok(RunStatus::Cancelled);
            }
            RunStatus::Running if before < Some(cancel) => {
                self.note_wish(key, cancel)?;
                if before.is_none() {
                    let body = Body::of_run(EventKind::RunCancelling, status, None, now)?;
                    self.write_events(key, &body, None)?;
                }
                if let Some(active) = self.state.running.get_mut(&run) {
                    active.cancel = Some(cancel);
                    if let Some(driven) = active.driven.as_mut() {
                        driven.run.cancel = Some(cancel);
                    }
                }
            }
            RunStatus::Running => {}
        }
        Ok(status)
    }

    fn note_wish(&mut self, key: i64, cancel: Cancel) -> Result<(), Fault> {
        self.write(
            "UPDATE runs SET cancel = ? WHERE key = ?",
            params![values::cancel(cancel), key],
        )?;
        Ok(())
    }

    fn cancel_pending(&mut self, wished: &Wished, now: DateTime<Utc>) -> Result<(), Fault> {
        let Wished {
            run,
            key,
            status: _,
            before: _,
            tenant,
            created_at,
            lane,
        } = wished;
        let ended = Ended {
            key: *key,
            pipeline: lane.pipeline,
            tenant: tenant.as_ref(),
            created_at: *created_at,
            backfill: lane.backfill,
            before: RunStatus::Pending,
            status: RunStatus::Cancelled,
            error: None,
            at: now,
        };
        self.end_run(&ended)?;
        self.write_end_event(&ended)?;
        self.state.lanes.remove(*lane, *run);
        self.settle_backfill(&ended)
    }
}
