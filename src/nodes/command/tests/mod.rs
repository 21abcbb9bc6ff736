//! Commands as children of the test process: their input and their log.
//!
//! `branches` tests exit codes that decide, `outputs` how their output is read, `surroundings`
//! their environment and folder, and `termination` how they are stopped.

mod branches;
mod outputs;
mod surroundings;
mod termination;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::CommandNode;
use crate::clock::Clock;
use crate::executor::{Executor, ExecutorError, LogLine, LogSink, NodeCall, NodeLog, Output};
use crate::model::Dataset;
use crate::nodes::tests::{call, dataset, rows};

fn shell(script: &str, inputs: impl IntoIterator<Item = Dataset>) -> NodeCall {
    call(json!({"command": ["sh", "-c", script]}), inputs)
}

async fn execute(call: NodeCall) -> Result<Output, ExecutorError> {
    let node = CommandNode::new(Clock::system());
    let output = Clock::system()
        .timeout(Duration::from_secs(60), node.execute(call))
        .await;
    output.expect("the command hangs")
}

async fn failure(script: &str) -> ExecutorError {
    execute(shell(script, [])).await.unwrap_err()
}

/// Sends every log line to the test.
struct Lines(mpsc::UnboundedSender<String>);

#[async_trait]
impl LogSink for Lines {
    async fn send(&self, line: LogLine) {
        // A finished test has dropped the receiver.
        drop(self.0.send(line.message));
    }
}

fn listen(call: &mut NodeCall) -> mpsc::UnboundedReceiver<String> {
    let (lines, heard) = mpsc::unbounded_channel();
    call.ctx.log = NodeLog::to_sink(Arc::new(Lines(lines)));
    heard
}

#[tokio::test]
async fn rows_of_all_upstreams_pass_through_in_order() {
    let inputs = [json!([{"a": 1.0}, {"b": null}]), json!([{"a": "é"}])].map(dataset);
    let output = execute(call(json!({"command": ["cat"]}), inputs))
        .await
        .unwrap();
    assert_eq!(
        json!(rows(output)),
        json!([{"a": 1.0}, {"b": null}, {"a": "é"}])
    );
}

#[tokio::test]
async fn a_root_reads_nothing_and_a_sink_without_rows_outputs_nothing() {
    let output = execute(shell(
        "cat; echo '{\"a\": 1}'; echo; printf '{\"a\": 2}'",
        [],
    ))
    .await;
    assert_eq!(json!(rows(output.unwrap())), json!([{"a": 1}, {"a": 2}]));
    let sink = call(json!({"command": ["true"], "effect": "sink"}), []);
    assert!(matches!(execute(sink).await.unwrap(), Output::Nothing));
    assert!(rows(execute(shell("true", [])).await.unwrap()).is_empty());
}

#[tokio::test]
async fn ten_megabytes_pass_both_ways_and_a_child_may_stop_reading() {
    let wide: Vec<_> = (0..10_000)
        .map(|n| json!({"n": n, "text": "x".repeat(1_000)}))
        .collect();
    let input = dataset(Value::from(wide));
    let all = execute(call(json!({"command": ["cat"]}), [input.clone()]))
        .await
        .unwrap();
    assert_eq!(rows(all).len(), 10_000);
    let some = execute(shell("head -n 1", [input.clone()])).await.unwrap();
    assert_eq!(rows(some).len(), 1);
    let none = execute(shell("exec <&-; echo '{}'", [input]))
        .await
        .unwrap();
    assert_eq!(rows(none).len(), 1);
}

#[tokio::test]
async fn each_line_of_stderr_is_a_line_of_the_log() {
    let long = 40_000;
    let script = format!("echo one >&2; printf '%{long}s\\n' x >&2; printf 'last \\377' >&2");
    let mut call = shell(&script, []);
    let mut heard = listen(&mut call);
    execute(call).await.unwrap();
    assert_eq!(heard.recv().await.unwrap(), "one");
    let cut = heard.recv().await.unwrap();
    assert!(
        cut.len() <= 16 * 1024 && cut.ends_with("… (cut)"),
        "{}",
        cut.len()
    );
    assert_eq!(heard.recv().await.unwrap(), "last \u{fffd}");
    assert_eq!(heard.recv().await, None);
}

#[tokio::test]
async fn a_failed_command_reports_its_exit_code_and_last_lines() {
    let error = failure("echo first >&2; echo why >&2; echo >&2; exit 3").await;
    assert_eq!(
        error.message(),
        "the command failed with exit code 3: first | why"
    );
    assert!(error.is_retryable());
    assert_eq!(
        failure("exit 4").await.message(),
        "the command failed with exit code 4"
    );
    assert_eq!(
        failure("kill -9 $$").await.message(),
        "the command was killed by signal 9"
    );
}

#[tokio::test]
async fn a_missing_program_is_named() {
    let error = execute(call(json!({"command": ["no-such-program"]}), []))
        .await
        .unwrap_err();
    assert_eq!(
        error.message(),
        "the command no-such-program cannot be started: entity not found"
    );
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn a_dry_run_stops_an_endless_command_at_the_row_limit() {
    let mut call = shell("while :; do echo '{\"a\": 1}'; done", []);
    call.ctx.row_limit = Some(10);
    assert_eq!(rows(execute(call).await.unwrap()).len(), 10);
}

#[tokio::test]
async fn an_output_held_open_by_another_process_is_an_error() {
    let error = failure("sleep 1000 &").await;
    let message =
        "the command has exited, but a process that it started still holds its output open";
    assert_eq!(error.message(), message);
    assert_eq!(
        failure("sleep 1000 & exit 3").await.message(),
        "the command failed with exit code 3"
    );
}
