//! The handler that returns statistics about a node's output.
//!
//! `views` reads the profile and compares it with the previous one.

use http::{Response, StatusCode};

use super::body::Body;
use super::call::Call;
use super::response;
use crate::error::Result;

/// `GET /runs/{run_id}/nodes/{node_id}/profile`
pub(super) async fn find(mut call: Call) -> Result<Response<Body>> {
    call.read(|call| call.query().map(drop)).await?;
    let (run, node) = (call.run_id()?, call.node_id()?);
    let profile = call.views().profile(run, node, &call.scope).await?;
    Ok(response::json(StatusCode::OK, &profile))
}
