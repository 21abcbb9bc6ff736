//! Pipelines of several tenants with one id and one slug: what the id stands for, and that the
//! pipelines share nothing.
//!
//! `connections` and `variables` cover theirs.

use std::sync::Arc;

use super::backfill_fixtures::{backfill_id, new_backfill};
use super::fixtures::{
    Driver, assert_problem, at, claim, definition, figures_of_2024, list_run_ids, matching_events,
    new_run, node_finished, node_id, node_started, of_tenant, pipeline_id, put, run_finished,
    run_id, scope, slug, without_tenant,
};
use super::profiles::profile;
use crate::error::{Problem, Result};
use crate::model::{
    NodeStatus, Overlap, PageRequest, PipelineId, Qualified, RunStatus, Scope, StoredPipeline,
    Trigger,
};
use crate::storage::{
    Advance, BackfillFilter, CreateRuns, CreatedRuns, DeletePipeline, Entry, EventFilter, Expect,
    IdempotencyKey, IdempotentOperation, NewRun, Purge, RunFilter, SlugChoice, Storage,
    TickOutcome,
};

/// The pipelines `daily` of two tenants and of none, in the order of lists by id and tenant.
pub(super) fn owners() -> [Qualified<PipelineId>; 3] {
    [
        without_tenant("daily"),
        of_tenant("daily", "ann"),
        of_tenant("daily", "ben"),
    ]
}

/// Saves `daily` for an owner: one run at once, with a schedule that skips while a run executes.
pub(super) async fn save_for(
    storage: &dyn Storage,
    owner: &Qualified<PipelineId>,
) -> StoredPipeline {
    let mut put = put("daily");
    let mut pipeline = definition("daily").schedule("0 * * * *");
    pipeline.max_concurrent_runs = Some(1);
    pipeline.overlap = Overlap::Skip;
    (put.definition, put.scope) = (Arc::new(pipeline), owner.scope());
    storage.put_pipeline(put).await.unwrap()
}

pub(super) async fn save_all(storage: &dyn Storage) {
    for owner in &owners() {
        save_for(storage, owner).await;
    }
}

pub(super) fn creation(n: u64, scope: Scope) -> CreateRuns {
    let mut create = CreateRuns::new(vec![NewRun::new(new_run(n, "daily"))]);
    create.scope = scope;
    create
}

pub(super) async fn create_for(
    storage: &dyn Storage,
    n: u64,
    owner: &Qualified<PipelineId>,
) -> Result<CreatedRuns> {
    storage.create_runs(creation(n, owner.scope())).await
}

/// Creates runs 1 to 3, one for each owner in order, and finishes them with a profile.
pub(super) async fn finish_for_each(storage: &dyn Storage, first: u64) {
    for (n, owner) in (first..).zip(&owners()) {
        create_for(storage, n, owner).await.unwrap();
    }
    let claims = storage.claim(claim(first, 10)).await.unwrap();
    assert_eq!(claims.claimed.len(), 3);
    for (n, claimed) in (first..).zip(&claims.claimed) {
        let entries = [
            node_started(0, 1),
            node_finished(0, NodeStatus::Success),
            Entry::Profile {
                node_index: 0,
                profile: Box::new(profile(n)),
            },
            run_finished(n, RunStatus::Success),
        ];
        Driver::new(claimed).append(storage, entries).await;
    }
}

