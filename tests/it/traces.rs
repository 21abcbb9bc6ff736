//! Distributed traces: which runs continue the trace of their request, and what goes on in it.
//!
//! The rules of storage are in the contract, spans without a trace in `spans`, and an export to
//! OpenTelemetry in `examples_hosts`.

use floret::executor::{Ctx, ExecutorError};
use floret::storage::MemoryStorage;
use floret::testing::Step;
use floret::{Access, Floret, Node, Pipeline, RunId, RunStatus, TraceParent};
use http::{Method, Request};
use serde_json::{Value, json};
use tracing_subscriber::fmt;

use crate::harness::{CapturedTrace, Host, Store, World, chain};
use crate::wire::{TestResponse, request, send, with_key};

on_every_backend! {
    every_request_that_makes_runs_gives_them_its_trace,
    every_builder_gives_its_runs_its_trace,
    an_invalid_header_counts_as_absent,
    a_repeat_with_a_key_keeps_the_first_trace,
}

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const OTHER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn parent(text: &str) -> TraceParent {
    text.parse().unwrap()
}

fn post(path: &str, body: &Value) -> Request<http_body_util::Full<bytes::Bytes>> {
    request(Method::POST, &format!("/api{path}"), Some(body))
}

/// Sends a request with headers `traceparent`.
async fn send_in(
    host: &Host,
    mut request: Request<http_body_util::Full<bytes::Bytes>>,
    traces: &[&str],
) -> TestResponse {
    for trace in traces {
        let value = trace.parse().unwrap();
        request.headers_mut().append("traceparent", value);
    }
    send(&host.floret.service(Access::allow_all()), request).await
}

/// Returns the ids of the runs in an answer.
fn made(answer: &TestResponse) -> Vec<RunId> {
    assert!(answer.status.is_success(), "{answer:?}");
    let json = answer.json();
    let ids = match (&json, json.get("created")) {
        (_, Some(created)) => created.as_array().unwrap().clone(),
        (Value::Array(ids), None) => ids.clone(),
        _ => vec![json["id"].clone()],
    };
    let parsed = ids.iter().map(|id| id.as_str().unwrap().parse().unwrap());
    parsed.collect()
}

/// Waits for runs, and returns what the API shows of their traces.
async fn shown(host: &Host, runs: &[RunId]) -> Vec<Value> {
    let mut shown = Vec::new();
    for run in runs {
        host.floret.run_by_id(*run).finished().await.unwrap();
        let get = request(Method::GET, &format!("/api/runs/{run}"), None);
        let answer = send(&host.floret.service(Access::allow_all()), get).await;
        shown.push(answer.json()["traceparent"].take());
    }
    shown
}

/// A world whose pipeline fails in its first run.
fn world(store: Store) -> World {
    let pipeline = chain("p", &["a"]).webhook_token("a-token-of-the-tests-17");
    let world = World::quiet(store).pipeline(pipeline);
    let mut steps = vec![Step::permanent("broken")];
    steps.extend(vec![Step::nothing(); 12]);
    world.script.script("a", steps);
    world
}

async fn failed_run(host: &Host) -> RunId {
    let failed = host.run("p").await.run;
    assert_eq!(
        (failed.status, failed.traceparent),
        (RunStatus::Failed, None)
    );
    failed.id
}

async fn every_request_that_makes_runs_gives_them_its_trace(store: Store) {
    let world = world(store);
    let host = world.start().await;
    let failed = failed_run(&host).await;
    let dates = json!({"dates": ["2024-01-01", "2024-01-02"]});
    let hook = json!({});
    let mut answers = Vec::new();
    for (path, body) in [
        ("/pipelines/p/run".to_owned(), json!({})),
        (format!("/runs/{failed}/resume"), json!({})),
        (format!("/runs/{failed}/rerun"), json!({})),
        ("/runs/rerun".to_owned(), json!({"run_ids": [failed]})),
    ] {
        answers.push(send_in(&host, post(&path, &body), &[TRACE]).await);
    }
    let mut hooked = post("/pipelines/p/webhook", &hook);
    let token = "a-token-of-the-tests-17".parse().unwrap();
    hooked.headers_mut().insert("x-floret-token", token);
    answers.push(send_in(&host, hooked, &[TRACE]).await);
    let backfill = send_in(&host, post("/pipelines/p/backfill", &dates), &[TRACE]).await;
    assert_eq!(shown(&host, &made(&backfill)).await, [TRACE, TRACE]);
    let again = format!(
        "{}/rerun",
        backfill.header("location").trim_start_matches("/api")
    );
    let again = send_in(&host, post(&again, &json!({"only": "all"})), &[OTHER]).await;
    assert_eq!(shown(&host, &made(&again)).await, [OTHER, OTHER]);
    for answer in answers {
        assert_eq!(shown(&host, &made(&answer)).await, [TRACE], "{answer:?}");
    }
    // The trace is that of the request, not that of the earlier run.
    let traced = made(&send_in(&host, post("/pipelines/p/run", &json!({})), &[TRACE]).await);
    shown(&host, &traced).await;
    let rerun = post(&format!("/runs/{}/rerun", traced[0]), &json!({}));
    let rerun = made(&send_in(&host, rerun, &[]).await);
    assert_eq!(shown(&host, &rerun).await, [Value::Null]);
}

