//! Streams of live events over a WebSocket.
//!
//! `websocket` is the handler and accepts or refuses a stream. `handshake` reads and writes the
//! headers of an upgrade, and `upgrade` gets the connection from the host. `session` runs the
//! stream over it; `socket` alone handles frames. The crate's module `events` supplies the events.

mod handshake;
mod session;
mod socket;
mod upgrade;
pub(super) mod websocket;

pub(super) use handshake::authorize_by_subprotocol;
pub use upgrade::{Handover, Upgrade};
