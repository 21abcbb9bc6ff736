//! Deliveries that have not succeeded, from the host's own code: find, list, retry and drop them.
//!
//! The module `delivery` delivers what is retried.

use futures_core::future::BoxFuture;

use super::Client;
use super::paging::{PageChoice, page_methods};
use crate::error::Result;
use crate::model::{Delivery, DeliveryId, DeliveryState, Page};
use crate::storage::DeliveryFilter;

/// The deliveries in the scope of a client that have not succeeded, from [`Client::deliveries`].
///
/// Awaiting it returns a page of them, the newest event first.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let floret = floret::testing::memory().start().await?;
/// use floret::DeliveryState;
///
/// let dead = floret.deliveries().state(DeliveryState::Dead).page(100).await?;
/// for delivery in dead.items {
///     println!("{} did not get event {}", delivery.id.notifier, delivery.id.seq);
///     floret.deliveries().retry(&delivery.id).await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is read before it is awaited"]
pub struct Deliveries {
    client: Client,
    state: Option<DeliveryState>,
    page: PageChoice,
}

impl Client {
    /// Returns the deliveries in scope that have not succeeded, to be found, listed, retried or
    /// dropped. The runs of their events are in scope.
    pub fn deliveries(&self) -> Deliveries {
        Deliveries {
            client: self.clone(),
            state: None,
            page: PageChoice::default(),
        }
    }
}

impl Deliveries {
    /// Returns the delivery with this id.
    ///
    /// # Errors
    /// `NotFound` if there is no such delivery, or if it has succeeded; `Unavailable`.
    pub async fn get(&self, id: &DeliveryId) -> Result<Delivery> {
        let (views, scope) = (self.client.views(), self.client.scope());
        views.find_delivery(&id.to_string(), scope).await
    }

    /// Retries a dead letter: it is due at once, and its tries count from zero. Returns it as it
    /// waits.
    ///
    /// It comes before later events of its run that are not delivered yet. If its notifier is not
    /// registered, it waits until it is.
    ///
    /// # Errors
    /// - `NotFound` if there is no such delivery.
    /// - `Conflict` (`delivery-waiting`) if it is not dead.
    /// - `ShuttingDown` or `Unavailable`.
    pub async fn retry(&self, id: &DeliveryId) -> Result<Delivery> {
        let (engine, author) = (self.client.engine(), self.client.author());
        let parked = engine.retry_delivery(&id.to_string(), &author).await?;
        self.client.views().delivery(parked).await
    }

    /// Drops a dead letter: it is neither listed nor counted any more.
    ///
    /// # Errors
    /// The same as [`Deliveries::retry`].
    pub async fn delete(&self, id: &DeliveryId) -> Result<()> {
        let (engine, author) = (self.client.engine(), self.client.author());
        engine.drop_delivery(&id.to_string(), &author).await
    }

    /// Lists only the deliveries in this state.
    pub const fn state(mut self, state: DeliveryState) -> Self {
        self.state = Some(state);
        self
    }

    page_methods!();
}

impl IntoFuture for Deliveries {
    /// A page of deliveries, the newest event first.
    ///
    /// # Errors
    /// - `Malformed` if the cursor is invalid, or the page is out of range.
    /// - `Unavailable`.
    type Output = Result<Page<Delivery>>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let page = self.page.into_request()?;
            let filter = DeliveryFilter {
                scope: self.client.scope().clone(),
                state: self.state,
            };
            self.client.views().list_deliveries(filter, page).await
        })
    }
}
