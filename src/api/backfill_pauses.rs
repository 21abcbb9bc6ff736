//! Handlers that pause backfills and end their pauses.

use http::{Response, StatusCode};

use super::body::Body;
use super::call::Call;
use super::pauses;
use super::response;
use crate::engine::PauseCommand;
use crate::error::Result;

/// `POST /backfills/{backfill_id}/pause`
pub(super) async fn pause(mut call: Call) -> Result<Response<Body>> {
    let pause = command(&mut call).await?;
    let id = call.backfill_id()?;
    let paused = call.engine().pause_backfill(id, pause).await?;
    Ok(response::json(StatusCode::OK, &paused))
}

/// `POST /backfills/{backfill_id}/unpause`
pub(super) async fn unpause(mut call: Call) -> Result<Response<Body>> {
    let unpause = command(&mut call).await?;
    let id = call.backfill_id()?;
    let unpaused = call.engine().unpause_backfill(id, unpause).await?;
    Ok(response::json(StatusCode::OK, &unpaused))
}

async fn command(call: &mut Call) -> Result<PauseCommand> {
    let reason = call
        .read(|call| {
            call.query()?;
            pauses::reason(&call.json()?.1)
        })
        .await?;
    let author = call.author();
    Ok(PauseCommand { reason, author })
}
