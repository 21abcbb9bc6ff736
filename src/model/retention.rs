//! The rules for how long finished runs and the audit are kept.
//!
//! `engine/purge` deletes the other runs, and `engine/retention` old entries of the audit.

/// The days for which the audit is kept, unless the host says otherwise.
const AUDIT_DAYS: u32 = 90;

/// The rules for how long the engine keeps finished runs and the audit. It purges each finished run
/// that no rule keeps.
///
/// ```
/// use floret::Retention;
/// // Every run for 30 days, and the last 10 of each pipeline beyond that. The audit for a year.
/// let retention = Retention::keep_days(30).keep_last(10).audit(365);
/// # drop(retention);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// `None` keeps every run.
    days: Option<u32>,
    last: u32,
    audit_days: u32,
}

impl Retention {
    /// Keeps every run that finished within the last `days` days.
    ///
    /// 0 counts as 1, because a run that finished less than 24 hours ago is never purged.
    #[must_use]
    pub const fn keep_days(days: u32) -> Self {
        Self {
            days: Some(at_least_one(days)),
            ..Self::keep_all()
        }
    }

    /// Keeps every run until it is purged by request, as without a retention.
    #[must_use]
    pub const fn keep_all() -> Self {
        Self {
            days: None,
            last: 0,
            audit_days: AUDIT_DAYS,
        }
    }

    /// Also keeps the `last` newest finished runs of each pipeline, whatever their age.
    #[must_use]
    pub const fn keep_last(mut self, last: u32) -> Self {
        self.last = last;
        self
    }

    /// Keeps the entries of the audit of the last `days` days, instead of the last 90. 0 counts as
    /// 1.
    #[must_use]
    pub const fn audit(mut self, days: u32) -> Self {
        self.audit_days = at_least_one(days);
        self
    }

    /// Returns the number of days for which every run is kept. `None` keeps all runs.
    pub(crate) const fn days(self) -> Option<u32> {
        self.days
    }

    /// Returns the number of newest runs that are kept per pipeline.
    pub(crate) const fn last(self) -> u32 {
        self.last
    }

    /// Returns the number of days for which the audit is kept.
    pub(crate) const fn audit_days(self) -> u32 {
        self.audit_days
    }
}

const fn at_least_one(days: u32) -> u32 {
    if days == 0 { 1 } else { days }
}
