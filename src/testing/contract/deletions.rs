//! Deletes that expect a version of the pipeline.
//!
//! The runs, keys and versions of a deleted pipeline are covered in `pipelines`.

use super::fixtures::{assert_problem, at, put, save};
use super::snapshot::snapshot;
use crate::error::Problem;
use crate::model::Scope;
use crate::storage::{DeletePipeline, Storage};

/// A delete that expects another version than the current one MUST be refused and change nothing.
pub async fn a_delete_that_expects_another_version_is_refused(storage: &dyn Storage) {
    let stored = save(storage, "daily").await;
    let before = snapshot(storage).await;
    for other in [0, stored.version + 1] {
        let mut delete = DeletePipeline::new(stored.id.clone(), at(1));
        delete.version = Some(other);
        let deleted = storage.delete_pipeline(delete).await;
        assert_problem(deleted, Problem::PreconditionFailed);
    }
    assert_eq!(snapshot(storage).await, before);
}

/// A delete that expects the current version MUST delete the pipeline.
pub async fn a_delete_at_the_expected_version_succeeds(storage: &dyn Storage) {
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
