//! The rules for how long finished runs are kept.
//!
//! `engine/purge` deletes the other runs.

/// The rules for how long the engine keeps finished runs. It purges each finished run that no rule
/// keeps.
///
/// ```
/// use floret::Retention;
/// // Every run for 30 days, and the last 10 of each pipeline beyond that.
/// let retention = Retention::keep_days(30).keep_last(10);
/// # drop(retention);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    days: u32,
    last: u32,
}

impl Retention {
    /// Keeps every run that finished within the last `days` days.
    ///
    /// 0 counts as 1, because a run that finished less than 24 hours ago is never purged.
    #[must_use]
    pub const fn keep_days(days: u32) -> Self {
        let days = if days == 0 { 1 } else { days };
        Self { days, last: 0 }
    }

    /// Also keeps the `last` newest finished runs of each pipeline, whatever their age.
    #[must_use]
    pub const fn keep_last(mut self, last: u32) -> Self {
        self.last = last;
        self
    }

    /// Returns the number of days for which every run is kept.
    pub(crate) const fn days(self) -> u32 {
        self.days
    }

    /// Returns the number of newest runs that are kept per pipeline.
    pub(crate) const fn last(self) -> u32 {
        self.last
    }
}
