//! Cancel: a pending run at once, a running one as soon as its nodes have ended.

use super::Engine;
use crate::error::{Error, Result};
use crate::model::{Cancel, RunId, Scope};
use crate::storage::Cancelled;

impl Engine {
    /// Asks a run to stop.
    pub(crate) async fn cancel(
        &self,
        _run: RunId,
        _cancel: Cancel,
        _scope: &Scope,
    ) -> Result<Cancelled> {
        Err(Error::internal("stub"))
    }
}
