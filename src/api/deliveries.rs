//! Handlers that list, show, retry and drop deliveries that have not succeeded.
//!
//! The engine carries out the commands; `views` decides what a delivery looks like.

use http::{Response, StatusCode};

use super::body::Body;
use super::call::Call;
use super::{input, paging, response};
use crate::error::Result;
use crate::model::DeliveryState;
use crate::views::DeliveryFilter;

const STATES: &[(&str, DeliveryState)] = &[
    (DeliveryState::Dead.as_str(), DeliveryState::Dead),
    (DeliveryState::Waiting.as_str(), DeliveryState::Waiting),
];

/// `GET /deliveries`
pub(super) async fn list(call: Call) -> Result<Response<Body>> {
    let query = call.query()?;
    let page = paging::read(&query)?;
    let filter = DeliveryFilter {
        scope: call.scope.clone(),
        state: query.choice("state", STATES)?,
    };
    let part = call.views().list_deliveries(filter, page.clone()).await?;
    paging::to_response(&call, &page, &part, &query)
}

/// `GET /deliveries/{delivery_id}`
pub(super) async fn find(mut call: Call) -> Result<Response<Body>> {
    call.read(|call| call.query().map(drop)).await?;
    let found = call.views().find_delivery(call.delivery_id(), &call.scope);
    Ok(response::json(StatusCode::OK, &found.await?))
}

/// `POST /deliveries/{delivery_id}/retry`
pub(super) async fn retry(mut call: Call) -> Result<Response<Body>> {
    call.read(|call| {
        call.query()?;
        let (_, body) = call.json()?;
        input::object(&body, &[]).map(drop)
    })
    .await?;
    let engine = call.engine();
    let parked = engine
        .retry_delivery(call.delivery_id(), &call.author())
        .await?;
    let shown = call.views().delivery(parked).await?;
    Ok(response::json(StatusCode::OK, &shown))
}

/// `DELETE /deliveries/{delivery_id}`
pub(super) async fn delete(mut call: Call) -> Result<Response<Body>> {
    call.read(|call| call.query().map(drop)).await?;
    let (engine, id) = (call.engine(), call.delivery_id());
    engine.drop_delivery(id, &call.author()).await?;
    Ok(response::no_content())
}
