//! Pauses of pipelines: the pending runs wait, and the ticks of the schedule create no run.
//!
//! Storage holds both, so that no path goes around a pause.

use super::note::check_reason;
use super::pipelines::Precondition;
use super::trigger::WakeOnDrop;
use super::{Engine, Shared};
use crate::error::Result;
use crate::model::{CallerName, Pause, Scope, StoredPipeline};
use crate::storage::SetPause;

/// A request to pause a pipeline.
#[derive(Debug, Clone)]
pub(crate) struct PauseCommand {
    /// Why, in the words of the caller.
    pub(crate) reason: Option<String>,
    pub(crate) by: Option<CallerName>,
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
        scope: &Scope,
    ) -> Result<StoredPipeline> {
        check_reason(pause.reason.as_deref())?;
        let (key, precondition, scope) = (key.to_owned(), precondition.clone(), scope.clone());
        self.command(|shared| async move {
            let mut new = Pause::new(shared.clock.now());
            (new.by, new.reason) = (pause.by, pause.reason);
            shared
                .set_pause(&key, Some(new), &precondition, &scope)
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
        precondition: &Precondition,
        scope: &Scope,
    ) -> Result<StoredPipeline> {
        let (key, precondition, scope) = (key.to_owned(), precondition.clone(), scope.clone());
        self.command(
            |shared| async move { shared.set_pause(&key, None, &precondition, &scope).await },
        )
        .await
    }
}

impl Shared {
    async fn set_pause(
        &self,
        key: &str,
        pause: Option<Pause>,
        precondition: &Precondition,
        scope: &Scope,
    ) -> Result<StoredPipeline> {
        let found = self.find_pipeline(key, scope).await?;
        let version = precondition.check(&found)?;
        let mut request = SetPause::new(found.id, pause);
        request.version = version;
        request.scope = Scope::of(found.tenant.as_ref());
        // The pending runs may start once the pause has ended.
        let _wake = request.pause.is_none().then(|| WakeOnDrop(&self.wake));
        self.storage.set_pause(request).await
    }
}
