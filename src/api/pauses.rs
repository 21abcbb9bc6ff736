//! Handlers that pause pipelines and end their pauses.

use http::{Response, StatusCode};

use super::body::Body;
use super::call::Call;
use super::input::BodyFields;
use super::precondition::{self, EntityTag};
use super::response;
use crate::engine::PauseCommand;
use crate::error::Result;
use crate::model::StoredPipeline;

/// `POST /pipelines/{id}/pause`
pub(super) async fn pause(mut call: Call) -> Result<Response<Body>> {
    let (reason, expected) = call
        .read(|call| {
            call.query()?;
            let expected = precondition::expected(&call.parts.headers)?;
            let (_, body) = call.json()?;
            let mut fields = BodyFields::of(&body, &["reason"])?;
            let reason = fields.text("reason").map(str::to_owned);
            fields.finish()?;
            Ok((reason, expected))
        })
        .await?;
    let pause = PauseCommand {
        reason,
        by: call.by.clone(),
    };
    let (engine, key) = (call.engine(), call.pipeline_key());
    let paused = engine.pause(key, pause, &expected, &call.scope).await?;
    to_response(&paused)
}

/// `POST /pipelines/{id}/unpause`
pub(super) async fn unpause(mut call: Call) -> Result<Response<Body>> {
    let expected = call
        .read(|call| {
            call.query()?;
            let (_, body) = call.json()?;
            BodyFields::of(&body, &[])?.finish()?;
            precondition::expected(&call.parts.headers)
        })
        .await?;
    let (engine, key) = (call.engine(), call.pipeline_key());
    let unpaused = engine.unpause(key, &expected, &call.scope).await?;
    to_response(&unpaused)
}

fn to_response(stored: &StoredPipeline) -> Result<Response<Body>> {
    let mut response = response::json(StatusCode::OK, stored);
    EntityTag::of_pipeline(stored)?.set(&mut response);
    Ok(response)
}
