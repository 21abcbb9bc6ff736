//! Numbers about storage and the engine, and a check that storage answers.
//!
//! `engine` reports whether it still accepts commands.

use std::time::Duration;

use serde::Serialize;

use super::Views;
use crate::error::Result;
use crate::model::Scope;

/// The numbers that the engine contributes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EngineFacts {
    pub(crate) runs_max: u32,
    pub(crate) uptime: Duration,
}

/// The system in numbers. Fields are in the order of the wire contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SystemInfo {
    /// The version of Floret.
    pub version: &'static str,
    /// The bytes that storage occupies.
    pub db_size: u64,
    /// The same as a text, such as `1.00 MB`.
    pub db_size_mb: String,
    /// The number of pipelines in scope.
    pub pipelines: u64,
    /// The number of executing runs in scope.
    pub active_runs: u64,
    /// The number of waiting runs in scope.
    pub queued_runs: u64,
    /// The most runs that may execute at the same time.
    pub max_concurrent_runs: u32,
    /// The number of events that no notifier took.
    pub dead_letters: u64,
    /// The number of damaged rows that storage has met, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable_rows: Option<u64>,
    /// The kind of storage.
    pub storage: &'static str,
    /// The seconds since Floret was started.
    pub uptime_seconds: u64,
}

#[cfg(feature = "metrics")]
impl SystemInfo {
    /// Sets the gauges `floret_runs_pending`, `floret_dead_letters` and `floret_store_bytes` of the
    /// recorder.
    ///
    /// A host asks for the figures when its metrics are read, since to count them all the time
    /// would cost more.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> floret::Result<()> {
    /// # let floret = floret::testing::memory().start().await?;
    /// floret.system().info().await?.record();
    /// # Ok(())
    /// # }
    /// ```
    pub fn record(&self) {
        crate::metrics::store_has(self.queued_runs, self.dead_letters, self.db_size);
    }
}

impl Views {
    /// Checks that storage answers, with its cheapest query.
    ///
    /// # Errors
    /// `Unavailable` if storage cannot answer.
    pub(crate) async fn check_storage(&self) -> Result<()> {
        self.storage.newest_seq().await.map(drop)
    }

    /// Returns the system in numbers. Objects that belong to a tenant are counted within the scope.
    ///
    /// # Errors
    /// `Unavailable` if storage cannot answer.
    pub(crate) async fn system_info(
        &self,
        scope: &Scope,
        engine: EngineFacts,
    ) -> Result<SystemInfo> {
        let stats = self.storage.stats(scope).await?;
        Ok(SystemInfo {
            version: env!("CARGO_PKG_VERSION"),
            db_size: stats.bytes,
            db_size_mb: megabytes(stats.bytes),
            pipelines: stats.pipeline_count,
            active_runs: stats.running_count,
            queued_runs: stats.pending_count,
            max_concurrent_runs: engine.runs_max,
            dead_letters: stats.dead_letter_count,
            unreadable_rows: (stats.unreadable_count > 0).then_some(stats.unreadable_count),
            storage: stats.kind,
            uptime_seconds: engine.uptime.as_secs(),
        })
    }
}

/// Formats bytes in units of 1,048,576 with two decimals.
fn megabytes(bytes: u64) -> String {
    format!("{:.2} MB", bytes as f64 / 1_048_576.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn megabytes_have_two_decimals() {
        for (bytes, expected) in [
            (0, "0.00 MB"),
            (1_048_576, "1.00 MB"),
            (1_572_864, "1.50 MB"),
            (5 << 30, "5120.00 MB"),
        ] {
            assert_eq!(megabytes(bytes), expected);
        }
    }
}
