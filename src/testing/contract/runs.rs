//! Making runs and reading them.
//!
//! Keys, resumes, cancels and lists have files of their own.

use super::fixtures::{
    Driver, all_events, at, claim, claim_one, claimed_ids, create, definition, end_of, found, line,
    new_run, node, node_id, pending, pipeline_id, put, refused, refused_as, resume, reused, run_id,
    running, save, save_for, scope, snapshot, started,
};
use crate::error::ErrorKind::QueueFull;
use crate::error::Problem;
use crate::model::{
    EventKind, EventStatus, NodeStatus, Preview, Profile, RunStatus, Scope, Trigger,
};
use crate::storage::{
    CreateRuns, DeletePipeline, Entry, FinishedNode, FoundProfile, NewRun, Storage,
};

/// A created run is found as it was given, with its definition and without a node's row.
pub async fn a_created_run_is_found_as_it_was_given(storage: &dyn Storage) {
    save(storage, "daily").await;
    let mut run = new_run(1, "daily");
    run.params
        .insert("date".to_owned(), "today \u{0}\u{1f980}".to_owned());
    run.trigger = Trigger::Webhook;
    let created = create(storage, run.clone()).await.unwrap();
    assert_eq!(
        (created.run_ids, created.is_replayed),
        (vec![run.id], false)
    );
    let found = found(storage, run.id).await;
    assert_eq!(found.run, run);
    assert_eq!(*found.definition, definition("daily"));
    assert_eq!(found.nodes, []);
}

/// A run that was never made is not found.
pub async fn a_missing_run_is_none(storage: &dyn Storage) {
    pending(storage, 1).await;
    let found = storage.find_run(run_id(2), &Scope::All).await.unwrap();
    assert_eq!(found, None);
}

/// A created run writes one event.
pub async fn a_created_run_writes_one_event(storage: &dyn Storage) {
    let run = pending(storage, 1).await;
    let events = all_events(storage).await;
    let [event] = events.as_slice() else {
        panic!("one event is expected, not {events:?}");
    };
    assert_eq!((event.seq, event.run_id), (1, run));
    assert_eq!(event.kind, EventKind::RunCreated);
    assert_eq!(event.status, Some(EventStatus::Pending));
    assert_eq!(event.pipeline_id, pipeline_id("daily"));
    assert_eq!((event.timestamp, event.node_id.as_ref()), (at(1), None));
}

/// Runs that are made together are answered in their order, one event each.
pub async fn runs_made_together_are_answered_in_their_order(storage: &dyn Storage) {
    save(storage, "daily").await;
    let runs = [2, 1, 3].map(|n| NewRun::new(new_run(n, "daily")));
    let created = storage
        .create_runs(CreateRuns::new(runs.into()))
        .await
        .unwrap();
    assert_eq!(created.run_ids, [run_id(2), run_id(1), run_id(3)]);
    let events = all_events(storage).await;
    let runs: Vec<_> = events.iter().map(|event| event.run_id).collect();
    assert_eq!(runs, created.run_ids);
    assert_eq!(created.seq, 3);
}

/// A run belongs to its pipeline's tenant.
pub async fn a_run_belongs_to_its_pipelines_tenant(storage: &dyn Storage) {
    let stored = save_for(storage, "daily", "ann").await;
    create(storage, new_run(1, "daily")).await.unwrap();
    assert_eq!(found(storage, run_id(1)).await.run.tenant, stored.tenant);
}

/// A run of a pipeline that is absent, deleted or another tenant's is refused.
pub async fn a_run_of_an_absent_pipeline_is_not_found(storage: &dyn Storage) {
    save_for(storage, "foreign", "ann").await;
    let deleted = save(storage, "deleted").await;
    storage
        .delete_pipeline(DeletePipeline::new(deleted.id.clone(), at(1)))
        .await
        .unwrap();
    let before = snapshot(storage).await;
    for pipeline in ["missing", "foreign", "deleted"] {
        let mut create = CreateRuns::new(vec![NewRun::new(new_run(1, pipeline))]);
        create.scope = scope("ben");
        refused_as(storage.create_runs(create).await, Problem::PipelineNotFound);
    }
    assert_eq!(snapshot(storage).await, before);
}

