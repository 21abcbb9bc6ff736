//! Stub.
use super::Graph;
use crate::error::{Issue, Result};
use crate::model::{Node, Pipeline, Slug};
use std::time::Duration;
pub(crate) struct RetryPolicy {
    pub(crate) max_retries: u32,
    pub(crate) retry_delay: Duration,
    pub(crate) timeout: Option<Duration>,
}
impl RetryPolicy {
    pub(crate) fn of(node: &Node) -> Result<Self, Vec<Issue>> {
        let get = |k: &str| node.config.get(k).and_then(|v| v.as_u64());
        Ok(Self {
            max_retries: get("max_retries").unwrap_or(0) as u32,
            retry_delay: Duration::from_millis(get("retry_delay").unwrap_or(1000)),
            timeout: get("timeout").map(Duration::from_secs),
        })
    }
}
pub(crate) fn parse(value: serde_json::Value, _: impl FnOnce() -> String) -> Result<Pipeline> {
    serde_json::from_value(value).map_err(|e| crate::Error::internal("stub").with_source(e))
}
pub(crate) fn check(pipeline: &Pipeline) -> Result<Graph> {
    Graph::new(pipeline)
}
pub(crate) fn slug_of(_: &str) -> Option<Slug> {
    None
}
