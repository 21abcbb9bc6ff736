//! `GET /ws`: events over a WebSocket.
//!
//! The handler accepts or refuses a stream. `handshake` reads and writes the headers of an upgrade,
//! and `upgrade` gets the connection from the host. `session` runs the stream over it; `socket`
//! alone handles frames.

mod handshake;
mod session;
mod socket;
mod upgrade;

use http::Response;

pub(in crate::api) use self::handshake::authorize_by_subprotocol;
use self::session::{NewSession, Session};
use self::upgrade::Pending;
pub use self::upgrade::{Handover, Upgrade};
use super::selection::{Selected, Selection};
use crate::api::body::Body;
use crate::api::call::Call;
use crate::api::origin;
use crate::error::{Problem, Result};

/// `GET /ws`
pub(in crate::api) async fn open(mut call: Call) -> Result<Response<Body>> {
    origin::check_stream(&call.parts, &call.shared.origins)?;
    let selection = match Selection::read(&call, None).await? {
        Selected::Events(selection) => selection,
        Selected::Expired(refusal) => return Ok(refusal),
    };
    let response = match handshake::accept(&call.parts) {
        Ok(response) => response,
        Err(error) if error.problem() == Problem::UpgradeRequired => {
            return Ok(handshake::refuse(&error));
        }
        Err(error) => return Err(error),
    };
    let (feed, signals) = selection.open(&call)?;
    let pending = Pending::take(&mut call.parts.extensions)?;
    let engine = &call.shared.engine;
    let new = NewSession {
        feed,
        signals,
        clock: engine.clock().clone(),
        limits: engine.limits().clone(),
    };
    engine.spawn_stream(Session::serve(new, pending));
    Ok(response)
}
