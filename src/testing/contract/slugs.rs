//! The slugs of pipelines: given or derived, and unique.
//!
//! `pipelines` covers the rest of a save.

use super::fixtures::{assert_problem, at, pipeline_id, put, save, slug, snapshot};
use crate::error::Problem;
use crate::model::Scope;
use crate::storage::{DeletePipeline, SlugChoice, Storage};

/// A changed slug MUST raise the version by one and free the old slug.
pub async fn a_changed_slug_raises_the_version_by_one(storage: &dyn Storage) {
    save(storage, "p-1").await;
    let mut first = put("p-1");
    first.slug = SlugChoice::Given(slug("daily"));
    storage.put_pipeline(first.clone()).await.unwrap();
    first.slug = SlugChoice::Given(slug("nightly"));
    assert_eq!(storage.put_pipeline(first).await.unwrap().version, 3);
    let old = storage.find_pipeline("daily", &Scope::All).await.unwrap();
    assert_eq!(old, None);
    let mut second = put("p-2");
    second.slug = SlugChoice::Given(slug("daily"));
    storage.put_pipeline(second).await.unwrap();
}

/// A given slug that another pipeline has MUST be refused.
pub async fn a_given_slug_that_is_taken_conflicts(storage: &dyn Storage) {
    let mut first = put("p-1");
    first.slug = SlugChoice::Given(slug("daily"));
    storage.put_pipeline(first).await.unwrap();
    let before = snapshot(storage).await;
    let mut second = put("p-2");
    second.slug = SlugChoice::Given(slug("daily"));
    assert_problem(storage.put_pipeline(second).await, Problem::AlreadyExists);
    assert_eq!(snapshot(storage).await, before);
}

/// An id that is the slug of another pipeline MUST be refused, and so MUST a slug that is the id of
/// another pipeline.
pub async fn an_id_conflicts_with_the_slug_of_another_pipeline(storage: &dyn Storage) {
    let mut first = put("p-1");
    first.slug = SlugChoice::Given(slug("daily"));
    storage.put_pipeline(first).await.unwrap();
    let before = snapshot(storage).await;
    let mut second = put("daily");
    second.slug = SlugChoice::Given(slug("nightly"));
    assert_problem(storage.put_pipeline(second).await, Problem::AlreadyExists);
    let mut third = put("p-3");
    third.slug = SlugChoice::Given(slug("p-1"));
    assert_problem(storage.put_pipeline(third).await, Problem::AlreadyExists);
    assert_eq!(snapshot(storage).await, before);
}

/// A derived slug that is taken MUST get the first number that is free.
pub async fn a_derived_slug_takes_the_first_free_number(storage: &dyn Storage) {
    for (id, expected) in [("p-1", "daily"), ("p-2", "daily-2"), ("p-3", "daily-3")] {
        let mut put = put(id);
        put.slug = SlugChoice::Derived(slug("daily"));
        let stored = storage.put_pipeline(put).await.unwrap();
        assert_eq!(stored.slug.as_str(), expected);
    }
    let second = pipeline_id("p-2");
    storage
        .delete_pipeline(DeletePipeline::new(second.clone(), at(1)))
        .await
        .unwrap();
    let mut put = put("p-4");
    put.slug = SlugChoice::Derived(slug("daily"));
    let stored = storage.put_pipeline(put).await.unwrap();
    assert_eq!(stored.slug.as_str(), "daily-2");
}

/// A derived slug MUST NOT equal the id of another pipeline.
pub async fn a_derived_slug_avoids_the_id_of_another_pipeline(storage: &dyn Storage) {
    let mut first = put("daily");
    first.slug = SlugChoice::Given(slug("nightly"));
    storage.put_pipeline(first).await.unwrap();
    let mut second = put("p-2");
    second.slug = SlugChoice::Derived(slug("daily"));
    let stored = storage.put_pipeline(second).await.unwrap();
    assert_eq!(stored.slug.as_str(), "daily-2");
}

/// A pipeline MUST keep its derived slug, even if a smaller number is free by now.
pub async fn a_pipeline_keeps_its_derived_slug(storage: &dyn Storage) {
    for id in ["p-1", "p-2"] {
        let mut put = put(id);
        put.slug = SlugChoice::Derived(slug("daily"));
        storage.put_pipeline(put).await.unwrap();
    }
    let first = pipeline_id("p-1");
    storage
        .delete_pipeline(DeletePipeline::new(first.clone(), at(1)))
        .await
        .unwrap();
    let mut again = put("p-2");
    again.slug = SlugChoice::Derived(slug("daily"));
    let stored = storage.put_pipeline(again.clone()).await.unwrap();
    assert_eq!((stored.slug.as_str(), stored.version), ("daily-2", 1));
    again.slug = SlugChoice::Derived(slug("nightly"));
    let stored = storage.put_pipeline(again).await.unwrap();
    assert_eq!((stored.slug.as_str(), stored.version), ("nightly", 2));
}
