//! Resume: makes a run that goes on where a failed one ended.

use super::{Engine, Key, Started};
use crate::error::{Error, Result};
use crate::model::{RunId, Scope};

/// A wish to resume a run.
#[derive(Debug, Clone)]
pub(crate) struct Resume {
    pub(crate) run: RunId,
    pub(crate) key: Option<Key>,
    pub(crate) scope: Scope,
}

impl Engine {
    /// Makes a run that resumes another.
    pub(crate) async fn resume(&self, _resume: Resume) -> Result<Started> {
        Err(Error::internal("stub"))
    }
}
