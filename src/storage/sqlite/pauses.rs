//! Pauses of pipelines. `claim` and `schedules` decide what a pause stops.

use rusqlite::params;

use super::searched_pipelines::{PipelineChange, SearchedPipeline};
use super::store_error::StoreError;
use super::tx::Tx;
use super::values::millis;
use crate::model::{CallerName, StoredPipeline};
use crate::storage::{SetPause, rules};

impl Tx {
    pub(super) fn set_pause(&mut self, request: &SetPause) -> Result<StoredPipeline, StoreError> {
        let pipeline = self.visible_pipeline(&request.id, &request.scope)?;
        rules::check_version(&request.id, request.version, pipeline.version)?;
        let key = pipeline.key;
        let mut stored = self.stored_pipeline(key)?;
        if stored.paused.is_some() == request.pause.is_some() {
            return Ok(stored);
        }
        let pause = request.pause.as_ref();
        self.write(
            "UPDATE pipelines SET paused_at = ?, paused_by = ?, pause_reason = ? WHERE key = ?",
            params![
                pause.map(|pause| millis(pause.at)),
                pause
                    .and_then(|pause| pause.by.as_ref())
                    .map(CallerName::as_str),
                pause.and_then(|pause| pause.reason.as_deref()),
                key,
            ],
        )?;
        stored.paused.clone_from(&request.pause);
        let saved = SearchedPipeline::new(key, &stored);
        self.state.pipelines.note(PipelineChange::Saved(saved));
        Ok(stored)
    }
}
