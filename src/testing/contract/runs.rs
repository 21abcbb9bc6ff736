//! Runs: their creation, and reads of a run and its nodes.
//!
//! `idempotency`, `resumes`, `cancels` and `run_lists` cover the rest.

use super::fixtures::{
    Driver, all_events, assert_kind, assert_problem, at, claim, claim_one, claimed_ids, create,
    definition, log_line, new_run, node_id, node_reused, node_started, pending_run, pipeline_id,
    put, read_node, read_run, resume, run_finished, run_id, save, save_for, scope, snapshot,
    started_run,
};
use crate::error::ErrorKind::QueueFull;
use crate::error::Problem;
use crate::model::{
    CallerName, EventKind, EventStatus, Labels, NodeStatus, Preview, Profile, RunStatus, Scope,
    Trigger,
};
use crate::storage::{
    CreateRuns, DeletePipeline, Entry, FinishedNode, FoundProfile, NewRun, Storage,
};

/// A created run MUST be returned unchanged, with its definition and without a node.
pub async fn a_created_run_is_returned_unchanged(storage: &dyn Storage) {
    save(storage, "daily").await;
    let mut run = new_run(1, "daily");
    run.params
        .insert("date".to_owned(), "today \u{0}\u{1f980}".to_owned());
    run.trigger = Trigger::Webhook;
    run.created_by = Some(CallerName::new("alice \u{1f980}"));
    run.labels = Labels::from_iter([("team", "\u{0}\u{1f980}"), ("\"a\"", "")]);
    run.note = Some("noted \u{0}\u{1f980}".to_owned());
    run.rerun_of = Some(run_id(9));
    run.generations.insert(0, 7);
    let created = create(storage, run.clone()).await.unwrap();
    assert_eq!(
        (created.run_ids, created.is_replayed),
        (vec![run.id], false)
    );
    let found = read_run(storage, run.id).await;
    assert_eq!(found.run, run);
    assert_eq!(*found.definition, definition("daily"));
    assert_eq!(found.nodes, []);
}

/// A run MUST be returned with its instant, by a claim too. That of a tick is the time of the tick.
pub async fn a_run_has_its_instant(storage: &dyn Storage) {
    save(storage, "daily").await;
    let (tick, own) = (Some(at(3_600)), Some(at(-7_200)));
    let cases = [(None, None), (None, own), (tick, None), (Some(at(60)), own)];
    let new = (1..).zip(cases).map(|(n, (fire_at, scheduled_at))| {
        let mut new = NewRun::new(new_run(n, "daily"));
        (new.fire_at, new.run.scheduled_at) = (fire_at, scheduled_at);
        new
    });
    let create = CreateRuns::new(new.collect());
    let created = storage.create_runs(create).await.unwrap().run_ids;
    let claimed = storage.claim(claim(1, 100)).await.unwrap().claimed;
    assert_eq!(claimed.len(), created.len());
    for (id, (fire_at, scheduled_at)) in created.into_iter().zip(cases) {
        let found = read_run(storage, id).await.run;
        assert_eq!(found.scheduled_at, fire_at.or(scheduled_at));
        let claimed = claimed.iter().find(|claimed| claimed.run.id == id);
        assert_eq!(claimed.unwrap().run.instant(), found.instant());
    }
}

/// A run that was never created MUST NOT be found.
pub async fn a_missing_run_is_not_found(storage: &dyn Storage) {
    pending_run(storage, 1).await;
    let found = storage.find_run(run_id(2), &Scope::All).await.unwrap();
    assert_eq!(found, None);
}

/// The creation of a run MUST write one event.
pub async fn a_created_run_writes_one_event(storage: &dyn Storage) {
    let run = pending_run(storage, 1).await;
    let events = all_events(storage).await;
    let [event] = events.as_slice() else {
        panic!("expected one event, got {events:?}");
    };
    assert_eq!((event.seq, event.run_id), (1, run));
    assert_eq!(event.kind, EventKind::RunCreated);
    assert_eq!(event.status, Some(EventStatus::Pending));
    assert_eq!(event.pipeline_id, pipeline_id("daily"));
    assert_eq!((event.timestamp, event.node_id.as_ref()), (at(1), None));
}

