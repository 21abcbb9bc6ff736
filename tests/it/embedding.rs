//! The manners of a guest: what Floret does to the process, the runtime and the threads of its
//! host.
//!
//! What a shutdown does to runs is in `shutdowns`, mounting in `api_layer` and `examples_hosts`.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use floret::executor::{Ctx, Executor, ExecutorError, NodeCall, Output};
use floret::storage::{
    EventFilter, MemoryStorage, Pipelines, RunDetail, SqliteOptions, SqliteStorage, Storage,
};
use floret::testing::{Gate, scratch};
use floret::{
    Access, Body, Builder, Clock, Dataset, Error, ErrorKind, Event, Floret, Limits, Permissions,
    Pipeline, ResponseFuture, Run, RunBuilder, RunHandle, RunStatus, RunsLayer, RunsService, Scope,
    Subscription, Views, WithRuns, WithRunsBody, WithRunsFuture,
};
use rusqlite::Connection;
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tower::ServiceExt;

use crate::wire::{request, send};

const GRACE: Duration = Duration::from_secs(10);

/// What a host may do with each: share it, send it, hold it behind a pointer.
const _: () = {
    const fn shared<T: Send + Sync + 'static>() {}
    const fn sent<T: Send + 'static>() {}
    const fn object<T: ?Sized + Send + Sync + 'static>() {}
    shared::<(Floret, RunBuilder, RunHandle, Builder, Views)>();
    shared::<(
        RunsService,
        RunsLayer,
        WithRuns<RunsService>,
        Access,
        Permissions,
    )>();
    shared::<(MemoryStorage, SqliteStorage, Clock, Limits, EventFilter)>();
    shared::<(Pipeline, Run, RunDetail, Event, Dataset, Error)>();
    shared::<(NodeCall, Ctx, Output, ExecutorError)>();
    sent::<(ResponseFuture, WithRunsFuture<ResponseFuture>)>();
    sent::<(Body, WithRunsBody<Body>, Subscription)>();
    object::<dyn Storage>();
    object::<dyn Executor>();
};

/// The handle's futures may move between threads.
fn _futures_are_sent(floret: &Floret, run: &RunHandle) {
    fn sent<T: Send>(_: T) {}
    sent(floret.run("p").start());
    sent(floret.shutdown(GRACE));
    sent(run.finished());
    sent(run.dataset("a"));
    sent(Floret::open("runs.db"));
    sent(Floret::builder(MemoryStorage::default()).start());
}

/// Runs a test on a thread of its own; one that blocks it for a minute fails here, where nothing
/// waits for it.
fn watched<T: Send + 'static>(test: impl FnOnce() -> T + Send + 'static) -> T {
    let (tell, told) = mpsc::channel();
    let thread = std::thread::spawn(move || drop(tell.send(test())));
    match told.recv_timeout(Duration::from_secs(60)) {
        Ok(done) => done,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it blocks"),
        Err(mpsc::RecvTimeoutError::Disconnected) => match thread.join() {
            Ok(()) => panic!("it told nothing"),
            Err(panic) => std::panic::resume_unwind(panic),
        },
    }
}

/// One thread for everything, and no driver but the time's.
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

async fn end_of(floret: &Floret, pipeline: &str) -> RunStatus {
    let run = floret.run(pipeline).start().await.unwrap();
    run.finished().await.unwrap().run.status
}

#[tokio::test]
async fn two_florets_in_one_process_know_nothing_of_each_other() {
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
        let stranger = other.handle(run.id()).finished().await.unwrap_err();
        assert_eq!(stranger.kind(), ErrorKind::NotFound);
        let path = format!("/api/runs/{}", run.id());
        let service = other.service(Access::allow_all());
        let answer = send(&service, request(http::Method::GET, &path, None)).await;
        assert_eq!(answer.status, 404);
    }
    hosts[0].shutdown(GRACE).await.unwrap();
    assert_eq!(end_of(&hosts[1], "p").await, RunStatus::Success);
}

#[test]
fn one_thread_and_its_timer_are_enough() {
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
            assert_eq!(end_of(&floret, "p").await, RunStatus::Success);
            floret.shutdown(GRACE).await.unwrap();
        });
    });
}

