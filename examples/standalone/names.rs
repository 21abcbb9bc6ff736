//! The names of levels, as the API has them.

use floret::Level;

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
