//! Tower services as executors: nodes that wait for one of a partner's two lines, calls with a time
//! limit, and calls that do not wait.
//!
//! `cargo run --example tower_executor` runs one pipeline and prints for each node how often it was
//! tried and how long it waited.
#![expect(clippy::print_stdout, reason = "a program prints to its user")]

use std::error::Error;
use std::time::Duration;

use floret::executor::{ExecutorError, NodeCall, Output};
use floret::storage::MemoryStorage;
use floret::{Floret, Node, Pipeline};
use tower::{ServiceBuilder, service_fn};

/// How long the partner takes to answer.
const ANSWER: Duration = Duration::from_millis(100);

/// Calls the partner, which never answers the first call to `slow`.
async fn ask(call: NodeCall) -> Result<Output, ExecutorError> {
    if call.ctx.node.id == "slow" && call.ctx.attempt == 1 {
        std::future::pending::<()>().await;
    }
    pause(ANSWER).await;
    Ok(Output::Nothing)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // A node that finds no free line waits in the queue (`queue_ms`) and takes no slot from nodes
    // of other types.
    let patient = ServiceBuilder::new()
        .concurrency_limit(2)
        .service(service_fn(ask));
    // A call that takes longer fails. The node's `max_retries` sets how often it is retried.
    let hasty = ServiceBuilder::new()
        .timeout(ANSWER * 5)
        .service(service_fn(ask));
    // A call that finds the line busy fails at once. The node's `retry_delay` is the delay before
    // the next try.
    let proud = ServiceBuilder::new()
        .load_shed()
        .concurrency_limit(1)
        .service(service_fn(ask));

    let retried = |id: &str, kind: &str| {
        let node = Node::new(id, kind).config("max_retries", 5);
        node.config("retry_delay", 200)
    };
    let mut pipeline = Pipeline::new("calls").with(retried("slow", "hasty"));
    for id in ["one", "two", "three", "four"] {
        pipeline = pipeline.node(id, "patient");
    }
    for id in ["first", "second"] {
        pipeline = pipeline.with(retried(id, "proud"));
    }
    let floret = Floret::builder(MemoryStorage::default())
        .node_service("patient", patient)
        .node_service("hasty", hasty)
        .node_service("proud", proud)
        .pipeline(pipeline)
        .start()
        .await?;
    let run = floret.run("calls").start().await?.finished().await?;
    for node in &run.nodes {
        let (tries, waited) = (node.attempt.unwrap_or(0), node.queue_ms.unwrap_or(0));
        println!(
            "{:8} {:?} after {tries} tries, waited {waited} ms",
            node.node_id.as_str(),
            node.status
        );
    }
    println!("run: {:?}", run.run.status);
    Ok(floret.shutdown(ANSWER).await?)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the partner's time is not on Floret's clock"
)]
async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}
