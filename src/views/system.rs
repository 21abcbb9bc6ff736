//! The store and the engine in numbers, and whether the store answers.
//!
//! Whether the engine still takes commands is the engine's to say.

use std::time::Duration;

use serde::Serialize;

use super::Views;
use crate::error::Result;
use crate::model::Scope;

/// What is known of the engine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EngineFacts {
    pub(crate) runs_max: u32,
    pub(crate) uptime: Duration,
}

/// The system in numbers; the order of the fields is that of the wire.
#[derive(Debug, Serialize)]
pub(crate) struct SystemInfo {
    version: &'static str,
    db_size: u64,
    db_size_mb: String,
    pipelines: u64,
    active_runs: u64,
    queued_runs: u64,
    max_concurrent_runs: u32,
    dead_letters: u64,
    storage: &'static str,
    uptime_seconds: u64,
}

impl Views {
    /// Asks storage its cheapest question.
    ///
    /// # Errors
    /// `Unavailable` when storage cannot answer.
    pub(crate) async fn check_storage(&self) -> Result<()> {
        self.storage.newest_seq().await.map(drop)
    }

    /// The system in numbers; what belongs to somebody is counted within the scope.
    ///
    /// # Errors
    /// `Unavailable` when storage cannot answer.
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
            storage: stats.kind,
            uptime_seconds: engine.uptime.as_secs(),
        })
    }
}

/// Bytes in units of 1,048,576, with two decimals.
fn megabytes(bytes: u64) -> String {
    format!("{:.2} MB", bytes as f64 / 1_048_576.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn megabytes_have_two_decimals() {
        for (bytes, told) in [
            (0, "0.00 MB"),
            (1_048_576, "1.00 MB"),
            (1_572_864, "1.50 MB"),
            (5 << 30, "5120.00 MB"),
        ] {
            assert_eq!(megabytes(bytes), told);
        }
    }
}
