//! Handlers that report figures about the system and purge old runs.
//!
//! The engine performs the purge.

use http::{Response, StatusCode};
use serde::Serialize;

use super::body::Body;
use super::call::Call;
use super::input::BodyFields;
use super::response;
use crate::engine::{PURGE_DAYS, PURGE_DAYS_MAX, PurgeMode, PurgeRequest};
use crate::error::Result;
use crate::views::EngineFacts;

#[derive(Serialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(
        rename = "Purge",
        description = "What a purge has deleted, or would delete."
    )
)]
pub(super) struct Deleted {
    deleted: u64,
    days: u32,
}

/// `GET /system/info`
pub(super) async fn info(call: Call) -> Result<Response<Body>> {
    call.query()?;
    let engine = EngineFacts {
        runs_max: call.engine().current_limits().runs_max,
        uptime: call.engine().uptime(),
    };
    let info = call.views().system_info(&call.scope, engine).await?;
    Ok(response::json(StatusCode::OK, &info))
}

/// `POST /system/purge`
pub(super) async fn purge(mut call: Call) -> Result<Response<Body>> {
    call.query()?;
    let (_, body) = call.json()?;
    let mut fields = BodyFields::of(&body, &["days", "reason", "preview"])?;
    let days = fields
        .number("days", 1..=PURGE_DAYS_MAX)
        .unwrap_or(PURGE_DAYS);
    let reason = fields.text("reason").map(str::to_owned);
    let is_preview = fields.flag("preview");
    fields.finish()?;
    let runs = PurgeRequest {
        days,
        keep_last: 0,
        mode: match is_preview {
            Some(true) => PurgeMode::Preview,
            Some(false) | None => PurgeMode::Delete,
        },
        reason,
        author: call.author(),
    };
    let deleted = call.engine().purge(runs).await?;
    Ok(response::json(StatusCode::OK, &Deleted { deleted, days }))
}
