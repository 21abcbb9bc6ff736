//! Versions of pipelines: listed and found.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::fixtures::{assert_problem, at, definition, pipeline_id, put, scope};
use crate::error::Problem;
use crate::model::{PageRequest, PipelineVersion, Scope, StoredPipeline};
use crate::storage::{DeletePipeline, Expect, Storage, VersionFilter};

/// Saves `daily` with a description, which makes a version.
async fn save(storage: &dyn Storage, n: i64) -> StoredPipeline {
    save_in(storage, n, &Scope::All).await
}

async fn save_in(storage: &dyn Storage, n: i64, scope: &Scope) -> StoredPipeline {
    let mut put = put("daily");
    put.definition = Arc::new(definition("daily").description(format!("version {n}")));
    (put.now, put.scope, put.expect) = (at(n), scope.clone(), Expect::Any);
    storage.put_pipeline(put).await.unwrap()
}

fn filter() -> VersionFilter {
    VersionFilter::new(pipeline_id("daily"))
}

const fn newest() -> PageRequest {
    PageRequest::Newest { limit: 9 }
}

fn version(number: u32, saved_at: DateTime<Utc>) -> PipelineVersion {
    PipelineVersion::new(number, Some(saved_at))
}

/// Every save that changes a pipeline MUST be listed as a version, the newest first, with its time.
pub async fn every_version_is_listed(storage: &dyn Storage) {
    for n in [1, 2, 2, 3] {
        save(storage, n).await;
    }
    let listed = storage.list_versions(filter(), newest()).await.unwrap();
    let expected = [version(3, at(3)), version(2, at(2)), version(1, at(1))];
    assert_eq!((&listed.items[..], listed.next), (&expected[..], None));
}

/// Pages MUST follow one another, and a numbered page MUST have the total.
pub async fn versions_are_listed_in_pages(storage: &dyn Storage) {
    for n in 1..=5 {
        save(storage, n).await;
    }
    let (mut cursor, mut found) = (None, Vec::new());
    loop {
        let page = PageRequest::After { cursor, limit: 2 };
        let page = storage.list_versions(filter(), page).await.unwrap();
        found.extend(page.items.iter().map(|version| version.version));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(found, [5, 4, 3, 2, 1]);
    let numbered = PageRequest::Numbered {
        page: 2,
        per_page: 3,
    };
    let page = storage.list_versions(filter(), numbered).await.unwrap();
    let expected = [version(2, at(2)), version(1, at(1))];
    assert_eq!((&page.items[..], page.total), (&expected[..], Some(5)));
    let bad = PageRequest::After {
        cursor: Some("x".to_owned()),
        limit: 2,
    };
    assert_problem(
        storage.list_versions(filter(), bad).await,
        Problem::InvalidParameter,
    );
}

/// A version MUST be found with its definition, and with what else the pipeline has now.
pub async fn a_version_is_found_with_its_definition(storage: &dyn Storage) {
    let first = save(storage, 1).await;
    let second = save(storage, 2).await;
    let found = storage.find_version(filter(), 1).await.unwrap().unwrap();
    assert_eq!(found, first);
    let found = storage.find_version(filter(), 2).await.unwrap().unwrap();
    assert_eq!(found, second);
    for absent in [0, 3, u32::MAX] {
        assert_eq!(storage.find_version(filter(), absent).await.unwrap(), None);
    }
}

/// The versions of a deleted pipeline MUST NOT be found, and those of a later one with its id MUST
/// be.
pub async fn a_new_pipeline_has_no_versions_of_an_earlier_one(storage: &dyn Storage) {
    save(storage, 1).await;
    save(storage, 2).await;
    let delete = DeletePipeline::new(pipeline_id("daily"), at(3));
    storage.delete_pipeline(delete).await.unwrap();
    assert_problem(
        storage.list_versions(filter(), newest()).await,
        Problem::PipelineNotFound,
    );
    assert_problem(
        storage.find_version(filter(), 1).await,
        Problem::PipelineNotFound,
    );
    save(storage, 4).await;
    save(storage, 5).await;
    let listed = storage.list_versions(filter(), newest()).await.unwrap();
    assert_eq!(listed.items, [version(4, at(5)), version(3, at(4))]);
    assert_eq!(storage.find_version(filter(), 2).await.unwrap(), None);
    assert!(storage.find_version(filter(), 3).await.unwrap().is_some());
}

/// The versions of each tenant's pipeline are its own. In [`Scope::All`], an id that several
/// tenants use is unclear.
pub async fn versions_belong_to_one_tenants_pipeline(storage: &dyn Storage) {
    let (ann, ben) = (scope("ann"), scope("ben"));
    save_in(storage, 1, &ann).await;
    save_in(storage, 2, &ben).await;
    save_in(storage, 3, &ben).await;
    let mut own = filter();
    own.scope = ann;
    let listed = storage.list_versions(own.clone(), newest()).await.unwrap();
    assert_eq!(listed.items, [version(1, at(1))]);
    assert_eq!(storage.find_version(own.clone(), 2).await.unwrap(), None);
    own.scope = ben;
    let found = storage.find_version(own, 1).await.unwrap().unwrap();
    assert_eq!(found.definition.description, "version 2");
    assert_problem(
        storage.list_versions(filter(), newest()).await,
        Problem::TenantRequired,
    );
    let mut other = filter();
    other.scope = scope("carol");
    assert_problem(
        storage.find_version(other, 1).await,
        Problem::PipelineNotFound,
    );
}
