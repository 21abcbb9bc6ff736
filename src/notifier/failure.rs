//! What a notifier fails with: a message, and whether trying again may help.
//!
//! When and how often it is tried again is left to `delivery`.

use std::error::Error as StdError;
use std::fmt;

use crate::error::message_with_causes;

/// Why an event was not delivered.
///
/// `?` on any [`std::error::Error`] makes a retryable one whose message is the whole chain of causes.
/// It is no `std::error::Error` itself: only so can it take all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotifierError {
    message: String,
    is_retryable: bool,
}

impl NotifierError {
    /// Trying again may help.
    #[must_use]
    pub fn retryable(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            is_retryable: true,
        }
    }

    /// Trying again cannot help: the event is a dead letter at once.
    #[must_use]
    pub fn permanent(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            is_retryable: false,
        }
    }

    /// Whether trying again may help.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        self.is_retryable
    }

    /// Why it failed.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for NotifierError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl<E: StdError + Send + Sync + 'static> From<E> for NotifierError {
    fn from(error: E) -> Self {
        Self::retryable(message_with_causes(&error))
    }
}
