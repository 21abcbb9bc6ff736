//! Stub.
use crate::model::RunId;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
pub(crate) struct Names<'a> {
    pub(crate) params: &'a BTreeMap<String, String>,
    pub(crate) run_id: RunId,
    pub(crate) date: chrono::NaiveDate,
}
pub(crate) fn resolve(
    config: &Map<String, Value>,
    _: &Names<'_>,
) -> Result<Map<String, Value>, String> {
    Ok(config.clone())
}
