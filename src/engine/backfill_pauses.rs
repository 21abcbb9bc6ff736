//! Pauses of backfills: the pending runs wait, and those that execute go on.
//!
//! Storage holds the runs back. `pauses` pauses pipelines.

use super::audit::{Audited, Named};
use super::pauses::PauseCommand;
use super::trigger::WakeOnDrop;
use super::{Engine, Shared};
use crate::error::Result;
use crate::model::{AuditAction, AuditSubject, BackfillId, Pause, Scope};
use crate::storage::{BackfillDetail, SetBackfillPause};

impl Engine {
    /// Pauses a backfill. The pause of a paused one changes nothing.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` (`invalid-field`), `RunFinished` (`run-finished`), and any error of
    /// storage.
    pub(crate) async fn pause_backfill(
        &self,
        id: BackfillId,
        pause: PauseCommand,
    ) -> Result<BackfillDetail> {
        let PauseCommand { reason, author } = pause;
        let (action, named) = (AuditAction::BackfillPause, Named::Backfill(id));
        let audited = Audited::new(action, named, author.clone());
        let audited = audited.because(reason.clone());
        self.audited(audited, |shared, audited| async move {
            let mut pause = Pause::new(shared.clock.now());
            (pause.by, pause.reason) = (author.by, reason);
            let named = (id, author.scope);
            shared
                .set_backfill_pause(named, Some(pause), &audited)
                .await
        })
        .await
    }

    /// Ends the pause of a backfill. One that is not paused stays as it is.
    ///
    /// # Errors
    /// The same as those of [`Engine::pause_backfill`].
    pub(crate) async fn unpause_backfill(
        &self,
        id: BackfillId,
        unpause: PauseCommand,
    ) -> Result<BackfillDetail> {
        let PauseCommand { reason, author } = unpause;
        let (action, scope) = (AuditAction::BackfillUnpause, author.scope.clone());
        let audited = Audited::new(action, Named::Backfill(id), author);
        self.audited(audited.because(reason), |shared, audited| async move {
            shared.set_backfill_pause((id, scope), None, &audited).await
        })
        .await
    }
}

impl Shared {
    async fn set_backfill_pause(
        &self,
        (id, scope): (BackfillId, Scope),
        pause: Option<Pause>,
        audited: &Audited,
    ) -> Result<BackfillDetail> {
        let mut request = SetBackfillPause::new(id, pause);
        request.scope = scope;
        request.audit = Some(audited.entry(AuditSubject::Backfill(id), self.clock.now()));
        // The pending runs may start once the pause has ended.
        let _wake = request.pause.is_none().then(|| WakeOnDrop(&self.wake));
        self.storage.set_backfill_pause(request).await
    }
}
