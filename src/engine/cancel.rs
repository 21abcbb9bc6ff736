//! Cancel: a pending run at once, a running one as soon as its nodes have ended.
//!
//! What a cancelled run does is carried out by `driver`.

use std::sync::Arc;

use super::{Engine, Shared};
use crate::error::{Error, Result};
use crate::model::{Cancel, RunId, RunStatus, Scope};
use crate::storage::{CancelOutcome, CancelRequest};

impl Engine {
    /// Asks a run to stop.
    ///
    /// # Errors
    /// `NotFound`, `RunFinished`, and what storage answers.
    pub(crate) async fn cancel(
        &self,
        run: RunId,
        cancel: Cancel,
        scope: &Scope,
    ) -> Result<CancelOutcome> {
        self.refuse_in_shutdown()?;
        let mut request = CancelRequest::new(run, cancel, self.0.clock.now());
        request.scope = scope.clone();
        // A task, since the driver must learn of the stored wish though the caller leaves meanwhile.
        let told = self
            .0
            .tasks
            .spawn(request_and_tell(Arc::clone(&self.0), request));
        told.await.map_err(|error| {
            Error::internal("the wish to cancel was not carried out").with_source(error)
        })?
    }
}

async fn request_and_tell(shared: Arc<Shared>, request: CancelRequest) -> Result<CancelOutcome> {
    let (run, cancel) = (request.run, request.cancel);
    let cancelled = match shared.storage.request_cancel(request).await {
        Ok(cancelled) => cancelled,
        Err(error) => {
            shared.tell_if_noted(run).await;
            return Err(error);
        }
    };
    shared.events.committed(cancelled.seq);
    if cancelled.status == RunStatus::Running {
        shared.active.cancel(run, cancel);
    } else {
        shared.events.ended(run);
    }
    Ok(cancelled)
}

impl Shared {
    /// A wish may be stored though the answer got lost: then its driver heeds it all the same, and whoever waits for the run is told of its end.
    async fn tell_if_noted(&self, run: RunId) {
        let Ok(Some(detail)) = self.storage.find_run(run, &Scope::All).await else {
            return;
        };
        self.tell_newest().await;
        if detail.run.status.is_terminal() {
            self.events.ended(run);
        } else if let Some(cancel) = detail.run.cancel {
            self.active.cancel(run, cancel);
        }
    }

    /// Tells of events whose commit was not answered.
    pub(super) async fn tell_newest(&self) {
        if let Ok(newest) = self.storage.newest_seq().await {
            self.events.committed(newest);
        }
    }
}
