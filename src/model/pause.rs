//! The pause of a pipeline or of a backfill: since when its runs wait, on whose request and why.
//!
//! That of a pipeline is stored beside the definition, so that no save and no rollback ends it.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{CallerName, rfc3339};

/// Since when a pipeline or a backfill is paused, on whose request and why.
///
/// Its pending runs wait, and the ticks of a paused pipeline's schedule create no run. Runs that
/// execute go on.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> floret::Result<()> {
/// # use floret::{Pipeline, executor::Ctx, testing::memory};
/// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
/// # let daily = Pipeline::new("daily").node("load", "load");
/// # let floret = memory().node("load", load).pipeline(daily).start().await?;
/// let pipelines = floret.pipelines();
/// let daily = pipelines.pause("daily").reason("the source is being moved").await?;
/// assert_eq!(daily.paused.unwrap().reason.as_deref(), Some("the source is being moved"));
///
/// let run = floret.run("daily").start().await?;
/// assert_eq!(run.get().await?.run.status, floret::RunStatus::Pending);
/// pipelines.unpause("daily").await?;
/// run.finished().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Pause {
    /// When it was paused.
    #[serde(serialize_with = "rfc3339::serialize")]
    pub at: DateTime<Utc>,
    /// Who paused it, if the host has named the caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<CallerName>,
    /// Why: at most 500 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Pause {
    /// Creates a pause from this time, without a caller and without a reason.
    #[must_use]
    pub const fn new(at: DateTime<Utc>) -> Self {
        Self {
            at,
            by: None,
            reason: None,
        }
    }
}
