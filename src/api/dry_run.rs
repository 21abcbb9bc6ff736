//! The handler that executes a pipeline on a few rows.
//!
//! The engine performs the dry run and makes sure that nothing is stored.

use http::{Response, StatusCode};

use super::body::Body;
use super::call::Call;
use super::input::BodyFields;
use super::response;
use crate::engine::DryRunRequest;
use crate::error::Result;

/// `POST /pipelines/{id}/dry-run`
pub(super) async fn start(mut call: Call) -> Result<Response<Body>> {
    let params = call
        .read(|call| {
            call.query()?;
            let (bytes, body) = call.json()?;
            let mut fields = BodyFields::of(&body, &["params"])?;
            let params = fields.params(&bytes);
            fields.finish().map(|()| params)
        })
        .await?;
    let ask = DryRunRequest {
        pipeline: call.pipeline_key().to_owned(),
        params,
        scope: call.scope.clone(),
    };
    let results = call.engine().dry_run(ask).await?;
    Ok(response::json(StatusCode::OK, &results))
}
