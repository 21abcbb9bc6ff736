//! The health check, for load balancers.
//!
//! `system` reports figures about the service.

use bytes::Bytes;
use http::Response;

use super::body::Body;
use super::call::Call;
use super::response;
use crate::error::Result;

const OK: Bytes = Bytes::from_static(br#"{"status":"ok"}"#);

/// `GET /health`
pub(super) async fn health(call: Call) -> Result<Response<Body>> {
    call.query()?;
    call.engine().refuse_in_shutdown()?;
    call.views().check_storage().await?;
    Ok(response::json_text(OK))
}
