//! Handlers that pause pipelines and end their pauses.

use http::{Response, StatusCode};
use serde_json::Value;

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
            Ok((reason(&body)?, expected))
        })
        .await?;
    let author = call.author();
    let pause = PauseCommand { reason, author };
    let (engine, key) = (call.engine(), call.pipeline_key());
    let paused = engine.pause(key, pause, &expected).await?;
    to_response(&paused)
}

/// `POST /pipelines/{id}/unpause`
pub(super) async fn unpause(mut call: Call) -> Result<Response<Body>> {
    let (reason, expected) = call
        .read(|call| {
            call.query()?;
            let (_, body) = call.json()?;
            let reason = reason(&body)?;
            Ok((reason, precondition::expected(&call.parts.headers)?))
        })
        .await?;
    let author = call.author();
    let unpause = PauseCommand { reason, author };
    let (engine, key) = (call.engine(), call.pipeline_key());
    let unpaused = engine.unpause(key, unpause, &expected).await?;
    to_response(&unpaused)
}

/// Reads a body that has a reason at most.
pub(super) fn reason(body: &Value) -> Result<Option<String>> {
    let mut fields = BodyFields::of(body, &["reason"])?;
    let reason = fields.text("reason").map(str::to_owned);
    fields.finish().map(|()| reason)
}

fn to_response(stored: &StoredPipeline) -> Result<Response<Body>> {
    let mut response = response::json(StatusCode::OK, stored);
    EntityTag::of_pipeline(stored)?.set(&mut response);
    Ok(response)
}
