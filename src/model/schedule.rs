//! The behavior of a schedule while a run of it is unfinished, and why a tick started no run.
//!
//! `cron` computes the ticks. The scheduler and storage process them.

use serde::{Deserialize, Serialize};

/// The most missed ticks of a schedule that get a run each. 100: with a tick a minute, an outage of
/// an hour and a half leaves no gap.
pub(crate) const CATCH_UP_MAX: u32 = 100;

/// The overlap rule of a schedule: what a tick does while a run of the same schedule is unfinished.
///
/// ```
/// use floret::{Overlap, Pipeline};
///
/// let hourly = Pipeline::new("hourly")
///     .node("load", "load")
///     .schedule("@hourly")
///     .overlap(Overlap::Skip);
/// assert_eq!(hourly.overlap.as_str(), "skip");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Overlap {
    /// The tick creates a run, which waits until the earlier runs finish.
    #[default]
    Queue,
    /// The tick creates no run.
    Skip,
    /// The tick creates a run, and cancels the earlier ones as a forced cancel does: their nodes
    /// get 30 s to stop. The new run waits until they have.
    CancelRunning,
}

impl Overlap {
    pub(crate) const ALL: [Self; 3] = [Self::Queue, Self::Skip, Self::CancelRunning];

    /// Returns the value in a definition.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Skip => "skip",
            Self::CancelRunning => "cancel_running",
        }
    }
}

/// The reason why the latest tick of a schedule created no run.
///
/// ```
/// use floret::SkipReason;
///
/// let reason: SkipReason = serde_json::from_str("\"blocked\"")?;
/// let hint = match reason {
///     SkipReason::Overlap => "the previous run takes longer than the interval",
///     SkipReason::Blocked => "the queue is full, or another pipeline has not succeeded",
///     SkipReason::Paused => "the pipeline is paused",
///     _ => "unknown",
/// };
/// assert_eq!(hint, "the queue is full, or another pipeline has not succeeded");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum SkipReason {
    /// A run of the schedule was unfinished and the overlap rule is [`Overlap::Skip`].
    Overlap,
    /// The queue of pending runs was full. Or the overlap rule is [`Overlap::Skip`], and the
    /// unfinished run of the schedule waits for a pipeline that it depends on.
    Blocked,
    /// The pipeline was paused.
    Paused,
    /// As many runs of the concurrency key were unfinished as may be, and its rule is
    /// [`OnConflict::Skip`](super::OnConflict::Skip).
    #[serde(rename = "concurrency_key")]
    ConcurrencyKey,
}
