//! Cancel requests for runs: cancels a pending run, and records the request for a running one.
//!
//! The owner of a running run carries the request out, and `journal` appends its entries.

use chrono::{DateTime, Utc};
use rusqlite::{Row, params};

use super::body::JournalBody;
use super::finish::RunCompletion;
use super::lanes::LaneKey;
use super::store_error::StoreError;
use super::tx::Tx;
use super::values::{self, id, millis, run_id, tenant, to_cancel, to_run_status};
use crate::error::{Error, Result};
use crate::model::{CallerName, Cancel, EventKind, RunCancel, RunId, RunStatus, TenantId};
use crate::storage::{CancelOutcome, CancelRequest, rules};

/// A run, as far as a cancel request depends on it.
pub(super) struct CancelTarget {
    run: RunId,
    key: i64,
    status: RunStatus,
    requested: Option<Cancel>,
    tenant: Option<TenantId>,
    created_at: i64,
    lane: LaneKey,
    concurrency_key: Option<String>,
    is_resume: bool,
}

impl CancelTarget {
    pub(super) const fn run(&self) -> RunId {
        self.run
    }
}

/// The columns of [`read_cancel_target`].
pub(super) const CANCEL_TARGET: &str = "id, key, status, cancel, tenant, created_at, priority, pipeline, backfill, concurrency_key, \
     resumed_from IS NOT NULL";

/// Reads the columns [`CANCEL_TARGET`].
pub(super) fn read_cancel_target(row: &Row<'_>) -> Result<CancelTarget, StoreError> {
    Ok(CancelTarget {
        run: run_id(&row.get::<_, Vec<u8>>(0)?)?,
        key: row.get(1)?,
        status: to_run_status(row.get(2)?)?,
        requested: row.get::<_, Option<i64>>(3)?.map(to_cancel).transpose()?,
        tenant: tenant(row.get(4)?)?,
        created_at: row.get(5)?,
        lane: LaneKey::read(row.get(6)?, row.get(7)?, row.get(8)?)?,
        concurrency_key: row.get(9)?,
        is_resume: row.get(10)?,
    })
}

impl Tx {
    pub(super) fn request_cancel(
        &mut self,
        request: &CancelRequest,
    ) -> Result<CancelOutcome, StoreError> {
        let CancelRequest {
            run,
            scope,
            cancel: _,
            by: _,
            reason: _,
            now,
            audit,
        } = request;
        let sql = format!("SELECT {CANCEL_TARGET} FROM runs WHERE id = ?");
        let target = self
            .row(&sql, [id(run)], read_cancel_target)?
            .filter(|target| scope.admits(target.tenant.as_ref()))
            .ok_or_else(|| Error::run_not_found(run))?;
        let status = self.cancel_run(&target, &request.record(), *now)?;
        self.audit(audit.as_ref(), target.tenant.as_ref())?;
        Ok(CancelOutcome::new(status, self.newest_seq()))
    }

    /// Cancels a pending run or records the request for a running one. Returns the status after it.
    pub(super) fn cancel_run(
        &mut self,
        target: &CancelTarget,
        cancel: &RunCancel,
        now: DateTime<Utc>,
    ) -> Result<RunStatus, StoreError> {
        let &CancelTarget {
            run,
            key,
            status,
            requested,
            ..
        } = target;
        match status {
            RunStatus::Success | RunStatus::Failed => return Err(rules::run_finished(run).into()),
            RunStatus::Cancelled => {}
            RunStatus::Pending => {
                self.write_cancel_request(key, cancel)?;
                self.cancel_pending(target, now)?;
                return Ok(RunStatus::Cancelled);
            }
            RunStatus::Running if requested < Some(cancel.kind) => {
                self.write_cancel_request(key, cancel)?;
                if requested.is_none() {
                    let body = JournalBody::of_run(EventKind::RunCancelling, status, None, now)?;
                    self.write_events(key, &body, None)?;
                }
                if let Some(active) = self.state.running.get_mut(&run) {
                    active.cancel = Some(cancel.kind);
                    if let Some(cached) = active.cached.as_mut() {
                        cached.run.cancel = Some(cancel.clone());
                    }
                }
            }
            RunStatus::Running => {}
        }
        Ok(status)
    }

    fn write_cancel_request(&mut self, key: i64, cancel: &RunCancel) -> Result<(), StoreError> {
        let RunCancel {
            kind,
            by,
            reason,
            at,
        } = cancel;
        self.write(
            "UPDATE runs SET cancel = ?, cancel_by = ?, cancel_reason = ?, cancel_at = ? WHERE key = ?",
            params![
                values::cancel(*kind),
                by.as_ref().map(CallerName::as_str),
                reason,
                at.map(millis),
                key
            ],
        )?;
        Ok(())
    }

    fn cancel_pending(
        &mut self,
        target: &CancelTarget,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let CancelTarget {
            run,
            key,
            status: _,
            requested: _,
            tenant,
            created_at,
            lane: _,
            concurrency_key,
            is_resume,
        } = target;
        let lane = &self.current_lane(target)?;
        let finished = RunCompletion {
            key: *key,
            pipeline: lane.pipeline,
            tenant: tenant.as_ref(),
            created_at: *created_at,
            backfill: lane.backfill,
            concurrency_key: concurrency_key.as_deref(),
            before: RunStatus::Pending,
            status: RunStatus::Cancelled,
            error: None,
            at: now,
        };
        self.finish_run(&finished)?;
        self.write_finish_event(&finished)?;
        self.state.lanes.remove(*lane, *run);
        self.settle_cancelled_outputs(*key, *is_resume)?;
        self.settle_backfill(&finished)
    }

    /// Returns the lane of a pending run. The cancel of another one may have changed that of a run
    /// with a key since the target was read.
    fn current_lane(&self, target: &CancelTarget) -> Result<LaneKey, StoreError> {
        let lane = target.lane;
        if target.concurrency_key.is_none() {
            return Ok(lane);
        }
        let sql = "SELECT priority FROM runs WHERE key = ?";
        let number = self.row(sql, [target.key], |row| Ok(row.get(0)?))?;
        match number {
            Some(number) => LaneKey::read(number, lane.pipeline, lane.backfill),
            None => Ok(lane),
        }
    }
}
