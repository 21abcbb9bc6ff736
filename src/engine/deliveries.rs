//! Retries and drops dead letters.
//!
//! The module `delivery` delivers what is retried.

use std::sync::Arc;

use super::{Engine, Shared};
use crate::error::{Error, Result, quote};
use crate::model::{DeliveryId, Scope};
use crate::notifier::RetryRequests;
use crate::storage::{ChangeDeadLetter, DeadLetterAction, ParkedDelivery};

impl Engine {
    /// Retries the dead letter with this id: it is due at once, and its tries count from zero.
    ///
    /// # Errors
    /// `NotFound` (`delivery-not-found`), `Conflict` (`delivery-waiting`), `ShuttingDown`, and any
    /// error of storage.
    pub(crate) async fn retry_delivery(&self, id: &str, scope: &Scope) -> Result<ParkedDelivery> {
        self.change_dead_letter(id, DeadLetterAction::Retry, scope)
            .await
    }

    /// Deletes the dead letter with this id.
    ///
    /// # Errors
    /// The same as [`Engine::retry_delivery`].
    pub(crate) async fn drop_delivery(&self, id: &str, scope: &Scope) -> Result<()> {
        let dropped = self.change_dead_letter(id, DeadLetterAction::Drop, scope);
        dropped.await.map(drop)
    }

    async fn change_dead_letter(
        &self,
        id: &str,
        action: DeadLetterAction,
        scope: &Scope,
    ) -> Result<ParkedDelivery> {
        let parsed = id.parse().map_err(|_| Error::delivery_not_found(quote(id)));
        let (id, scope) = (parsed?, scope.clone());
        self.command(
            move |shared| async move { shared.change_dead_letter(id, action, scope).await },
        )
        .await
    }

    /// Returns the retries that callers have requested.
    pub(crate) fn retry_requests(&self) -> &Arc<RetryRequests> {
        &self.0.retry_requests
    }
}

impl Shared {
    async fn change_dead_letter(
        &self,
        id: DeliveryId,
        action: DeadLetterAction,
        scope: Scope,
    ) -> Result<ParkedDelivery> {
        let change = ChangeDeadLetter {
            scope,
            ..ChangeDeadLetter::new(id.clone(), action, self.clock.now())
        };
        let changed = self.storage.change_dead_letter(change).await?;
        match action {
            DeadLetterAction::Retry => self.retry_requests.request(&id, changed.event.run),
            DeadLetterAction::Drop => {}
        }
        Ok(changed)
    }
}