/// Runs that are created together MUST be returned in their order, with one event each.
pub async fn runs_created_together_are_returned_in_order(storage: &dyn Storage) {
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

/// A run MUST belong to the tenant of its pipeline.
pub async fn a_run_belongs_to_the_tenant_of_its_pipeline(storage: &dyn Storage) {
    let stored = save_for(storage, "daily", "ann").await;
    create(storage, new_run(1, "daily")).await.unwrap();
    assert_eq!(read_run(storage, run_id(1)).await.run.tenant, stored.tenant);
}

/// A run MUST be refused if its pipeline does not exist, was deleted or belongs to another tenant.
pub async fn a_run_of_an_absent_pipeline_is_refused(storage: &dyn Storage) {
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
        assert_problem(storage.create_runs(create).await, Problem::PipelineNotFound);
    }
    assert_eq!(snapshot(storage).await, before);
}

/// A pipeline MUST have at most one run per tick. Two pipelines can each have a run of the same
/// instant.
pub async fn a_pipeline_has_at_most_one_run_per_tick(storage: &dyn Storage) {
    save(storage, "daily").await;
    save(storage, "hourly").await;
    let tick = |n, pipeline| {
        let mut run = NewRun::new(new_run(n, pipeline));
        run.fire_at = Some(at(3_600));
        CreateRuns::new(vec![run])
    };
    storage.create_runs(tick(1, "daily")).await.unwrap();
    let before = snapshot(storage).await;
    assert_problem(
        storage.create_runs(tick(2, "daily")).await,
        Problem::TickTaken,
    );
    assert_eq!(snapshot(storage).await, before);
    storage.create_runs(tick(3, "hourly")).await.unwrap();
}

/// A refused creation MUST create none of its runs.
pub async fn a_refused_creation_creates_no_run(storage: &dyn Storage) {
    save(storage, "daily").await;
    let before = snapshot(storage).await;
    let runs = [1, 2].map(|n| {
        let mut run = NewRun::new(new_run(n, "daily"));
        run.fire_at = Some(at(3_600));
        run
    });
    let created = storage.create_runs(CreateRuns::new(runs.into())).await;
    assert_problem(created, Problem::TickTaken);
    assert_eq!(snapshot(storage).await, before);
}

/// A creation MUST be refused if more runs of the pipeline than `queued_pipeline_max` would be
/// pending. Running runs do not count.
pub async fn the_queue_of_a_pipeline_is_bounded(storage: &dyn Storage) {
    started_run(storage, 1).await;
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
    assert_problem(created, Problem::QueueFull);
    assert_eq!(snapshot(storage).await, before);
    storage.create_runs(creation(&[3, 4])).await.unwrap();
    assert_kind(storage.create_runs(creation(&[5])).await, QueueFull);
}

/// A creation MUST be refused if more runs than `queued_max` would be pending in total.
pub async fn the_queue_is_bounded(storage: &dyn Storage) {
    pending_run(storage, 1).await;
    save(storage, "hourly").await;
    let creation = |n| {
        let mut create = CreateRuns::new(vec![NewRun::new(new_run(n, "hourly"))]);
        create.queued_max = 2;
        create
    };
    storage.create_runs(creation(2)).await.unwrap();
    let before = snapshot(storage).await;
    assert_problem(storage.create_runs(creation(3)).await, Problem::QueueFull);
    assert_eq!(snapshot(storage).await, before);
    assert_eq!(claimed_ids(storage, claim(1, 10)).await.len(), 2);
    storage.create_runs(creation(3)).await.unwrap();
}