/// Somebody else holds the store's lock, and lets it go only when the host's own task is scheduled:
/// were SQLite waited for on the host's thread, that would never be.
#[test]
fn a_store_that_waits_does_not_block_the_hosts_thread() {
    watched(|| {
        one_thread().block_on(async {
            let folder = scratch();
            let path = folder.path().join("runs.db");
            let for_ever = SqliteOptions::default().busy_timeout(Duration::from_secs(3_600));
            let storage = SqliteStorage::open_with(&path, for_ever).await.unwrap();
            let other = Connection::open(&path).unwrap();
            let lock = || other.execute_batch("BEGIN IMMEDIATE").unwrap();
            let let_go = || other.execute_batch("COMMIT").unwrap();
            let (executes, goes_on) = (Arc::new(Notify::new()), Gate::new());
            let (began, gate) = (Arc::clone(&executes), goes_on.clone());
            let waits = move |_: Ctx| {
                let (began, gate) = (Arc::clone(&began), gate.clone());
                async move {
                    began.notify_one();
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
            let watchdog = async {
                tokio::task::yield_now().await;
                let_go();
            };
            let (run, ()) = tokio::join!(floret.run("p").start(), watchdog);
            let run = run.unwrap();
            executes.notified().await;
            lock();
            goes_on.open();
            let watchdog = async {
                // The node's end is on its way to the store by then, or soon.
                for _ in 0..1_000 {
                    tokio::task::yield_now().await;
                }
                let_go();
            };
            let (ended, ()) = tokio::join!(run.finished(), watchdog);
            assert_eq!(ended.unwrap().run.status, RunStatus::Success);
        });
    });
}

/// The host's only thread for work that blocks is taken, so what computes long cannot end; what is
/// short goes on.
#[test]
fn what_computes_long_leaves_the_hosts_thread_to_others() {
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
            let (go_on, taken) = mpsc::channel::<()>();
            let taken = tokio::task::spawn_blocking(move || taken.recv().is_err());
            let long = floret.run("long").start().await.unwrap();
            for _ in 0..5 {
                assert_eq!(end_of(&floret, "p").await, RunStatus::Success);
            }
            let path = format!("/api/runs/{}", long.id());
            let service = floret.service(Access::allow_all());
            let run = send(&service, request(http::Method::GET, &path, None)).await;
            let run = run.json();
            assert_eq!(run["status"], "running");
            for node in run["node_runs"].as_array().unwrap() {
                assert_ne!(node["status"], "success", "{node}");
            }
            drop(go_on);
            taken.await.unwrap();
            let ended = long.finished().await.unwrap();
            assert_eq!(ended.run.status, RunStatus::Success);
        });
    });
}

#[tokio::test]
async fn the_problems_of_all_pipelines_are_told_at_the_start_and_none_is_saved() {
    let storage = MemoryStorage::default();
    let builder = Floret::builder(storage.clone()).node("nothing", nothing);
    let circular = Pipeline::new("circular").node("a", "nothing").after("a");
    let unknown = Pipeline::new("unknown").node("a", "elsewhere");
    let builder = builder.pipeline(chain()).pipeline(circular);
    let refused = builder.pipeline(unknown).start().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    for told in ["pipeline circular: ", "pipeline unknown: "] {
        assert!(refused.to_string().contains(told), "{refused}");
    }
    let saved = storage.find_pipeline("p", &Scope::All).await.unwrap();
    assert!(saved.is_none());
}

#[test]
fn nothing_is_spawned_before_the_start_nor_left_after_the_end() {
    watched(|| {
        let folder = scratch();
        // No runtime is there yet.
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
            let ended = runtime.block_on(end_of(&floret, "p"));
            assert_eq!(ended, RunStatus::Success);
            runtime.block_on(floret.shutdown(GRACE)).unwrap();
            assert_eq!(alive(), 0);
        }
    });
}

/// Opens the store as soon as whoever had it is gone.
async fn reopened(path: &std::path::Path) -> Builder {
    loop {
        match Floret::open(path).await {
            Err(error) if matches!(error.kind(), ErrorKind::StoreInUse { .. }) => {
                tokio::task::yield_now().await;
            }
            opened => return opened.unwrap(),
        }
    }
}

/// Drops the handle and the runtime in either order, in the middle of a run that would never end.
#[test]
fn dropped_without_a_shutdown_it_neither_blocks_nor_panics_and_loses_nothing() {
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
                let builder = reopened(&path).await;
                let builder = builder.node("a", nothing).pipeline(pipeline());
                let floret = builder.start().await.unwrap();
                let ended = floret.handle(id).finished().await.unwrap();
                assert_eq!(ended.run.status, RunStatus::Success);
            });
        });
    }
}
