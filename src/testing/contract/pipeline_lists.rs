//! The lists of pipelines: their order, pages and filters.
//!
//! `pipelines` covers saves and deletes.

use std::sync::Arc;

use super::fixtures::{assert_problem, at, definition, pipeline_id, put, save_for, scope};
use crate::error::Problem;
use crate::model::PageRequest;
use crate::storage::{DeletePipeline, PipelineFilter, Storage};

/// Saves pipelines, one per second.
async fn save_each(storage: &dyn Storage, ids: &[&str]) {
    for (second, id) in (0..).zip(ids) {
        let mut put = put(id);
        put.now = at(second);
        storage.put_pipeline(put).await.unwrap();
    }
}

fn after(cursor: Option<&str>, limit: u32) -> PageRequest {
    let cursor = cursor.map(str::to_owned);
    PageRequest::After { cursor, limit }
}

/// Returns the ids of a page, its total and its cursor.
async fn page(
    storage: &dyn Storage,
    filter: PipelineFilter,
    page: PageRequest,
) -> (Vec<String>, Option<u64>, Option<String>) {
    let page = storage.list_pipelines(filter, page).await.unwrap();
    let ids = page.items.iter().map(|stored| stored.id.to_string());
    (ids.collect(), page.total, page.next)
}

/// Pipelines MUST be listed newest first, and by descending id if they were created at the same
/// time.
pub async fn pipelines_are_listed_newest_first(storage: &dyn Storage) {
    save_each(storage, &["b", "a"]).await;
    for id in ["c", "d"] {
        let mut put = put(id);
        put.now = at(1);
        storage.put_pipeline(put).await.unwrap();
    }
    let newest = PageRequest::Newest { limit: 50 };
    let (ids, total, next) = page(storage, PipelineFilter::default(), newest).await;
    assert_eq!(ids, ["d", "c", "a", "b"]);
    assert_eq!((total, next), (None, None));
}

/// A cursor MUST continue after the previous page, even if its pipeline was deleted since.
pub async fn a_cursor_works_after_its_pipeline_is_deleted(storage: &dyn Storage) {
    save_each(storage, &["a", "b", "c", "d"]).await;
    let all = PipelineFilter::default;
    let (ids, total, next) = page(storage, all(), after(None, 2)).await;
    assert_eq!((ids, total), (vec!["d".to_owned(), "c".to_owned()], None));
    assert_eq!(next.as_deref(), Some("c"));
    let deleted = pipeline_id("c");
    storage
        .delete_pipeline(DeletePipeline::new(deleted.clone(), at(9)))
        .await
        .unwrap();
    let (ids, _, next) = page(storage, all(), after(Some("c"), 1)).await;
    assert_eq!(
        (ids.as_slice(), next.as_deref()),
        (&["b".to_owned()][..], Some("b"))
    );
    let (ids, _, next) = page(storage, all(), after(Some("b"), 1)).await;
    assert_eq!((ids.as_slice(), next), (&["a".to_owned()][..], None));
}

/// A cursor that never was a pipeline, or is one of another tenant, MUST be refused.
pub async fn an_unknown_cursor_is_refused(storage: &dyn Storage) {
    save_for(storage, "daily", "ann").await;
    let foreign = PipelineFilter {
        scope: scope("ben"),
        ..PipelineFilter::default()
    };
    for (filter, cursor) in [
        (PipelineFilter::default(), "missing"),
        (foreign, "ann/daily"),
    ] {
        let listed = storage.list_pipelines(filter, after(Some(cursor), 2)).await;
        assert_problem(listed, Problem::InvalidParameter);
    }
}

/// A numbered page MUST return the total.
pub async fn numbered_pages_return_the_total(storage: &dyn Storage) {
    save_each(storage, &["a", "b", "c"]).await;
    for (number, expected) in [(1, &["c", "b"][..]), (2, &["a"]), (3, &[])] {
        let numbered = PageRequest::Numbered {
            page: number,
            per_page: 2,
        };
        let (ids, total, _) = page(storage, PipelineFilter::default(), numbered).await;
        assert_eq!(
            (ids.as_slice(), total),
            (
                &expected
                    .iter()
                    .map(|id| (*id).to_owned())
                    .collect::<Vec<_>>()[..],
                Some(3)
            )
        );
    }
}

/// The filters by tag, `enabled` and tenant MUST apply together, to the total too.
pub async fn all_filters_apply_together(storage: &dyn Storage) {
    for (id, tag, enabled, tenant) in [
        ("a", "money", true, "ann"),
        ("b", "money", false, "ann"),
        ("c", "other", true, "ann"),
        ("d", "money", true, "ben"),
    ] {
        let mut put = put(id);
        let mut pipeline = definition(id);
        (pipeline.tags, pipeline.enabled) = (vec![tag.to_owned()], enabled);
        (put.definition, put.scope) = (Arc::new(pipeline), scope(tenant));
        storage.put_pipeline(put).await.unwrap();
    }
    let mut filter = PipelineFilter::default();
    (filter.scope, filter.enabled) = (scope("ann"), Some(true));
    filter.tag = Some("money".to_owned());
    let numbered = PageRequest::Numbered {
        page: 1,
        per_page: 10,
    };
    let (ids, total, _) = page(storage, filter, numbered).await;
    assert_eq!((ids.as_slice(), total), (&["a".to_owned()][..], Some(1)));
}
