//! Deliveries of a storage that fails on cue.
//!
//! How a call fails is left to `faulty_storage`.

use async_trait::async_trait;

use super::{FaultyStorage, Method};
use crate::error::Result;
use crate::model::{DeliveryId, Page, PageRequest, Scope};
use crate::storage::{
    ChangeDeadLetter, ClaimCursors, Cursors, Deliveries, DeliveryFilter, ParkedDelivery,
    PutDeliveries,
};

#[async_trait]
impl Deliveries for FaultyStorage {
    async fn claim_cursors(&self, claim: ClaimCursors) -> Result<Cursors> {
        self.intercept(Method::ClaimCursors, self.inner.claim_cursors(claim))
            .await
    }

    async fn put_deliveries(&self, put: PutDeliveries) -> Result<()> {
        self.intercept(Method::PutDeliveries, self.inner.put_deliveries(put))
            .await
    }

    async fn list_deliveries(
        &self,
        filter: DeliveryFilter,
        page: PageRequest,
    ) -> Result<Page<ParkedDelivery>> {
        self.intercept(
            Method::ListDeliveries,
            self.inner.list_deliveries(filter, page),
        )
        .await
    }

    async fn find_delivery(
        &self,
        id: &DeliveryId,
        scope: &Scope,
    ) -> Result<Option<ParkedDelivery>> {
        let finding = self.inner.find_delivery(id, scope);
        self.intercept(Method::FindDelivery, finding).await
    }

    async fn change_dead_letter(&self, change: ChangeDeadLetter) -> Result<ParkedDelivery> {
        let changing = self.inner.change_dead_letter(change);
        self.intercept(Method::ChangeDeadLetter, changing).await
    }
}
