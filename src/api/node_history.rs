//! The handler that shows what a node did in the newest runs of its pipeline.

use http::{Response, StatusCode};

use super::body::Body;
use super::call::Call;
use super::response;
use crate::error::Result;
use crate::views::{HISTORY_RUNS, NEWEST_RUNS_MAX};

/// `GET /pipelines/{id}/nodes/{node_id}/history`
pub(super) async fn list(mut call: Call) -> Result<Response<Body>> {
    let runs = call
        .read(|call| call.query()?.number("runs", 1..=u64::from(NEWEST_RUNS_MAX)))
        .await?;
    let runs = runs.and_then(|runs| u32::try_from(runs).ok());
    let runs = runs.unwrap_or(HISTORY_RUNS);
    let (views, key) = (call.views(), call.pipeline_key());
    let node = call.node_key();
    let history = views.node_history(key, node, &call.scope, runs).await?;
    Ok(response::json(StatusCode::OK, &history))
}
