//! A receiver of webhooks, which keeps what it was sent.
//!
//! What it must be sent is left to the tests.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use http::{HeaderMap, StatusCode, Uri};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// A receiver that answers with one status after another. The last one repeats.
#[derive(Clone)]
pub(crate) struct Receiver(Arc<Shared>);

struct Shared {
    statuses: Mutex<VecDeque<u16>>,
    received: Mutex<Vec<Received>>,
    arrived: Notify,
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Received {
    pub(crate) fn body(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }
}

async fn receive(
    State(own): State<Receiver>,
    uri: Uri,
    headers: HeaderMap,
    text: String,
) -> StatusCode {
    let path = uri.path().to_owned();
    own.0.received.lock().push(Received {
        path,
        headers,
        text,
    });
    own.0.arrived.notify_waiters();
    let mut statuses = own.0.statuses.lock();
    let status = match statuses.len() {
        1 => statuses[0],
        _ => statuses.pop_front().unwrap(),
    };
    StatusCode::from_u16(status).unwrap()
}

impl Receiver {
    /// Starts a receiver. Returns it with its port and the task that serves it.
    pub(crate) async fn start(statuses: impl IntoIterator<Item = u16>) -> (Self, u16, JoinSet<()>) {
        let receiver = Self(Arc::new(Shared {
            statuses: Mutex::new(statuses.into_iter().collect()),
            received: Mutex::default(),
            arrived: Notify::new(),
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let router = Router::new().fallback(receive).with_state(receiver.clone());
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
        (receiver, port, serving)
    }

    pub(crate) fn answer(&self, statuses: impl IntoIterator<Item = u16>) {
        *self.0.statuses.lock() = statuses.into_iter().collect();
    }

    /// Returns what has arrived so far.
    pub(crate) fn arrived(&self) -> Vec<Received> {
        self.0.received.lock().clone()
    }

    /// Waits until this many requests have arrived, and returns them.
    pub(crate) async fn received(&self, count: usize) -> Vec<Received> {
        loop {
            let mut arrived = std::pin::pin!(self.0.arrived.notified());
            arrived.as_mut().enable();
            let received = self.arrived();
            if received.len() >= count {
                return received;
            }
            arrived.await;
        }
    }
}
