//! Cancels the unfinished runs of a backfill, and notifies the drivers and waiters of those that
//! storage has cancelled.
//!
//! `cancel` cancels one run.

use std::sync::Arc;

use super::audit::Named;
use super::cancel::CancelCommand;
use super::{Engine, Shared};
use crate::error::{ErrorKind, Result, log, trace_causes};
use crate::model::{AuditAction, AuditSubject, BackfillId, Cancel, RunStatus, Scope};
use crate::outage::{Backoff, RetryError, retry_while_unavailable};
use crate::storage::{BackfillDetail, CancelBackfill};

impl Engine {
    /// Requests the cancellation of every unfinished run of a backfill.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` (`invalid-field`), `RunFinished` (`run-finished`), and any error of
    /// storage.
    pub(crate) async fn cancel_backfill(
        &self,
        id: BackfillId,
        cancel: CancelCommand,
    ) -> Result<BackfillDetail> {
        let action = match cancel.cancel {
            Cancel::Plain => AuditAction::BackfillCancel,
            Cancel::Forced => AuditAction::BackfillForceCancel,
        };
        let audited = cancel.audited(action, Named::Backfill(id));
        let CancelCommand {
            cancel,
            reason,
            author,
        } = cancel;
        let mut request = CancelBackfill::new(id, cancel, self.0.clock.now());
        (request.by, request.scope) = (author.by, author.scope);
        request.reason = reason;
        self.audited(audited, |shared, audited| {
            request.audit = Some(audited.entry(AuditSubject::Backfill(id), request.now));
            cancel_and_notify(shared, request)
        })
        .await
    }
}

impl Shared {
    /// Notifies the drivers and waiters of backfills whose remaining runs storage has cancelled.
    pub(super) fn notify_cancelled_backfills(
        self: &Arc<Self>,
        backfills: impl IntoIterator<Item = BackfillId>,
    ) {
        for id in backfills {
            // A task, because it has to query storage while the caller goes on.
            let span = log::info_span!("backfill", backfill_id = %id);
            self.tasks
                .spawn(span.instrument(notify_once_found(Arc::clone(self), id)));
        }
    }

    /// Cancels the runs that execute here and wakes those who wait for a finished run.
    fn notify_runs(&self, detail: &BackfillDetail) {
        let cancel = detail.backfill.cancel;
        for run in &detail.runs {
            match (run.status, cancel) {
                (RunStatus::Running, Some(cancel)) => self.active.request_cancel(run.id, cancel),
                (RunStatus::Running | RunStatus::Pending, _) => {}
                (RunStatus::Success | RunStatus::Failed | RunStatus::Cancelled, _) => {
                    self.events.run_finished(run.id);
                }
            }
        }
        // Runs of other backfills may have waited for the keys of the cancelled ones.
        self.wake.notify_one();
    }
}

async fn cancel_and_notify(shared: Arc<Shared>, request: CancelBackfill) -> Result<BackfillDetail> {
    let id = request.backfill;
    match shared.storage.cancel_backfill(request).await {
        Ok(cancelled) => {
            shared.events.committed(cancelled.seq);
            shared.notify_runs(&cancelled.detail);
            Ok(cancelled.detail)
        }
        Err(error) => {
            // The request may be stored even though the answer was lost.
            if let Ok(Some(detail)) = shared.storage.find_backfill(id, &Scope::All).await {
                shared.notify_newest_commit().await;
                shared.notify_runs(&detail);
            }
            Err(error)
        }
    }
}

/// Without this notification, the runs that execute here would start more nodes before they finish
/// as cancelled.
async fn notify_once_found(shared: Arc<Shared>, id: BackfillId) {
    let find = || shared.storage.find_backfill(id, &Scope::All);
    let stop = shared.stop.cancelled();
    match retry_while_unavailable(&shared.clock, Backoff::STANDARD, stop, find).await {
        Ok(Some(detail)) => shared.notify_runs(&detail),
        Ok(None) | Err(RetryError::Stopped(_)) => {}
        Err(RetryError::Permanent(error)) if error.kind() == ErrorKind::ShuttingDown => {}
        Err(RetryError::Permanent(error)) => {
            log::error!(%error, backfill_id = %id, "a cancelled backfill cannot be read; its runs may start more nodes before they finish as cancelled");
            trace_causes(&error);
        }
    }
}
