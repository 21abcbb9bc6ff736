//! What ended the earlier claim of a run that continues.
//!
//! `storage/queue` finds it out from a claim.

/// What ended the earlier claim of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interruption {
    /// The process ended without releasing the run, or lost its lease.
    Crash,
    /// The process released the run when it was shut down.
    Shutdown,
}

impl Interruption {
    pub(crate) const ALL: [Self; 2] = [Self::Crash, Self::Shutdown];

    /// Returns the name among the metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::Shutdown => "shutdown",
        }
    }

    /// Returns the reason in logs and events.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::Crash => "its process ended without releasing the run, as in a crash",
            Self::Shutdown => "its process was shut down",
        }
    }
}
