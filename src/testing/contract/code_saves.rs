//! Saves by the host's code: who manages a pipeline, and which edits of callers stay.
//!
//! Which `enabled` stays is left to `enabled`.

use std::sync::Arc;

use super::fixtures::{at, pipeline_id, put, slug};
use crate::model::{Managed, PageRequest, Pipeline, Scope, StoredPipeline};
use crate::storage::{DeletePipeline, PipelineFilter, SavedBy, SlugChoice, Storage};

/// Returns the definition of `daily` with a description.
fn described(description: &str) -> Pipeline {
    super::fixtures::definition("daily").description(description)
}

async fn save(
    storage: &dyn Storage,
    saved_by: SavedBy,
    definition: Pipeline,
    seconds: i64,
) -> StoredPipeline {
    let mut put = put("daily");
    if let Some(given) = &definition.slug {
        put.slug = SlugChoice::Given(slug(given));
    }
    put.definition = Arc::new(Pipeline {
        slug: None,
        ..definition
    });
    put.saved_by = saved_by;
    put.now = at(seconds);
    storage.put_pipeline(put).await.unwrap()
}

/// Returns the ids of the pipelines that are managed this way.
async fn managed(storage: &dyn Storage, managed: Managed) -> Vec<String> {
    let filter = PipelineFilter {
        managed: Some(managed),
        ..PipelineFilter::default()
    };
    let page = PageRequest::Newest { limit: 10 };
    let found = storage.list_pipelines(filter, page).await.unwrap();
    let ids = found.items.iter().map(|found| found.id.to_string());
    ids.collect()
}

/// A save MUST decide who manages the pipeline, and a change of that MUST be a new version.
pub async fn a_save_decides_who_manages_a_pipeline(storage: &dyn Storage) {
    use SavedBy::{Caller, Code, Removal};
    for (n, (saved_by, expected, version)) in (0..).zip([
        (Caller, Managed::Api, 1),
        (Code, Managed::Code, 2),
        (Code, Managed::Code, 2),
        (Caller, Managed::Code, 2),
        (Removal, Managed::Api, 3),
        (Caller, Managed::Api, 3),
    ]) {
        let stored = save(storage, saved_by, described("a"), n).await;
        assert_eq!((stored.managed, stored.version), (expected, version), "{n}");
        let found = storage.find_pipeline("daily", &Scope::All).await.unwrap();
        assert_eq!(found, Some(stored), "{n}");
        assert_eq!(managed(storage, expected).await, ["daily"], "{n}");
        let all = managed(storage, Managed::Api).await.len()
            + managed(storage, Managed::Code).await.len();
        assert_eq!(all, 1, "{n}");
    }
}

/// A save by code that repeats the last one MUST leave the edit of a caller and change nothing. One
/// that differs from the last one MUST replace the edit.
pub async fn an_edit_stays_until_the_code_changes(storage: &dyn Storage) {
    use SavedBy::{Caller, Code};
    save(storage, Code, described("a"), 0).await;
    let edited = save(storage, Caller, described("edited").slug("edited"), 1).await;
    for seconds in 2..4 {
        let kept = save(storage, Code, described("a"), seconds).await;
        assert_eq!(kept, edited);
    }
    let replaced = save(storage, Code, described("b"), 4).await;
    assert_eq!(replaced.definition.description, "b");
    assert_eq!(replaced.slug, slug("daily"));
    let edited = save(storage, Caller, described("a"), 5).await;
    assert_eq!(save(storage, Code, described("b"), 6).await, edited);
}

/// A save by code MUST decide about `enabled` apart from the edit that it leaves.
pub async fn a_kept_edit_takes_a_change_of_enabled(storage: &dyn Storage) {
    use SavedBy::{Caller, Code};
    save(storage, Code, described("a"), 0).await;
    save(storage, Caller, described("edited").disabled(), 1).await;
    let kept = save(storage, Code, described("a"), 2).await;
    assert_eq!(*kept.definition, described("edited").disabled());
    save(storage, Code, described("a").disabled(), 3).await;
    for seconds in 4..6 {
        let enabled = save(storage, Code, described("a"), seconds).await;
        assert_eq!(*enabled.definition, described("edited"));
        assert_eq!(enabled.version, 3);
    }
}

/// A pipeline that a caller has only disabled MUST take a slug from the code.
pub async fn a_disabled_pipeline_is_no_edit(storage: &dyn Storage) {
    save(storage, SavedBy::Code, described("a"), 0).await;
    save(storage, SavedBy::Caller, described("a").disabled(), 1).await;
    let stored = save(storage, SavedBy::Code, described("a").slug("new"), 2).await;
    assert_eq!(stored.slug, slug("new"));
    assert!(!stored.definition.enabled);
}

/// A save by code of a pipeline that was deleted or that the code had lost MUST take the code's
/// definition.
pub async fn a_pipeline_that_is_back_forgets_its_edits(storage: &dyn Storage) {
    use SavedBy::{Caller, Code, Removal};
    save(storage, Code, described("a"), 0).await;
    save(storage, Removal, described("a").disabled(), 1).await;
    save(storage, Caller, described("edited").disabled(), 2).await;
    let back = save(storage, Code, described("a"), 3).await;
    assert_eq!(*back.definition, described("a"));
    save(storage, Caller, described("edited"), 4).await;
    let delete = DeletePipeline::new(pipeline_id("daily"), at(5));
    storage.delete_pipeline(delete).await.unwrap();
    let created = save(storage, Caller, described("a"), 6).await;
    assert_eq!(created.managed, Managed::Api);
    let back = save(storage, Code, described("a"), 7).await;
    assert_eq!(*back.definition, described("a"));
    assert_eq!(back.managed, Managed::Code);
}
