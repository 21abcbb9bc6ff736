//! Floret behind the usual middleware of tower-http: the purpose of each layer and the reason for
//! its position.
//!
//! `cargo run --example middleware`, then `curl -i http://127.0.0.1:8080/api/pipelines`.
#![expect(clippy::print_stdout, reason = "a program prints to its user")]

use std::error::Error;
use std::time::Duration;

use axum::error_handling::HandleErrorLayer;
use axum::{BoxError, Router};
use floret::executor::{Ctx, ExecutorError};
use floret::storage::MemoryStorage;
use floret::{Access, Floret, Pipeline};
use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tower::ServiceBuilder;
use tower::limit::ConcurrencyLimitLayer;
use tower::load_shed::LoadShedLayer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::cors::CorsLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::sensitive_headers::SetSensitiveRequestHeadersLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::{DefaultMakeSpan, TraceLayer};
use tracing_subscriber::EnvFilter;

const APP: &str = "https://app.example.com";
const REQUESTS_MAX: usize = 64;
const BODY_BYTES_MAX: usize = 64 * 1024;
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
const LAST_BYTES: Duration = Duration::from_secs(2);

async fn greet(ctx: Ctx) -> Result<(), ExecutorError> {
    ctx.log.info("good morning").await;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        // A line that cannot be written is lost. To report it on standard error would panic.
        .log_internal_errors(false)
        .init();
    let floret = Floret::builder(MemoryStorage::default())
        .node("greet", greet)
        .pipeline(Pipeline::new("daily").node("greet", "greet"))
        .start()
        .await?;
    // Floret checks the origin itself, also for requests that no browser preflights. The origin
    // that CORS allows below is therefore allowed here, too.
    let api = floret.service(Access::allow_all()).allow_origin(APP);

    // From the outermost to the innermost. The layers above see what a layer refuses, those below
    // do not.
    let stack = ServiceBuilder::new()
        // Gives each request an id, unless a proxy did. First, because everything below may log it.
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
        // Keeps these headers out of every log. Above the layer that logs.
        .layer(SetSensitiveRequestHeadersLayer::new([
            AUTHORIZATION,
            COOKIE,
        ]))
        // A span and a line for each request, also for those that a layer below refuses.
        .layer(
            TraceLayer::new_for_http().make_span_with(DefaultMakeSpan::new().include_headers(true)),
        )
        // Every response carries the id to the client.
        .layer(PropagateRequestIdLayer::x_request_id())
        // Turns a panic in a layer below into a 500 (Floret catches its own). Inside the trace,
        // which logs it.
        .layer(CatchPanicLayer::new())
        // Lets pages of the application's origin read responses. Above the limits: without its
        // headers, a refusal would reach no page, and a preflight request should not use up a slot.
        .layer(cors()?)
        // Compresses responses for clients that accept it. Above the limits, so that their
        // responses are the same for every client.
        .layer(CompressionLayer::new())
        // The two layers below return errors. This one turns them into responses.
        .layer(HandleErrorLayer::new(async |_: BoxError| {
            StatusCode::SERVICE_UNAVAILABLE
        }))
        // Refuses at once what would have to wait below. Directly above the limit, whose readiness
        // it asks.
        .layer(LoadShedLayer::new())
        // Limits the requests that wait for their response. A stream that has started does not
        // count.
        .layer(ConcurrencyLimitLayer::new(REQUESTS_MAX))
        // A smaller limit for bodies than Floret's own 4 MiB. Below the limits, because reading is
        // work.
        .layer(RequestBodyLimitLayer::new(BODY_BYTES_MAX))
        // A time limit for the start of a response. Innermost, so that it covers Floret alone. A
        // stream may run for any time.
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            ANSWER_TIMEOUT,
        ))
        .service(api);

    let address = std::env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:8080")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let router = Router::new().nest_service("/api", stack);
    let (is_shut_down, shut_down) = oneshot::channel();
    let serve = axum::serve(listener, router).with_graceful_shutdown(async move {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        if let Err(error) = floret.shutdown(ANSWER_TIMEOUT).await {
            tracing::error!(%error, "the storage was not closed properly");
        }
        let _ = is_shut_down.send(());
    });
    tokio::select! {
        served = serve.into_future() => served?,
        () = cut_off(shut_down) => {
            tracing::warn!("some clients did not take their responses in time");
        }
    }
    Ok(())
}

/// Waits until Floret is shut down, and then for the last bytes of responses. axum itself would
/// wait for ever for a client that takes none.
#[expect(
    clippy::disallowed_methods,
    reason = "a host's own pauses are not on Floret's clock"
)]
async fn cut_off(shut_down: oneshot::Receiver<()>) {
    if shut_down.await.is_err() {
        return std::future::pending().await;
    }
    tokio::time::sleep(LAST_BYTES).await;
}

fn cors() -> Result<CorsLayer, Box<dyn Error>> {
    Ok(CorsLayer::new()
        .allow_origin(HeaderValue::from_str(APP)?)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers([AUTHORIZATION, http::header::CONTENT_TYPE])
        .expose_headers([
            http::header::LINK,
            http::header::LOCATION,
            HeaderName::from_static("x-request-id"),
        ]))
}
