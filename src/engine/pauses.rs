//! Pauses of pipelines: the pending runs wait, and the ticks of the schedule create no run.
//!
//! Storage holds both, so that no path goes around a pause.

use super::audit::{Audited, Author, Named};
use super::pipelines::Precondition;
use super::trigger::WakeOnDrop;
use super::{Engine, Shared};
use crate::error::Result;
use crate::model::{AuditAction, AuditSubject, Pause, Scope, StoredPipeline};
use crate::storage::SetPause;

/// What a command does to a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PauseChange {
    Begin,
    End,
}

/// A request to pause a pipeline or a backfill, or to end its pause.
#[derive(Debug, Clone)]
pub(crate) struct PauseCommand {
    /// Why, in the words of the caller.
    pub(crate) reason: Option<String>,
    pub(crate) author: Author,
}

impl Engine {
    /// Pauses the pipeline with this id or slug. The pause of a paused one changes nothing.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` (`tenant-required`, `precondition-failed`), `Invalid`
    /// (`invalid-field`), and any error of storage.
    pub(crate) async fn pause(
        &self,
        key: &str,
        pause: PauseCommand,
        precondition: &Precondition,
    ) -> Result<StoredPipeline> {
        let (key, precondition, author) = (key.to_owned(), precondition.clone(), &pause.author);
        let named = Named::Pipeline(key.clone());
        let audited = Audited::new(AuditAction::PipelinePause, named, author.clone());
        let audited = audited.because(pause.reason.clone());
        self.audited(audited, |shared, audited| async move {
            let mut new = Pause::new(shared.clock.now());
            let Author { scope, by } = pause.author;
            (new.by, new.reason) = (by, pause.reason);
            let named = (key.as_str(), &scope);
            shared
                .set_pause(named, Some(new), &precondition, &audited)
                .await
        })
        .await
    }

    /// Ends the pause of the pipeline with this id or slug. One that is not paused stays as it is.
    ///
    /// # Errors
    /// The same as those of [`Engine::pause`].
    pub(crate) async fn unpause(
        &self,
        key: &str,
        unpause: PauseCommand,
        precondition: &Precondition,
    ) -> Result<StoredPipeline> {
        let (key, precondition) = (key.to_owned(), precondition.clone());
        let PauseCommand { reason, author } = unpause;
        let (named, scope) = (Named::Pipeline(key.clone()), author.scope.clone());
        let audited = Audited::new(AuditAction::PipelineUnpause, named, author);
        self.audited(audited.because(reason), |shared, audited| async move {
            let named = (key.as_str(), &scope);
            shared.set_pause(named, None, &precondition, &audited).await
        })
        .await
    }
}

impl Shared {
    async fn set_pause(
        &self,
        (key, scope): (&str, &Scope),
        pause: Option<Pause>,
        precondition: &Precondition,
        audited: &Audited,
    ) -> Result<StoredPipeline> {
        let found = self.find_pipeline(key, scope).await?;
        let version = precondition.check(&found)?;
        let subject = AuditSubject::Pipeline(found.id.clone());
        let mut request = SetPause::new(found.id, pause);
        request.version = version;
        request.scope = Scope::of(found.tenant.as_ref());
        request.audit = Some(audited.entry(subject, self.clock.now()));
        // The pending runs may start once the pause has ended.
        let _wake = request.pause.is_none().then(|| WakeOnDrop(&self.wake));
        self.storage.set_pause(request).await
    }
}
