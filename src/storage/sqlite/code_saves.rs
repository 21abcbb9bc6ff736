//! Saves by the host's code: what the row of a pipeline keeps of the latest one, and whether the
//! next one leaves the edit of a caller.
//!
//! `rules` decides both. `put_pipeline` saves.

use std::sync::Arc;

use rusqlite::{Row, params};

use super::cached_pipelines::CachedPipeline;
use super::definitions::Definition;
use super::rows::read_token;
use super::store_error::StoreError;
use super::tx::Tx;
use super::values::to_u32;
use crate::model::StoredPipeline;
use crate::storage::{PutPipeline, SavedBy, rules};

/// What a pipeline has of its latest save by code.
#[derive(Debug, Clone, Copy)]
pub(super) struct CodeSave {
    pub(super) enabled: rules::Enabled,
    pub(super) tokens: rules::WebhookTokens,
    /// The version that the save led to, if the code manages the pipeline.
    pub(super) version: Option<u32>,
}

impl Tx {
    /// Returns what a pipeline has of its latest save by code, if there is such a pipeline.
    pub(super) fn code_save(
        &self,
        visible: Option<&CachedPipeline>,
    ) -> Result<Option<CodeSave>, StoreError> {
        // Reads a damaged value too, so that a save can repair the pipeline.
        let sql = "SELECT enabled IS NOT 0, CASE enabled_by_code WHEN 0 THEN 0 WHEN 1 THEN 1 END, \
                   code_version, webhook_token, webhook_token_by_code FROM pipelines WHERE key = ?";
        let read = |row: &Row<'_>| {
            let (current, by_code) = (row.get(0)?, row.get(1)?);
            Ok(CodeSave {
                enabled: rules::Enabled { current, by_code },
                version: row.get::<_, Option<i64>>(2)?.map(to_u32),
                tokens: rules::WebhookTokens {
                    current: read_token(row, 3)?,
                    by_code: read_token(row, 4)?,
                },
            })
        };
        match visible {
            Some(visible) => self.row(sql, [visible.key], read),
            None => Ok(None),
        }
    }

    /// Returns the current definition of a pipeline if a caller has edited it since its latest save
    /// by code, which `put` repeats.
    pub(super) fn kept_edit(
        &self,
        put: &PutPipeline,
        (pipeline, before): (i64, Option<&StoredPipeline>),
        save: Option<CodeSave>,
    ) -> Result<Option<Arc<Definition>>, StoreError> {
        let version = save.and_then(|save| save.version);
        let (SavedBy::Code, Some(before), Some(version)) = (put.saved_by, before, version) else {
            return Ok(None);
        };
        if version == before.version {
            return Ok(None);
        }
        let by_code = self.definition_of(pipeline, version);
        // One that cannot be read says nothing about the edit, so the code wins.
        let Some(Some(by_code)) = self.unreadable.skip("a definition", &put.id, by_code)? else {
            return Ok(None);
        };
        if !rules::keeps_edit(&put.definition, &by_code.pipeline, &before.definition) {
            return Ok(None);
        }
        self.definition_of(pipeline, before.version)
    }

    fn definition_of(
        &self,
        pipeline: i64,
        version: u32,
    ) -> Result<Option<Arc<Definition>>, StoreError> {
        let sql = "SELECT key FROM definitions WHERE pipeline = ? AND version = ?";
        let key = self.row(sql, params![pipeline, version], |row| Ok(row.get(0)?))?;
        let find = |key| self.state.definitions.find(&self.conn, key);
        key.map(find).transpose()
    }

    /// Writes what a pipeline has of its latest save by code.
    pub(super) fn note_code(&mut self, pipeline: i64, save: CodeSave) -> Result<(), StoreError> {
        let CodeSave {
            enabled,
            tokens,
            version,
        } = save;
        let token = tokens.by_code.map(|hash| *hash.as_bytes());
        self.write(
            "UPDATE pipelines SET enabled_by_code = ?1, code_version = ?2, webhook_token_by_code = ?3 WHERE key = ?4 \
             AND (enabled_by_code IS NOT ?1 OR code_version IS NOT ?2 OR webhook_token_by_code IS NOT ?3)",
            params![enabled.by_code, version, token, pipeline],
        )
        .map(drop)
    }
}
