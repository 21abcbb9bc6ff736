//! Handlers that list, save, show and delete connections.
//!
//! The engine decides whether a connection is acceptable.

use http::{Response, StatusCode};
use serde_json::Value;

use super::body::Body;
use super::call::Call;
use super::{input, paging, response};
use crate::engine::CONNECTION_FIELDS;
use crate::error::Result;
use crate::views::ConnectionFilter;

/// `GET /connections`
pub(super) async fn list(call: Call) -> Result<Response<Body>> {
    let query = call.query()?;
    let page = paging::read(&query)?;
    let filter = ConnectionFilter {
        scope: call.scope.clone(),
    };
    let part = call.views().list_connections(filter, page.clone()).await?;
    paging::to_response(&call, &page, &part, &query)
}

/// `POST /connections`
pub(super) async fn create(mut call: Call) -> Result<Response<Body>> {
    let body = body(&mut call)?;
    let stored = call
        .engine()
        .create_connection(body, &call.author())
        .await?;
    let location = call.link(&format!("/connections/{}", stored.id));
    let mut response = response::json(StatusCode::CREATED, &stored);
    response::set_location(&mut response, location)?;
    Ok(response)
}

/// `GET /connections/{conn_id}`
pub(super) async fn find(mut call: Call) -> Result<Response<Body>> {
    call.read(|call| call.query().map(drop)).await?;
    let shown = call
        .views()
        .connection(call.connection_id(), &call.scope)
        .await?;
    Ok(response::json(StatusCode::OK, &shown))
}

/// `PUT /connections/{conn_id}`
pub(super) async fn replace(mut call: Call) -> Result<Response<Body>> {
    let body = call.read(body).await?;
    let (engine, id) = (call.engine(), call.connection_id());
    let stored = engine.replace_connection(id, body, &call.author()).await?;
    Ok(response::json(StatusCode::OK, &stored))
}

/// `DELETE /connections/{conn_id}`
pub(super) async fn delete(mut call: Call) -> Result<Response<Body>> {
    call.read(|call| call.query().map(drop)).await?;
    let (engine, id) = (call.engine(), call.connection_id());
    engine.delete_connection(id, &call.author()).await?;
    Ok(response::no_content())
}

fn body(call: &mut Call) -> Result<Value> {
    call.query()?;
    let (_, body) = call.json()?;
    input::object(&body, CONNECTION_FIELDS)?;
    Ok(body)
}