/// In [`Scope::All`], an id or a slug MUST stand for the pipeline without a tenant, or else for the
/// only one. If there are several, it MUST be refused.
pub async fn a_key_stands_for_one_pipeline(storage: &dyn Storage) {
    let [none, ann, ben] = owners();
    for owner in [&ann, &ben] {
        let mut put = put("daily");
        put.slug = SlugChoice::Given(slug("nightly"));
        put.scope = owner.scope();
        storage.put_pipeline(put).await.unwrap();
    }
    for key in ["daily", "nightly"] {
        let unclear = storage.find_pipeline(key, &Scope::All).await;
        assert_problem(unclear, Problem::TenantRequired);
        let absent = storage.find_pipeline(key, &Scope::NoTenant).await;
        assert_eq!(absent.unwrap(), None);
    }
    for expect in [Expect::Any, Expect::Present, Expect::Version(1)] {
        let mut put = put("daily");
        put.expect = expect;
        assert_problem(storage.put_pipeline(put).await, Problem::TenantRequired);
    }
    let delete = |scope: Scope| {
        let mut delete = DeletePipeline::new(pipeline_id("daily"), at(9));
        delete.scope = scope;
        storage.delete_pipeline(delete)
    };
    assert_problem(delete(Scope::All).await, Problem::TenantRequired);
    let unclear = storage.create_runs(creation(1, Scope::All)).await;
    assert_problem(unclear, Problem::TenantRequired);
    let mut absent = put("daily");
    absent.expect = Expect::Absent;
    let own = storage.put_pipeline(absent).await.unwrap();
    assert_eq!(own.qualified_id(), none);
    for scope in [Scope::All, Scope::NoTenant] {
        let found = storage.find_pipeline("daily", &scope).await.unwrap();
        assert_eq!(found.as_ref(), Some(&own));
    }
    for gone in [none.scope(), ann.scope()] {
        delete(gone).await.unwrap();
    }
    let last = storage.find_pipeline("nightly", &Scope::All).await.unwrap();
    assert_eq!(last.unwrap().qualified_id(), ben);
}

/// Limits and idempotency keys of a pipeline MUST NOT count the runs of another tenant's.
pub async fn limits_and_keys_are_those_of_one_pipeline(storage: &dyn Storage) {
    save_all(storage).await;
    for (n, owner) in (1..).zip(&owners()) {
        let mut create = creation(n, owner.scope());
        let operation = IdempotentOperation::Run(owner.clone());
        create.idempotency = Some(IdempotencyKey::new(operation, "once", [1; 32]));
        create.queued_pipeline_max = 1;
        let created = storage.create_runs(create.clone()).await.unwrap();
        assert_eq!(
            (created.run_ids, created.is_replayed),
            (vec![run_id(n)], false)
        );
        let mut again = create;
        again.runs = vec![NewRun::new(new_run(n + 10, "daily"))];
        let replayed = storage.create_runs(again).await.unwrap();
        assert_eq!(
            (replayed.run_ids, replayed.is_replayed),
            (vec![run_id(n)], true)
        );
    }
    // Each pipeline executes one run at once.
    let claims = storage.claim(claim(1, 10)).await.unwrap();
    assert_eq!(claims.claimed.len(), 3);
    let tenants = claims
        .claimed
        .iter()
        .map(|claimed| claimed.run.qualified_pipeline());
    assert!(tenants.eq(owners()));
}

/// A tick MUST be that of one pipeline: its cursor, its runs, its overlap.
pub async fn a_tick_is_that_of_one_pipeline(storage: &dyn Storage) {
    save_all(storage).await;
    let schedules = storage.schedules(&Scope::All).await.unwrap();
    let found = schedules.iter().map(|one| one.pipeline.qualified_id());
    assert!(found.eq(owners()));
    for (n, schedule) in (1..).zip(&schedules) {
        let mut run = new_run(n, "daily");
        run.trigger = Trigger::Schedule;
        let mut new = NewRun::new(run);
        new.fire_at = Some(at(60));
        let mut advance = Advance::new(schedule, at(60));
        advance.run = Some(new);
        let advanced = storage.advance(advance).await.unwrap();
        assert_eq!(advanced.tick, TickOutcome::Created);
        let own = schedule.pipeline.qualified_id().scope();
        let moved = storage.schedules(&own).await.unwrap();
        assert_eq!(moved[0].cursor, at(60));
    }
    let runs = RunFilter {
        pipeline: Some(pipeline_id("daily")),
        ..RunFilter::default()
    };
    assert_eq!(list_run_ids(storage, runs).await, [3, 2, 1].map(run_id));
}

