//! Pipelines with one id, of two tenants and of none: what each keeps apart from the others.
//!
//! `names` covers what their id stands for, and `scopes` what a scope contains of them.

use std::sync::Arc;

use super::fixtures::{
    Driver, assert_problem, at, claim, claimed_ids, date, definition, figures_of_2024,
    list_run_ids, new_backfill, pipeline_id, put, resume, run_finished, run_id, scope, slug,
};
use super::idempotency::first_creation;
use super::names::{create_for, creation, owners, save_all, save_for};
use super::schedules::{advance, tick};
use crate::error::Problem;
use crate::model::{
    Overlap, PageRequest, PipelineId, Qualified, RunStatus, Scope, SkipReason, Trigger,
};
use crate::storage::{
    CreateRuns, DeletePipeline, FiguresBy, IdempotencyKey, IdempotentOperation, NewRun,
    PipelineFilter, RunFilter, SlugChoice, Storage, TickOutcome,
};

async fn delete(storage: &dyn Storage, id: &str, scope: Scope) {
    let mut delete = DeletePipeline::new(pipeline_id(id), at(9));
    delete.scope = scope;
    storage.delete_pipeline(delete).await.unwrap();
}

/// Claims every run that can start and finishes it.
async fn finish_all(storage: &dyn Storage, owner: u64, status: RunStatus) {
    let claims = storage.claim(claim(owner, 100)).await.unwrap();
    for claimed in &claims.claimed {
        let mut driver = Driver::new(claimed);
        driver.append(storage, [run_finished(1, status)]).await;
    }
}

/// In [`Scope::All`], the slug of a pipeline without a tenant MUST take precedence over the id of a
/// tenant's. A key that is the id of one tenant's and the slug of another's MUST be refused.
pub async fn an_id_takes_no_precedence_over_the_slug_of_another_tenant(storage: &dyn Storage) {
    let [none, ann, ben] = owners();
    save_for(storage, &ann).await;
    for (id, owner) in [("p-1", &none), ("p-2", &ben)] {
        let mut put = put(id);
        put.slug = SlugChoice::Given(slug("daily"));
        put.scope = owner.scope();
        storage.put_pipeline(put).await.unwrap();
    }
    let find = async |scope: &Scope| {
        let found = storage.find_pipeline("daily", scope).await.unwrap();
        found.map(|found| found.id.to_string())
    };
    for (owner, expected) in [(&none, "p-1"), (&ann, "daily"), (&ben, "p-2")] {
        let found = find(&owner.scope()).await;
        assert_eq!(found.as_deref(), Some(expected));
    }
    assert_eq!(find(&Scope::All).await.as_deref(), Some("p-1"));
    delete(storage, "p-1", none.scope()).await;
    let unclear = storage.find_pipeline("daily", &Scope::All).await;
    assert_problem(unclear, Problem::TenantRequired);
    delete(storage, "daily", ann.scope()).await;
    assert_eq!(find(&Scope::All).await.as_deref(), Some("p-2"));
    delete(storage, "p-2", ben.scope()).await;
    assert_eq!(find(&Scope::All).await, None);
}

/// A tick MUST be taken by a run of the same pipeline only.
pub async fn a_tick_is_taken_by_its_own_pipeline(storage: &dyn Storage) {
    save_all(storage).await;
    let at_tick = |n, owner: &Qualified<PipelineId>| {
        let mut create = creation(n, owner.scope());
        create.runs[0].fire_at = Some(at(60));
        create
    };
    for (n, owner) in (1..).zip(&owners()) {
        let created = storage.create_runs(at_tick(n, owner)).await.unwrap();
        assert_eq!(created.run_ids, [run_id(n)]);
        let again = storage.create_runs(at_tick(n + 10, owner)).await;
        assert_problem(again, Problem::TickTaken);
    }
}

