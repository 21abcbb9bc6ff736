//! The handler that shows the newest runs of a pipeline as a grid.
//!
//! `views` decides which nodes a grid has.

use http::Response;

use super::body::Body;
use super::call::Call;
use super::response;
use crate::error::Result;
use crate::views::{GRID_RUNS, NEWEST_RUNS_MAX};

/// `GET /pipelines/{id}/grid`
pub(super) async fn show(mut call: Call) -> Result<Response<Body>> {
    let runs = call
        .read(|call| call.query()?.number("runs", 1..=u64::from(NEWEST_RUNS_MAX)))
        .await?;
    let runs = runs.and_then(|runs| u32::try_from(runs).ok());
    let bounds = (
        runs.unwrap_or(GRID_RUNS),
        call.engine().limits().page_bytes_max,
    );
    let (views, key) = (call.views(), call.pipeline_key());
    let grid = views.grid(key, &call.scope, bounds).await?;
    Ok(response::cut(&grid))
}
