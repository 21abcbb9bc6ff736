//! Spans: trace events of an executor carry its run, node and attempt.

use floret::executor::{Ctx, ExecutorError};
use floret::storage::MemoryStorage;
use floret::{Floret, Node, Pipeline};
use tracing_subscriber::fmt;

use crate::harness::CapturedTrace;

async fn traces(ctx: Ctx) -> Result<(), ExecutorError> {
    tracing::info!("inside");
    if ctx.attempt == 1 {
        return Err(ExecutorError::retryable("not yet"));
    }
    Ok(())
}

#[tokio::test]
async fn trace_events_of_an_executor_carry_its_run_node_and_attempt() {
    let written = CapturedTrace::default();
    let subscriber = fmt().with_ansi(false).with_writer(written.clone());
    // The test and the engine's tasks all execute on this thread.
    let _guard = tracing::subscriber::set_default(subscriber.finish());
    let node = Node::new("load", "traces").config("max_retries", 1);
    let floret = Floret::builder(MemoryStorage::default())
        .node("traces", traces)
        .pipeline(Pipeline::new("daily").with(node.config("retry_delay", 0)))
        .start()
        .await
        .unwrap();
    let run = floret.run("daily").start().await.unwrap();
    run.finished().await.unwrap();
    let written = written.text();
    let lines: Vec<_> = written
        .lines()
        .filter(|line| line.ends_with("inside"))
        .collect();
    assert_eq!(lines.len(), 2, "{written}");
    for (line, attempt) in lines.into_iter().zip(1..) {
        for part in [
            format!("run{{run_id={} pipeline_id=daily}}", run.id()),
            "node{node_id=\"load\"}".to_owned(),
            format!("attempt{{attempt={attempt}}}"),
        ] {
            assert!(line.contains(&part), "{line} has no {part}");
        }
    }
}
