//! A service that receives webhooks and reads their traceparent.

use std::io;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use http::HeaderMap;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// A running receiver. Dropping it stops the server.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    received: mpsc::Receiver<String>,
    _serving: JoinSet<io::Result<()>>,
}

/// Starts a receiver on a free port.
pub(crate) async fn start() -> io::Result<Receiver> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (sender, received) = mpsc::channel(8);
    let router = Router::new().fallback(receive).with_state(sender);
    let mut serving = JoinSet::new();
    serving.spawn(async move { axum::serve(listener, router).await });
    Ok(Receiver {
        address,
        received,
        _serving: serving,
    })
}

/// Notes the traceparent of a request. A real receiver starts its own span below it.
async fn receive(State(sender): State<mpsc::Sender<String>>, headers: HeaderMap) {
    let parent = headers.get("traceparent");
    let parent = parent.and_then(|value| value.to_str().ok()).unwrap_or("");
    // The program may have ended meanwhile.
    drop(sender.send(parent.to_owned()).await);
}

impl Receiver {
    /// Waits for a webhook and returns its traceparent.
    pub(crate) async fn traceparent(&mut self) -> Result<String, &'static str> {
        let received = self.received.recv().await;
        received.ok_or("the receiver has stopped")
    }
}
