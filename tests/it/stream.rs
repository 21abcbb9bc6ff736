//! A real WebSocket client over an in-memory pipe. It upgrades as the adapter of a host does.
//!
//! The tests assert what it receives.

use bytes::Bytes;
use floret::{RunsService, Upgrade};
use futures_util::{SinkExt, StreamExt};
use http::Request;
use http_body_util::Full;
use serde_json::Value;
use tokio::io::DuplexStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;
use tower::ServiceExt;

use crate::wire::TestResponse;

/// The capacity of a client's pipe, in bytes.
const PIPE: usize = 64 * 1024;

/// An open stream.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) socket: WebSocketStream<DuplexStream>,
    pub(crate) response: TestResponse,
}

/// What a client receives.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Received {
    Json(Value),
    Closed(u16, String),
    /// The connection broke off without a close frame.
    Gone,
}

/// Returns an upgrade request. The given headers replace the defaults or are added to them. The
/// value `-` removes a header.
pub(crate) fn upgrade(path: &str, headers: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let whole = [
        ("host", "floret.example.com"),
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let mut request = Request::get(path);
    let given = |name: &str| headers.iter().any(|(own, _)| *own == name);
    let rest = whole.iter().filter(|(name, _)| !given(name));
    for (name, value) in rest.chain(headers.iter().filter(|(_, value)| *value != "-")) {
        request = request.header(*name, *value);
    }
    request.body(Full::default()).unwrap()
}

/// Sends an upgrade request. Returns the stream, or the response that refuses it.
pub(crate) async fn connect(
    service: &RunsService,
    request: Request<Full<Bytes>>,
) -> Result<Client, TestResponse> {
    connect_with_pipe(service, request, PIPE).await
}

/// Sends an upgrade request, like [`connect`], over a pipe of `pipe` bytes.
pub(crate) async fn connect_with_pipe(
    service: &RunsService,
    mut request: Request<Full<Bytes>>,
    pipe: usize,
) -> Result<Client, TestResponse> {
    let (upgrade, handover) = Upgrade::channel();
    request.extensions_mut().insert(upgrade);
    let response = service.clone().oneshot(request).await.unwrap();
    let response = TestResponse::read(response).await;
    if response.status != 101 {
        return Err(response);
    }
    let (ours, theirs) = tokio::io::duplex(pipe);
    handover.hand_over(theirs);
    let socket = WebSocketStream::from_raw_socket(ours, Role::Client, None).await;
    Ok(Client { socket, response })
}

/// Opens a stream at this path, which must succeed.
pub(crate) async fn open(service: &RunsService, path: &str) -> Client {
    match connect(service, upgrade(path, &[])).await {
        Ok(client) => client,
        Err(response) => panic!("{path}: {response:?}"),
    }
}

impl Client {
    /// Receives the next message or close. Answers pings and skips them.
    pub(crate) async fn receive(&mut self) -> Received {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => {
                    return Received::Json(serde_json::from_str(&text).unwrap());
                }
                Some(Ok(Message::Close(Some(frame)))) => {
                    // The close reply is in the buffer. The other end may be gone by now.
                    let _ = self.socket.flush().await;
                    return Received::Closed(frame.code.into(), frame.reason.to_string());
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(other)) => panic!("unexpected message {other:?}"),
                Some(Err(_)) | None => return Received::Gone,
            }
        }
    }

    /// Receives the next event.
    pub(crate) async fn event(&mut self) -> Value {
        match self.receive().await {
            Received::Json(event) => event,
            other => panic!("expected an event: {other:?}"),
        }
    }

    /// Receives the next `count` events.
    pub(crate) async fn events(&mut self, count: usize) -> Vec<Value> {
        let mut events = Vec::new();
        while events.len() < count {
            events.push(self.event().await);
        }
        events
    }

    /// Receives every event up to the close. Returns the events and the close.
    pub(crate) async fn until_closed(&mut self) -> (Vec<Value>, Received) {
        let mut events = Vec::new();
        loop {
            match self.receive().await {
                Received::Json(event) => events.push(event),
                close => return (events, close),
            }
        }
    }

    /// Sends a ping and waits for its pong. By then, the server has read everything sent before.
    pub(crate) async fn ping(&mut self) {
        let ping = Message::Ping(Bytes::from_static(b"own"));
        self.socket.send(ping).await.unwrap();
        loop {
            match self.socket.next().await.unwrap().unwrap() {
                Message::Pong(_) => return,
                Message::Ping(_) => {}
                other => panic!("expected a pong: {other:?}"),
            }
        }
    }
}
