//! The lists of pipelines: their order, pages and filters.
//!
//! `pipelines` covers saves and deletes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::fixtures::{assert_problem, at, definition, pipeline_id, put, save_for, scope, slug};
use crate::error::Problem;
use crate::model::{PageRequest, Scope};
use crate::storage::{
    DeletePipeline, PipelineFilter, PutPipeline, SearchText, SlugChoice, Storage,
};

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

/// Returns a request to save a pipeline with this name and description.
fn put_named(id: &str, name: &str, description: &str) -> PutPipeline {
    let mut pipeline = definition(id);
    (pipeline.name, pipeline.description) = (name.to_owned(), description.to_owned());
    let mut put = put(id);
    put.definition = Arc::new(pipeline);
    put
}

fn with_text(text: &str, scope: Scope) -> PipelineFilter {
    let mut filter = PipelineFilter::default();
    (filter.text, filter.scope) = (Some(SearchText::new(text)), scope);
    filter
}

/// Returns the qualified ids of the pipelines in a scope that contain a text.
async fn found(storage: &dyn Storage, text: &str, scope: Scope) -> Vec<String> {
    let newest = PageRequest::Newest { limit: 100 };
    let page = storage.list_pipelines(with_text(text, scope), newest).await;
    let items = page.unwrap().items.into_iter();
    items.map(|item| item.qualified_id().to_string()).collect()
}

/// A filter by text MUST admit the pipelines whose name, id, slug or description contains it,
/// regardless of case.
pub async fn a_text_is_found_in_each_text_of_a_pipeline(storage: &dyn Storage) {
    let mut streets = put_named("a-1", "Ärger mit Straßen", "What GOES wrong");
    streets.slug = SlugChoice::Given(slug("roads"));
    storage.put_pipeline(streets).await.unwrap();
    let mut users = put_named("users", "Everyone", "Who pays\u{0}");
    users.now = at(1);
    storage.put_pipeline(users).await.unwrap();
    for (text, ids) in [
        ("STRASSE", &["a-1"][..]),
        ("ärger", &["a-1"]),
        ("ROAD", &["a-1"]),
        ("A-1", &["a-1"]),
        ("goes w", &["a-1"]),
        ("USERS", &["users"]),
        ("who", &["users"]),
        ("ys\u{0}", &["users"]),
        ("r", &["users", "a-1"]),
        ("en", &["a-1"]),
        ("a-1roads", &[]),
        ("a-1 roads", &[]),
        ("a-1\u{0}roads", &[]),
        ("load", &[]),
        ("%", &[]),
        ("_", &[]),
    ] {
        assert_eq!(found(storage, text, Scope::All).await, ids, "{text:?}");
    }
}

/// A list by text MUST have every save and deletion that has returned, of every tenant.
pub async fn a_text_is_found_as_the_last_change_has_left_it(storage: &dyn Storage) {
    let check = async |text: &str, expected: [&[&str]; 3]| {
        let scopes = [Scope::All, Scope::NoTenant, scope("ann")];
        for (scope, ids) in scopes.into_iter().zip(expected) {
            assert_eq!(found(storage, text, scope).await, ids, "{text}");
        }
    };
    let save = async |id: &str, name: &str, tenant: Option<&str>, seconds: i64| {
        let mut put = put_named(id, name, "");
        put.scope = tenant.map_or(Scope::NoTenant, scope);
        put.now = at(seconds);
        storage.put_pipeline(put).await.unwrap();
    };
    let delete = async |id: &str, scope: Scope, seconds: i64| {
        let mut delete = DeletePipeline::new(pipeline_id(id), at(seconds));
        delete.scope = scope;
        storage.delete_pipeline(delete).await.unwrap();
    };
    check("money", [&[], &[], &[]]).await;
    save("daily", "Money", None, 1).await;
    check("money", [&["daily"], &["daily"], &[]]).await;
    save("daily", "Money of Ann", Some("ann"), 2).await;
    save("weekly", "Money of Ben", Some("ben"), 3).await;
    let three: &[&str] = &["ben/weekly", "ann/daily", "daily"];
    check("money", [three, &["daily"], &["ann/daily"]]).await;
    // A change keeps the place of a pipeline, and a save after a deletion does not.
    save("daily", "Gold", None, 4).await;
    check("money", [&["ben/weekly", "ann/daily"], &[], &["ann/daily"]]).await;
    check("gold", [&["daily"], &["daily"], &[]]).await;
    save("daily", "Money", None, 5).await;
    check("money", [three, &["daily"], &["ann/daily"]]).await;
    delete("daily", scope("ann"), 6).await;
    check("money", [&["ben/weekly", "daily"], &["daily"], &[]]).await;
    delete("daily", Scope::NoTenant, 7).await;
    save("daily", "Money", None, 8).await;
    check("money", [&["daily", "ben/weekly"], &["daily"], &[]]).await;
    save("daily", "Money of Ann", Some("ann"), 8).await;
    check("ann", [&["ann/daily"], &[], &["ann/daily"]]).await;
    let moved = SlugChoice::Given(slug("treasure"));
    let mut put = put_named("daily", "Money", "");
    (put.slug, put.now, put.scope) = (moved, at(9), Scope::NoTenant);
    storage.put_pipeline(put).await.unwrap();
    check("treasure", [&["daily"], &["daily"], &[]]).await;
}

