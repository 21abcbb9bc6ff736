//! The unit of a backfill: which instants of its dates have a run.
//!
//! `engine/backfill_intervals` finds them.

use serde::{Deserialize, Serialize};

/// The unit of a backfill: which instants of its dates have a run.
///
/// All instants are those of the time zone of the pipeline's schedule, or of UTC if it has none. On
/// the wire it is the name in lower case.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use floret::{Pipeline, executor::Ctx, testing::memory};
/// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
/// # let daily = Pipeline::new("daily").node("load", "load");
/// # let floret = memory().node("load", load).pipeline(daily).start().await?;
/// use floret::BackfillUnit;
///
/// let (from, to) = ("2024-01-01".parse()?, "2024-02-29".parse()?);
/// let months = floret.backfill("daily", from..=to).unit(BackfillUnit::Month);
/// let done = months.await?.finished().await?.expect("no month was skipped");
/// let first = done.runs[0].scheduled_at.expect("a run of a backfill has an instant");
/// assert_eq!((done.runs.len(), first), (2, "2024-01-01T00:00:00Z".parse()?));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum BackfillUnit {
    /// The beginning of each date, the default.
    #[default]
    Day,
    /// The beginning of each hour that the clock of the zone shows. When the clock is set back, the
    /// repeated hour is two hours; when it is set forward, the missing hour is none.
    Hour,
    /// The beginning of each Monday.
    Week,
    /// The beginning of each first day of a month.
    Month,
    /// Each fire time of the pipeline's schedule.
    Tick,
}

impl BackfillUnit {
    /// Returns the name of the unit on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Hour => "hour",
            Self::Week => "week",
            Self::Month => "month",
            Self::Tick => "tick",
        }
    }

    /// Returns whether a date has at most one run.
    ///
    /// If so, an earlier run stands for the same as a new one if it has the same date. Otherwise it
    /// must have the same instant.
    #[must_use]
    pub const fn is_dated(self) -> bool {
        match self {
            Self::Day | Self::Week | Self::Month => true,
            Self::Hour | Self::Tick => false,
        }
    }

    /// Returns whether an earlier run stands for a run of this unit that has the same date or
    /// instant: one of a backfill with the unit `earlier`, or of the schedule for `None`.
    ///
    /// A run of another unit is for another interval, though both may begin together. A run of the
    /// schedule is for its tick, and also for its date.
    ///
    /// ```
    /// use floret::BackfillUnit::{Day, Hour, Tick};
    ///
    /// assert!(Day.is_covered_by(Some(Day)) && !Day.is_covered_by(Some(Hour)));
    /// assert!(Day.is_covered_by(None) && Tick.is_covered_by(None) && !Hour.is_covered_by(None));
    /// ```
    #[must_use]
    pub const fn is_covered_by(self, earlier: Option<Self>) -> bool {
        match (self, earlier) {
            (Self::Day, None | Some(Self::Day))
            | (Self::Hour, Some(Self::Hour))
            | (Self::Week, Some(Self::Week))
            | (Self::Month, Some(Self::Month))
            | (Self::Tick, None | Some(Self::Tick)) => true,
            (Self::Hour | Self::Week | Self::Month, None) => false,
            (_, Some(_)) => false,
        }
    }
}
