//! Handlers that list, save, show, delete and validate pipelines.
//!
//! The engine decides whether a definition is acceptable.

use http::{Response, StatusCode};
use serde::Serialize;

use super::body::Body;
use super::call::Call;
use super::precondition::{self, EntityTag};
use super::problem::IssueBody;
use super::{paging, response};
use crate::engine::SavedPipeline;
use crate::error::Result;
use crate::model::{Managed, StoredPipeline, WebhookToken};
use crate::views::PipelineFilter;

#[derive(Serialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(
        rename = "Validation",
        description = "What a check of a pipeline has found."
    )
)]
pub(super) struct Checked<'a> {
    valid: bool,
    errors: Vec<IssueBody<'a>>,
    warnings: Vec<IssueBody<'a>>,
}

#[derive(Serialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(
        rename = "SavedPipeline",
        description = "A pipeline as it was saved, with warnings about it."
    )
)]
pub(super) struct Saved<'a> {
    #[serde(flatten)]
    pipeline: StoredPipeline,
    // A schema has it already, from the pipeline.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(skip))]
    webhook_token: Option<WebhookToken>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<IssueBody<'a>>,
}

/// `GET /pipelines`
pub(super) async fn list(call: Call) -> Result<Response<Body>> {
    let query = call.query()?;
    let filter = PipelineFilter {
        scope: call.scope.clone(),
        tag: query.get("tag").map(str::to_owned),
        enabled: query.flag("enabled")?,
        managed: query.choice("managed", &Managed::ALL.map(|it| (it.as_str(), it)))?,
        text: None,
    };
    let page = paging::read(&query)?;
    let part = call.views().list_pipelines(filter, page.clone()).await?;
    paging::to_response(&call, &page, &part, &query)
}

/// `POST /pipelines`
pub(super) async fn create(mut call: Call) -> Result<Response<Body>> {
    call.query()?;
    let (_, definition) = call.json()?;
    let created = call
        .engine()
        .create_pipeline(definition, &call.author())
        .await?;
    let location = call.link(&format!("/pipelines/{}", created.stored.id));
    let mut response = saved_response(StatusCode::CREATED, created)?;
    response::set_location(&mut response, location)?;
    Ok(response)
}

/// `GET /pipelines/{id}`
pub(super) async fn find(mut call: Call) -> Result<Response<Body>> {
    call.read(|call| call.query().map(drop)).await?;
    let pipeline = call
        .views()
        .pipeline(call.pipeline_key(), &call.scope)
        .await?;
    let tag = EntityTag::of_pipeline(&pipeline)?;
    if precondition::is_known(&call.parts.headers, &tag)? {
        return Ok(precondition::not_modified(tag));
    }
    let mut response = response::json(StatusCode::OK, &pipeline);
    tag.set(&mut response);
    Ok(response)
}

/// Returns the response with a pipeline that was saved, its entity tag and the warnings about it.
pub(super) fn saved_response(status: StatusCode, saved: SavedPipeline) -> Result<Response<Body>> {
    let mut pipeline = saved.stored;
    let tag = EntityTag::of_pipeline(&pipeline)?;
    if saved.webhook_token.is_some() {
        // The new token takes the place of its mask.
        pipeline.webhook_token = None;
    }
    let body = Saved {
        pipeline,
        webhook_token: saved.webhook_token,
        warnings: saved.warnings.iter().map(IssueBody::from).collect(),
    };
    let mut response = response::json(status, &body);
    tag.set(&mut response);
    Ok(response)
}

/// `PUT /pipelines/{id}`
pub(super) async fn replace(mut call: Call) -> Result<Response<Body>> {
    let (expected, definition) = call
        .read(|call| {
            call.query()?;
            let expected = precondition::expected(&call.parts.headers)?;
            call.json().map(|(_, definition)| (expected, definition))
        })
        .await?;
    let (engine, key) = (call.engine(), call.pipeline_key());
    let replaced = engine
        .replace_pipeline(key, definition, &expected, &call.author())
        .await?;
    saved_response(StatusCode::OK, replaced)
}

/// `DELETE /pipelines/{id}`
pub(super) async fn delete(mut call: Call) -> Result<Response<Body>> {
    let expected = call
        .read(|call| {
            call.query()?;
            precondition::expected(&call.parts.headers)
        })
        .await?;
    let (engine, key) = (call.engine(), call.pipeline_key());
    engine
        .delete_pipeline(key, &expected, &call.author())
        .await?;
    Ok(response::no_content())
}

/// `GET /pipelines/{id}/validate`
pub(super) async fn validate(mut call: Call) -> Result<Response<Body>> {
    call.read(|call| call.query().map(drop)).await?;
    let (engine, key) = (call.engine(), call.pipeline_key());
    let validation = engine.validate_pipeline(key, &call.scope).await?;
    let checked = Checked {
        valid: validation.errors.is_empty(),
        errors: validation.errors.iter().map(IssueBody::from).collect(),
        warnings: validation.warnings.iter().map(IssueBody::from).collect(),
    };
    Ok(response::json(StatusCode::OK, &checked))
}
