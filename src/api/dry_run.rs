//! A pipeline executed on a few rows.
//!
//! What a dry run is, and that nothing of it stays, is the engine's.

use http::{Response, StatusCode};

use super::body::Body;
use super::call::Call;
use super::input::Fields;
use super::response;
use crate::engine::DryRunRequest;
use crate::error::Result;

/// `POST /pipelines/{id}/dry-run`
pub(super) async fn start(mut call: Call) -> Result<Response<Body>> {
    let params = call
        .read(|call| {
            call.query()?;
            let (bytes, body) = call.json()?;
            let mut fields = Fields::of(&body, &["params"])?;
            let params = fields.params(&bytes);
            fields.finish().map(|()| params)
        })
        .await?;
    let ask = DryRunRequest {
        pipeline: call.pipeline_key().to_owned(),
        params,
        scope: call.scope.clone(),
    };
    let told = call.engine().dry_run(ask).await?;
    Ok(response::json(StatusCode::OK, &told))
}
