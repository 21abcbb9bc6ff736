//! The tokens of webhooks: a save changes them, and a save by code keeps that of an operator.
//!
//! The engine compares tokens.

use std::sync::Arc;

use super::fixtures::{at, definition, pipeline_id, put};
use crate::model::{PageRequest, Scope, StoredPipeline, TokenHash};
use crate::storage::{
    DeletePipeline, PipelineFilter, SavedBy, SetPause, Storage, TokenChange, VersionFilter,
};

const fn hash(byte: u8) -> TokenHash {
    TokenHash::from_bytes([byte; 32])
}

async fn save(
    storage: &dyn Storage,
    saved_by: SavedBy,
    change: TokenChange,
    seconds: i64,
) -> StoredPipeline {
    let mut put = put("daily");
    put.saved_by = saved_by;
    put.webhook_token = change;
    put.now = at(seconds);
    storage.put_pipeline(put).await.unwrap()
}

async fn find(storage: &dyn Storage) -> StoredPipeline {
    let found = storage.find_pipeline("daily", &Scope::All).await.unwrap();
    found.unwrap()
}

/// A save MUST change the token as it says, and MUST raise the version if it changes the token or
/// the definition, and only then.
pub async fn a_save_changes_the_token(storage: &dyn Storage) {
    let first = save(storage, SavedBy::Caller, TokenChange::Set(hash(1)), 0).await;
    assert_eq!((first.version, first.webhook_token), (1, Some(hash(1))));
    for (seconds, change, token, version, updated) in [
        (1, TokenChange::Keep, Some(hash(1)), 1, 0),
        (2, TokenChange::Set(hash(1)), Some(hash(1)), 1, 0),
        (3, TokenChange::Set(hash(2)), Some(hash(2)), 2, 3),
        (4, TokenChange::Remove, None, 3, 4),
        (5, TokenChange::Keep, None, 3, 4),
        (6, TokenChange::Set(hash(3)), Some(hash(3)), 4, 6),
    ] {
        // The find before the save must not be the one that the save answers with.
        find(storage).await;
        let saved = save(storage, SavedBy::Caller, change, seconds).await;
        let expected = StoredPipeline {
            webhook_token: token,
            version,
            updated_at: at(updated),
            ..first.clone()
        };
        assert_eq!(saved, expected, "{change:?}");
        assert_eq!(find(storage).await, expected, "{change:?}");
    }
}

/// A token MUST be returned with its pipeline everywhere. Neither a change of the definition nor a
/// pause MUST change it.
pub async fn a_token_is_returned_with_its_pipeline(storage: &dyn Storage) {
    save(storage, SavedBy::Caller, TokenChange::Set(hash(1)), 0).await;
    let mut changed = put("daily");
    changed.definition = Arc::new(definition("daily").schedule("@hourly"));
    let changed = storage.put_pipeline(changed).await.unwrap();
    assert_eq!((changed.version, changed.webhook_token), (2, Some(hash(1))));
    let pause = SetPause::new(pipeline_id("daily"), None);
    assert_eq!(storage.set_pause(pause).await.unwrap(), changed);
    let page = PageRequest::Newest { limit: 10 };
    let listed = storage.list_pipelines(PipelineFilter::default(), page);
    assert_eq!(listed.await.unwrap().items, std::slice::from_ref(&changed));
    let schedules = storage.schedules(&Scope::All).await.unwrap();
    assert_eq!(schedules[0].pipeline, changed);
    let filter = VersionFilter::new(pipeline_id("daily"));
    let first = storage.find_version(filter, 1).await.unwrap().unwrap();
    assert_eq!(first.webhook_token, Some(hash(1)));
}

/// A save by code MUST keep the token that an operator has set since, or removed, until the code
/// has another one.
pub async fn a_save_by_code_keeps_the_token_of_an_operator(storage: &dyn Storage) {
    let (by_code, by_caller) = (SavedBy::Code, SavedBy::Caller);
    for (seconds, saved_by, change, token) in [
        (0, by_caller, TokenChange::Set(hash(1)), Some(hash(1))),
        (1, by_code, TokenChange::Remove, Some(hash(1))),
        (2, by_code, TokenChange::Set(hash(2)), Some(hash(2))),
        (3, by_caller, TokenChange::Set(hash(3)), Some(hash(3))),
        (4, by_code, TokenChange::Set(hash(2)), Some(hash(3))),
        (5, by_caller, TokenChange::Remove, None),
        (6, by_code, TokenChange::Set(hash(2)), None),
        (7, by_code, TokenChange::Set(hash(4)), Some(hash(4))),
        (8, SavedBy::Removal, TokenChange::Keep, Some(hash(4))),
        (9, by_code, TokenChange::Remove, None),
    ] {
        let saved = save(storage, saved_by, change, seconds).await;
        assert_eq!(saved.webhook_token, token, "{seconds}");
        assert_eq!(find(storage).await.webhook_token, token, "{seconds}");
    }
}

/// A pipeline that is created again after its deletion MUST have no token, and the code's own MUST
/// apply.
pub async fn a_deleted_pipeline_forgets_its_token(storage: &dyn Storage) {
    save(storage, SavedBy::Code, TokenChange::Set(hash(1)), 0).await;
    save(storage, SavedBy::Caller, TokenChange::Set(hash(2)), 1).await;
    for (change, token) in [
        (TokenChange::Keep, None),
        (TokenChange::Set(hash(1)), Some(hash(1))),
    ] {
        let delete = DeletePipeline::new(pipeline_id("daily"), at(2));
        storage.delete_pipeline(delete).await.unwrap();
        let saved = save(storage, SavedBy::Code, change, 3).await;
        assert_eq!(saved.webhook_token, token);
        assert_eq!(find(storage).await.webhook_token, token);
    }
}
