//! Cancel: a pending run ends at once, a running one when its nodes have stopped.
//!
//! A forced cancel of a running run takes these steps:
//!
//! 1. **Request.** [`Engine::cancel`] stores the cancel request and raises the run's stop signal
//!    to `Force` (`active`). From then on no node starts, and `driver/stopping` records the nodes
//!    that wait as cancelled.
//! 2. **Token.** `attempt` trips [`Ctx::cancel`](crate::executor::Ctx::cancel) of each executing
//!    attempt. An attempt that now returns an output still succeeds; one that returns an error is
//!    recorded as cancelled (`node`).
//! 3. **Grace.** `driver/stopping` sets a deadline at `Limits::force_grace`. When it passes,
//!    `driver/mod` raises the signal to `Abandon`.
//! 4. **Abandon.** `attempt` aborts the tasks that still execute, and `node` records their nodes
//!    as cancelled. A task that reaches no await within `Limits::stop_grace` keeps its thread: the
//!    engine counts it as abandoned and no longer waits for it. The same happens after two such
//!    graces to a node whose own task does not end, because a service holds its thread.
//! 5. **Late results.** The result of an abandoned attempt is discarded, since nothing awaits its
//!    task. `appender` drops the log lines that follow the run's end, and storage refuses appends
//!    to a finished run. Storage also refuses any other outcome for a run with a cancel request;
//!    `appender` then appends the run as cancelled.
//!
//! A plain cancel does step 1 with the signal `Cancel` and lets executing nodes finish.

use std::sync::Arc;

use super::audit::{Audited, Author, Named};
use super::{Engine, Shared};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{AuditAction, AuditSubject, Cancel, RunId, RunStatus, Scope};
use crate::storage::{CancelOutcome, CancelRequest};

/// How a caller cancels a run or a backfill.
#[derive(Debug, Clone)]
pub(crate) struct CancelCommand {
    pub(crate) cancel: Cancel,
    /// Why, in the words of the caller.
    pub(crate) reason: Option<String>,
    /// Who asks, and which objects that reaches.
    pub(crate) author: Author,
}

impl CancelCommand {
    /// Returns the command as the audit shows it.
    pub(super) fn audited(&self, action: AuditAction, named: Named) -> Audited {
        Audited::new(action, named, self.author.clone()).because(self.reason.clone())
    }
}

impl Engine {
    /// Requests that a run stops.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` (`invalid-field`), `RunFinished`, `ShuttingDown` and the errors of
    /// storage.
    pub(crate) async fn cancel(&self, run: RunId, cancel: CancelCommand) -> Result<CancelOutcome> {
        let action = match cancel.cancel {
            Cancel::Plain => AuditAction::RunCancel,
            Cancel::Forced => AuditAction::RunForceCancel,
        };
        let audited = cancel.audited(action, Named::Run(run));
        let CancelCommand {
            cancel,
            reason,
            author,
        } = cancel;
        let mut request = CancelRequest::new(run, cancel, self.0.clock.now());
        (request.by, request.scope) = (author.by, author.scope);
        request.reason = reason;
        self.audited(audited, |shared, audited| {
            request.audit = Some(audited.entry(AuditSubject::Run(run), request.now));
            request_and_notify(shared, request)
        })
        .await
    }
}

async fn request_and_notify(shared: Arc<Shared>, request: CancelRequest) -> Result<CancelOutcome> {
    let (run, cancel) = (request.run, request.cancel);
    let cancelled = match shared.storage.request_cancel(request).await {
        Ok(cancelled) => cancelled,
        Err(error) => {
            shared.notify_if_stored(run).await;
            return Err(error);
        }
    };
    shared.events.committed(cancelled.seq);
    shared.notify_cancelled(run, cancelled.status, cancel);
    Ok(cancelled)
}

impl Shared {
    /// Notifies the driver of a run that now has a cancel request, or the waiters of a run that the
    /// request has ended.
    pub(super) fn notify_cancelled(&self, run: RunId, status: RunStatus, cancel: Cancel) {
        if status == RunStatus::Running {
            self.active.request_cancel(run, cancel);
        } else {
            self.events.run_finished(run);
            // Another run may have waited for its concurrency key.
            self.wake.notify_one();
        }
    }

    /// Notifies the run's driver and waiters if storage holds the cancel request.
    ///
    /// The outcome of a failed commit is unknown: the request may be stored.
    async fn notify_if_stored(&self, run: RunId) {
        let Ok(Some(detail)) = self.storage.find_run(run, &Scope::All).await else {
            return;
        };
        self.notify_newest_commit().await;
        if detail.run.status.is_terminal() {
            self.events.run_finished(run);
            self.wake.notify_one();
        } else if let Some(cancel) = detail.run.cancel {
            self.active.request_cancel(run, cancel.kind);
        }
    }

    /// Wakes event readers after a failed commit, unless nothing can be stored.
    pub(super) async fn notify_after_failed_commit(&self, error: &Error) {
        if matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Internal) {
            self.notify_newest_commit().await;
        }
    }

    /// Wakes event readers after a commit whose outcome is unknown.
    pub(super) async fn notify_newest_commit(&self) {
        if let Ok(newest) = self.storage.newest_seq().await {
            self.events.committed(newest);
        }
    }
}
