//! Deliveries that have not succeeded, as callers see them.
//!
//! Retrying and dropping them is left to `engine/deliveries`.

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};

use super::Views;
use super::pages::Listed;
use crate::error::{Error, Result, quote};
use crate::model::{
    Delivery, DeliveryId, DeliveryState, EventKind, Page, PageRequest, PipelineId, RunId, Scope,
    TenantId, rfc3339,
};
use crate::storage::{DeliveryFilter, EventFilter, ParkedDelivery};

impl Listed for Delivery {
    fn cursor(&self) -> String {
        self.id.to_string()
    }
}

impl Views {
    /// Returns the delivery with this id.
    ///
    /// # Errors
    /// `NotFound` (`delivery-not-found`); `Unavailable`.
    pub(crate) async fn find_delivery(&self, id: &str, scope: &Scope) -> Result<Delivery> {
        let found = match id.parse::<DeliveryId>() {
            Ok(id) => self.storage.find_delivery(&id, scope).await?,
            Err(_) => None,
        };
        let found = found.ok_or_else(|| Error::delivery_not_found(quote(id)))?;
        self.delivery(found).await
    }

    /// Returns a page of deliveries, newest first.
    ///
    /// # Errors
    /// `Malformed` (`invalid-parameter`) if the cursor is invalid; `Unavailable`.
    pub(crate) async fn list_deliveries(
        &self,
        filter: DeliveryFilter,
        page: PageRequest,
    ) -> Result<Page<Delivery>> {
        let page = self.storage.list_deliveries(filter, page).await?;
        let mut items = Vec::with_capacity(page.items.len());
        for parked in page.items {
            items.push(self.delivery(parked).await?);
        }
        Ok(Page::new(items, page.total, page.next))
    }

    /// Returns a delivery with the kind of its event.
    ///
    /// # Errors
    /// `Unavailable`.
    pub(crate) async fn delivery(&self, parked: ParkedDelivery) -> Result<Delivery> {
        let (id, state) = (parked.id(), parked.state());
        let ParkedDelivery {
            notifier: _,
            pipeline,
            tenant,
            event,
        } = parked;
        Ok(Delivery {
            id,
            state,
            kind: self.kind_of(event.run, event.seq).await?,
            run_id: event.run,
            pipeline_id: pipeline,
            tenant,
            tries: event.tries,
            at: event.next_at,
            error: event.error,
        })
    }

    /// Returns the kind of an event, or `None` if it cannot be read: its delivery can still be
    /// dropped.
    async fn kind_of(&self, run: RunId, seq: u64) -> Result<Option<EventKind>> {
        let filter = EventFilter {
            run: Some(run),
            ..EventFilter::default()
        };
        match self.storage.events(filter, seq.saturating_sub(1), 1).await {
            Ok(page) => {
                let found = page.events.into_iter().find(|event| event.seq == seq);
                Ok(found.map(|event| event.kind))
            }
            Err(error) if error.kind().is_transient() => Err(error),
            Err(_) => Ok(None),
        }
    }
}

#[derive(Debug, Serialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(
        rename = "Delivery",
        description = "A delivery that has not succeeded: it waits for a try, or is a dead letter."
    )
)]
struct DeliveryBody<'a> {
    /// The notifier and the number of the event, with a dot between them.
    id: String,
    notifier: &'a str,
    /// The number of the event.
    seq: u64,
    state: DeliveryState,
    /// Absent if the event cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<EventKind>,
    run_id: RunId,
    pipeline_id: &'a PipelineId,
    /// How many times the delivery was tried.
    tries: u32,
    /// When the next try is due, or when the dead letter died.
    #[serde(serialize_with = "rfc3339::serialize")]
    at: DateTime<Utc>,
    /// Why the last try failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<&'a TenantId>,
}

impl Serialize for Delivery {
    /// Writes the delivery as the API shows it.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self {
            id,
            state,
            kind,
            run_id,
            pipeline_id,
            tenant,
            tries,
            at,
            error,
        } = self;
        let body = DeliveryBody {
            id: id.to_string(),
            notifier: &id.notifier,
            seq: id.seq,
            state: *state,
            r#type: *kind,
            run_id: *run_id,
            pipeline_id,
            tries: *tries,
            at: *at,
            error: error.as_deref(),
            tenant: tenant.as_ref(),
        };
        body.serialize(serializer)
    }
}

#[cfg(test)]
schema_of! { Delivery => DeliveryBody<'static> }
