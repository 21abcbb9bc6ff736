//! Handlers that list, show and compare the versions of a pipeline, and roll it back.

use http::{Response, StatusCode};

use super::body::Body;
use super::call::Call;
use super::input::BodyFields;
use super::{paging, pipelines, precondition, response};
use crate::error::{Error, Result, quote};

/// `GET /pipelines/{id}/versions`
pub(super) async fn list(mut call: Call) -> Result<Response<Body>> {
    let (query, page) = call
        .read(|call| {
            let query = call.query()?;
            let page = paging::read(&query)?;
            Ok((query, page))
        })
        .await?;
    let (views, key) = (call.views(), call.pipeline_key());
    let part = views.list_versions(key, &call.scope, page.clone()).await?;
    paging::to_response(&call, &page, &part, &query)
}

/// `GET /pipelines/{id}/versions/{version}`
pub(super) async fn find(mut call: Call) -> Result<Response<Body>> {
    call.read(|call| call.query().map(drop)).await?;
    let version = number(&call, "version").await?;
    let (views, key) = (call.views(), call.pipeline_key());
    let pipeline = views.version(key, version, &call.scope).await?;
    Ok(response::json(StatusCode::OK, &pipeline))
}

/// `GET /pipelines/{id}/versions/{version}/diff/{to}`
pub(super) async fn diff(mut call: Call) -> Result<Response<Body>> {
    call.read(|call| call.query().map(drop)).await?;
    let from = number(&call, "version").await?;
    let to = number(&call, "to").await?;
    let (views, key) = (call.views(), call.pipeline_key());
    let patch = views.version_diff(key, (from, to), &call.scope).await?;
    Ok(response::json(StatusCode::OK, &patch))
}

/// `POST /pipelines/{id}/rollback`
pub(super) async fn roll_back(mut call: Call) -> Result<Response<Body>> {
    let (version, expected) = call
        .read(|call| {
            call.query()?;
            let expected = precondition::expected(&call.parts.headers)?;
            let (_, body) = call.json()?;
            let mut fields = BodyFields::of(&body, &["version"])?;
            let version = fields.required_number("version", 1..=u32::MAX);
            fields.finish()?;
            Ok((version, expected))
        })
        .await?;
    let (engine, key) = (call.engine(), call.pipeline_key());
    let rolled_back = engine
        .roll_back_pipeline(key, version, &expected, &call.author())
        .await?;
    pipelines::saved_response(StatusCode::OK, rolled_back)
}

/// Returns the number of a version that the path names.
///
/// # Errors
/// `NotFound`: the pipeline does not exist, or the text is no number of a version.
async fn number(call: &Call, name: &str) -> Result<u32> {
    let text = call.params.get(name).unwrap_or_default();
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(version) if is_plain => Ok(version),
        Ok(_) | Err(_) => {
            let (views, key) = (call.views(), call.pipeline_key());
            views.pipeline(key, &call.scope).await?;
            Err(Error::version_not_found(quote(text)))
        }
    }
}