/// A list by text MUST have pages as every list has, and MUST meet the other conditions too.
pub async fn a_list_by_text_has_pages(storage: &dyn Storage) {
    for second in 0..6 {
        let mut put = put_named(&format!("p{second}"), ["Even", "Odd"][second % 2], "");
        put.now = at(i64::try_from(second).unwrap());
        let mut pipeline = (*put.definition).clone();
        (pipeline.enabled, pipeline.tags) = (second != 5, vec![format!("t{}", second / 3)]);
        put.definition = Arc::new(pipeline);
        storage.put_pipeline(put).await.unwrap();
    }
    let odd = || with_text("odd", Scope::All);
    let page_of = async |request| {
        let (ids, total, next) = page(storage, odd(), request).await;
        (ids.join(" "), total, next)
    };
    let first = page_of(after(None, 2)).await;
    assert_eq!(first, ("p5 p3".to_owned(), None, Some("p3".to_owned())));
    for cursor in ["p3", "p2"] {
        let last = page_of(after(Some(cursor), 2)).await;
        assert_eq!(last, ("p1".to_owned(), None, None), "{cursor}");
    }
    for (number, ids, next) in [(1, "p5 p3", Some("p3")), (2, "p1", None), (3, "", None)] {
        let numbered = PageRequest::Numbered {
            page: number,
            per_page: 2,
        };
        let expected = (ids.to_owned(), Some(3), next.map(str::to_owned));
        assert_eq!(page_of(numbered).await, expected, "{number}");
    }
    let unknown = storage.list_pipelines(odd(), after(Some("p9"), 2)).await;
    assert_problem(unknown, Problem::InvalidParameter);
    let mut filter = odd();
    filter.enabled = Some(true);
    let (ids, ..) = page(storage, filter.clone(), after(None, 9)).await;
    assert_eq!(ids, ["p3", "p1"]);
    filter.tag = Some("t1".to_owned());
    let (ids, ..) = page(storage, filter, after(None, 9)).await;
    assert_eq!(ids, ["p3"]);
}

/// A list by text beside saves MUST have each pipeline whose save has returned.
pub async fn a_list_by_text_beside_saves_has_each_saved_pipeline(storage: &dyn Storage) {
    const LAST: usize = 60;
    let saved = AtomicUsize::new(0);
    let saving = async {
        for n in 1..=LAST {
            storage.put_pipeline(put(&format!("p{n}"))).await.unwrap();
            saved.store(n, Ordering::Relaxed);
        }
    };
    let finding = async {
        let mut count = 0;
        while count < LAST {
            let before = saved.load(Ordering::Relaxed);
            count = found(storage, "P", Scope::All).await.len();
            assert!(count >= before, "{count} after {before}");
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(saving, finding);
}