/// Nodes MUST be listed by index once an entry changes them. A log line changes no node.
pub async fn a_node_is_listed_once_it_has_an_entry(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    driver
        .append(
            storage,
            [
                log_line(Some(1), "hello"),
                node_started(2, 1),
                node_started(0, 1),
            ],
        )
        .await;
    let nodes = read_run(storage, driver.run).await.nodes;
    let node_indexes: Vec<_> = nodes.iter().map(|node| node.node_index).collect();
    assert_eq!(node_indexes, [0, 2]);
    assert_eq!(nodes[0].id, format!("{}.0", driver.run));
    assert_eq!(nodes[1].node_id, node_id("save"));
}

/// Returns the preview and the profile that [`with_preview_and_profile`] writes.
fn preview_and_profile() -> (Preview, Profile) {
    let row = serde_json::json!({"n": 1, "text": "ä"});
    let row = row.as_object().cloned().unwrap_or_default();
    let columns = vec!["n".to_owned(), "text".to_owned()];
    let profile = serde_json::json!({
        "row_count": 7, "column_count": 0, "columns": [], "profiling_ms": 3,
    });
    let profile = serde_json::from_value(profile).unwrap();
    (Preview::new(columns, vec![row], 7, true), profile)
}

/// Returns the entries of a node that succeeds with a preview and a profile.
fn with_preview_and_profile(node_index: u16) -> [Entry; 3] {
    let (preview, profile) = preview_and_profile();
    let mut node = FinishedNode::new(node_index, NodeStatus::Success, at(40));
    (node.attempt, node.preview) = (Some(1), Some(preview));
    let profile = Box::new(profile);
    [
        node_started(node_index, 1),
        Entry::NodeFinished(Box::new(node)),
        Entry::Profile {
            node_index,
            profile,
        },
    ]
}

/// A preview and a profile MUST be found by run and node.
pub async fn a_preview_and_a_profile_are_found(storage: &dyn Storage) {
    let mut driver = started_run(storage, 1).await;
    driver.append(storage, with_preview_and_profile(0)).await;
    let (preview, profile) = preview_and_profile();
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

/// A reused node MUST have the preview and the profile of the run that executed it.
pub async fn a_reused_node_has_the_preview_of_its_origin(storage: &dyn Storage) {
    let mut old = started_run(storage, 1).await;
    old.append(storage, with_preview_and_profile(0)).await;
    old.append(storage, [run_finished(1, RunStatus::Failed)])
        .await;
    let run = resume(2, old.run, old.run);
    create(storage, run).await.unwrap();
    let mut new = Driver::new(&claim_one(storage, claim(1, 10), run_id(2)).await);
    new.append(storage, [node_reused(0, old.run)]).await;
    let (preview, profile) = preview_and_profile();
    let (all, load) = (Scope::All, node_id("load"));
    let found = storage.find_preview(new.run, &load, &all).await.unwrap();
    assert_eq!(found, Some(preview));
    let found = storage.find_profile(new.run, &load, &all).await.unwrap();
    assert_eq!(found, Some(FoundProfile::new(profile, None)));
    assert_eq!(
        read_node(storage, new.run, 0).await.reused_from,
        Some(old.run)
    );
}

/// The greatest run id MUST be returned, in whatever order runs were created.
pub async fn the_greatest_run_id_is_returned(storage: &dyn Storage) {
    assert_eq!(storage.newest_run().await.unwrap(), None);
    pending_run(storage, 5).await;
    pending_run(storage, 3).await;
    assert_eq!(storage.newest_run().await.unwrap(), Some(run_id(5)));
}

/// A run of another tenant MUST look absent, and so MUST its chain, previews and profiles.
pub async fn a_run_of_another_tenant_is_hidden(storage: &dyn Storage) {
    let mut pipeline = put("daily");
    pipeline.scope = scope("ann");
    storage.put_pipeline(pipeline).await.unwrap();
    let mut driver = started_run(storage, 1).await;
    driver.append(storage, with_preview_and_profile(0)).await;
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
