//! Why a pending run waits.
//!
//! Storage decides, by the rules of a claim.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::rfc3339;

/// Why a pending run waits, and how many runs come before it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use floret::{Pipeline, executor::Ctx, testing::memory};
/// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
/// # let daily = Pipeline::new("daily").node("load", "load");
/// # let floret = memory().node("load", load).pipeline(daily).start().await?;
/// use floret::WaitReason;
///
/// floret.pipelines().pause("daily").await?;
/// let run = floret.run("daily").start().await?;
/// let waiting = run.get().await?.waiting.expect("a pending run");
/// assert_eq!((waiting.reason, waiting.ahead), (WaitReason::Paused, Some(0)));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Waiting {
    /// What keeps the run from starting: the first of the reasons that hold, in their order.
    pub reason: WaitReason,
    /// How many pending runs come before it: of its backfill where the limit of the backfill is the
    /// reason, of its key for [`WaitReason::ConcurrencyKey`], of all pipelines for
    /// [`WaitReason::EngineLimit`], and otherwise of its pipeline.
    /// `None` if more than 10,000 of them have its rank or a better one. Delayed runs do not count,
    /// nor those that their key holds back, except for [`WaitReason::ConcurrencyKey`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ahead: Option<u64>,
    /// Until when it waits at least, for [`WaitReason::RunAfter`].
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "rfc3339::serialize_option"
    )]
    #[cfg_attr(test, schemars(with = "Option<DateTime<Utc>>"))]
    pub until: Option<DateTime<Utc>>,
}

impl Waiting {
    /// The most pending runs of its rank or a better one among which a run has a known place.
    pub const EXAMINED_MAX: u64 = 10_000;

    /// Creates a reason without an end.
    #[must_use]
    pub const fn new(reason: WaitReason, ahead: Option<u64>) -> Self {
        Self {
            reason,
            ahead,
            until: None,
        }
    }
}

/// What keeps a pending run from starting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WaitReason {
    /// The pipeline is paused.
    Paused,
    /// The run is delayed until its `run_after`.
    RunAfter,
    /// A pipeline that its pipeline depends on has not ended as a gate asks.
    Dependency,
    /// The runs of its concurrency key that may execute at once do, or are about to.
    ConcurrencyKey,
    /// The runs of its backfill that may execute at once do.
    BackfillLimit,
    /// The runs of its pipeline that may execute at once do.
    PipelineLimit,
    /// Another run of its schedule executes.
    Overlap,
    /// The runs that an engine may execute at once do, or the next claim starts the run.
    EngineLimit,
}
