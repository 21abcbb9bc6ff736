//! Embedding: how Floret treats the process, the runtime and the threads of its host.
//!
//! `shutdowns` tests what a shutdown does to runs. `api_layer` and `examples_hosts` test mounting.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use floret::executor::{Ctx, Executor, ExecutorError, NodeCall, Output};
use floret::service::{ResponseFuture, WithRuns, WithRunsBody, WithRunsFuture};
use floret::storage::{
    EventFilter, MemoryStorage, Pipelines, RunDetail, SqliteOptions, SqliteStorage, Storage,
};
use floret::testing::{Gate, scratch};
use floret::{
    Access, Body, Builder, Client, Clock, Dataset, Error, ErrorKind, Event, Floret, Limits,
    Permissions, Pipeline, Run, RunBuilder, RunHandle, RunStatus, RunsLayer, RunsService, Scope,
    Subscription,
};
use rusqlite::Connection;
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tower::ServiceExt;

use crate::wire::{request, send};

const GRACE: Duration = Duration::from_secs(10);

/// Checks at compile time which types a host can share, send or hold behind a pointer.
const _: () = {
    const fn assert_shared<T: Send + Sync + 'static>() {}
    const fn assert_send<T: Send + 'static>() {}
    const fn assert_object<T: ?Sized + Send + Sync + 'static>() {}
    assert_shared::<(Floret, RunBuilder, RunHandle, Builder, Client)>();
    assert_shared::<(
        RunsService,
        RunsLayer,
        WithRuns<RunsService>,
        Access,
        Permissions,
    )>();
    assert_shared::<(MemoryStorage, SqliteStorage, Clock, Limits, EventFilter)>();
    assert_shared::<(Pipeline, Run, RunDetail, Event, Dataset, Error)>();
    assert_shared::<(NodeCall, Ctx, Output, ExecutorError)>();
    assert_send::<(ResponseFuture, WithRunsFuture<ResponseFuture>)>();
    assert_send::<(Body, WithRunsBody<Body>, Subscription)>();
    assert_object::<dyn Storage>();
    assert_object::<dyn Executor>();
};

/// Checks at compile time that the futures of the handles can move between threads.
fn _futures_are_send(floret: &Floret, run: &RunHandle) {
    fn assert_send<T: Send>(_: T) {}
    assert_send(floret.run("p").start());
    assert_send(floret.shutdown(GRACE));
    assert_send(run.finished());
    assert_send(run.dataset("a"));
    assert_send(run.cancel().into_future());
    assert_send(run.resume().into_future());
    assert_send(floret.backfills().into_future());
    assert_send(Floret::open("runs.db"));
    assert_send(Floret::builder(MemoryStorage::default()).start());
}

/// Runs a test on its own thread and fails if the test blocks that thread for a minute.
fn watched<T: Send + 'static>(test: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    let thread = std::thread::spawn(move || drop(sender.send(test())));
    match receiver.recv_timeout(Duration::from_secs(60)) {
        Ok(result) => result,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("the test blocks its thread"),
        Err(mpsc::RecvTimeoutError::Disconnected) => match thread.join() {
            Ok(()) => panic!("the test sent no result"),
            Err(panic) => std::panic::resume_unwind(panic),
        },
    }
}

/// Returns a runtime of one thread whose only driver is the timer.
fn one_thread() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().build().unwrap()
}

async fn nothing(_: Ctx) -> Result<(), ExecutorError> {
    Ok(())
}

fn chain() -> Pipeline {
    Pipeline::new("p")
        .node("a", "nothing")
        .node("b", "nothing")
        .after("a")
}

/// Runs a pipeline and returns the final status of the run.
async fn run_and_wait(floret: &Floret, pipeline: &str) -> RunStatus {
    let run = floret.run(pipeline).start().await.unwrap();
    run.finished().await.unwrap().run.status
}

