//! A sink that is repeated on purpose writes again: the corrected rows replace the wrong ones,
//! however the sink recognizes a repeated attempt.
//!
//! The guide of executors shows both ways. Which nodes a resume executes is in `resume_choices`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use floret::executor::{Ctx, ExecutorError};
use floret::testing::Step;
use floret::{Node, Pipeline, RunStatus};
use rusqlite::Connection;
use serde::Deserialize;
use serde_json::json;

use crate::harness::{Host, STEP, Store, World, step};

on_every_backend! {
    a_sink_that_upserts_by_business_key_replaces_its_rows,
    a_sink_that_skips_known_attempt_keys_writes_what_was_repeated_on_purpose,
    the_key_changes_with_each_repeat_on_purpose_and_with_nothing_else,
    a_change_of_retries_alone_repeats_nothing,
}

#[derive(Debug, Deserialize)]
struct Order {
    id: i64,
    amount: i64,
}

/// The function of a sink.
type Sink = Arc<dyn Fn(&Ctx, Vec<Order>) -> Result<(), ExecutorError> + Send + Sync>;

/// load → save, and check fails once.
fn pipeline() -> Pipeline {
    Pipeline::new("p")
        .node("load", STEP)
        .node("save", "save")
        .after("load")
        .node("check", STEP)
        .after("load")
}

/// Runs the pipeline on a wrong row, then resumes it from the source on the corrected one.
async fn correct_from_the_source(store: Store, sink: Sink) {
    let world = World::new(store).pipeline(pipeline());
    let (wrong, right) = (
        json!({"id": 1, "amount": -5}),
        json!({"id": 1, "amount": 5}),
    );
    let script = &world.script;
    script.script("load", [Step::rows([wrong]), Step::rows([right])]);
    script.script(
        "check",
        [Step::permanent("an amount is negative"), Step::pass_on()],
    );
    let save = move |ctx: Ctx, orders: Vec<Order>| std::future::ready(sink(&ctx, orders));
    let host = world.start_with(|builder| builder.sink("save", save)).await;
    let failed = host.run("p").await.run;
    assert_eq!(failed.status, RunStatus::Failed);
    let resumed = host
        .floret
        .run_by_id(failed.id)
        .resume()
        .from_node("load")
        .await;
    let finished = resumed.unwrap().finished().await.unwrap();
    assert_eq!(finished.run.status, RunStatus::Success);
}

async fn a_sink_that_upserts_by_business_key_replaces_its_rows(store: Store) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("orders.db");
    let create = "CREATE TABLE orders (id INTEGER PRIMARY KEY, amount INTEGER NOT NULL)";
    Connection::open(&path)
        .unwrap()
        .execute_batch(create)
        .unwrap();
    let target = path.clone();
    let sink: Sink = Arc::new(move |_, orders| {
        let mut conn = Connection::open(&target)?;
        let tx = conn.transaction()?;
        for order in orders {
            tx.execute(
                "INSERT INTO orders VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET amount = ?2",
                [order.id, order.amount],
            )?;
        }
        Ok(tx.commit()?)
    });
    correct_from_the_source(store, sink).await;
    let amounts = Connection::open(&path).unwrap().query_row(
        "SELECT group_concat(id || ':' || amount) FROM orders",
        [],
        |row| row.get::<_, String>(0),
    );
    assert_eq!(amounts.unwrap(), "1:5");
}

/// Writes the orders unless this attempt was written before.
fn append_once(dir: &Path, ctx: &Ctx, orders: &[Order]) -> Result<(), ExecutorError> {
    let path = dir.join(&ctx.attempt_key);
    if path.exists() {
        return Ok(());
    }
    let text: String = orders
        .iter()
        .map(|order| format!("{}:{}\n", order.id, order.amount))
        .collect();
    Ok(std::fs::write(path, text)?)
}

async fn a_sink_that_skips_known_attempt_keys_writes_what_was_repeated_on_purpose(store: Store) {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().to_owned();
    let sink: Sink = Arc::new(move |ctx, orders| {
        append_once(&folder, ctx, &orders)?;
        // The same attempt again, as after a crash.
        append_once(&folder, ctx, &[])
    });
    correct_from_the_source(store, sink).await;
    let entries = std::fs::read_dir(dir.path()).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let texts = files
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap());
    assert_eq!(texts.collect::<Vec<_>>(), ["1:-5\n", "1:5\n"]);
}

async fn resume(host: &Host, run: floret::RunId, from: Option<&str>) -> floret::RunId {
    let resume = host.floret.run_by_id(run).resume();
    let resume = match from {
        Some(node) => resume.from_node(node),
        None => resume,
    };
    let handle = resume.await.unwrap();
    let finished = handle.finished().await.unwrap();
    assert_eq!(finished.run.status, RunStatus::Failed);
    handle.id()
}

async fn the_key_changes_with_each_repeat_on_purpose_and_with_nothing_else(store: Store) {
    let save = step("save")
        .config("max_retries", 1)
        .config("retry_delay", 0);
    let pipeline = Pipeline::new("p")
        .node("load", STEP)
        .with(save)
        .after("load");
    let world = World::new(store).pipeline(pipeline);
    world
        .script
        .script("load", [Step::rows([json!({"id": 1})])]);
    world.script.script("save", [Step::retryable("down")]);
    let host = world.start().await;
    let first = host.run("p").await.run.id;
    let second = resume(&host, first, None).await;
    let third = resume(&host, second, Some("load")).await;
    // The chain knows of the third run although this resume starts from the second.
    let fourth = resume(&host, second, Some("save")).await;
    resume(&host, third, None).await;
    resume(&host, fourth, Some("load")).await;
    let keys = |node: &str| -> Vec<_> {
        let calls = world.script.calls_of(node).into_iter();
        calls.map(|call| call.attempt_key).collect()
    };
    let key = |node: &str, generation: u32| format!("{first}.{node}.{generation}");
    let twice = |generation| [key("save", generation), key("save", generation)];
    assert_eq!(keys("save"), [1, 1, 2, 3, 3, 4].map(twice).concat());
    assert_eq!(
        keys("load"),
        [1, 2, 3].map(|generation| key("load", generation))
    );
}

async fn a_change_of_retries_alone_repeats_nothing(store: Store) {
    let retried = |node: Node| {
        let node = node.config("max_retries", 3).config("retry_delay", 5);
        node.config("timeout", 9)
    };
    let of = |load: Node, save: Node| Pipeline::new("p").with(load).with(save).after("load");
    let mut world = World::new(store).pipeline(of(step("load"), step("save")));
    world
        .script
        .script("load", [Step::rows([json!({"id": 1})])]);
    world
        .script
        .script("save", [Step::permanent("down"), Step::pass_on()]);
    let host = world.start().await;
    let failed = host.run("p").await.run.id;
    host.stop().await;
    world.pipelines = vec![of(retried(step("load")), retried(step("save")))];
    let host = world.start().await;
    let resumed = host
        .floret
        .run_by_id(failed)
        .resume()
        .current()
        .await
        .unwrap();
    let finished = resumed.finished().await.unwrap();
    assert_eq!(finished.run.status, RunStatus::Success);
    let keys: Vec<_> = world
        .script
        .calls_of("save")
        .into_iter()
        .map(|call| call.attempt_key)
        .collect();
    assert_eq!((world.calls()["load"], keys[0] == keys[1]), (1, true));
}
