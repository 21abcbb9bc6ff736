//! Retries and drops dead letters.
//!
//! The module `delivery` delivers what is retried.

use std::sync::Arc;

use super::audit::{Audited, Author, Named};
use super::{Engine, Shared};
use crate::error::{Error, Result, quote};
use crate::model::{AuditAction, AuditSubject, DeliveryId, Scope};
use crate::notifier::RetryRequests;
use crate::storage::{ChangeDeadLetter, DeadLetterAction, ParkedDelivery};

impl Engine {
    /// Retries the dead letter with this id: it is due at once, and its tries count from zero.
    ///
    /// # Errors
    /// `NotFound` (`delivery-not-found`), `Conflict` (`delivery-waiting`), `ShuttingDown`, and any
    /// error of storage.
    pub(crate) async fn retry_delivery(&self, id: &str, author: &Author) -> Result<ParkedDelivery> {
        self.change_dead_letter(id, DeadLetterAction::Retry, author)
            .await
    }

    /// Deletes the dead letter with this id.
    ///
    /// # Errors
    /// The same as [`Engine::retry_delivery`].
    pub(crate) async fn drop_delivery(&self, id: &str, author: &Author) -> Result<()> {
        let dropped = self.change_dead_letter(id, DeadLetterAction::Drop, author);
        dropped.await.map(drop)
    }

    async fn change_dead_letter(
        &self,
        id: &str,
        action: DeadLetterAction,
        author: &Author,
    ) -> Result<ParkedDelivery> {
        let parsed = id.parse().map_err(|_| Error::delivery_not_found(quote(id)));
        let (parsed, scope) = (parsed?, author.scope.clone());
        let audit_action = match action {
            DeadLetterAction::Retry => AuditAction::DeliveryRetry,
            DeadLetterAction::Drop => AuditAction::DeliveryDrop,
        };
        let named = Named::Delivery(id.to_owned());
        let audited = Audited::new(audit_action, named, author.clone());
        self.audited(audited, move |shared, audited| async move {
            let change = (parsed, action);
            shared.change_dead_letter(change, scope, &audited).await
        })
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
        (id, action): (DeliveryId, DeadLetterAction),
        scope: Scope,
        audited: &Audited,
    ) -> Result<ParkedDelivery> {
        let now = self.clock.now();
        let change = ChangeDeadLetter {
            scope,
            audit: Some(audited.entry(AuditSubject::Delivery(id.clone()), now)),
            ..ChangeDeadLetter::new(id.clone(), action, now)
        };
        let changed = self.storage.change_dead_letter(change).await?;
        match action {
            DeadLetterAction::Retry => self.retry_requests.request(&id, changed.event.run),
            DeadLetterAction::Drop => {}
        }
        Ok(changed)
    }
}
