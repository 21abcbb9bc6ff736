//! Streams of live events: over a WebSocket, and as server-sent events.
//!
//! `selection` reads which events a caller asks for. The crate's module `events` supplies them, and
//! `page` says what a failed read of stored ones means.

mod page;
mod selection;
pub(super) mod sse;
#[cfg(feature = "websocket")]
pub(super) mod websocket;

use serde::Serialize;

/// A message to a client that reads too slowly: matching events were skipped.
#[derive(Serialize)]
struct Lagged {
    #[serde(rename = "type")]
    kind: &'static str,
    missed: u64,
    next_seq: u64,
}

impl Lagged {
    /// Returns the message as JSON.
    fn to_json(missed: u64, next_seq: u64) -> Vec<u8> {
        let message = Self {
            kind: "lagged",
            missed,
            next_seq,
        };
        // Numbers and fixed keys cannot fail.
        serde_json::to_vec(&message).unwrap_or_default()
    }
}
