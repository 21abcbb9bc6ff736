//! The host's log at its usual levels: a run's start, end and recovery, and the error of a failed
//! run.
//!
//! What no line may contain is left to `canaries`, spans to `spans`.

use std::sync::Arc;
use std::time::Duration;

use floret::executor::{Ctx, ExecutorError};
use floret::storage::MemoryStorage;
use floret::testing::{Fault, FaultyStorage, Gate, ManualClock};
use floret::{Access, Builder, EventKind, Floret, Pipeline, Problem, RunId};
use http::Method;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt;

use crate::harness::{CapturedTrace, until};
use crate::wire::{request, send};

/// Captures what this thread traces at `info` and above. Every task of these tests runs on it.
fn capture() -> (CapturedTrace, DefaultGuard) {
    let written = CapturedTrace::default();
    let subscriber = fmt().with_ansi(false).with_writer(written.clone());
    let guard = tracing::subscriber::set_default(subscriber.finish());
    (written, guard)
}

/// Returns the lines with this text, each without its time.
fn lines(written: &CapturedTrace, text: &str) -> Vec<String> {
    let written = written.text();
    let found = written.lines().filter(|line| line.contains(text));
    found
        .map(|line| line.split_once(' ').unwrap().1.trim_start().to_owned())
        .collect()
}

async fn nothing(_: Ctx) -> Result<(), ExecutorError> {
    Ok(())
}

async fn fails(_: Ctx) -> Result<(), ExecutorError> {
    Err(ExecutorError::permanent("no such table"))
}

fn pipelines(builder: Builder) -> Builder {
    builder
        .node("nothing", nothing)
        .node("fails", fails)
        .pipeline(Pipeline::new("fine").node("a", "nothing"))
        .pipeline(
            Pipeline::new("broken")
                .node("a", "fails")
                .node("b", "fails"),
        )
}

#[tokio::test]
async fn the_start_and_the_end_of_a_run_are_at_info_and_a_failed_run_is_at_warn() {
    let (written, _guard) = capture();
    let floret = pipelines(floret::testing::memory()).start().await.unwrap();
    for pipeline in ["fine", "broken"] {
        let run = floret.run(pipeline).start().await.unwrap();
        run.finished().await.unwrap();
        let span = format!("run{{run_id={} pipeline_id={pipeline}}}", run.id());
        let lines = lines(&written, &span);
        let [start, end] = &lines[..] else {
            panic!("{lines:#?}")
        };
        assert!(start.starts_with("INFO") && start.ends_with("the run starts"));
        if pipeline == "fine" {
            assert!(end.starts_with("INFO"), "{end}");
            assert!(end.contains("the run finished status=\"success\" duration_ms="));
        } else {
            assert!(end.starts_with("WARN"), "{end}");
            assert!(end.contains("the run failed status=\"failed\" duration_ms="));
            assert!(
                end.ends_with("error=2 nodes failed; node a: no such table"),
                "{end}"
            );
        }
    }
}

#[tokio::test]
async fn a_request_during_a_shutdown_logs_no_error() {
    let (written, _guard) = capture();
    let floret = pipelines(floret::testing::memory()).start().await.unwrap();
    let service = floret.service(Access::allow_all());
    floret.shutdown(Duration::ZERO).await.unwrap();
    for (method, path) in [
        (Method::POST, "/api/pipelines/fine/run"),
        (Method::GET, "/api/health"),
    ] {
        let answer = send(&service, request(method, path, None)).await;
        assert_eq!(answer.status, 503, "{path}");
    }
    assert_eq!(written.text(), "");
}

#[tokio::test]
async fn a_busy_storage_is_at_warn_and_a_fault_at_error() {
    let (written, _guard) = capture();
    let storage = FaultyStorage::new(Arc::new(MemoryStorage::default()));
    let floret = pipelines(Floret::builder(storage.clone()))
        .start()
        .await
        .unwrap();
    let service = floret.service(Access::allow_all());
    for (problem, level) in [
        (Problem::StorageBusy, "WARN"),
        (Problem::StorageFull, "ERROR"),
        (Problem::InternalError, "ERROR"),
    ] {
        storage.fail(Fault::before(floret::testing::Method::ListRuns, problem));
        let request = request(Method::GET, "/api/runs", None);
        assert!(send(&service, request).await.status.is_server_error());
        let lines = lines(&written, &format!("slug=\"{}\"", problem.slug()));
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with(level), "{lines:?}");
    }
}

