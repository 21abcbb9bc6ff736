//! The previous profile of a node, which is returned with its profile.
//!
//! `runs` covers finding a profile. `src/views/` compares the two.

use std::sync::Arc;

use super::fixtures::{
    Driver, at, claim, claim_one, create, definition, new_run, node_finished, node_id, node_reused,
    node_started, put, resume, run_finished, run_id, save, started_run,
};
use crate::model::{InheritedOutput, NodeStatus, Profile, RunId, RunStatus, Scope};
use crate::storage::{Entry, Storage};

pub(crate) fn profile(row_count: u64) -> Profile {
    let profile = serde_json::json!({
        "row_count": row_count, "column_count": 0, "columns": [], "profiling_ms": 3,
    });
    serde_json::from_value(profile).unwrap()
}

/// Creates finished run `n`, in which one node returned this many rows.
async fn run_with_profile(storage: &dyn Storage, n: u64, node_index: u16, rows: u64) -> RunId {
    let mut driver = started_run(storage, n).await;
    let entries = [
        node_started(node_index, 1),
        node_finished(node_index, NodeStatus::Success),
        Entry::Profile {
            node_index,
            profile: Box::new(profile(rows)),
        },
        run_finished(n, RunStatus::Success),
    ];
    driver.append(storage, entries).await;
    driver.run
}

/// Returns the row counts of the profile and of the previous one.
async fn row_counts(storage: &dyn Storage, run: RunId, node: &str) -> (u64, Option<u64>) {
    let found = storage.find_profile(run, &node_id(node), &Scope::All).await;
    let found = found.unwrap().unwrap();
    let previous = found.previous.map(|previous| previous.row_count);
    (found.profile.row_count, previous)
}

/// The previous profile MUST be that of the newest earlier run in which the node succeeded.
pub async fn the_previous_profile_is_of_the_newest_earlier_success(storage: &dyn Storage) {
    let first = run_with_profile(storage, 1, 0, 10).await;
    let second = run_with_profile(storage, 2, 0, 20).await;
    let mut failed = started_run(storage, 3).await;
    let entries = [node_started(0, 1), node_finished(0, NodeStatus::Failed)];
    failed.append(storage, entries).await;
    failed
        .append(storage, [run_finished(3, RunStatus::Failed)])
        .await;
    let other_node = run_with_profile(storage, 4, 1, 40).await;
    let last = run_with_profile(storage, 5, 0, 50).await;
    for (run, node, expected) in [
        (first, "load", (10, None)),
        (second, "load", (20, Some(10))),
        (other_node, "sum", (40, None)),
        (last, "load", (50, Some(20))),
    ] {
        assert_eq!(row_counts(storage, run, node).await, expected, "{run}");
    }
}

/// The previous profile MUST be found by node id, even if the node had another index then.
pub async fn the_previous_profile_is_found_by_node_id(storage: &dyn Storage) {
    let pipeline = save(storage, "daily").await;
    let first = run_with_profile(storage, 1, 0, 10).await;
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
    let mut driver = Driver::new(&claim_one(storage, claim(1, 10), run_id(2)).await);
    let entries = [
        node_started(1, 1),
        node_finished(1, NodeStatus::Success),
        Entry::Profile {
            node_index: 1,
            profile: Box::new(profile(20)),
        },
    ];
    driver.append(storage, entries).await;
    assert_eq!(row_counts(storage, first, "load").await, (10, None));
    assert_eq!(
        row_counts(storage, driver.run, "load").await,
        (20, Some(10))
    );
}

/// The previous profile of a reused node MUST be the one before the run that executed the node.
pub async fn a_reused_node_has_the_previous_profile_of_its_origin(storage: &dyn Storage) {
    run_with_profile(storage, 1, 0, 10).await;
    let mut old = started_run(storage, 2).await;
    let entries = [
        node_started(0, 1),
        node_finished(0, NodeStatus::Success),
        Entry::Profile {
            node_index: 0,
            profile: Box::new(profile(20)),
        },
        run_finished(2, RunStatus::Failed),
    ];
    old.append(storage, entries).await;
    run_with_profile(storage, 3, 0, 30).await;
    let mut run = resume(4, old.run, old.run);
    run.created_at = at(5);
    run.inherited.push(InheritedOutput::new(0, old.run, 0));
    create(storage, run).await.unwrap();
    let mut new = Driver::new(&claim_one(storage, claim(1, 10), run_id(4)).await);
    new.append(storage, [node_reused(0, old.run)]).await;
    assert_eq!(row_counts(storage, new.run, "load").await, (20, Some(10)));
}
