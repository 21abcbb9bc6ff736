//! Floret in a bare hyper server, beside the program's own handler: upgrades, a header timeout, an
//! orderly shutdown.
//!
//! `cargo run --example hyper`, then `curl http://127.0.0.1:8080/api/pipelines`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program prints to its user"
)]

use std::convert::Infallible;
use std::error::Error;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use floret::executor::{Ctx, ExecutorError};
use floret::storage::MemoryStorage;
use floret::{Access, Floret, Pipeline, RunsLayer};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tower::{ServiceBuilder, service_fn};

/// How long a client may take to send the headers of a request. Without it, slow clients would
/// occupy connections.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(10);
/// How long nodes may run on after the server was asked to stop.
const GRACE: Duration = Duration::from_secs(10);

async fn greet(ctx: Ctx) -> Result<(), ExecutorError> {
    ctx.log.info("good morning").await;
    Ok(())
}

/// Responds to requests that are not for Floret.
async fn own(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let text = format!("the program's own {}\n", request.uri().path());
    Ok(Response::new(Full::from(text)))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let floret = Floret::builder(MemoryStorage::default())
        .node("greet", greet)
        .pipeline(Pipeline::new("daily").node("greet", "greet"))
        .start()
        .await?;
    // Requests under `/api` go to Floret, all others to the program's own handler. Only this
    // machine can reach the server, under its own names.
    let api = floret.service(Access::allow_all());
    let api = api.allow_host("localhost").allow_host("127.0.0.1");
    let app = ServiceBuilder::new()
        .layer(RunsLayer::new(api))
        .service(service_fn(own));
    let mut server = auto::Builder::new(TokioExecutor::new());
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_TIMEOUT);
    let address = std::env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:8080")).await?;
    println!("listening on http://{}", listener.local_addr()?);

    let mut interrupted = pin!(tokio::signal::ctrl_c());
    let (graceful, mut connections) = (GracefulShutdown::new(), JoinSet::new());
    loop {
        let socket = tokio::select! {
            accepted = listener.accept() => accepted?.0,
            _ = &mut interrupted => break,
        };
        let service = TowerToHyperService::new(app.clone());
        // Without `with_upgrades`, hyper accepts an upgrade but never gives the connection to the
        // stream.
        let connection = server.serve_connection_with_upgrades(TokioIo::new(socket), service);
        let connection = graceful.watch(connection.into_owned());
        connections.spawn(async move {
            if let Err(error) = connection.await {
                eprintln!("a connection ended early: {error}");
            }
        });
        while connections.try_join_next().is_some() {}
    }
    // Floret goes first: it closes its streams, and the connections wait for those.
    let (closed, ()) = tokio::join!(floret.shutdown(GRACE), graceful.shutdown());
    Ok(closed?)
}