/// A tick MUST overlap with the runs of its own pipeline only, and be stale only after a change of
/// its own pipeline.
pub async fn a_tick_depends_on_its_own_pipeline(storage: &dyn Storage) {
    let [none, ann, ben] = owners();
    save_all(storage).await;
    let schedule_of = async |owner: &Qualified<PipelineId>| {
        let mut own = storage.schedules(&owner.scope()).await.unwrap();
        assert_eq!(own.len(), 1);
        own.remove(0)
    };
    let outcome = async |step| advance(storage, step).await;
    let overlap = TickOutcome::Skipped(SkipReason::Overlap);
    let first = tick(&schedule_of(&none).await, 1, 60);
    assert_eq!(outcome(first).await, TickOutcome::Created);
    let second = tick(&schedule_of(&none).await, 2, 120);
    assert_eq!(outcome(second).await, overlap);
    let (anns, bens) = (schedule_of(&ann).await, schedule_of(&ben).await);
    let mut change = put("daily");
    let changed = definition("daily").schedule("0 * * * *").param("a", "b");
    change.definition = Arc::new(changed.overlap(Overlap::Skip));
    change.scope = ann.scope();
    storage.put_pipeline(change).await.unwrap();
    assert_eq!(outcome(tick(&anns, 3, 60)).await, TickOutcome::Stale);
    assert_eq!(outcome(tick(&bens, 4, 60)).await, TickOutcome::Created);
    let anew = tick(&schedule_of(&ann).await, 5, 60);
    assert_eq!(outcome(anew).await, TickOutcome::Created);
    for (owner, cursor, skipped) in [
        (&none, 120, Some(SkipReason::Overlap)),
        (&ann, 60, None),
        (&ben, 60, None),
    ] {
        let schedule = schedule_of(owner).await;
        assert_eq!((schedule.cursor, schedule.skipped), (at(cursor), skipped));
        assert_eq!(schedule.last_run, Some(at(60)));
    }
    let claimed = claimed_ids(storage, claim(1, 200)).await;
    assert_eq!(claimed, [1, 4, 5].map(run_id), "each in its own queue");
}

/// A backfill MUST skip the dates for which its own pipeline succeeded, and no other.
pub async fn a_date_is_skipped_for_its_own_pipeline(storage: &dyn Storage) {
    let [none, ann, ben] = owners();
    save_all(storage).await;
    let mut run = creation(1, ann.scope());
    let scheduled = &mut run.runs[0].run;
    (scheduled.trigger, scheduled.date) = (Trigger::Schedule, date("2024-01-02"));
    storage.create_runs(run).await.unwrap();
    finish_all(storage, 1, RunStatus::Success).await;
    for (n, owner, skipped) in [
        (1, &none, &[][..]),
        (2, &ann, &[run_id(21)]),
        (3, &ben, &[]),
    ] {
        let mut create = new_backfill(n, "daily", 10 * n, 3);
        create.scope = owner.scope();
        create.backfill.as_mut().unwrap().skip_existing = true;
        let created = storage.create_runs(create).await.unwrap();
        assert_eq!(created.skipped, skipped, "{owner}");
        assert_eq!(created.run_ids.len() + skipped.len(), 3);
    }
}

/// Deleting a pipeline MUST keep the keys, the schedule and the versions of another with its id.
/// The runs of the deleted one stay readable.
pub async fn a_deletion_keeps_what_others_have(storage: &dyn Storage) {
    let [none, ann, ben] = owners();
    save_all(storage).await;
    let key_of = |owner: &Qualified<PipelineId>| {
        let operation = IdempotentOperation::Run(owner.clone());
        IdempotencyKey::new(operation, "once", [1; 32])
    };
    for (n, owner) in (1..).zip(&owners()) {
        let mut create = creation(n, owner.scope());
        create.idempotency = Some(key_of(owner));
        storage.create_runs(create).await.unwrap();
    }
    finish_all(storage, 1, RunStatus::Failed).await;
    delete(storage, "daily", ann.scope()).await;
    for (owner, run) in [(&none, Some(1)), (&ann, None), (&ben, Some(3))] {
        let found = first_creation(storage, &key_of(owner)).await;
        let found = found.map(|created| created.run_ids);
        assert_eq!(found, run.map(|n| vec![run_id(n)]), "{owner}");
        let schedules = storage.schedules(&owner.scope()).await.unwrap();
        assert_eq!(schedules.len(), usize::from(run.is_some()), "{owner}");
    }
    let runs = RunFilter {
        pipeline: Some(pipeline_id("daily")),
        ..RunFilter::default()
    };
    assert_eq!(list_run_ids(storage, runs).await, [3, 2, 1].map(run_id));
    let mut filter = figures_of_2024();
    filter.by = FiguresBy::FailingPipeline { count_max: 9 };
    let figures = storage.figures(filter).await.unwrap();
    let counted = figures.into_iter().map(|one| (one.pipeline, one.failed));
    assert!(counted.eq([(Some(none), 1), (Some(ben), 1)]));
    for (owner, version) in owners().iter().zip([1, 2, 1]) {
        assert_eq!(save_for(storage, owner).await.version, version, "{owner}");
    }
}