async fn every_builder_gives_its_runs_its_trace(store: Store) {
    let world = world(store);
    let host = world.start().await;
    let (failed, floret) = (failed_run(&host).await, &host.floret);
    let parent = parent(TRACE);
    let failed = floret.run_by_id(failed);
    let mut runs = vec![
        floret.run("p").traceparent(parent).await.unwrap().id(),
        failed.resume().traceparent(parent).await.unwrap().id(),
        failed.rerun().traceparent(parent).await.unwrap().id(),
    ];
    let bulk = floret.runs().status(RunStatus::Failed).rerun_all();
    runs.extend(bulk.traceparent(parent).await.unwrap().created);
    let dates = ["2024-01-01".parse().unwrap()];
    let backfill = floret.backfill_dates("p", dates).traceparent(parent);
    let backfill = backfill.await.unwrap();
    backfill.finished().await.unwrap();
    let again = floret.backfills().rerun(backfill.id().unwrap()).all();
    let again = again.traceparent(parent).await.unwrap();
    runs.extend(backfill.run_ids().iter().chain(again.run_ids()));
    assert_eq!(runs.len(), 6);
    for run in runs {
        let finished = floret.run_by_id(run).finished().await.unwrap().run;
        assert_eq!(finished.traceparent, Some(parent), "{finished:?}");
    }
}

async fn an_invalid_header_counts_as_absent(store: Store) {
    let world = world(store);
    let host = world.start().await;
    for (traces, expected) in [
        (&["a trace"] as &[_], json!(null)),
        (
            &["ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
            json!(null),
        ),
        (
            &["00-00000000000000000000000000000000-00f067aa0ba902b7-01"],
            json!(null),
        ),
        (&[TRACE, OTHER], json!(null)),
        (
            &["cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x"],
            json!(TRACE),
        ),
    ] {
        let answer = send_in(&host, post("/pipelines/p/run", &json!({})), traces).await;
        assert_eq!(shown(&host, &made(&answer)).await, [expected], "{traces:?}");
    }
}

async fn a_repeat_with_a_key_keeps_the_first_trace(store: Store) {
    let world = world(store);
    let host = world.start().await;
    let keyed = || with_key("/api/pipelines/p/run", "k", None);
    let first = made(&send_in(&host, keyed(), &[TRACE]).await);
    let repeated = made(&send_in(&host, keyed(), &[OTHER]).await);
    assert_eq!(first, repeated);
    assert_eq!(shown(&host, &first).await, [TRACE]);
}

/// Logs the traceparent that an executor gets.
async fn traces(ctx: Ctx) -> Result<(), ExecutorError> {
    let own = ctx.traceparent().unwrap();
    tracing::info!("own {own}");
    if ctx.attempt == 1 {
        return Err(ExecutorError::retryable("not yet"));
    }
    Ok(())
}

#[tokio::test]
async fn the_spans_of_a_run_and_of_each_attempt_have_their_place_in_the_trace() {
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
    let run = floret
        .run("daily")
        .traceparent(parent(TRACE))
        .await
        .unwrap();
    run.finished().await.unwrap();
    let written = written.text();
    let mut spans = Vec::new();
    for line in written.lines().filter(|line| line.contains("own ")) {
        let (_, own) = line.rsplit_once("own ").unwrap();
        assert!(line.contains(" parent_span_id=00f067aa0ba902b7}"), "{line}");
        // The span of the run, and that of the attempt, which the executor gets.
        let fields = line.split("traceparent=").skip(1);
        let fields = fields.map(|field| parent(&field[..TRACE.len()]));
        let fields: Vec<_> = fields.collect();
        assert_eq!((fields.len(), fields[1]), (2, parent(own)), "{line}");
        spans.extend(fields);
    }
    assert_eq!(spans.len(), 4, "{written}");
    assert_eq!(spans[0], spans[2], "the run has one span");
    let ids = [spans[0], spans[1], spans[3], parent(TRACE)].map(TraceParent::span_id);
    for (index, id) in ids.iter().enumerate() {
        assert!(!ids[..index].contains(id), "{ids:?}");
    }
    for span in spans {
        assert_eq!(span.trace_id(), parent(TRACE).trace_id());
    }
}
