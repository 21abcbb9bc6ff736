//! The handler that returns the first rows of a node's output.
//!
//! `views` reads the preview.

use http::{Response, StatusCode};

use super::body::Body;
use super::call::Call;
use super::response;
use crate::error::Result;

/// `GET /runs/{run_id}/nodes/{node_id}/preview`
pub(super) async fn find(mut call: Call) -> Result<Response<Body>> {
    call.read(|call| call.query().map(drop)).await?;
    let (run, node) = (call.run_id()?, call.node_id()?);
    let preview = call.views().preview(run, node, &call.scope).await?;
    Ok(response::json(StatusCode::OK, &preview))
}
