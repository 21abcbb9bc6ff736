//! Saves by the host's code: what a pipeline keeps of the latest one, and whether the next one
//! leaves the edit of a caller.
//!
//! `rules` decides both. `pipeline_table` saves.

use std::sync::Arc;

use super::pipeline_table::PipelineTable;
use super::rows::Version;
use super::rules;
use crate::model::{PipelineId, Qualified, StoredPipeline};
use crate::storage::{PutPipeline, SavedBy};

impl PipelineTable {
    /// Returns the current version of a pipeline if a caller has edited it since its latest save by
    /// code, which `put` repeats.
    pub(super) fn kept_edit(
        &self,
        put: &PutPipeline,
        before: Option<&StoredPipeline>,
    ) -> Option<Arc<Version>> {
        let before = before.filter(|_| put.saved_by == SavedBy::Code)?;
        let row = self.rows.get(&before.qualified_id())?;
        let by_code = &row.versions.get(&row.code_version?)?.version;
        let current = &row.versions.get(&before.version)?.version;
        rules::keeps_edit(&put.definition, &by_code.definition, &current.definition)
            .then(|| Arc::clone(current))
    }

    pub(super) fn enabled_after(
        &self,
        put: &PutPipeline,
        before: Option<&StoredPipeline>,
    ) -> rules::Enabled {
        let before = before.map(|stored| rules::Enabled {
            current: stored.definition.enabled,
            by_code: self
                .rows
                .get(&stored.qualified_id())
                .and_then(|row| row.enabled_by_code),
        });
        rules::Enabled::after_save(put.saved_by, put.definition.enabled, before)
    }

    pub(super) fn tokens_after(
        &self,
        put: &PutPipeline,
        own: &Qualified<PipelineId>,
        before: Option<&StoredPipeline>,
    ) -> rules::WebhookTokens {
        let before = rules::WebhookTokens {
            current: before.and_then(|stored| stored.webhook_token),
            by_code: self.rows.get(own).and_then(|row| row.token_by_code),
        };
        before.after_save(put.saved_by, put.webhook_token)
    }

    /// Notes what the code has said of a saved pipeline.
    pub(super) fn note_code(
        &mut self,
        pipeline: &Qualified<PipelineId>,
        (saved_by, keeps_edit): (SavedBy, bool),
        enabled: rules::Enabled,
        tokens: rules::WebhookTokens,
    ) {
        if let Some(row) = self.rows.get_mut(pipeline) {
            row.enabled_by_code = enabled.by_code;
            row.token_by_code = tokens.by_code;
            let version = row.stored.version;
            row.code_version =
                rules::code_version_after(saved_by, version, row.code_version, keeps_edit);
        }
    }
}