/// Figures by failing pipeline MUST tell apart the pipelines in scope that have the same id.
pub async fn figures_by_failing_pipeline_tell_the_owners_apart(storage: &dyn Storage) {
    save_all(storage).await;
    for (n, owner) in (1..).zip(&owners()) {
        create_for(storage, n, owner).await.unwrap();
    }
    finish_all(storage, 1, RunStatus::Failed).await;
    for scope in [Scope::All, Scope::NoTenant, scope("ann"), scope("cy")] {
        for id in ["daily", "hourly"] {
            let mut filter = figures_of_2024();
            filter.by = FiguresBy::FailingPipeline { count_max: 9 };
            (filter.scope, filter.pipeline) = (scope.clone(), Some(pipeline_id(id)));
            let figures = storage.figures(filter).await.unwrap();
            let found = figures.into_iter().map(|one| (one.pipeline, one.failed));
            let in_scope = owners()
                .into_iter()
                .filter(|owner| id == "daily" && scope.admits(owner.tenant.as_ref()));
            let expected = in_scope.map(|owner| (Some(owner), 1));
            assert!(found.eq(expected), "{scope:?} {id}");
        }
    }
}

/// A run MUST NOT be resumed as a run of another pipeline, and its id MUST NOT make the creation of
/// another pipeline a repeat.
pub async fn a_run_id_is_that_of_one_pipeline(storage: &dyn Storage) {
    let [none, ann, ben] = owners();
    save_all(storage).await;
    create_for(storage, 1, &ann).await.unwrap();
    for scope in [none.scope(), ben.scope(), Scope::All] {
        let refused = storage.create_runs(creation(1, scope)).await;
        assert_problem(refused, Problem::InternalError);
    }
    finish_all(storage, 1, RunStatus::Failed).await;
    let resumed = |scope| {
        let mut create = CreateRuns::new(vec![NewRun::new(resume(2, run_id(1), run_id(1)))]);
        create.scope = scope;
        storage.create_runs(create)
    };
    for scope in [none.scope(), ben.scope(), Scope::All] {
        assert_problem(resumed(scope).await, Problem::RunNotFound);
    }
    let created = resumed(ann.scope()).await.unwrap();
    assert_eq!(created.run_ids, [run_id(2)]);
    let chain = storage.find_chain(run_id(1), &ann.scope()).await.unwrap();
    assert!(chain.iter().all(|one| one.run.is_of(&ann)));
    assert_eq!(chain.len(), 2);
}

/// Pages of pipelines with the same few ids MUST lose and repeat none, and a cursor outside the
/// scope MUST be refused.
pub async fn pages_lose_no_pipeline_with_a_shared_id(storage: &dyn Storage) {
    for id in ["a", "b"] {
        for owner in owners() {
            let mut put = put(id);
            put.scope = owner.scope();
            storage.put_pipeline(put).await.unwrap();
        }
    }
    let pages = async |scope: Scope, limit: u32| {
        let (mut found, mut cursor) = (Vec::new(), None);
        loop {
            let filter = PipelineFilter {
                scope: scope.clone(),
                ..PipelineFilter::default()
            };
            let page = PageRequest::After { cursor, limit };
            let page = storage.list_pipelines(filter, page).await.unwrap();
            found.extend(page.items.iter().map(|one| one.qualified_id().to_string()));
            cursor = page.next;
            if cursor.is_none() {
                return found;
            }
        }
    };
    let all = ["ben/b", "ann/b", "b", "ben/a", "ann/a", "a"];
    for limit in 1..=7 {
        assert_eq!(pages(Scope::All, limit).await, all, "{limit}");
    }
    let [none, ann, _] = owners();
    assert_eq!(pages(ann.scope(), 1).await, ["ann/b", "ann/a"]);
    assert_eq!(pages(none.scope(), 1).await, ["b", "a"]);
    for (owner, cursor) in [(&none, "ann/b"), (&ann, "b"), (&ann, "ben/b")] {
        let filter = PipelineFilter {
            scope: owner.scope(),
            ..PipelineFilter::default()
        };
        let cursor = Some(cursor.to_owned());
        let page = PageRequest::After { cursor, limit: 9 };
        let refused = storage.list_pipelines(filter, page).await;
        assert_problem(refused, Problem::InvalidParameter);
    }
}
