//! Stores in a SQLite file: commits that fail, and outputs whose stored bytes are damaged.
//!
//! Faults that every backend can have are left to `faults`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use floret::storage::{CommitFault, Durability, Runs, SqliteOptions, SqliteStorage};
use floret::testing::{FaultyStorage, Step, scratch};
use floret::{Clock, Floret, NodeStatus, RunStatus, Scope};
use serde_json::json;

use crate::harness::{Host, Store, World, assert_statuses, chain};

async fn open(directory: &Path) -> SqliteStorage {
    let options = SqliteOptions::default().durability(Durability::Normal);
    let path = directory.join("floret.db");
    SqliteStorage::open_with(path, options).await.unwrap()
}

async fn start(world: &World, storage: &SqliteStorage) -> Host {
    let storage = FaultyStorage::new(Arc::new(storage.clone()));
    world
        .start_on(storage, |builder| builder.clock(Clock::system()))
        .await
}

/// Starts a run and waits until it succeeds. One commit fails before the start and one after it.
async fn run_to_success(floret: &Floret, key: &str, storage: &SqliteStorage, fault: CommitFault) {
    storage.fail_next_commit(fault);
    let run = loop {
        match floret.run("p").key(key).start().await {
            Ok(run) => break run,
            Err(error) => assert!(error.kind().is_transient(), "{error:?}"),
        }
    };
    let found = storage.find_run(run.id(), &Scope::All).await.unwrap();
    assert!(found.is_some(), "an acknowledged run is stored");
    storage.fail_next_commit(fault);
    let finished = run.finished().await.unwrap();
    let nodes = ["a", "b", "c"].map(|node| (node, NodeStatus::Success));
    assert_statuses(&finished, RunStatus::Success, &nodes);
}

#[tokio::test]
async fn failed_commits_neither_lose_nor_duplicate_work() {
    let directory = scratch();
    let storage = open(directory.path()).await;
    let world = World::new(Store::memory()).pipeline(chain("p", &["a", "b", "c"]));
    world.script.script("a", [Step::rows([json!({"x": 1})])]);
    let host = start(&world, &storage).await;
    for round in 0..20 {
        for fault in [CommitFault::BeforeEffect, CommitFault::AfterEffect] {
            let key = format!("{round}-{fault:?}");
            run_to_success(&host.floret, &key, &storage, fault).await;
        }
    }
    assert_eq!(host.runs().await.len(), 40);
    let calls = ["a", "b", "c"].map(|node| (node.to_owned(), 40));
    assert_eq!(world.calls(), BTreeMap::from(calls));
    let events = host.events().await;
    assert!(events.is_sorted_by(|one, two| one.seq < two.seq));
    assert_eq!(events.len(), 40 * (3 + 3 * 2));
}

#[tokio::test]
async fn a_node_whose_stored_output_is_damaged_is_executed_again() {
    let directory = scratch();
    let storage = open(directory.path()).await;
    let world = World::new(Store::memory()).pipeline(chain("p", &["a", "b"]));
    world.script.script("a", [Step::rows([json!({"x": 1})])]);
    world
        .script
        .script("b", [Step::permanent("broken"), Step::pass_on()]);
    let host = start(&world, &storage).await;
    let failed = host.run("p").await;
    assert_eq!(failed.run.status, RunStatus::Failed);
    storage.damage_output(failed.run.id, 0).await.unwrap();
    let resumed = host.floret.run_by_id(failed.run.id).resume().await.unwrap();
    let finished = resumed.finished().await.unwrap();
    let nodes = ["a", "b"].map(|node| (node, NodeStatus::Success));
    assert_statuses(&finished, RunStatus::Success, &nodes);
    let calls = world.script.calls_of("b");
    assert_eq!(calls[0].inputs, calls[1].inputs);
    assert_eq!(world.calls()["a"], 2);
}
