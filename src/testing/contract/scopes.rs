//! Pipelines with one id, of two tenants and of none: what each scope contains of them.
//!
//! `names` covers what their id stands for, and `same_ids` what they keep apart.

use std::sync::Arc;

use super::deliveries::{dead_letter, put_slack};
use super::fixtures::{
    Driver, assert_problem, at, backfill_id, claim, definition, figures_of_2024, list_run_ids,
    new_backfill, node_id, node_started, pipeline_id, put, run_id, scope,
};
use super::names::{create_for, creation, finish_for_each, owners, save_all, save_for};
use super::profiles::profile;
use crate::error::Problem;
use crate::model::{
    BackfillStatus, Cancel, NodeStatus, PageRequest, PipelineId, Preview, Qualified, RunStatus,
    Scope, StoredPipeline,
};
use crate::storage::{
    BackfillFilter, CancelBackfill, CancelRequest, DeletePipeline, Entry, Expect, FinishedNode,
    PipelineFilter, Purge, PurgeMode, PutPipeline, RunFilter, Storage,
};

/// The scopes, each with the numbers of the owners that it contains, from 1.
fn scopes() -> [(Scope, &'static [u64]); 5] {
    [
        (Scope::All, &[1, 2, 3]),
        (Scope::NoTenant, &[1]),
        (scope("ann"), &[2]),
        (scope("ben"), &[3]),
        (scope("cy"), &[]),
    ]
}

/// Returns a save that changes `daily`.
fn change(expect: Expect, scope: Scope) -> PutPipeline {
    let mut change = put("daily");
    change.definition = Arc::new(definition("daily").param("a", "b"));
    (change.expect, change.scope) = (expect, scope);
    change
}

async fn find(storage: &dyn Storage, owner: &Qualified<PipelineId>) -> Option<StoredPipeline> {
    let found = storage.find_pipeline("daily", &owner.scope()).await;
    found.unwrap()
}

/// To every call in [`Scope::NoTenant`], the pipeline of a tenant MUST look absent.
pub async fn the_pipeline_of_a_tenant_is_absent_without_one(storage: &dyn Storage) {
    let [none, ann, _] = owners();
    let anns = save_for(storage, &ann).await;
    for expect in [Expect::Present, Expect::Version(1)] {
        let refused = storage.put_pipeline(change(expect, none.scope())).await;
        assert_problem(refused, Problem::PipelineNotFound);
    }
    let mut delete = DeletePipeline::new(pipeline_id("daily"), at(9));
    delete.scope = none.scope();
    let refused = storage.delete_pipeline(delete).await;
    assert_problem(refused, Problem::PipelineNotFound);
    let refused = storage.create_runs(creation(1, none.scope())).await;
    assert_problem(refused, Problem::PipelineNotFound);
    for _ in 0..2 {
        let own = storage.put_pipeline(change(Expect::Any, none.scope()));
        let own = own.await.unwrap();
        assert_eq!((own.qualified_id(), own.version), (none.clone(), 1));
    }
    assert_eq!(find(storage, &ann).await, Some(anns));
}

/// A save in [`Scope::All`] that expects a pipeline MUST replace the one without a tenant, or else
/// the only one.
pub async fn a_save_in_every_scope_replaces_one_pipeline(storage: &dyn Storage) {
    let [none, ann, _] = owners();
    for owner in [&ann, &none] {
        save_for(storage, owner).await;
    }
    let changed = storage.put_pipeline(change(Expect::Present, Scope::All));
    let changed = changed.await.unwrap();
    assert_eq!((changed.qualified_id(), changed.version), (none.clone(), 2));
    let other_version = storage.put_pipeline(change(Expect::Version(1), Scope::All));
    assert_problem(other_version.await, Problem::PreconditionFailed);
    let absent = storage.put_pipeline(change(Expect::Absent, Scope::All));
    assert_problem(absent.await, Problem::AlreadyExists);
    assert_eq!(find(storage, &ann).await.unwrap().version, 1);
    let delete = DeletePipeline::new(pipeline_id("daily"), at(9));
    storage.delete_pipeline(delete).await.unwrap();
    assert_eq!(find(storage, &none).await, None);
    let changed = storage.put_pipeline(change(Expect::Version(1), Scope::All));
    let changed = changed.await.unwrap();
    assert_eq!((changed.qualified_id(), changed.version), (ann, 2));
}

/// Runs MUST be found, listed and cancelled in the scopes of their pipeline, and in no other.
pub async fn a_run_is_in_the_scopes_of_its_pipeline(storage: &dyn Storage) {
    save_all(storage).await;
    for (n, owner) in (1..).zip(&owners()) {
        create_for(storage, n, owner).await.unwrap();
    }
    for claimed in &storage.claim(claim(1, 10)).await.unwrap().claimed {
        execute_load(storage, Driver::new(claimed)).await;
    }
    for (scope, seen) in scopes() {
        for n in 1..=3 {
            let visible = visible_parts(storage, n, &scope).await;
            assert_eq!(visible, [seen.contains(&n); 6], "run {n} in {scope:?}");
            let mut cancel = CancelRequest::new(run_id(n), Cancel::Plain, at(50));
            cancel.scope = scope.clone();
            let cancelled = storage.request_cancel(cancel).await;
            if seen.contains(&n) {
                assert_eq!(cancelled.unwrap().status, RunStatus::Running);
            } else {
                assert_problem(cancelled, Problem::RunNotFound);
            }
        }
    }
}

/// Executes the node `load` with an output, a preview and a profile.
async fn execute_load(storage: &dyn Storage, mut driver: Driver) {
    let mut node = FinishedNode::new(0, NodeStatus::Success, at(40));
    (node.attempt, node.has_dataset) = (Some(1), true);
    node.output = Some(driver.put_chunks(storage, 0, &[b"seven"]).await);
    node.preview = Some(Preview::new(vec!["n".to_owned()], Vec::new(), 7, true));
    let entries = [
        node_started(0, 1),
        Entry::NodeFinished(Box::new(node)),
        Entry::Profile {
            node_index: 0,
            profile: Box::new(profile(7)),
        },
    ];
    driver.append(storage, entries).await;
}

/// Returns whether a scope contains a run, its place in a list, its chain, its output, its preview
/// and its profile.
async fn visible_parts(storage: &dyn Storage, n: u64, scope: &Scope) -> [bool; 6] {
    let (run, load) = (run_id(n), node_id("load"));
    let one = RunFilter {
        scope: scope.clone(),
        run: Some(run),
        ..RunFilter::default()
    };
    let found = storage.find_run(run, scope).await.unwrap();
    let chain = storage.find_chain(run, scope).await.unwrap();
    let output = storage.find_output(run, 0, scope).await.unwrap();
    let preview = storage.find_preview(run, &load, scope).await.unwrap();
    let profile = storage.find_profile(run, &load, scope).await.unwrap();
    [
        found.is_some(),
        !list_run_ids(storage, one).await.is_empty(),
        !chain.is_empty(),
        output.is_some(),
        preview.is_some(),
        profile.is_some(),
    ]
}

/// Backfills MUST be found, listed and cancelled in the scopes of their pipeline, and in no other.
pub async fn a_backfill_is_in_the_scopes_of_its_pipeline(storage: &dyn Storage) {
    save_all(storage).await;
    for (n, owner) in (1..).zip(&owners()) {
        let mut create = new_backfill(n, "daily", 10 * n, 2);
        create.scope = owner.scope();
        storage.create_runs(create).await.unwrap();
    }
    for (scope, seen) in scopes() {
        for n in 1..=3 {
            let id = backfill_id(n);
            let found = storage.find_backfill(id, &scope).await.unwrap();
            assert_eq!(found.is_some(), seen.contains(&n), "{n} in {scope:?}");
            let one = BackfillFilter {
                scope: scope.clone(),
                backfill: Some(id),
                pipeline: None,
            };
            let page = PageRequest::Newest { limit: 9 };
            let listed = storage.list_backfills(one, page).await.unwrap();
            assert_eq!(listed.items.len(), usize::from(seen.contains(&n)));
        }
    }
    // Each owner cancels its own: every scope but the first contains at most one.
    for (scope, seen) in scopes().into_iter().skip(1) {
        for n in 1..=3 {
            let mut cancel = CancelBackfill::new(backfill_id(n), Cancel::Plain, at(50));
            cancel.scope = scope.clone();
            let cancelled = storage.cancel_backfill(cancel).await;
            if seen.contains(&n) {
                let cancelled = cancelled.unwrap().detail.backfill;
                assert_eq!(cancelled.status, BackfillStatus::Cancelled);
            } else {
                assert_problem(cancelled, Problem::BackfillNotFound);
            }
        }
    }
}

/// Statistics, schedules and purges MUST cover the objects in scope, and no other.
pub async fn a_scope_counts_its_own_objects(storage: &dyn Storage) {
    save_all(storage).await;
    for round in [0, 10] {
        for (n, owner) in (1..).zip(&owners()) {
            create_for(storage, round + n, owner).await.unwrap();
        }
    }
    // Each pipeline executes one run at once.
    let claims = storage.claim(claim(1, 20)).await.unwrap();
    assert_eq!(claims.claimed.len(), 3);
    let mut slack = put_slack(storage.newest_seq().await.unwrap());
    slack.parked = (1..=3).map(|n| dead_letter(run_id(n), n)).collect();
    storage.put_deliveries(slack).await.unwrap();
    for (scope, seen) in scopes() {
        let stats = storage.stats(&scope).await.unwrap();
        let counts = [
            stats.pipeline_count,
            stats.running_count,
            stats.pending_count,
            stats.dead_letter_count,
        ];
        assert_eq!(counts, [seen.len() as u64; 4], "{scope:?}");
        let schedules = storage.schedules(&scope).await.unwrap();
        let found = schedules.iter().map(|one| one.pipeline.qualified_id());
        let own = (1..).zip(owners()).filter(|(n, _)| seen.contains(n));
        assert!(found.eq(own.map(|(_, owner)| owner)), "{scope:?}");
    }
    for n in [11, 12, 13] {
        let cancel = CancelRequest::new(run_id(n), Cancel::Plain, at(50));
        storage.request_cancel(cancel).await.unwrap();
    }
    let delivered = put_slack(storage.newest_seq().await.unwrap());
    storage.put_deliveries(delivered).await.unwrap();
    let mut purge = Purge::new(at(1_000_000), 100);
    for (scope, seen) in scopes().into_iter().skip(1) {
        for mode in [PurgeMode::Preview, PurgeMode::Delete] {
            (purge.scope, purge.mode) = (scope.clone(), mode);
            let purged = storage.purge(purge.clone()).await.unwrap();
            assert_eq!(purged.deleted, seen.len() as u64, "{mode:?} in {scope:?}");
        }
    }
}

/// [`Scope::NoTenant`] MUST contain the objects without a tenant, and no others.
pub async fn the_scope_without_a_tenant_contains_no_object_of_one(storage: &dyn Storage) {
    save_all(storage).await;
    finish_for_each(storage, 1).await;
    let scope = Scope::NoTenant;
    for (n, is_seen) in [(1, true), (2, false), (3, false)] {
        let found = storage.find_run(run_id(n), &scope).await.unwrap();
        assert_eq!(found.is_some(), is_seen);
        let chain = storage.find_chain(run_id(n), &scope).await.unwrap();
        assert_eq!(!chain.is_empty(), is_seen);
        let load = node_id("load");
        let profile = storage.find_profile(run_id(n), &load, &scope);
        assert_eq!(profile.await.unwrap().is_some(), is_seen);
    }
    let stats = storage.stats(&scope).await.unwrap();
    assert_eq!(stats.pipeline_count, 1);
    let mut figures = figures_of_2024();
    figures.scope = scope.clone();
    let days = storage.figures(figures).await.unwrap();
    assert_eq!(days.iter().map(|day| day.success).sum::<u64>(), 1);
    let pipelines = PipelineFilter {
        scope: scope.clone(),
        ..PipelineFilter::default()
    };
    let page = PageRequest::Numbered {
        page: 1,
        per_page: 9,
    };
    let listed = storage.list_pipelines(pipelines, page).await.unwrap();
    assert_eq!((listed.items.len(), listed.total), (1, Some(1)));
    let mut purge = Purge::new(at(1_000_000), 100);
    purge.scope = scope;
    assert_eq!(storage.purge(purge).await.unwrap().deleted, 1);
    let left = list_run_ids(storage, RunFilter::default()).await;
    assert_eq!(left, [3, 2].map(run_id));
}