#[tokio::test]
async fn two_florets_in_one_process_are_independent() {
    let folder = scratch();
    let mut hosts = Vec::new();
    for (file, kind) in [("one.db", "first"), ("two.db", "second")] {
        let builder = Floret::open(folder.path().join(file)).await.unwrap();
        let builder = builder.node(kind, nothing).limits(Limits::default());
        let pipeline = Pipeline::new("p").node("a", kind);
        hosts.push(builder.pipeline(pipeline).start().await.unwrap());
    }
    let runs = [
        hosts[0].run("p").key("same").start().await.unwrap(),
        hosts[1].run("p").key("same").start().await.unwrap(),
    ];
    for (run, other) in [(&runs[0], &hosts[1]), (&runs[1], &hosts[0])] {
        assert_eq!(run.finished().await.unwrap().run.status, RunStatus::Success);
        let refused = other.run_by_id(run.id()).finished().await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::NotFound);
        let path = format!("/api/runs/{}", run.id());
        let service = other.service(Access::allow_all());
        let answer = send(&service, request(http::Method::GET, &path, None)).await;
        assert_eq!(answer.status, 404);
    }
    hosts[0].shutdown(GRACE).await.unwrap();
    assert_eq!(run_and_wait(&hosts[1], "p").await, RunStatus::Success);
}

#[test]
fn one_thread_with_a_timer_is_enough() {
    watched(|| {
        one_thread().block_on(async {
            let folder = scratch();
            let builder = Floret::open(folder.path().join("runs.db")).await.unwrap();
            let builder = builder.node("nothing", nothing).pipeline(chain());
            let floret = builder.start().await.unwrap();
            let service = floret.service(Access::allow_all());
            let post = request(http::Method::POST, "/api/pipelines/p/run", None);
            let answer = service.oneshot(post).await.unwrap();
            assert_eq!(answer.status(), 202);
            assert_eq!(run_and_wait(&floret, "p").await, RunStatus::Success);
            floret.shutdown(GRACE).await.unwrap();
        });
    });
}

/// Another connection holds the store's lock and releases it only once the host's own task is
/// scheduled. If Floret waited for SQLite on the host's thread, the lock would never be released.
#[test]
fn a_waiting_store_does_not_block_the_thread_of_the_host() {
    watched(|| {
        one_thread().block_on(async {
            let folder = scratch();
            let path = folder.path().join("runs.db");
            let options = SqliteOptions::default().busy_timeout(Duration::from_secs(3_600));
            let storage = SqliteStorage::open_with(&path, options).await.unwrap();
            let other = Connection::open(&path).unwrap();
            let lock = || other.execute_batch("BEGIN IMMEDIATE").unwrap();
            let unlock = || other.execute_batch("COMMIT").unwrap();
            let (started, proceed) = (Arc::new(Notify::new()), Gate::new());
            let (signal, gate) = (Arc::clone(&started), proceed.clone());
            let waits = move |_: Ctx| {
                let (signal, gate) = (Arc::clone(&signal), gate.clone());
                async move {
                    signal.notify_one();
                    gate.passed().await;
                    Ok::<_, ExecutorError>(vec![serde_json::json!({"n": 1})])
                }
            };
            let pipeline = Pipeline::new("p").node("a", "waits");
            let builder = Floret::builder(storage)
                .node("waits", waits)
                .pipeline(pipeline);
            let floret = builder.start().await.unwrap();

            lock();
            let release = async {
                tokio::task::yield_now().await;
                unlock();
            };
            let (run, ()) = tokio::join!(floret.run("p").start(), release);
            let run = run.unwrap();
            started.notified().await;
            lock();
            proceed.open();
            let release = async {
                // By then the store writes the node's outcome, or will soon.
                for _ in 0..1_000 {
                    tokio::task::yield_now().await;
                }
                unlock();
            };
            let (finished, ()) = tokio::join!(run.finished(), release);
            assert_eq!(finished.unwrap().run.status, RunStatus::Success);
        });
    });
}

/// The only blocking thread of the runtime is occupied, so long computations cannot finish. Short
/// ones still do.
#[test]
fn a_long_computation_does_not_block_the_thread_of_the_host() {
    watched(|| {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder
            .enable_time()
            .max_blocking_threads(1)
            .build()
            .unwrap();
        runtime.block_on(async {
            let many = |_: Ctx| async {
                let rows = (0..10_000).map(|n| serde_json::json!({ "n": n }));
                Ok::<_, ExecutorError>(rows.collect::<Vec<_>>())
            };
            let wide = |_: Ctx| async {
                let text = "x".repeat(1 << 20);
                Ok::<_, ExecutorError>(vec![serde_json::json!({ "text": text })])
            };
            let floret = Floret::builder(MemoryStorage::default())
                .node("many", many)
                .node("wide", wide)
                .node("nothing", nothing)
                .pipeline(Pipeline::new("long").node("a", "many").node("b", "wide"))
                .pipeline(chain())
                .start()
                .await
                .unwrap();
            let (free, occupied) = mpsc::channel::<()>();
            let occupied = tokio::task::spawn_blocking(move || occupied.recv().is_err());
            let long = floret.run("long").start().await.unwrap();
            for _ in 0..5 {
                assert_eq!(run_and_wait(&floret, "p").await, RunStatus::Success);
            }
            let path = format!("/api/runs/{}", long.id());
            let service = floret.service(Access::allow_all());
            let run = send(&service, request(http::Method::GET, &path, None)).await;
            let run = run.json();
            assert_eq!(run["status"], "running");
            for node in run["node_runs"].as_array().unwrap() {
                assert_ne!(node["status"], "success", "{node}");
            }
            drop(free);
            occupied.await.unwrap();
            let finished = long.finished().await.unwrap();
            assert_eq!(finished.run.status, RunStatus::Success);
        });
    });
}