/// Previous profiles, retained runs and skipped dates MUST be those of one pipeline.
pub async fn history_is_that_of_one_pipeline(storage: &dyn Storage) {
    save_all(storage).await;
    finish_for_each(storage, 1).await;
    finish_for_each(storage, 11).await;
    for n in [11, 12, 13] {
        let load = node_id("load");
        let found = storage.find_profile(run_id(n), &load, &Scope::All);
        let previous = found.await.unwrap().unwrap().previous;
        assert_eq!(previous.map(|previous| previous.row_count), Some(n - 10));
    }
    let mut purge = Purge::new(at(1_000_000), 100);
    purge.keep_last = 1;
    assert_eq!(storage.purge(purge).await.unwrap().deleted, 3);
    let left = list_run_ids(storage, RunFilter::default()).await;
    assert_eq!(left, [13, 12, 11].map(run_id));
}

/// A filter by pipeline MUST admit the pipelines in scope that have the id.
pub async fn a_filter_by_id_admits_each_pipeline_in_scope(storage: &dyn Storage) {
    save_all(storage).await;
    finish_for_each(storage, 1).await;
    for (n, owner) in (1..).zip(&owners()) {
        let mut create = new_backfill(n, "daily", 100 * n, 2);
        create.scope = owner.scope();
        storage.create_runs(create).await.unwrap();
    }
    for (scope, owner_numbers) in [
        (Scope::All, &[1, 2, 3][..]),
        (Scope::NoTenant, &[1]),
        (scope("ann"), &[2]),
        (scope("ben"), &[3]),
        (scope("cy"), &[]),
    ] {
        let daily = Some(pipeline_id("daily"));
        let filter = RunFilter {
            scope: scope.clone(),
            pipeline: daily.clone(),
            statuses: vec![RunStatus::Success],
            ..RunFilter::default()
        };
        let newest_first = || owner_numbers.iter().rev().copied();
        let expected: Vec<_> = newest_first().map(run_id).collect();
        assert_eq!(list_run_ids(storage, filter).await, expected, "{scope:?}");
        let filter = BackfillFilter {
            scope: scope.clone(),
            backfill: None,
            pipeline: daily.clone(),
        };
        let page = storage.list_backfills(filter, PageRequest::Newest { limit: 9 });
        let listed: Vec<_> = page.await.unwrap().items.iter().map(|one| one.id).collect();
        let expected: Vec<_> = newest_first().map(backfill_id).collect();
        assert_eq!(listed, expected, "{scope:?}");
        let filter = EventFilter {
            scope: scope.clone(),
            pipeline: daily.clone(),
            ..EventFilter::default()
        };
        // Six of each finished run, and one of each created run.
        let events = matching_events(storage, filter).await;
        assert!(
            events
                .iter()
                .all(|event| scope.admits(event.tenant.as_ref()))
        );
        let of_one = events.len().checked_div(owner_numbers.len());
        assert_eq!(
            of_one,
            (!owner_numbers.is_empty()).then_some(7),
            "{scope:?}"
        );
        let mut filter = figures_of_2024();
        (filter.scope, filter.pipeline) = (scope.clone(), daily);
        let days = storage.figures(filter).await.unwrap();
        let counted: u64 = days.iter().map(|day| day.success + day.pending).sum();
        assert_eq!(counted, 3 * owner_numbers.len() as u64, "{scope:?}");
    }
}

/// A pipeline MUST be deletable while another tenant's with its id has active runs.
pub async fn a_deletion_disregards_the_runs_of_another_tenant(storage: &dyn Storage) {
    save_all(storage).await;
    let [_, ann, ben] = owners();
    create_for(storage, 1, &ann).await.unwrap();
    let mut delete = DeletePipeline::new(pipeline_id("daily"), at(9));
    delete.scope = ben.scope();
    storage.delete_pipeline(delete.clone()).await.unwrap();
    delete.scope = ann.scope();
    let refused = storage.delete_pipeline(delete).await;
    assert_problem(refused, Problem::PipelineActive);
}
