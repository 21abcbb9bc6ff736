//! The pipelines that the filter of a list or of figures means: all in scope that have the id.
//!
//! Deleted pipelines count as well. `naming` finds the one that an id stands for.

use rusqlite::params_from_iter;
use rusqlite::types::Value;

use super::naming::exact_tenant;
use super::pages::Conditions;
use super::reader::Reader;
use super::store_error::StoreError;
use crate::model::{PipelineId, Scope};

/// The pipelines in a scope that have an id.
#[derive(Debug)]
pub(super) enum PipelineKeys {
    /// There is none.
    None,
    /// The only one.
    One(i64),
    /// Those with this id. Several are possible only in [`Scope::All`].
    Several(PipelineId),
}

impl PipelineKeys {
    /// Returns the only pipeline, if there is one.
    pub(super) const fn one(&self) -> Option<i64> {
        match self {
            Self::One(key) => Some(*key),
            Self::None | Self::Several(_) => None,
        }
    }
}

impl Reader {
    /// Finds the pipelines that have an id.
    pub(super) fn pipeline_keys(
        &self,
        id: &PipelineId,
        scope: &Scope,
    ) -> Result<PipelineKeys, StoreError> {
        let exact = exact_tenant(scope);
        let condition = exact.map_or("", |_| " AND coalesce(tenant, '') = ?");
        let sql = format!("SELECT key FROM pipelines WHERE id = ?{condition} LIMIT 2");
        let values = [Some(id.as_str()), exact].into_iter().flatten();
        let keys = self.rows(&sql, params_from_iter(values), |row| Ok(row.get(0)?))?;
        Ok(match *keys {
            [] => PipelineKeys::None,
            [key] => PipelineKeys::One(key),
            _ => PipelineKeys::Several(id.clone()),
        })
    }
}

impl Conditions {
    /// Adds the condition that a column is the key of one of these pipelines.
    ///
    /// A list passes `several` with a `+`, which keeps SQLite from an index by pipeline: it would
    /// have to sort the rows of all these pipelines for every page.
    pub(super) fn add_pipelines(&mut self, pipelines: &PipelineKeys, one: &str, several: &str) {
        match pipelines {
            PipelineKeys::None => self.add("FALSE", []),
            PipelineKeys::One(key) => self.add(&format!("{one} = ?"), [Value::Integer(*key)]),
            PipelineKeys::Several(id) => self.add(
                &format!("{several} IN (SELECT key FROM pipelines WHERE id = ?)"),
                [Value::Text(id.to_string())],
            ),
        }
    }
}
