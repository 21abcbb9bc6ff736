//! Clients that follow the events of a server across its crashes, and assert that none is missing.

use futures_util::StreamExt;
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use crate::sse;
use crate::standalone::Api;

/// How a client receives events.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    WebSocket,
    ServerSentEvents,
}

/// A client that continues after the last event that it has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Follower {
    kind: Kind,
    /// The number of the last event.
    pub(crate) last: u64,
}

impl Follower {
    pub(crate) const fn new(kind: Kind) -> Self {
        Self { kind, last: 0 }
    }

    /// Receives events until the server goes away.
    pub(crate) async fn follow(mut self, api: Api) -> Self {
        match self.kind {
            Kind::WebSocket => {
                let path = format!("/ws?since={}", self.last);
                if let Ok(mut client) = api.websocket(&path).await {
                    while let Some(Ok(message)) = client.next().await {
                        if let Message::Text(text) = message {
                            self.check(&serde_json::from_str(&text).unwrap());
                        }
                    }
                }
            }
            Kind::ServerSentEvents => {
                let header = ("last-event-id", self.last.to_string());
                if let Ok(response) = api.open("/events", header).await {
                    let mut client = sse::Client::new(response);
                    while let Some(event) = client.next().await {
                        self.check(&event);
                    }
                }
            }
        }
        self
    }

    fn check(&mut self, event: &Value) {
        self.last += 1;
        assert_eq!(event["seq"], self.last, "{self:?}");
    }
}
