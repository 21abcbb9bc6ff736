//! The nodes of the newest runs of a pipeline.
//!
//! `runs` covers the nodes of one run.

use std::sync::Arc;

use serde_json::json;

use super::fixtures::{
    Driver, claim, claim_one, create, definition, finished_run, new_run, node_finished, node_id,
    node_retrying, node_reused, node_started, of_tenant, pending_run, purge_all, put, read_node,
    resume, run_finished, run_id, save, save_for, started_run, without_tenant,
};
use crate::model::{Dataset, InheritedOutput, NodeId, NodeStatus, RunId, RunStatus, Scope};
use crate::storage::{Entry, NewestRuns, PastNodeRun, RunNodes, Storage};

async fn newest(storage: &dyn Storage, limit: u32) -> Vec<RunNodes> {
    let runs = NewestRuns::new(without_tenant("daily"), limit);
    storage.list_run_nodes(runs).await.unwrap()
}

fn ids(found: &[RunNodes]) -> Vec<RunId> {
    found.iter().map(|run| run.run).collect()
}

fn node_ids(run: &RunNodes) -> Vec<&str> {
    run.nodes.iter().map(NodeId::as_str).collect()
}

/// The newest runs of the pipeline MUST come first, and no others.
pub async fn the_newest_runs_come_first(storage: &dyn Storage) {
    assert_eq!(newest(storage, 9).await, []);
    for n in 1..=4 {
        pending_run(storage, n).await;
    }
    save(storage, "hourly").await;
    create(storage, new_run(5, "hourly")).await.unwrap();
    assert_eq!(ids(&newest(storage, 2).await), [run_id(4), run_id(3)]);
    let all = ids(&newest(storage, 100).await);
    assert_eq!(all, [4, 3, 2, 1].map(run_id));
    assert_eq!(newest(storage, 0).await, []);
}

/// A run MUST have the status of each of its nodes, also of those without an entry.
pub async fn a_run_has_the_status_of_each_node(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    let entries = [
        node_started(0, 1),
        node_finished(0, NodeStatus::Success),
        node_started(1, 1),
    ];
    driver.append(storage, entries).await;
    let run = &newest(storage, 9).await[0];
    assert_eq!(node_ids(run), ["load", "sum", "save"]);
    let (pending, running) = (NodeStatus::Pending, NodeStatus::Running);
    assert_eq!(run.statuses, [NodeStatus::Success, running, pending]);
    driver.append(storage, [node_retrying(1, 1)]).await;
    let run = &newest(storage, 9).await[0];
    assert_eq!(run.statuses, [NodeStatus::Success, pending, pending]);
    let entries = [
        node_started(1, 2),
        node_finished(1, NodeStatus::Failed),
        run_finished(1, RunStatus::Failed),
    ];
    driver.append(storage, entries).await;
    let run = newest(storage, 9).await.remove(0);
    let (failed, skipped) = (NodeStatus::Failed, NodeStatus::Skipped);
    assert_eq!(run.statuses, [NodeStatus::Success, failed, skipped]);
    let detail = storage.find_run(driver.run, &Scope::All).await;
    let stored = detail.unwrap().unwrap().run;
    assert_eq!(
        (run.run, run.version, run.status, run.created_at),
        (
            stored.id,
            stored.pipeline_version,
            RunStatus::Failed,
            stored.created_at
        )
    );
    assert!(stored.started_at.is_some() && stored.finished_at.is_some());
    assert_eq!(
        (run.started_at, run.finished_at),
        (stored.started_at, stored.finished_at)
    );
}

/// A run MUST have the nodes of its own definition, whatever the newest one has.
pub async fn a_run_has_the_nodes_of_its_definition(storage: &dyn Storage) {
    let first = save(storage, "daily").await;
    finished_run(storage, 1, RunStatus::Success).await;
    let mut change = put("daily");
    let before = definition("daily")
        .node("before", "any")
        .edge("before", "load");
    change.definition = Arc::new(before);
    let changed = storage.put_pipeline(change).await.unwrap();
    let mut run = new_run(2, "daily");
    run.pipeline_version = changed.version;
    create(storage, run).await.unwrap();
    let mut driver = Driver::new(&claim_one(storage, claim(1, 10), run_id(2)).await);
    let entries = [node_started(0, 1), node_finished(0, NodeStatus::Success)];
    driver.append(storage, entries).await;
    let found = newest(storage, 9).await;
    let versions: Vec<_> = found.iter().map(|run| run.version).collect();
    assert_eq!(versions, [changed.version, first.version]);
    assert_eq!(node_ids(&found[0]), ["before", "load", "sum", "save"]);
    assert_eq!(found[0].statuses[0], NodeStatus::Success);
    assert_eq!(found[0].statuses[1..], [NodeStatus::Pending; 3]);
    assert_eq!(node_ids(&found[1]), ["load", "sum", "save"]);
}

