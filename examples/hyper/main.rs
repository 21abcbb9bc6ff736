//! Floret in a bare hyper server, beside the program's own handler: upgrades, limits on what a
//! client may hold (`listener/`), an orderly shutdown.
//!
//! `cargo run --example hyper`, then `curl http://127.0.0.1:8080/api/pipelines`.
#![expect(clippy::print_stdout, reason = "a program prints to its user")]

#[path = "../listener/mod.rs"]
mod listener;

use std::convert::Infallible;
use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use floret::executor::{Ctx, ExecutorError};
use floret::storage::MemoryStorage;
use floret::{Access, Floret, Pipeline, RunsLayer};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tower::{ServiceBuilder, service_fn};

use crate::listener::Connections;

/// How long nodes and requests may run on after the server was asked to stop.
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
    let address = std::env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:8080")).await?;
    println!("listening on http://{}", listener.local_addr()?);

    let mut connections = Connections::new();
    tokio::select! {
        () = connections.accept(&listener, app) => {}
        result = tokio::signal::ctrl_c() => result?,
    }
    drop(listener);
    // Floret closes its streams, and the connections wait for those.
    let (closed, ()) = tokio::join!(floret.shutdown(GRACE), connections.finish(GRACE));
    Ok(closed?)
}
