//! The health check, for load balancers.
//!
//! `system` reports figures about the service.

use http::{Response, StatusCode};
use serde::Serialize;

use super::body::Body;
use super::call::Call;
use super::response;
use crate::error::Result;

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

/// `GET /health`
pub(super) async fn health(call: Call) -> Result<Response<Body>> {
    call.query()?;
    call.engine().refuse_in_shutdown()?;
    call.views().check_storage().await?;
    Ok(response::json(StatusCode::OK, &Health { status: "ok" }))
}
