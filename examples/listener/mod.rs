//! A listener that nobody without credentials can shut others out of: HTTP/1 with upgrades, a
//! timeout for each thing that a client can owe, and a cap on connections that closes the idlest.
//!
//! The examples `standalone` and `hyper` share it, and a host may copy it. It knows nothing of
//! Floret. `table` decides which connection is closed, `watched` notices a client that stalls.

mod table;
mod watched;

use std::error::Error;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::Service;

use self::table::{Slot, Table};
use self::watched::Watched;

/// Connections at the same time, streams included. 512 is half of the usual limit of open files.
const CONNECTIONS_MAX: usize = 512;
/// How long a client may take to send the head of a request, the first and each further one. Also
/// the time that an idle connection is kept.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the listener pauses after the system refused a connection: a file descriptor must be
/// freed first.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The open connections of a listener. Dropping it closes those that are no streams.
pub(crate) struct Connections {
    table: Arc<Table>,
    stopping: CancellationToken,
    tasks: JoinSet<()>,
}

impl Connections {
    pub(crate) fn new() -> Self {
        Self {
            table: Arc::new(Table::new(CONNECTIONS_MAX)),
            stopping: CancellationToken::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Accepts and serves connections until the future is dropped.
    pub(crate) async fn accept<S, B>(&mut self, listener: &TcpListener, service: S)
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<Box<dyn Error + Send + Sync>>,
        B: http_body::Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        loop {
            match listener.accept().await {
                Ok((socket, _)) => {
                    let slot = self.table.admit();
                    let stopping = self.stopping.clone();
                    self.tasks
                        .spawn(serve(socket, slot, service.clone(), stopping));
                }
                Err(error) if is_of_the_client(&error) => {}
                Err(error) => {
                    // Probably no descriptor is left.
                    self.table.close_some();
                    tracing::warn!(%error, "cannot accept a connection");
                    pause(ACCEPT_PAUSE).await;
                }
            }
            while self.tasks.try_join_next().is_some() {}
        }
    }

    /// Closes every stream, for a host that has changed who may have one.
    #[allow(dead_code, reason = "not every host that shares the listener does")]
    pub(crate) fn close_streams(&self) {
        self.table.close_streams();
    }

    /// Closes idle connections and waits until the others have their responses.
    ///
    /// Close the streams first, for example with `Floret::shutdown`, because they end by themselves
    /// only.
    pub(crate) async fn finish(mut self, grace: Duration) {
        self.stopping.cancel();
        let responses = async { while self.tasks.join_next().await.is_some() {} };
        tokio::select! {
            () = responses => {}
            () = pause(grace) => tracing::warn!("some requests did not finish in time"),
        }
    }
}

/// Serves one connection until it ends or its slot is closed.
async fn serve<S, B>(socket: TcpStream, slot: Slot, service: S, stopping: CancellationToken)
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let entry = slot.entry();
    let closed = entry.closed();
    let requests = Arc::clone(&entry);
    let service = TowerToHyperService::new(service);
    let service = service_fn(move |request| {
        let busy = requests.busy();
        let answering = service.call(request);
        async move {
            let response = answering.await;
            if response.as_ref().is_ok_and(is_stream) {
                busy.keep();
            }
            response
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(Watched::new(socket, slot)), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let mut is_stopping = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended early");
                }
                return;
            }
            () = stopping.cancelled(), if !is_stopping => {
                is_stopping = true;
                // hyper would wait for the first request of a client that has sent nothing.
                if !entry.has_read() {
                    return;
                }
                connection.as_mut().graceful_shutdown();
            }
            () = closed.cancelled() => {
                tracing::debug!("the idlest connection was closed");
                return;
            }
        }
    }
}

/// Returns whether the connection is silent for as long as nothing happens.
fn is_stream<B>(response: &Response<B>) -> bool {
    let content_type = response.headers().get(CONTENT_TYPE);
    response.status() == StatusCode::SWITCHING_PROTOCOLS
        || content_type.is_some_and(|value| value == "text/event-stream")
}

/// Returns whether the client left before its connection was accepted.
fn is_of_the_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

#[expect(
    clippy::disallowed_methods,
    reason = "a host's own pauses are not on Floret's clock"
)]
async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}
