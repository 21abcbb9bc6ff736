//! The handler that reruns a finished run.

use http::Response;

use super::body::Body;
use super::call::Call;
use super::input::BodyFields;
use super::runs::{DEFINITIONS, started_response};
use super::wait::{self, StartWait};
use super::{idempotency, trace};
use crate::engine::RerunRequest;
use crate::error::Result;

/// The fields of the body.
const FIELDS: &[&str] = &["definition", "from_node", "params", "note", "reason"];

/// `POST /runs/{run_id}/rerun`
pub(super) async fn start(mut call: Call) -> Result<Response<Body>> {
    let run = call.run_id()?;
    let (request, wait) = call
        .read(|call| {
            let wait = wait::read(&call.query()?)?;
            let (bytes, body) = call.json()?;
            let mut fields = BodyFields::of(&body, FIELDS)?;
            let definition = fields.choice("definition", DEFINITIONS);
            let params = fields.params(&bytes);
            let from_node = fields.text("from_node").map(str::to_owned);
            let note = fields.text("note").map(str::to_owned);
            let reason = fields.text("reason").map(str::to_owned);
            fields.finish()?;
            let request = RerunRequest {
                run,
                definition: definition.unwrap_or_default(),
                params,
                from_node,
                note,
                key: idempotency::key(&call.parts.headers, &body)?,
                reason,
                author: call.author(),
                traceparent: trace::parent(&call.parts.headers),
            };
            Ok((request, wait))
        })
        .await?;
    let wait = StartWait::new(&call, wait)?;
    let started = call.engine().rerun(request).await?;
    started_response(&call, &started, None, wait).await
}
