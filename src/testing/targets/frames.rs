//! The fuzz target of the WebSocket session: bytes that a client sends over an open WebSocket.
//!
//! What a session sends is left to the tests of the stream.

use http::{Request, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, split};
use tower_service::Service as _;

use super::host;
use crate::api::Upgrade;

/// The capacity of the connection in bytes.
const PIPE_BYTES: usize = 1 << 16;

/// Opens a stream, sends the bytes and closes the connection.
///
/// For any bytes, the session MUST finish and release the connection.
pub fn frames(bytes: &[u8]) {
    host::with_service(async |service| {
        let (upgrade, handover) = Upgrade::channel();
        let answered = service.clone().call(request(upgrade)).await;
        let Ok(response) = answered;
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
        let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
        handover.hand_over(theirs);
        let (mut reader, mut writer) = split(ours);
        let send = async {
            // Writing fails if the session closes early.
            drop(writer.write_all(bytes).await);
            drop(writer.shutdown().await);
        };
        let mut received = Vec::new();
        let (_, read) = tokio::join!(send, reader.read_to_end(&mut received));
        assert!(read.is_ok(), "{read:?}");
    });
}

fn request(upgrade: Upgrade) -> Request<String> {
    let mut request = Request::new(String::new());
    *request.uri_mut() = http::Uri::from_static("/api/ws");
    let headers = request.headers_mut();
    for (name, value) in [
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ] {
        headers.insert(name, http::HeaderValue::from_static(value));
    }
    request.extensions_mut().insert(upgrade);
    request
}
