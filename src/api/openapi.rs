//! The handler that returns the OpenAPI document of the API, for generated clients.
//!
//! `document` has the text.

use http::Response;

use super::body::Body;
use super::call::Call;
use super::precondition;
use crate::error::Result;

/// `GET /openapi.json`
pub(super) async fn show(call: Call) -> Result<Response<Body>> {
    call.query()?;
    let document = call.shared.document()?.clone();
    precondition::if_changed(&call.parts.headers, document)
}