/// No two runs of a pipeline stand for the same instant; those of two pipelines may.
pub async fn an_instant_is_taken_once_a_pipeline(storage: &dyn Storage) {
    save(storage, "daily").await;
    save(storage, "hourly").await;
    let tick = |n, pipeline| {
        let mut run = NewRun::new(new_run(n, pipeline));
        run.fire_at = Some(at(3_600));
        CreateRuns::new(vec![run])
    };
    storage.create_runs(tick(1, "daily")).await.unwrap();
    let before = snapshot(storage).await;
    refused_as(
        storage.create_runs(tick(2, "daily")).await,
        Problem::TickTaken,
    );
    assert_eq!(snapshot(storage).await, before);
    storage.create_runs(tick(3, "hourly")).await.unwrap();
}

/// A refused creation makes none of its runs.
pub async fn a_refused_creation_makes_none_of_its_runs(storage: &dyn Storage) {
    save(storage, "daily").await;
    let before = snapshot(storage).await;
    let runs = [1, 2].map(|n| {
        let mut run = NewRun::new(new_run(n, "daily"));
        run.fire_at = Some(at(3_600));
        run
    });
    let created = storage.create_runs(CreateRuns::new(runs.into())).await;
    refused_as(created, Problem::TickTaken);
    assert_eq!(snapshot(storage).await, before);
}

/// The queue of a pipeline has an end; runs that execute do not count.
pub async fn the_queue_of_a_pipeline_has_an_end(storage: &dyn Storage) {
    running(storage, 1).await;
    save(storage, "hourly").await;
    create(storage, new_run(2, "hourly")).await.unwrap();
    let creation = |ids: &[u64]| {
        let runs = ids.iter().map(|n| NewRun::new(new_run(*n, "daily")));
        let mut create = CreateRuns::new(runs.collect());
        create.queued_pipeline_max = 2;
        create
    };
    let before = snapshot(storage).await;
    let created = storage.create_runs(creation(&[3, 4, 5])).await;
    refused_as(created, Problem::QueueFull);
    assert_eq!(snapshot(storage).await, before);
    storage.create_runs(creation(&[3, 4])).await.unwrap();
    refused(storage.create_runs(creation(&[5])).await, QueueFull);
}

/// The whole queue has an end.
pub async fn the_queue_has_an_end(storage: &dyn Storage) {
    pending(storage, 1).await;
    save(storage, "hourly").await;
    let creation = |n| {
        let mut create = CreateRuns::new(vec![NewRun::new(new_run(n, "hourly"))]);
        create.queued_max = 2;
        create
    };
    storage.create_runs(creation(2)).await.unwrap();
    let before = snapshot(storage).await;
    refused_as(storage.create_runs(creation(3)).await, Problem::QueueFull);
    assert_eq!(snapshot(storage).await, before);
    assert_eq!(claimed_ids(storage, claim(1, 10)).await.len(), 2);
    storage.create_runs(creation(3)).await.unwrap();
}

/// Nodes are listed by place once they have an entry that changes them; a line is none.
pub async fn nodes_are_listed_once_they_have_an_entry(storage: &dyn Storage) {
    let mut driver = running(storage, 1).await;
    driver
        .append(
            storage,
            [line(Some(1), "hello"), started(2, 1), started(0, 1)],
        )
        .await;
    let nodes = found(storage, driver.run).await.nodes;
    let node_indexes: Vec<_> = nodes.iter().map(|node| node.node_index).collect();
    assert_eq!(node_indexes, [0, 2]);
    assert_eq!(nodes[0].id, format!("{}.0", driver.run));
    assert_eq!(nodes[1].node_id, node_id("save"));
}

/// A preview and a profile of the node, as they were written.
fn parts() -> (Preview, Profile) {
    let row = serde_json::json!({"n": 1, "text": "ä"});
    let row = row.as_object().cloned().unwrap_or_default();
    let columns = vec!["n".to_owned(), "text".to_owned()];
    let profile = serde_json::json!({
        "row_count": 7, "column_count": 0, "columns": [], "profiling_ms": 3,
    });
    let profile = serde_json::from_value(profile).unwrap();
    (Preview::new(columns, vec![row], 7, true), profile)
}

