//! Floret in a distributed trace: the spans of a run go to OpenTelemetry as children of the span
//! that asked for the run, and a webhook carries the trace on.
//!
//! `cargo run --example opentelemetry` triggers a run with a `traceparent`, prints the spans that
//! it exports and what the receiver of the webhook gets, and exits.
#![expect(clippy::print_stdout, reason = "a program prints to its user")]

mod bridge;
mod printer;
mod receiver;

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use floret::executor::{Ctx, ExecutorError};
use floret::notifier::Webhook;
use floret::storage::MemoryStorage;
use floret::{Access, EventKind, Floret, Pipeline};
use http::{Request, StatusCode};
use http_body_util::Full;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tower::ServiceExt;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use self::bridge::{Bridge, SpanIds};
use self::printer::Printer;

/// The place of the caller in its trace. A real caller takes it from its own current span.
const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Signs the webhook. A real one comes from the environment.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A node that calls another service: it sends the traceparent of its attempt as a header.
async fn call(ctx: Ctx) -> Result<(), ExecutorError> {
    let parent = ctx.traceparent();
    let parent = parent.ok_or_else(|| ExecutorError::permanent("the run is in no trace"))?;
    println!("the node sends {parent}");
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // In production: `with_batch_exporter` and an exporter of `opentelemetry-otlp`.
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(Printer)
        .with_id_generator(SpanIds::default())
        .build();
    let floret_alone = Targets::new().with_target("floret", LevelFilter::INFO);
    let bridge = Bridge::new(provider.tracer("floret"));
    tracing_subscriber::registry()
        .with(bridge.with_filter(floret_alone))
        .init();

    let mut receiver = receiver::start().await?;
    let webhook = Webhook::builder(format!("http://{}/", receiver.address))
        .secret(SECRET)
        .events([EventKind::RunCompleted])
        .allow_http()
        .allow_private()
        .build()?;
    let floret = Floret::builder(MemoryStorage::default())
        .node("call", call)
        .pipeline(Pipeline::new("orders").node("call", "call"))
        .notifier("partner", webhook)
        .start()
        .await?;

    let request = Request::post("/pipelines/orders/run?wait=30")
        .header("traceparent", CALLER)
        .body(Full::<Bytes>::default())?;
    let response = floret.service(Access::allow_all()).oneshot(request).await?;
    if response.status() != StatusCode::OK {
        return Err(format!("the run was not finished: {}", response.status()).into());
    }
    let received = receiver.traceparent().await?;
    println!("the webhook sends {received}");

    floret.shutdown(Duration::from_secs(10)).await?;
    provider.shutdown()?;
    Ok(())
}
