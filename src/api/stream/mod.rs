//! Events as they happen, over a connection that the host hands over.
//!
//! `websocket` is the handler: it refuses or accepts; `handshake` reads and writes the headers of an upgrade, `upgrade` gets the connection from
//! any host, `session` talks over it, `socket` is its one place that knows frames. Which events there are is left to the module `events` of the crate.

mod handshake;
mod session;
mod socket;
mod upgrade;
pub(super) mod websocket;

pub(super) use handshake::show_key;
pub use upgrade::{Handover, Upgrade};
