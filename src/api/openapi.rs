//! The handler that returns the OpenAPI document of the API, for generated clients.
//!
//! `document` has the text.

use http::Response;

use super::body::Body;
use super::call::Call;
use super::precondition::{self, EntityTag};
use super::response;
use crate::error::Result;

/// `GET /openapi.json`
pub(super) async fn show(call: Call) -> Result<Response<Body>> {
    call.query()?;
    let document = call.shared.document()?;
    let tag = EntityTag::of_document(document)?;
    if precondition::is_known(&call.parts.headers, &tag)? {
        return Ok(precondition::not_modified(tag));
    }
    let mut response = response::json_text(document.json.clone());
    tag.set(&mut response);
    Ok(response)
}
