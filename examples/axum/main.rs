//! Floret in an axum application: the console nested under `/ops` with the API below it, behind the
//! application's own login, and shut down first in the application's graceful shutdown.
//!
//! `cargo run --example axum`, then open `http://127.0.0.1:8080/ops` and give the key `ann`, or
//! `curl -H 'authorization: Bearer ann' http://127.0.0.1:8080/ops/api/pipelines`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program prints to its user"
)]

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Router};
use floret::executor::{Ctx, ExecutorError};
use floret::storage::MemoryStorage;
use floret::{Access, Floret, Permission, Permissions, Pipeline};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// How long nodes may run on after the application was asked to stop.
const GRACE: Duration = Duration::from_secs(10);
/// How long clients may take for the rest of their responses after that.
const LAST_BYTES: Duration = Duration::from_secs(2);

/// The state of the application's handlers. Floret is one part of it.
#[derive(Clone)]
struct App {
    floret: Floret,
    users: Arc<BTreeMap<&'static str, Permissions>>,
}

async fn invoice(ctx: Ctx) -> Result<(), ExecutorError> {
    let order = ctx.param("order").unwrap_or("none");
    ctx.log.info(format!("an invoice for order {order}")).await;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let floret = Floret::builder(MemoryStorage::default())
        .node("invoice", invoice)
        .pipeline(Pipeline::new("invoices").node("invoice", "invoice"))
        .start()
        .await?;
    // Links must start with the full path. The router strips part of it before it calls the
    // service.
    let console = floret.console(Access::from_extensions()).prefix("/ops");
    let viewer = Permissions::of([Permission::PipelinesView, Permission::RunsView]);
    let app = App {
        floret: floret.clone(),
        users: Arc::new(BTreeMap::from([
            ("ann", Permissions::all()),
            ("bob", viewer),
        ])),
    };
    let router = Router::new()
        .route("/orders/{order}", post(order))
        .nest_service("/ops", console)
        .layer(from_fn_with_state(app.clone(), login))
        .with_state(app);
    let address = std::env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:8080")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let (is_shut_down, shut_down) = oneshot::channel();
    let serve = axum::serve(listener, router).with_graceful_shutdown(async move {
        stop(floret).await;
        let _ = is_shut_down.send(());
    });
    tokio::select! {
        served = serve.into_future() => served?,
        () = cut_off(shut_down) => eprintln!("some clients did not take their responses in time"),
    }
    Ok(())
}

/// The application's own login. It attaches permissions to the requests of known users.
///
/// Floret refuses a request without permissions.
async fn login(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let header = request.headers().get(AUTHORIZATION);
    let token = header.and_then(|header| header.to_str().ok()?.strip_prefix("Bearer "));
    if let Some(permissions) = token.and_then(|token| app.users.get(token)).cloned() {
        request.extensions_mut().insert(permissions);
    }
    next.run(request).await
}

/// Triggers one run for each order. The run is durable when the handler responds.
async fn order(
    State(app): State<App>,
    user: Option<Extension<Permissions>>,
    Path(order): Path<String>,
) -> Response {
    if !user.is_some_and(|user| user.has(Permission::PipelinesRun)) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let run = app
        .floret
        .run("invoices")
        .param("order", &order)
        .key(&order);
    match run.start().await {
        Ok(run) => (StatusCode::ACCEPTED, run.id().to_string()).into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
    }
}

/// Shuts Floret down as soon as the application is asked to stop. axum then waits for every
/// connection, and an event stream never closes by itself.
async fn stop(floret: Floret) {
    if let Err(error) = tokio::signal::ctrl_c().await {
        eprintln!("cannot receive signals: {error}");
        return std::future::pending().await;
    }
    if let Err(error) = floret.shutdown(GRACE).await {
        eprintln!("the storage was not closed properly: {error}");
    }
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
