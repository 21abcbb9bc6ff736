//! How pipelines are listed.
//!
//! How they are saved is promised in `pipelines`.

use std::sync::Arc;

use super::fixtures::{at, definition, pipeline_id, put, refused_as, save_for, scope};
use crate::error::Problem;
use crate::model::PageRequest;
use crate::storage::{DeletePipeline, PipelineFilter, Storage};

/// Saves pipelines, one a second.
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

/// The ids of a page, its total and its cursor.
async fn page(
    storage: &dyn Storage,
    filter: PipelineFilter,
    page: PageRequest,
) -> (Vec<String>, Option<u64>, Option<String>) {
    let page = storage.list_pipelines(filter, page).await.unwrap();
    let ids = page.items.iter().map(|stored| stored.id.to_string());
    (ids.collect(), page.total, page.next)
}

/// The newest come first, equal ones by id descending.
pub async fn the_newest_come_first_and_equal_ones_by_id(storage: &dyn Storage) {
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

/// A cursor goes on where the page before ended, though its pipeline was deleted since.
pub async fn a_cursor_goes_on_though_its_pipeline_was_deleted(storage: &dyn Storage) {
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

/// A cursor that was never an item, or another tenant's, is refused.
pub async fn a_cursor_that_is_none_is_malformed(storage: &dyn Storage) {
    save_for(storage, "daily", "ann").await;
    let foreign = PipelineFilter {
        scope: scope("ben"),
        ..PipelineFilter::default()
    };
    for (filter, cursor) in [(PipelineFilter::default(), "missing"), (foreign, "daily")] {
        let listed = storage.list_pipelines(filter, after(Some(cursor), 2)).await;
        refused_as(listed, Problem::InvalidParameter);
    }
}

/// Numbered pages tell the total.
pub async fn numbered_pages_tell_the_total(storage: &dyn Storage) {
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

/// Filters by tag, by being enabled and by tenant hold together, and for the total too.
pub async fn filters_hold_together(storage: &dyn Storage) {
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
