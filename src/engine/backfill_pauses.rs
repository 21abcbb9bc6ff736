//! Pauses of backfills: the pending runs wait, and those that execute go on.
//!
//! Storage holds the runs back. `pauses` pauses pipelines.

use super::audit::{Audited, Named};
use super::pauses::{PauseChange, PauseCommand};
use super::trigger::WakeOnDrop;
use super::{Engine, Shared};
use crate::error::Result;
use crate::model::{AuditAction, AuditSubject, BackfillId, Pause};
use crate::storage::{BackfillDetail, SetBackfillPause};

impl Engine {
    /// Pauses a backfill, or ends its pause. The pause of a paused one changes nothing, nor does
    /// the end of none.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` (`invalid-field`), `RunFinished` (`run-finished`), and any error of
    /// storage.
    pub(crate) async fn change_backfill_pause(
        &self,
        id: BackfillId,
        change: PauseChange,
        command: PauseCommand,
    ) -> Result<BackfillDetail> {
        let PauseCommand { reason, author } = command;
        let action = match change {
            PauseChange::Begin => AuditAction::BackfillPause,
            PauseChange::End => AuditAction::BackfillUnpause,
        };
        let audited = Audited::new(action, Named::Backfill(id), author.clone());
        let audited = audited.because(reason.clone());
        self.audited(audited, |shared, audited| async move {
            let now = shared.clock.now();
            let pause = (change == PauseChange::Begin).then(|| {
                let mut pause = Pause::new(now);
                (pause.by, pause.reason) = (author.by, reason);
                pause
            });
            let mut request = SetBackfillPause::new(id, pause);
            request.scope = author.scope;
            request.audit = Some(audited.entry(AuditSubject::Backfill(id), now));
            shared.set_backfill_pause(request).await
        })
        .await
    }
}

impl Shared {
    async fn set_backfill_pause(&self, request: SetBackfillPause) -> Result<BackfillDetail> {
        // Others may start: its own once the pause has ended, and those of its concurrency keys.
        let _wake = WakeOnDrop(&self.wake);
        self.storage.set_backfill_pause(request).await
    }
}
