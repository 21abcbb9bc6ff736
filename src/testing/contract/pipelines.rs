//! Saving, finding and deleting definitions.
//!
//! How they are listed is promised in `pipeline_lists`, their slugs in `slugs`.

use std::sync::Arc;

use super::fixtures::{
    Driver, at, claim, claim_one, create, definition, end_of, ended, found, new_run, pending,
    pipeline_id, put, refused_as, run_id, save, save_for, scope, slug, snapshot, with_key,
};
use crate::error::Problem;
use crate::model::{RunStatus, Scope};
use crate::storage::{DeletePipeline, Expect, SlugChoice, Storage};

/// A first save makes version 1.
pub async fn a_first_save_is_version_one(storage: &dyn Storage) {
    let stored = save(storage, "daily").await;
    assert_eq!((stored.version, stored.slug.as_str()), (1, "daily"));
    assert_eq!((stored.created_at, stored.updated_at), (at(0), at(0)));
    assert_eq!(*stored.definition, definition("daily"));
}

/// A pipeline is found by its id and by its slug, and by nothing else.
pub async fn a_pipeline_is_found_by_its_id_and_by_its_slug(storage: &dyn Storage) {
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

/// A save that changes nothing keeps the version and the time of the last change.
pub async fn a_save_that_changes_nothing_keeps_version_and_time(storage: &dyn Storage) {
    let first = save(storage, "daily").await;
    let mut again = put("daily");
    again.now = at(5);
    assert_eq!(storage.put_pipeline(again).await.unwrap(), first);
}

/// A changed definition raises the version by one.
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

/// A pipeline that is expected absent and is there conflicts.
pub async fn a_pipeline_expected_absent_conflicts(storage: &dyn Storage) {
    let mut absent = put("daily");
    absent.expect = Expect::Absent;
    storage.put_pipeline(absent.clone()).await.unwrap();
    let before = snapshot(storage).await;
    absent.definition = Arc::new(definition("daily").param("a", "b"));
    refused_as(storage.put_pipeline(absent).await, Problem::AlreadyExists);
    assert_eq!(snapshot(storage).await, before);
}

/// A pipeline that is expected present, at any version or at one, and is absent is not found.
pub async fn a_pipeline_expected_present_is_not_found(storage: &dyn Storage) {
    let before = snapshot(storage).await;
    for expect in [Expect::Present, Expect::Version(1)] {
        let mut present = put("daily");
        present.expect = expect;
        refused_as(
            storage.put_pipeline(present).await,
            Problem::PipelineNotFound,
        );
    }
    assert_eq!(snapshot(storage).await, before);
}

/// A save is taken at the version that it expects and at no other.
pub async fn a_save_at_another_version_fails_its_precondition(storage: &dyn Storage) {
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
    refused_as(
        storage.put_pipeline(second).await,
        Problem::PreconditionFailed,
    );
    assert_eq!(snapshot(storage).await, before);
}

/// A pipeline that is expected present is replaced.
pub async fn a_pipeline_expected_present_is_replaced(storage: &dyn Storage) {
    save(storage, "daily").await;
    let mut second = put("daily");
    second.definition = Arc::new(definition("daily").param("a", "b"));
    second.expect = Expect::Present;
    assert_eq!(storage.put_pipeline(second).await.unwrap().version, 2);
}

/// A pipeline belongs to the tenant that made it, whoever saves it later.
pub async fn a_pipeline_belongs_to_the_tenant_that_made_it(storage: &dyn Storage) {
    let first = save_for(storage, "daily", "ann").await;
    assert_eq!(first.tenant.as_ref().map(AsRef::as_ref), Some("ann"));
    let mut second = put("daily");
    second.definition = Arc::new(definition("daily").param("a", "b"));
    let second = storage.put_pipeline(second).await.unwrap();
    assert_eq!(second.tenant, first.tenant);
}

/// Another tenant's pipeline reads as absent.
pub async fn a_foreign_pipeline_reads_as_absent(storage: &dyn Storage) {
    let stored = save_for(storage, "daily", "ann").await;
    let before = snapshot(storage).await;
    let ben = scope("ben");
    let found = storage.find_pipeline("daily", &ben).await.unwrap();
    assert_eq!(found, None);
    let mut delete = DeletePipeline::new(stored.id.clone(), at(1));
    delete.scope = ben.clone();
    let deleted = storage.delete_pipeline(delete).await;
    refused_as(deleted, Problem::PipelineNotFound);
    let mut change = put("daily");
    (change.scope, change.expect) = (ben, Expect::Present);
    refused_as(
        storage.put_pipeline(change).await,
        Problem::PipelineNotFound,
    );
    assert_eq!(snapshot(storage).await, before);
}

/// Another tenant's id and slug are taken.
pub async fn a_foreign_id_and_slug_are_taken(storage: &dyn Storage) {
    save_for(storage, "daily", "ann").await;
    let before = snapshot(storage).await;
    for expect in [Expect::Absent, Expect::Any] {
        let mut same_id = put("daily");
        (same_id.scope, same_id.expect) = (scope("ben"), expect);
        refused_as(storage.put_pipeline(same_id).await, Problem::AlreadyExists);
    }
    let mut same_slug = put("p-2");
    same_slug.slug = SlugChoice::Given(slug("daily"));
    same_slug.scope = scope("ben");
    refused_as(
        storage.put_pipeline(same_slug).await,
        Problem::AlreadyExists,
    );
    assert_eq!(snapshot(storage).await, before);
}

/// A deleted pipeline is gone and its slug is free.
pub async fn a_deleted_pipeline_is_gone_and_its_slug_is_free(storage: &dyn Storage) {
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

/// Deleting an absent pipeline, a deleted one too, is refused.
pub async fn deleting_an_absent_pipeline_is_not_found(storage: &dyn Storage) {
    let stored = save(storage, "daily").await;
    let missing = pipeline_id("missing");
    let deleted = storage
        .delete_pipeline(DeletePipeline::new(missing.clone(), at(1)))
        .await;
    refused_as(deleted, Problem::PipelineNotFound);
    storage
        .delete_pipeline(DeletePipeline::new(stored.id.clone(), at(1)))
        .await
        .unwrap();
    let again = storage
        .delete_pipeline(DeletePipeline::new(stored.id.clone(), at(2)))
        .await;
    refused_as(again, Problem::PipelineNotFound);
}

/// A pipeline cannot be deleted while a run of it is pending or running.
pub async fn a_pipeline_with_active_runs_is_not_deleted(storage: &dyn Storage) {
    let run = pending(storage, 1).await;
    let daily = pipeline_id("daily");
    let before = snapshot(storage).await;
    let deleted = storage
        .delete_pipeline(DeletePipeline::new(daily.clone(), at(1)))
        .await;
    refused_as(deleted, Problem::PipelineActive);
    assert_eq!(snapshot(storage).await, before);
    let mut driver = Driver::of(&claim_one(storage, claim(1, 10), run).await);
    let deleted = storage
        .delete_pipeline(DeletePipeline::new(daily.clone(), at(1)))
        .await;
    refused_as(deleted, Problem::PipelineActive);
    driver
        .append(storage, [end_of(1, RunStatus::Success)])
        .await;
    storage
        .delete_pipeline(DeletePipeline::new(daily.clone(), at(2_000)))
        .await
        .unwrap();
}

/// The runs of a deleted pipeline stay readable, with the definition that they ran.
pub async fn runs_of_a_deleted_pipeline_stay_readable(storage: &dyn Storage) {
    let run = ended(storage, 1, RunStatus::Failed).await;
    let before = found(storage, run).await;
    let daily = pipeline_id("daily");
    storage
        .delete_pipeline(DeletePipeline::new(daily.clone(), at(2_000)))
        .await
        .unwrap();
    assert_eq!(found(storage, run).await, before);
    assert_eq!(*before.definition, definition("daily"));
}

/// The idempotency keys of a deleted pipeline end.
pub async fn a_deleted_pipeline_ends_its_keys(storage: &dyn Storage) {
    save(storage, "daily").await;
    let first = with_key(1, "once", 1);
    let key = first.idempotency.clone().unwrap();
    storage.create_runs(first).await.unwrap();
    let mut driver = Driver::of(&claim_one(storage, claim(1, 10), run_id(1)).await);
    driver
        .append(storage, [end_of(1, RunStatus::Success)])
        .await;
    let daily = pipeline_id("daily");
    storage
        .delete_pipeline(DeletePipeline::new(daily.clone(), at(2_000)))
        .await
        .unwrap();
    assert_eq!(storage.find_idempotent(&key).await.unwrap(), None);
}

/// The id of a deleted pipeline may be taken again; its versions go on, its creation starts anew.
pub async fn a_revived_pipeline_goes_on_with_its_versions(storage: &dyn Storage) {
    let stored = save(storage, "daily").await;
    storage
        .delete_pipeline(DeletePipeline::new(stored.id.clone(), at(1)))
        .await
        .unwrap();
    let mut again = put("daily");
    (again.now, again.expect, again.scope) = (at(5), Expect::Absent, scope("ann"));
    let revived = storage.put_pipeline(again).await.unwrap();
    assert_eq!((revived.version, revived.created_at), (2, at(5)));
    assert_eq!(revived.tenant.as_ref().map(AsRef::as_ref), Some("ann"));
}

/// A run stays on the version that it was made on.
pub async fn a_run_stays_on_its_version(storage: &dyn Storage) {
    let run = pending(storage, 1).await;
    let mut changed = put("daily");
    changed.definition = Arc::new(definition("daily").param("a", "b"));
    storage.put_pipeline(changed).await.unwrap();
    let old = found(storage, run).await;
    assert_eq!(old.run.pipeline_version, 1);
    assert_eq!(*old.definition, definition("daily"));
    let mut second = new_run(2, "daily");
    second.pipeline_version = 2;
    create(storage, second).await.unwrap();
    let claimed = claim_one(storage, claim(1, 10), run).await;
    assert_eq!(*claimed.definition, definition("daily"));
}

/// A run may be made on a version that was replaced while it was on its way.
pub async fn a_replaced_version_still_takes_runs(storage: &dyn Storage) {
    save(storage, "daily").await;
    let mut changed = put("daily");
    changed.definition = Arc::new(definition("daily").param("a", "b"));
    storage.put_pipeline(changed).await.unwrap();
    create(storage, new_run(1, "daily")).await.unwrap();
    let old = found(storage, run_id(1)).await;
    assert_eq!(*old.definition, definition("daily"));
}