/// A node that waits at the gate in its first attempt only.
fn waiting(gate: &Gate) -> impl Fn(Builder) -> Builder {
    let gate = gate.clone();
    let is_first = Arc::new(std::sync::atomic::AtomicBool::new(true));
    move |builder| {
        let (gate, is_first) = (gate.clone(), Arc::clone(&is_first));
        let wait = move |_: Ctx| {
            let (gate, is_first) = (gate.clone(), Arc::clone(&is_first));
            async move {
                if is_first.swap(false, std::sync::atomic::Ordering::Relaxed) {
                    gate.passed().await;
                }
                Ok::<_, ExecutorError>(())
            }
        };
        let waits = Pipeline::new("waits")
            .node("a", "nothing")
            .node("b", "wait");
        builder
            .node("nothing", nothing)
            .node("wait", wait)
            .pipeline(waits.after("a"))
    }
}

/// Returns what the log and the events of a run say after its node `b` was interrupted.
async fn interrupt(is_crash: bool) -> (CapturedTrace, RunId, Floret) {
    let (written, _guard) = capture();
    let memory = MemoryStorage::default();
    let clock = ManualClock::new("2024-01-15T06:00:00Z".parse().unwrap());
    let gate = Gate::new();
    let build = waiting(&gate);
    let start = async || {
        let storage = FaultyStorage::new(Arc::new(memory.clone()));
        storage.ignore_close();
        let builder = Floret::builder(storage.clone()).clock(clock.clock());
        (build(builder).start().await.unwrap(), storage)
    };
    let (first, storage) = start().await;
    let run = first.run("waits").start().await.unwrap().id();
    let is_waiting = |event: &floret::Event| {
        let node = event.node_id.as_ref().map(AsRef::as_ref);
        event.kind == EventKind::NodeStarted && node == Some("b")
    };
    until(&mut first.events_after(0), is_waiting).await.unwrap();
    if is_crash {
        let fault = Fault::before(floret::testing::Method::Release, Problem::StorageBusy);
        storage.fail(fault.times(u64::MAX));
    }
    first.shutdown(Duration::ZERO).await.unwrap();
    drop(first);
    clock.advance(Duration::from_secs(3_600));
    let (second, _) = start().await;
    second.run_by_id(run).finished().await.unwrap();
    (written, run, second)
}

#[tokio::test]
async fn after_a_crash_the_logs_and_events_say_that_the_node_starts_again_and_why() {
    for (is_crash, reason) in [
        (
            true,
            "its process ended without releasing the run, as in a crash",
        ),
        (false, "its process was shut down"),
    ] {
        let (written, run, floret) = interrupt(is_crash).await;
        let continues = lines(&written, "the run continues");
        assert_eq!(continues.len(), 1, "{}", written.text());
        assert!(continues[0].starts_with("INFO"), "{continues:?}");
        assert!(continues[0].contains(reason), "{continues:?}");
        let again = lines(&written, "an interrupted node starts again");
        assert_eq!(again.len(), 1, "{}", written.text());
        assert!(again[0].contains("node{node_id=\"b\"}"), "{again:?}");

        let is_last = |event: &floret::Event| event.kind == EventKind::RunCompleted;
        let mut seen = until(&mut floret.events_after(0), is_last).await.unwrap();
        seen.retain(|event| event.kind == EventKind::NodeRecovered);
        assert_eq!(seen.len(), 1, "{seen:?}");
        assert_eq!(seen[0].node_id.as_ref().map(AsRef::as_ref), Some("b"));
        assert_eq!(
            (seen[0].attempt, seen[0].error.as_deref()),
            (Some(1), Some(reason))
        );
        let expected =
            format!("The node starts again: its attempt 1 was interrupted, because {reason}");
        let service = floret.service(Access::allow_all());
        let path = format!("/api/runs/{run}/logs");
        let shown = send(&service, request(Method::GET, &path, None)).await;
        assert!(shown.text().contains(&expected), "{shown:?}");
    }
}
