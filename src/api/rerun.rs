//! The handler that reruns a finished run.

use http::Response;

use super::body::Body;
use super::call::Call;
use super::idempotency;
use super::input::BodyFields;
use super::runs::{DEFINITIONS, started_response};
use super::wait::{self, StartWait};
use crate::engine::RerunRequest;
use crate::error::Result;

/// `POST /runs/{run_id}/rerun`
pub(super) async fn start(mut call: Call) -> Result<Response<Body>> {
    let (definition, params, note, key, wait) = call
        .read(|call| {
            let wait = wait::read(&call.query()?)?;
            let (bytes, body) = call.json()?;
            let mut fields = BodyFields::of(&body, &["definition", "params", "note"])?;
            let definition = fields.choice("definition", DEFINITIONS);
            let params = fields.params(&bytes);
            let note = fields.text("note").map(str::to_owned);
            fields.finish()?;
            let key = idempotency::key(&call.parts.headers, &body)?;
            Ok((definition.unwrap_or_default(), params, note, key, wait))
        })
        .await?;
    let wait = StartWait::new(&call, wait)?;
    let run = call.run_id()?;
    let request = RerunRequest {
        run,
        definition,
        params,
        note,
        key,
        scope: call.scope.clone(),
        by: call.by.clone(),
    };
    let started = call.engine().rerun(request).await?;
    started_response(&call, &started, None, wait).await
}
