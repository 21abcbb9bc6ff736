//! Pipelines: their saves, finds and deletes.
//!
//! `pipeline_lists` covers lists, `slugs` covers slugs, and `deletions` covers deletes at a
//! version.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::fixtures::{
    Driver, assert_problem, at, claim, claim_one, create, definition, finished_run, new_run,
    pending_run, pipeline_id, put, read_run, run_finished, run_id, save, save_for, scope, slug,
    snapshot, with_key,
};
use super::idempotency::first_creation;
use crate::error::Problem;
use crate::model::{RunStatus, Scope};
use crate::storage::{DeletePipeline, Expect, SlugChoice, Storage};

/// The first save of a pipeline MUST create version 1.
pub async fn a_first_save_creates_version_one(storage: &dyn Storage) {
    let stored = save(storage, "daily").await;
    assert_eq!((stored.version, stored.slug.as_str()), (1, "daily"));
    assert_eq!((stored.created_at, stored.updated_at), (at(0), at(0)));
    assert_eq!(*stored.definition, definition("daily"));
}

/// A pipeline MUST be found by its id and by its slug, and by nothing else.
pub async fn a_pipeline_is_found_by_id_and_by_slug(storage: &dyn Storage) {
    let mut put = put("p-1");
    put.slug = SlugChoice::Given(slug("daily"));
    let stored = storage.put_pipeline(put).await.unwrap();
    for (key, expected) in [
        ("p-1", Some(&stored)),
        ("daily", Some(&stored)),
        ("p", None),
    ] {
        let found = storage.find_pipeline(key, &Scope::All).await.unwrap();
        assert_eq!(found.as_ref(), expected, "{key}");
    }
}

/// A save that changes nothing MUST keep the version and `updated_at`.
pub async fn a_save_without_changes_keeps_version_and_update_time(storage: &dyn Storage) {
    let first = save(storage, "daily").await;
    let mut again = put("daily");
    again.now = at(5);
    assert_eq!(storage.put_pipeline(again).await.unwrap(), first);
}

/// A save of a changed definition MUST raise the version by one.
pub async fn a_changed_definition_raises_the_version_by_one(storage: &dyn Storage) {
    save(storage, "daily").await;
    let mut changed = put("daily");
    changed.definition = Arc::new(definition("daily").param("date", "today"));
    changed.now = at(5);
    let stored = storage.put_pipeline(changed).await.unwrap();
    assert_eq!(stored.version, 2);
    assert_eq!((stored.created_at, stored.updated_at), (at(0), at(5)));
    let found = storage.find_pipeline("daily", &Scope::All).await.unwrap();
    assert_eq!(found, Some(stored));
}

