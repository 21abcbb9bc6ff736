//! A real WebSocket client over a pipe in memory, let in by the service as an adapter of a host
//! would have it.
//!
//! What it must hear stands in the tests.

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

use crate::wire::Answer;

/// Bytes that the pipe of a client holds.
const PIPE: usize = 64 * 1024;

/// An open stream.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) socket: WebSocketStream<DuplexStream>,
    pub(crate) answer: Answer,
}

/// What a client hears.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Heard {
    Json(Value),
    Closed(u16, String),
    /// The connection ended without a goodbye.
    Gone,
}

/// A request for an upgrade, with these headers instead of its own or beside them; `-` leaves one
/// out.
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

/// Sends a request that an adapter can upgrade: a stream, or the answer that refuses it.
pub(crate) async fn ask(
    service: &RunsService,
    request: Request<Full<Bytes>>,
) -> Result<Client, Answer> {
    ask_with(service, request, PIPE).await
}

/// The same with a pipe of this many bytes.
pub(crate) async fn ask_with(
    service: &RunsService,
    mut request: Request<Full<Bytes>>,
    pipe: usize,
) -> Result<Client, Answer> {
    let (upgrade, handover) = Upgrade::channel();
    request.extensions_mut().insert(upgrade);
    let answer = service.clone().oneshot(request).await.unwrap();
    let answer = Answer::read(answer).await;
    if answer.status != 101 {
        return Err(answer);
    }
    let (ours, theirs) = tokio::io::duplex(pipe);
    handover.hand_over(theirs);
    let socket = WebSocketStream::from_raw_socket(ours, Role::Client, None).await;
    Ok(Client { socket, answer })
}

/// A stream of the path, which must be given.
pub(crate) async fn open(service: &RunsService, path: &str) -> Client {
    match ask(service, upgrade(path, &[])).await {
        Ok(client) => client,
        Err(answer) => panic!("{path}: {answer:?}"),
    }
}

impl Client {
    /// What comes next; pings are answered and passed over.
    pub(crate) async fn hear(&mut self) -> Heard {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => {
                    return Heard::Json(serde_json::from_str(&text).unwrap());
                }
                Some(Ok(Message::Close(Some(frame)))) => {
                    // The answer is in the buffer; the other end may be gone by now.
                    let _ = self.socket.flush().await;
                    return Heard::Closed(frame.code.into(), frame.reason.to_string());
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(other)) => panic!("a client hears no {other:?}"),
                Some(Err(_)) | None => return Heard::Gone,
            }
        }
    }

    /// The next event.
    pub(crate) async fn event(&mut self) -> Value {
        match self.hear().await {
            Heard::Json(event) => event,
            other => panic!("expected an event: {other:?}"),
        }
    }

    /// So many events.
    pub(crate) async fn events(&mut self, count: usize) -> Vec<Value> {
        let mut events = Vec::new();
        while events.len() < count {
            events.push(self.event().await);
        }
        events
    }

    /// Everything up to the end, and how it ended.
    pub(crate) async fn rest(&mut self) -> (Vec<Value>, Heard) {
        let mut events = Vec::new();
        loop {
            match self.hear().await {
                Heard::Json(event) => events.push(event),
                end => return (events, end),
            }
        }
    }

    /// Asks for a sign of life and waits for it: what was sent before was read then.
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
