//! Deleting a pipeline that its caller has seen at some version.
//!
//! What becomes of the pipeline's runs, keys and versions stands in `pipelines`.

use super::fixtures::{at, put, refused_as, save};
use super::snapshot::snapshot;
use crate::error::Problem;
use crate::model::Scope;
use crate::storage::{DeletePipeline, Storage};

/// A pipeline that is expected at another version stays as it is.
pub async fn a_pipeline_at_another_version_is_not_deleted(storage: &dyn Storage) {
    let stored = save(storage, "daily").await;
    let before = snapshot(storage).await;
    for other in [0, stored.version + 1] {
        let mut delete = DeletePipeline::new(stored.id.clone(), at(1));
        delete.version = Some(other);
        let deleted = storage.delete_pipeline(delete).await;
        refused_as(deleted, Problem::PreconditionFailed);
    }
    assert_eq!(snapshot(storage).await, before);
}

/// A pipeline that is expected at the version that it has is deleted.
pub async fn a_pipeline_at_the_expected_version_is_deleted(storage: &dyn Storage) {
    save(storage, "daily").await;
    let mut change = put("daily");
    change.definition = std::sync::Arc::new(super::fixtures::definition("daily").param("a", "b"));
    let stored = storage.put_pipeline(change).await.unwrap();
    assert_eq!(stored.version, 2);
    let mut delete = DeletePipeline::new(stored.id, at(1));
    delete.version = Some(2);
    storage.delete_pipeline(delete).await.unwrap();
    let found = storage.find_pipeline("daily", &Scope::All).await.unwrap();
    assert_eq!(found, None);
}
