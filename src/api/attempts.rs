//! The handler that lists the attempts at a node.
//!
//! `views` reads them from the events of the run.

use http::Response;

use super::body::Body;
use super::call::Call;
use super::response;
use crate::error::Result;

/// `GET /runs/{run_id}/nodes/{node_id}/attempts`
pub(super) async fn list(mut call: Call) -> Result<Response<Body>> {
    call.read(|call| call.query().map(drop)).await?;
    let (run, node) = (call.run_id()?, call.node_id()?);
    let attempts = call.views().attempts(run, &node, &call.scope).await?;
    Ok(response::cut(&attempts))
}