#[tokio::test]
async fn the_start_reports_the_problems_of_all_pipelines_and_saves_none() {
    let storage = MemoryStorage::default();
    let builder = Floret::builder(storage.clone()).node("nothing", nothing);
    let circular = Pipeline::new("circular").node("a", "nothing").after("a");
    let unknown = Pipeline::new("unknown").node("a", "elsewhere");
    let builder = builder.pipeline(chain()).pipeline(circular);
    let refused = builder.pipeline(unknown).start().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    for problem in ["pipeline circular: ", "pipeline unknown: "] {
        assert!(refused.to_string().contains(problem), "{refused}");
    }
    let saved = storage.find_pipeline("p", &Scope::All).await.unwrap();
    assert!(saved.is_none());
}

#[test]
fn no_task_exists_before_the_start_or_after_the_shutdown() {
    watched(|| {
        let folder = scratch();
        // No runtime exists yet.
        let memory = Floret::builder(MemoryStorage::default()).node("nothing", nothing);
        let runtime = one_thread();
        let alive = || runtime.metrics().num_alive_tasks();
        let sqlite = runtime.block_on(Floret::open(folder.path().join("runs.db")));
        let sqlite = sqlite.unwrap().node("nothing", nothing);
        for builder in [memory, sqlite] {
            let builder = builder.pipeline(chain());
            assert_eq!(alive(), 0);
            let floret = runtime.block_on(builder.start()).unwrap();
            assert!(alive() > 0);
            let finished = runtime.block_on(run_and_wait(&floret, "p"));
            assert_eq!(finished, RunStatus::Success);
            runtime.block_on(floret.shutdown(GRACE)).unwrap();
            assert_eq!(alive(), 0);
        }
    });
}

/// Opens the store as soon as its previous owner is gone.
async fn reopen(path: &std::path::Path) -> Builder {
    loop {
        match Floret::open(path).await {
            Err(error) if matches!(error.kind(), ErrorKind::StoreInUse { .. }) => {
                tokio::task::yield_now().await;
            }
            opened => return opened.unwrap(),
        }
    }
}

/// Drops the handle and the runtime in either order, while a run executes that would never finish.
#[test]
fn dropping_without_a_shutdown_loses_nothing_and_neither_blocks_nor_panics() {
    for runtime_first in [true, false] {
        watched(move || {
            let folder = scratch();
            let path = folder.path().join("runs.db");
            let never = |_: Ctx| std::future::pending::<Result<(), ExecutorError>>();
            let pipeline = || Pipeline::new("p").node("a", "a");
            let runtime = Runtime::new().unwrap();
            let (floret, run) = runtime.block_on(async {
                let builder = Floret::open(&path).await.unwrap();
                let builder = builder.node("a", never).pipeline(pipeline());
                let floret = builder.start().await.unwrap();
                let run = floret.run("p").start().await.unwrap();
                let mut events = floret.events_after(0);
                while events.next().await.unwrap().unwrap().node_id.is_none() {}
                (floret, run)
            });
            let (id, service) = (run.id(), floret.service(Access::allow_all()));
            if runtime_first {
                drop(runtime);
                drop((floret, run, service));
            } else {
                drop((floret, run, service));
                drop(runtime);
            }
            one_thread().block_on(async {
                let builder = reopen(&path).await;
                let builder = builder.node("a", nothing).pipeline(pipeline());
                let floret = builder.start().await.unwrap();
                let finished = floret.run_by_id(id).finished().await.unwrap();
                assert_eq!(finished.run.status, RunStatus::Success);
            });
        });
    }
}
