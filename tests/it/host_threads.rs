//! Threads of the host: long computations on datasets run on other threads, few at once.
//!
//! Executors that block a thread themselves are left to `cancels` and `embedding`.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use floret::executor::{Ctx, ExecutorError};
use floret::testing::{Gate, Method, Step, memory};
use floret::{Dataset, EventKind, Floret, NodeStatus, Pipeline, RunStatus};
use parking_lot::Mutex;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::json;
use tokio::sync::watch;

use crate::harness::{STEP, Store, World, assert_statuses};

on_every_backend! {
    a_forced_cancel_waits_for_no_profile,
    outputs_that_only_skipped_nodes_need_leave_memory,
}

thread_local! {
    static IS_HOST: Cell<bool> = const { Cell::new(false) };
}

/// The rows that were converted on a thread of the host.
static CONVERTED_ON_HOST: AtomicU64 = AtomicU64::new(0);

fn note_conversion() {
    let is_host = IS_HOST.get();
    CONVERTED_ON_HOST.fetch_add(u64::from(is_host), Ordering::Relaxed);
}

/// A row that notes the thread of its conversions.
struct Row {
    n: i64,
}

#[derive(Serialize, Deserialize)]
struct PlainRow {
    n: i64,
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        note_conversion();
        PlainRow { n: self.n }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        note_conversion();
        let PlainRow { n } = PlainRow::deserialize(deserializer)?;
        Ok(Self { n })
    }
}

async fn count(ctx: Ctx) -> Result<Vec<Row>, ExecutorError> {
    let count: i64 = ctx.param("count").unwrap_or_default().parse()?;
    Ok((0..count).map(|n| Row { n }).collect())
}

async fn pass_on(_: Ctx, rows: Vec<Row>) -> Result<Vec<Row>, ExecutorError> {
    Ok(rows)
}

async fn run(floret: &Floret, count: u64) -> u64 {
    CONVERTED_ON_HOST.store(0, Ordering::Relaxed);
    let run = floret.run("p").param("count", count.to_string());
    let finished = run.start().await.unwrap().finished().await.unwrap();
    assert_eq!(finished.run.status, RunStatus::Success, "{finished:?}");
    let rows = finished.nodes.iter().map(|node| node.row_count);
    assert_eq!(rows.collect::<Vec<_>>(), [Some(count), Some(count)]);
    CONVERTED_ON_HOST.load(Ordering::Relaxed)
}

/// The runtime of this test has one thread: a computation on it stops the whole host.
#[tokio::test]
async fn a_million_typed_rows_are_converted_on_other_threads() {
    IS_HOST.set(true);
    let pipeline = Pipeline::new("p")
        .node("count", "count")
        .node("pass_on", "pass_on")
        .after("count");
    let floret = memory()
        .node("count", count)
        .node("pass_on", pass_on)
        .pipeline(pipeline)
        .start()
        .await
        .unwrap();
    assert!(run(&floret, 100).await > 0, "few rows are converted inline");
    assert_eq!(run(&floret, 1_000_000).await, 0);
    floret.shutdown(Duration::ZERO).await.unwrap();
}

/// A row whose conversion waits until the test closes the channel.
#[derive(Clone)]
struct HeldRow {
    release: Arc<Mutex<mpsc::Receiver<()>>>,
    converts: watch::Sender<bool>,
}

impl Serialize for HeldRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.converts.send_replace(true);
        let _ = self.release.lock().recv();
        PlainRow { n: 0 }.serialize(serializer)
    }
}

async fn a_forced_cancel_waits_for_no_profile(store: Store) {
    let mut world = World::quiet(store)
        .pipeline(Pipeline::new("holds").node("a", "holds"))
        .pipeline(
            Pipeline::new("p")
                .node("a", "many")
                .node("b", STEP)
                .after("a"),
        );
    world.limits.compute_max = 1;
    world.limits.inline_output_bytes_max = 0;
    world.script.script("b", [Step::nothing()]);
    let (hold, release) = mpsc::channel();
    let (converts, mut is_converting) = watch::channel(false);
    let held = HeldRow {
        release: Arc::new(Mutex::new(release)),
        converts,
    };
    let rows = vec![held; 101];
    let holds = move |_: Ctx| {
        let rows = rows.clone();
        async move { Ok::<_, ExecutorError>(rows) }
    };
    let many = async |_: Ctx| Dataset::from_serialize(&vec![json!({"n": 1}); 10_000]);
    let host = world
        .start_with(|builder| builder.node("holds", holds).node("many", many))
        .await;
    let stored = Gate::new();
    host.storage.hold(Method::PutOutputChunk, &stored);
    let run = host.trigger("p").await;
    while host.storage.calls(Method::PutOutputChunk) == 0 {
        tokio::task::yield_now().await;
    }
    let other = host.trigger("holds").await;
    is_converting
        .wait_for(|is_converting| *is_converting)
        .await
        .unwrap();
    stored.open();
    // Both nodes have succeeded. The run waits for the profile, which waits for the conversion.
    host.wait_for_events(EventKind::NodeCompleted, 2).await;
    assert_eq!(run.cancel().force().await.unwrap(), RunStatus::Running);
    let finished = run.finished().await.unwrap();
    assert_eq!(finished.run.status, RunStatus::Cancelled);
    drop(hold);
    assert_eq!(
        other.finished().await.unwrap().run.status,
        RunStatus::Success
    );
}

async fn outputs_that_only_skipped_nodes_need_leave_memory(store: Store) {
    let mut world = World::quiet(store)
        .pipeline(
            Pipeline::new("fails")
                .node("large", STEP)
                .node("no", STEP)
                .node("held", STEP)
                .node("both", STEP)
                .after("large")
                .after("no"),
        )
        .pipeline(
            Pipeline::new("keeps")
                .node("other", STEP)
                .node("wait", STEP)
                .node("join", STEP)
                .after("other")
                .after("wait"),
        )
        .pipeline(Pipeline::new("starts").node("last", STEP));
    // Either output fits, both together do not.
    world.limits.datasets_bytes_max = 1_000;
    let gate = Gate::new();
    let large = || Step::rows([json!({"text": "x".repeat(700)})]);
    world.script.script("large", [large()]);
    world.script.script("no", [Step::permanent("no")]);
    world.script.script("held", [Step::nothing().at(&gate)]);
    world.script.script("other", [large()]);
    world.script.script("wait", [Step::nothing().at(&gate)]);
    world.script.script("join", [Step::nothing()]);
    let host = world.start().await;
    let failing = host.trigger("fails").await;
    host.wait_for_events(EventKind::NodeCompleted, 1).await;
    host.wait_for_events(EventKind::NodeFailed, 1).await;
    let keeping = host.trigger("keeps").await;
    host.wait_for_events(EventKind::NodeCompleted, 2).await;
    // Nodes still execute, so this one starts only if the first output has left memory.
    assert_eq!(host.run("starts").await.run.status, RunStatus::Success);
    gate.open();
    let kept = keeping.finished().await.unwrap();
    assert_eq!(kept.run.status, RunStatus::Success);
    let failed = failing.finished().await.unwrap();
    assert_statuses(
        &failed,
        RunStatus::Failed,
        &[
            ("large", NodeStatus::Success),
            ("no", NodeStatus::Failed),
            ("held", NodeStatus::Success),
            ("both", NodeStatus::Skipped),
        ],
    );
}
