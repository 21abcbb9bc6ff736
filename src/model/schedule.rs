//! The behavior of a schedule while a run of it is unfinished, and why a tick started no run.
//!
//! `cron` computes the ticks. The scheduler and storage process them.

use serde::{Deserialize, Serialize};

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
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Overlap {
    /// The tick creates a run, which waits until the earlier runs finish.
    #[default]
    Queue,
    /// The tick creates no run.
    Skip,
}

impl Overlap {
    pub(crate) const ALL: [Self; 2] = [Self::Queue, Self::Skip];

    /// Returns the value in a definition.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Skip => "skip",
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
///     SkipReason::Blocked => "too many runs are waiting",
///     _ => "unknown",
/// };
/// assert_eq!(hint, "too many runs are waiting");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum SkipReason {
    /// A run of the schedule was unfinished and the overlap rule is [`Overlap::Skip`].
    Overlap,
    /// The queue of pending runs was full.
    Blocked,
}