/// A find beside saves MUST return a version at least as new as each one that was saved or found
/// before.
pub async fn a_find_beside_saves_never_goes_back(storage: &dyn Storage) {
    const LAST: u32 = 60;
    save(storage, "daily").await;
    let saved = AtomicU32::new(1);
    let saving = async {
        for n in 2..=LAST {
            let mut changed = put("daily");
            changed.definition = Arc::new(definition("daily").param("n", n.to_string()));
            let stored = storage.put_pipeline(changed).await.unwrap();
            saved.store(stored.version, Ordering::Relaxed);
        }
    };
    let finding = async {
        let mut newest = 1;
        while newest < LAST {
            newest = newest.max(saved.load(Ordering::Relaxed));
            let found = storage.find_pipeline("daily", &Scope::All).await.unwrap();
            let found = found.unwrap().version;
            assert!(found >= newest, "{found} after {newest}");
            newest = found;
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(saving, finding);
}

/// A save that expects no pipeline MUST be refused if the pipeline exists.
pub async fn creating_an_existing_pipeline_conflicts(storage: &dyn Storage) {
    let mut absent = put("daily");
    absent.expect = Expect::Absent;
    storage.put_pipeline(absent.clone()).await.unwrap();
    let before = snapshot(storage).await;
    absent.definition = Arc::new(definition("daily").param("a", "b"));
    assert_problem(storage.put_pipeline(absent).await, Problem::AlreadyExists);
    assert_eq!(snapshot(storage).await, before);
}

/// A save that expects a pipeline, at any version or at one, MUST be refused if it is absent.
pub async fn replacing_an_absent_pipeline_is_not_found(storage: &dyn Storage) {
    let before = snapshot(storage).await;
    for expect in [Expect::Present, Expect::Version(1)] {
        let mut present = put("daily");
        present.expect = expect;
        assert_problem(
            storage.put_pipeline(present).await,
            Problem::PipelineNotFound,
        );
    }
    assert_eq!(snapshot(storage).await, before);
}

/// A save that expects a version MUST succeed at that version and be refused at any other.
pub async fn a_save_that_expects_another_version_is_refused(storage: &dyn Storage) {
    save(storage, "daily").await;
    let mut second = put("daily");
    second.definition = Arc::new(definition("daily").param("a", "b"));
    second.expect = Expect::Version(1);
    assert_eq!(
        storage.put_pipeline(second.clone()).await.unwrap().version,
        2
    );
    let before = snapshot(storage).await;
    second.definition = Arc::new(definition("daily"));
    assert_problem(
        storage.put_pipeline(second).await,
        Problem::PreconditionFailed,
    );
    assert_eq!(snapshot(storage).await, before);
}

/// A save that expects a pipeline MUST replace it.
pub async fn replacing_an_existing_pipeline_succeeds(storage: &dyn Storage) {
    save(storage, "daily").await;
    let mut second = put("daily");
    second.definition = Arc::new(definition("daily").param("a", "b"));
    second.expect = Expect::Present;
    assert_eq!(storage.put_pipeline(second).await.unwrap().version, 2);
}

/// A pipeline MUST belong to the tenant that created it, even if another caller saves it later.
pub async fn a_pipeline_belongs_to_the_tenant_that_created_it(storage: &dyn Storage) {
    let first = save_for(storage, "daily", "ann").await;
    assert_eq!(first.tenant.as_ref().map(AsRef::as_ref), Some("ann"));
    let mut second = put("daily");
    second.definition = Arc::new(definition("daily").param("a", "b"));
    let second = storage.put_pipeline(second).await.unwrap();
    assert_eq!(second.tenant, first.tenant);
}

/// A pipeline of another tenant MUST look absent to finds, deletes and replacing saves.
pub async fn a_pipeline_of_another_tenant_is_hidden(storage: &dyn Storage) {
    let stored = save_for(storage, "daily", "ann").await;
    let before = snapshot(storage).await;
    let ben = scope("ben");
    let found = storage.find_pipeline("daily", &ben).await.unwrap();
    assert_eq!(found, None);
    let mut delete = DeletePipeline::new(stored.id.clone(), at(1));
    delete.scope = ben.clone();
    let deleted = storage.delete_pipeline(delete).await;
    assert_problem(deleted, Problem::PipelineNotFound);
    let mut change = put("daily");
    (change.scope, change.expect) = (ben, Expect::Present);
    assert_problem(
        storage.put_pipeline(change).await,
        Problem::PipelineNotFound,
    );
    assert_eq!(snapshot(storage).await, before);
}

/// An id or a slug that another tenant uses MUST be free, as an id and as a slug.
pub async fn an_id_or_slug_of_another_tenant_is_free(storage: &dyn Storage) {
    let anns = save_for(storage, "daily", "ann").await;
    for expect in [Expect::Absent, Expect::Any, Expect::Version(1)] {
        let mut same_id = put("daily");
        (same_id.scope, same_id.expect) = (scope("ben"), expect);
        let stored = storage.put_pipeline(same_id).await.unwrap();
        assert_eq!((stored.slug.as_str(), stored.version), ("daily", 1));
        assert_eq!(stored.tenant.as_ref(), scope("ben").tenant());
    }
    for (id, slug_choice) in [
        ("p-2", SlugChoice::Given(slug("daily"))),
        ("p-3", SlugChoice::Derived(slug("p-2"))),
    ] {
        let mut same_slug = put(id);
        (same_slug.slug, same_slug.scope) = (slug_choice, Scope::NoTenant);
        storage.put_pipeline(same_slug).await.unwrap();
    }
    let derived = storage
        .find_pipeline("p-3", &Scope::NoTenant)
        .await
        .unwrap();
    assert_eq!(derived.unwrap().slug.as_str(), "p-2-2");
    let kept = storage.find_pipeline("daily", &scope("ann")).await.unwrap();
    assert_eq!(kept, Some(anns));
}

/// A deleted pipeline MUST NOT be found, and its slug MUST be free for another one.
pub async fn deleting_a_pipeline_frees_its_slug(storage: &dyn Storage) {
    let stored = save(storage, "daily").await;
    storage
        .delete_pipeline(DeletePipeline::new(stored.id.clone(), at(1)))
        .await
        .unwrap();
    let found = storage.find_pipeline("daily", &Scope::All).await.unwrap();
    assert_eq!(found, None);
    let mut other = put("p-2");
    other.slug = SlugChoice::Given(slug("daily"));
    storage.put_pipeline(other).await.unwrap();
}

/// Deleting a pipeline that is missing or was deleted before MUST be refused.
pub async fn deleting_an_absent_pipeline_is_not_found(storage: &dyn Storage) {
    let stored = save(storage, "daily").await;
    let missing = pipeline_id("missing");
    let deleted = storage
        .delete_pipeline(DeletePipeline::new(missing.clone(), at(1)))
        .await;
    assert_problem(deleted, Problem::PipelineNotFound);
    storage
        .delete_pipeline(DeletePipeline::new(stored.id.clone(), at(1)))
        .await
        .unwrap();
    let again = storage
        .delete_pipeline(DeletePipeline::new(stored.id.clone(), at(2)))
        .await;
    assert_problem(again, Problem::PipelineNotFound);
}

/// Deleting a pipeline MUST be refused while one of its runs is pending or running.
pub async fn a_pipeline_with_active_runs_cannot_be_deleted(storage: &dyn Storage) {
    let run = pending_run(storage, 1).await;
    let daily = pipeline_id("daily");
    let before = snapshot(storage).await;
    let deleted = storage
        .delete_pipeline(DeletePipeline::new(daily.clone(), at(1)))
        .await;
    assert_problem(deleted, Problem::PipelineActive);
    assert_eq!(snapshot(storage).await, before);
    let mut driver = Driver::new(&claim_one(storage, claim(1, 10), run).await);
    let deleted = storage
        .delete_pipeline(DeletePipeline::new(daily.clone(), at(1)))
        .await;
    assert_problem(deleted, Problem::PipelineActive);
    driver
        .append(storage, [run_finished(1, RunStatus::Success)])
        .await;
    storage
        .delete_pipeline(DeletePipeline::new(daily.clone(), at(2_000)))
        .await
        .unwrap();
}

/// The runs of a deleted pipeline MUST stay readable, with the definition that they executed.
pub async fn runs_of_a_deleted_pipeline_stay_readable(storage: &dyn Storage) {
    let run = finished_run(storage, 1, RunStatus::Failed).await;
    let before = read_run(storage, run).await;
    let daily = pipeline_id("daily");
    storage
        .delete_pipeline(DeletePipeline::new(daily.clone(), at(2_000)))
        .await
        .unwrap();
    assert_eq!(read_run(storage, run).await, before);
    assert_eq!(*before.definition, definition("daily"));
}

/// Deleting a pipeline MUST delete its idempotency keys.
pub async fn deleting_a_pipeline_deletes_its_idempotency_keys(storage: &dyn Storage) {
    save(storage, "daily").await;
    let first = with_key(1, "once", 1);
    let key = first.idempotency.clone().unwrap();
    storage.create_runs(first).await.unwrap();
    let mut driver = Driver::new(&claim_one(storage, claim(1, 10), run_id(1)).await);
    driver
        .append(storage, [run_finished(1, RunStatus::Success)])
        .await;
    let daily = pipeline_id("daily");
    storage
        .delete_pipeline(DeletePipeline::new(daily.clone(), at(2_000)))
        .await
        .unwrap();
    assert_eq!(first_creation(storage, &key).await, None);
}

/// The id of a deleted pipeline can be used again. Its versions MUST continue, and `created_at`
/// MUST be the time of the new save. The versions of another tenant MUST begin at 1.
pub async fn a_recreated_pipeline_continues_its_versions(storage: &dyn Storage) {
    let stored = save(storage, "daily").await;
    storage
        .delete_pipeline(DeletePipeline::new(stored.id.clone(), at(1)))
        .await
        .unwrap();
    for (scope, version) in [(scope("ann"), 1), (Scope::All, 2)] {
        let mut again = put("daily");
        (again.now, again.expect, again.scope) = (at(5), Expect::Absent, scope.clone());
        let recreated = storage.put_pipeline(again).await.unwrap();
        assert_eq!((recreated.version, recreated.created_at), (version, at(5)));
        assert_eq!(recreated.tenant.as_ref(), scope.tenant());
    }
}

/// A run MUST keep the pipeline version that it was created with.
pub async fn a_run_keeps_its_pipeline_version(storage: &dyn Storage) {
    let run = pending_run(storage, 1).await;
    let mut changed = put("daily");
    changed.definition = Arc::new(definition("daily").param("a", "b"));
    storage.put_pipeline(changed).await.unwrap();
    let old = read_run(storage, run).await;
    assert_eq!(old.run.pipeline_version, 1);
    assert_eq!(*old.definition, definition("daily"));
    let mut second = new_run(2, "daily");
    second.pipeline_version = 2;
    create(storage, second).await.unwrap();
    let claimed = claim_one(storage, claim(1, 10), run).await;
    assert_eq!(*claimed.definition, definition("daily"));
}

/// Creating a run on a version that a save has replaced in the meantime MUST succeed.
pub async fn a_run_can_be_created_on_a_replaced_version(storage: &dyn Storage) {
    save(storage, "daily").await;
    let mut changed = put("daily");
    changed.definition = Arc::new(definition("daily").param("a", "b"));
    storage.put_pipeline(changed).await.unwrap();
    create(storage, new_run(1, "daily")).await.unwrap();
    let old = read_run(storage, run_id(1)).await;
    assert_eq!(*old.definition, definition("daily"));
}
