//! The name of a caller, as the host knows it: who created a run.
//!
//! The host decides who a caller is (`api/access`, and `Client::by` in `floret`).

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

/// The most characters of a name. 255: an address of electronic mail has at most 254.
const CHARS_MAX: usize = 255;

/// The name of a caller, as the host knows it. Clones share the text.
///
/// ```
/// use floret::CallerName;
///
/// assert_eq!(CallerName::new("alice").as_str(), "alice");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(inline))]
#[serde(transparent)]
pub struct CallerName(Arc<str>);

impl CallerName {
    /// Creates a name of the first 255 characters of a text. Control characters become U+FFFD, so
    /// that a name stays on its line.
    #[must_use]
    pub fn new(text: impl AsRef<str>) -> Self {
        let printable = |character: char| match character {
            control if control.is_control() => char::REPLACEMENT_CHARACTER,
            other => other,
        };
        let text = text.as_ref().chars().take(CHARS_MAX).map(printable);
        Self(text.collect::<String>().into())
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CallerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<T: AsRef<str>> From<T> for CallerName {
    fn from(text: T) -> Self {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_line_of_at_most_255_characters() {
        for (text, expected) in [
            ("alice@example.com", "alice@example.com".to_owned()),
            ("Ünal", "Ünal".to_owned()),
            ("a\nb\u{1b}", "a\u{fffd}b\u{fffd}".to_owned()),
            (&"é".repeat(300), "é".repeat(255)),
            ("", String::new()),
        ] {
            assert_eq!(CallerName::new(text).as_str(), expected);
        }
    }
}
