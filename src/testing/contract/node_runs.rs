//! The nodes of the newest runs of a pipeline.
//!
//! `runs` covers the nodes of one run.

use std::sync::Arc;

use super::fixtures::{
    Driver, claim, claim_one, create, definition, finished_run, new_run, node_finished,
    node_retrying, node_started, of_tenant, pending_run, purge_all, put, run_finished, run_id,
    save, save_for, started_run, without_tenant,
};
use crate::model::{NodeId, NodeStatus, RunId, RunStatus, Scope};
use crate::storage::{NewestRuns, RunNodes, Storage};

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
