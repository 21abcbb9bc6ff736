//! Handlers that list, save, show and delete variables.
//!
//! The engine decides whether a variable is acceptable.

use http::{Response, StatusCode};
use serde_json::Value;

use super::body::Body;
use super::call::Call;
use super::{input, paging, response};
use crate::engine::VARIABLE_FIELDS;
use crate::error::Result;
use crate::views::VariableFilter;

/// `GET /variables`
pub(super) async fn list(call: Call) -> Result<Response<Body>> {
    let query = call.query()?;
    let page = paging::read(&query)?;
    let filter = VariableFilter {
        scope: call.scope.clone(),
    };
    let part = call.views().list_variables(filter, page.clone()).await?;
    paging::to_response(&call, &page, &part, &query)
}

/// `POST /variables`
pub(super) async fn create(mut call: Call) -> Result<Response<Body>> {
    let body = body(&mut call)?;
    let stored = call.engine().create_variable(body, &call.author()).await?;
    let location = call.link(&format!("/variables/{}", stored.key));
    let mut response = response::json(StatusCode::CREATED, &stored);
    response::set_location(&mut response, location)?;
    Ok(response)
}

/// `GET /variables/{key}`
pub(super) async fn find(mut call: Call) -> Result<Response<Body>> {
    call.read(|call| call.query().map(drop)).await?;
    let shown = call
        .views()
        .variable(call.variable_key(), &call.scope)
        .await?;
    Ok(response::json(StatusCode::OK, &shown))
}

/// `PUT /variables/{key}`
pub(super) async fn replace(mut call: Call) -> Result<Response<Body>> {
    let body = call.read(body).await?;
    let (engine, key) = (call.engine(), call.variable_key());
    let stored = engine.replace_variable(key, body, &call.author()).await?;
    Ok(response::json(StatusCode::OK, &stored))
}

/// `DELETE /variables/{key}`
pub(super) async fn delete(mut call: Call) -> Result<Response<Body>> {
    call.read(|call| call.query().map(drop)).await?;
    let (engine, key) = (call.engine(), call.variable_key());
    engine.delete_variable(key, &call.author()).await?;
    Ok(response::no_content())
}

fn body(call: &mut Call) -> Result<Value> {
    call.query()?;
    let (_, body) = call.json()?;
    input::object(&body, VARIABLE_FIELDS)?;
    Ok(body)
}