fn with_parts(node_index: u16) -> [Entry; 3] {
    let (preview, profile) = parts();
    let mut end = FinishedNode::new(node_index, NodeStatus::Success, at(40));
    (end.attempt, end.preview) = (Some(1), Some(preview));
    let profile = Box::new(profile);
    [
        started(node_index, 1),
        Entry::NodeFinished(Box::new(end)),
        Entry::Profile {
            node_index,
            profile,
        },
    ]
}

/// A preview and a profile are found by run and node.
pub async fn a_preview_and_a_profile_are_found(storage: &dyn Storage) {
    let mut driver = running(storage, 1).await;
    driver.append(storage, with_parts(0)).await;
    let (preview, profile) = parts();
    let (all, load) = (Scope::All, node_id("load"));
    let found = storage.find_preview(driver.run, &load, &all).await.unwrap();
    assert_eq!(found, Some(preview));
    let found = storage.find_profile(driver.run, &load, &all).await.unwrap();
    assert_eq!(found, Some(FoundProfile::new(profile, None)));
    for (run, node) in [
        (driver.run, "sum"),
        (driver.run, "missing"),
        (run_id(9), "load"),
    ] {
        let node = node_id(node);
        let found = storage.find_preview(run, &node, &all).await.unwrap();
        assert_eq!(found, None, "{run} {node}");
        let found = storage.find_profile(run, &node, &all).await.unwrap();
        assert_eq!(found, None, "{run} {node}");
    }
}

/// The preview and the profile of a reused node are those of the run that executed it.
pub async fn a_reused_node_has_the_preview_of_its_execution(storage: &dyn Storage) {
    let mut old = running(storage, 1).await;
    old.append(storage, with_parts(0)).await;
    old.append(storage, [end_of(1, RunStatus::Failed)]).await;
    let run = resume(2, old.run, old.run);
    create(storage, run).await.unwrap();
    let mut new = Driver::of(&claim_one(storage, claim(1, 10), run_id(2)).await);
    new.append(storage, [reused(0, old.run)]).await;
    let (preview, profile) = parts();
    let (all, load) = (Scope::All, node_id("load"));
    let found = storage.find_preview(new.run, &load, &all).await.unwrap();
    assert_eq!(found, Some(preview));
    let found = storage.find_profile(new.run, &load, &all).await.unwrap();
    assert_eq!(found, Some(FoundProfile::new(profile, None)));
    assert_eq!(node(storage, new.run, 0).await.reused_from, Some(old.run));
}

/// The greatest run id is known, in whatever order runs were made.
pub async fn the_greatest_run_id_is_known(storage: &dyn Storage) {
    assert_eq!(storage.newest_run().await.unwrap(), None);
    pending(storage, 5).await;
    pending(storage, 3).await;
    assert_eq!(storage.newest_run().await.unwrap(), Some(run_id(5)));
}

/// Nothing of another tenant's run is seen or touched.
pub async fn a_foreign_run_reads_as_absent(storage: &dyn Storage) {
    let mut pipeline = put("daily");
    pipeline.scope = scope("ann");
    storage.put_pipeline(pipeline).await.unwrap();
    let mut driver = running(storage, 1).await;
    driver.append(storage, with_parts(0)).await;
    for (tenant, is_seen) in [("ann", true), ("ben", false)] {
        let (scope, load) = (scope(tenant), node_id("load"));
        let found = storage.find_run(driver.run, &scope).await.unwrap();
        assert_eq!(found.is_some(), is_seen);
        let chain = storage.find_chain(driver.run, &scope).await.unwrap();
        assert_eq!(!chain.is_empty(), is_seen);
        let found = storage
            .find_preview(driver.run, &load, &scope)
            .await
            .unwrap();
        assert_eq!(found.is_some(), is_seen);
        let found = storage
            .find_profile(driver.run, &load, &scope)
            .await
            .unwrap();
        assert_eq!(found.is_some(), is_seen);
    }
}
