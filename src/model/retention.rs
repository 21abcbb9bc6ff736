//! How long finished runs are kept.
//!
//! Deleting the others is left to `engine`.

/// Which finished runs the engine keeps by itself; it purges those that no rule keeps.
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
    /// Keeps runs that finished within so many days; 0 counts as 1, since a run finished less than
    /// 24 hours ago is never purged.
    #[must_use]
    pub const fn keep_days(days: u32) -> Self {
        let days = if days == 0 { 1 } else { days };
        Self { days, last: 0 }
    }

    /// Keeps the newest finished runs of each pipeline too, so many of them, whatever their age.
    #[must_use]
    pub const fn keep_last(mut self, last: u32) -> Self {
        self.last = last;
        self
    }

    /// The days for which every run is kept.
    pub(crate) const fn days(self) -> u32 {
        self.days
    }

    /// The runs of each pipeline that are kept.
    pub(crate) const fn last(self) -> u32 {
        self.last
    }
}
