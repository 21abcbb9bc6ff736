//! Handlers that pause backfills and end their pauses.

use http::{Response, StatusCode};

use super::body::Body;
use super::call::Call;
use super::pauses;
use super::response;
use crate::engine::{PauseChange, PauseCommand};
use crate::error::Result;

/// `POST /backfills/{backfill_id}/pause`
pub(super) async fn pause(call: Call) -> Result<Response<Body>> {
    change(call, PauseChange::Begin).await
}

/// `POST /backfills/{backfill_id}/unpause`
pub(super) async fn unpause(call: Call) -> Result<Response<Body>> {
    change(call, PauseChange::End).await
}

async fn change(mut call: Call, change: PauseChange) -> Result<Response<Body>> {
    let reason = call
        .read(|call| {
            call.query()?;
            pauses::reason(&call.json()?.1)
        })
        .await?;
    let author = call.author();
    let command = PauseCommand { reason, author };
    let (engine, id) = (call.engine(), call.backfill_id()?);
    let changed = engine.change_backfill_pause(id, change, command).await?;
    Ok(response::json(StatusCode::OK, &changed))
}
