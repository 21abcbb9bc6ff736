//! The names of levels and statuses, as the API has them.

use floret::{Level, RunStatus};

/// The levels, in ascending order.
pub(crate) const LEVELS: [(&str, Level); 4] = [
    ("debug", Level::Debug),
    ("info", Level::Info),
    ("warning", Level::Warning),
    ("error", Level::Error),
];

/// Returns the name of a level.
pub(crate) fn level(level: Level) -> &'static str {
    let found = LEVELS.iter().find(|(_, other)| *other == level);
    found.map_or("unknown", |(name, _)| name)
}

/// Returns the name of the status of a run.
pub(crate) const fn status(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Pending => "pending",
        RunStatus::Running => "running",
        RunStatus::Success => "success",
        RunStatus::Failed => "failed",
        RunStatus::Cancelled => "cancelled",
        _ => "unknown",
    }
}
