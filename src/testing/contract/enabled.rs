//! `enabled`: a save by the host's code, which happens at every start, keeps it as an operator has
//! set it.
//!
//! What a disabled pipeline does is left to the scheduler.

use std::sync::Arc;

use super::fixtures::{at, definition, pipeline_id, put};
use crate::model::{Scope, StoredPipeline};
use crate::storage::{DeletePipeline, SavedBy, Storage};

/// Saves the pipeline `daily`, with a schedule.
async fn save(
    storage: &dyn Storage,
    saved_by: SavedBy,
    enabled: bool,
    seconds: i64,
) -> StoredPipeline {
    let mut daily = definition("daily").schedule("@daily");
    daily.enabled = enabled;
    let mut put = put("daily");
    put.definition = Arc::new(daily);
    put.saved_by = saved_by;
    put.now = at(seconds);
    storage.put_pipeline(put).await.unwrap()
}

/// A save by code MUST keep what an operator has set since, whatever the code says again.
pub async fn a_save_by_code_keeps_what_an_operator_has_set(storage: &dyn Storage) {
    for (by_code, set) in [(true, false), (false, true)] {
        save(storage, SavedBy::Code, by_code, 0).await;
        save(storage, SavedBy::Caller, set, 1).await;
        for seconds in 2..4 {
            let stored = save(storage, SavedBy::Code, by_code, seconds).await;
            assert_eq!(stored.definition.enabled, set);
        }
        let found = storage.find_pipeline("daily", &Scope::All).await.unwrap();
        assert_eq!(found.map(|found| found.definition.enabled), Some(set));
        let delete = DeletePipeline::new(pipeline_id("daily"), at(4));
        storage.delete_pipeline(delete).await.unwrap();
    }
}

/// A save by code with another value than the earlier save by code MUST apply that value.
pub async fn a_change_in_the_code_applies(storage: &dyn Storage) {
    save(storage, SavedBy::Code, true, 0).await;
    let stored = save(storage, SavedBy::Code, false, 1).await;
    assert!(!stored.definition.enabled);
    let stored = save(storage, SavedBy::Code, true, 2).await;
    assert!(stored.definition.enabled);
}

/// A save by code that keeps `enabled` and changes nothing else MUST keep the version, `updated_at`
/// and the schedule's cursor.
pub async fn a_kept_value_changes_neither_version_nor_schedule(storage: &dyn Storage) {
    save(storage, SavedBy::Code, true, 0).await;
    let disabled = save(storage, SavedBy::Caller, false, 1).await;
    assert_eq!(save(storage, SavedBy::Code, true, 2).await, disabled);
    let schedules = storage.schedules(&Scope::All).await.unwrap();
    assert_eq!(schedules[0].cursor, at(0));
}

/// A pipeline that is created again after its deletion MUST take the value of that save.
pub async fn a_deleted_pipeline_forgets_its_value(storage: &dyn Storage) {
    save(storage, SavedBy::Code, true, 0).await;
    save(storage, SavedBy::Caller, false, 1).await;
    let delete = DeletePipeline::new(pipeline_id("daily"), at(2));
    storage.delete_pipeline(delete).await.unwrap();
    let stored = save(storage, SavedBy::Code, true, 3).await;
    assert!(stored.definition.enabled);
}
