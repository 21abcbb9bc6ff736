//! Profiles beside those of the successful run of the node before.
//!
//! That a profile is found at all stands in `runs`; what the two differ in is left to the views.

use std::sync::Arc;

use super::fixtures::{
    Driver, at, claim, claim_one, create, definition, end_of, finished, new_run, node_id, put,
    resume, reused, run_id, running, save, started,
};
use crate::model::{InheritedOutput, NodeStatus, Profile, RunId, RunStatus, Scope};
use crate::storage::{Entry, Storage};

fn profile(row_count: u64) -> Profile {
    let profile = serde_json::json!({
        "row_count": row_count, "column_count": 0, "columns": [], "profiling_ms": 3,
    });
    serde_json::from_value(profile).unwrap()
}

/// Run `n`, whose node `node_index` handed on so many rows, ended.
async fn profiled(storage: &dyn Storage, n: u64, node_index: u16, rows: u64) -> RunId {
    let mut driver = running(storage, n).await;
    let entries = [
        started(node_index, 1),
        finished(node_index, NodeStatus::Success),
        Entry::Profile {
            node_index,
            profile: Box::new(profile(rows)),
        },
        end_of(n, RunStatus::Success),
    ];
    driver.append(storage, entries).await;
    driver.run
}

async fn rows_of(storage: &dyn Storage, run: RunId, node: &str) -> (u64, Option<u64>) {
    let found = storage.find_profile(run, &node_id(node), &Scope::All).await;
    let found = found.unwrap().unwrap();
    let previous = found.previous.map(|previous| previous.row_count);
    (found.profile.row_count, previous)
}

/// The profile before is that of the newest earlier run in which the node succeeded.
pub async fn the_newest_success_before_is_the_previous_one(storage: &dyn Storage) {
    let first = profiled(storage, 1, 0, 10).await;
    let second = profiled(storage, 2, 0, 20).await;
    let mut failed = running(storage, 3).await;
    let entries = [started(0, 1), finished(0, NodeStatus::Failed)];
    failed.append(storage, entries).await;
    failed.append(storage, [end_of(3, RunStatus::Failed)]).await;
    let other_node = profiled(storage, 4, 1, 40).await;
    let last = profiled(storage, 5, 0, 50).await;
    for (run, node, expected) in [
        (first, "load", (10, None)),
        (second, "load", (20, Some(10))),
        (other_node, "sum", (40, None)),
        (last, "load", (50, Some(20))),
    ] {
        assert_eq!(rows_of(storage, run, node).await, expected, "{run}");
    }
}

/// A node is found by its id, wherever an earlier definition had it.
pub async fn the_previous_profile_is_found_at_another_place(storage: &dyn Storage) {
    let pipeline = save(storage, "daily").await;
    let first = profiled(storage, 1, 0, 10).await;
    let mut change = put("daily");
    let before = definition("daily")
        .node("before", "any")
        .edge("before", "load");
    change.definition = Arc::new(before);
    let changed = storage.put_pipeline(change).await.unwrap();
    assert_eq!(changed.version, pipeline.version + 1);
    let mut run = new_run(2, "daily");
    run.pipeline_version = changed.version;
    create(storage, run).await.unwrap();
    let mut driver = Driver::of(&claim_one(storage, claim(1, 10), run_id(2)).await);
    let entries = [
        started(1, 1),
        finished(1, NodeStatus::Success),
        Entry::Profile {
            node_index: 1,
            profile: Box::new(profile(20)),
        },
    ];
    driver.append(storage, entries).await;
    assert_eq!(rows_of(storage, first, "load").await, (10, None));
    assert_eq!(rows_of(storage, driver.run, "load").await, (20, Some(10)));
}

/// A reused node has the profile before the run that executed it.
pub async fn a_reused_node_has_the_previous_profile_of_its_execution(storage: &dyn Storage) {
    profiled(storage, 1, 0, 10).await;
    let mut old = running(storage, 2).await;
    let entries = [
        started(0, 1),
        finished(0, NodeStatus::Success),
        Entry::Profile {
            node_index: 0,
            profile: Box::new(profile(20)),
        },
        end_of(2, RunStatus::Failed),
    ];
    old.append(storage, entries).await;
    profiled(storage, 3, 0, 30).await;
    let mut run = resume(4, old.run, old.run);
    run.created_at = at(5);
    run.inherited.push(InheritedOutput::new(0, old.run, 0));
    create(storage, run).await.unwrap();
    let mut new = Driver::of(&claim_one(storage, claim(1, 10), run_id(4)).await);
    new.append(storage, [reused(0, old.run)]).await;
    assert_eq!(rows_of(storage, new.run, "load").await, (20, Some(10)));
}