/// A pipeline MUST have its own runs only, whatever others have its id.
pub async fn runs_belong_to_one_tenants_pipeline(storage: &dyn Storage) {
    save_for(storage, "daily", "ann").await;
    create(storage, new_run(1, "daily")).await.unwrap();
    let of = async |pipeline| {
        let found = storage.list_run_nodes(NewestRuns::new(pipeline, 9)).await;
        ids(&found.unwrap())
    };
    assert_eq!(of(of_tenant("daily", "ann")).await, [run_id(1)]);
    assert_eq!(of(of_tenant("daily", "ben")).await, []);
    assert_eq!(of(without_tenant("daily")).await, []);
}

/// A purged run MUST NOT be listed.
pub async fn a_purged_run_is_not_listed(storage: &dyn Storage) {
    let purged = finished_run(storage, 1, RunStatus::Success).await;
    pending_run(storage, 2).await;
    assert_eq!(ids(&newest(storage, 9).await), [run_id(2), purged]);
    assert_eq!(purge_all(storage).await, 1);
    assert_eq!(ids(&newest(storage, 9).await), [run_id(2)]);
}

async fn past(storage: &dyn Storage, node: &str, limit: u32) -> Vec<PastNodeRun> {
    let runs = NewestRuns::new(without_tenant("daily"), limit);
    let found = storage.list_past_node_runs(runs, &node_id(node)).await;
    found.unwrap()
}

/// Returns the profile of four cells, one of which is null.
fn profile_of_a_quarter(node_index: u16) -> Entry {
    let rows = [json!({"a": 1, "b": 2}), json!({"a": 3, "b": null})];
    let profile = Dataset::from_serialize(&rows).unwrap().profile().unwrap();
    Entry::Profile {
        node_index,
        profile: Box::new(profile),
    }
}

/// The node of each of the newest runs MUST be as the run has it, with the share of nulls in its
/// profile.
pub async fn a_node_of_the_newest_runs_is_returned(storage: &dyn Storage) {
    assert_eq!(past(storage, "load", 9).await, []);
    let mut driver = started_run(storage, 1).await;
    let entries = [
        node_started(0, 1),
        node_finished(0, NodeStatus::Success),
        profile_of_a_quarter(0),
        run_finished(1, RunStatus::Failed),
    ];
    driver.append(storage, entries).await;
    pending_run(storage, 2).await;
    let found = past(storage, "load", 9).await;
    let shown: Vec<_> = found.iter().map(|past| (past.run, past.null_pct)).collect();
    assert_eq!(shown, [(run_id(2), None), (driver.run, Some(25.0))]);
    assert_eq!(found[0].node.status, NodeStatus::Pending);
    assert_eq!(found[0].node.node_id, node_id("load"));
    assert_eq!(found[1].node, read_node(storage, driver.run, 0).await);
    let unstarted = past(storage, "save", 9).await;
    let statuses: Vec<_> = unstarted.iter().map(|past| past.node.status).collect();
    assert_eq!(statuses, [NodeStatus::Pending, NodeStatus::Skipped]);
    let newest = past(storage, "load", 1).await;
    assert_eq!(newest, found[..1]);
    assert_eq!(past(storage, "none", 9).await, []);
    let other = NewestRuns::new(of_tenant("daily", "ann"), 9);
    let other = storage.list_past_node_runs(other, &node_id("load")).await;
    assert_eq!(other.unwrap(), []);
}

/// A run whose definition does not have the node MUST be left out, and MUST count.
pub async fn a_run_without_the_node_is_left_out(storage: &dyn Storage) {
    save(storage, "daily").await;
    let first = finished_run(storage, 1, RunStatus::Success).await;
    let mut change = put("daily");
    change.definition = Arc::new(definition("daily").node("more", "any"));
    let changed = storage.put_pipeline(change).await.unwrap();
    let mut run = new_run(2, "daily");
    run.pipeline_version = changed.version;
    create(storage, run).await.unwrap();
    let runs = |found: Vec<PastNodeRun>| -> Vec<_> { found.iter().map(|past| past.run).collect() };
    assert_eq!(runs(past(storage, "more", 9).await), [run_id(2)]);
    assert_eq!(runs(past(storage, "load", 9).await), [run_id(2), first]);
    assert_eq!(runs(past(storage, "load", 1).await), [run_id(2)]);
}

/// A node whose output the run reuses MUST have no profile: it is that of another run.
pub async fn a_reused_node_has_no_profile(storage: &dyn Storage) {
    let mut old = started_run(storage, 1).await;
    let entries = [
        node_started(0, 1),
        node_finished(0, NodeStatus::Success),
        profile_of_a_quarter(0),
        run_finished(1, RunStatus::Failed),
    ];
    old.append(storage, entries).await;
    let mut run = resume(2, old.run, old.run);
    run.inherited.push(InheritedOutput::new(0, old.run, 0));
    create(storage, run).await.unwrap();
    let mut new = Driver::new(&claim_one(storage, claim(2, 10), run_id(2)).await);
    new.append(storage, [node_reused(0, old.run)]).await;
    let found = past(storage, "load", 9).await;
    let shown: Vec<_> = found
        .iter()
        .map(|past| (past.run, past.node.status, past.null_pct))
        .collect();
    let expected = [
        (new.run, NodeStatus::Skipped, None),
        (old.run, NodeStatus::Success, Some(25.0)),
    ];
    assert_eq!(shown, expected);
}
