//! The error of a notifier: a message, and whether a retry may help.
//!
//! `delivery` decides when and how often to retry.

use std::error::Error as StdError;
use std::fmt;

use crate::error::message_with_causes;

/// Why an event was not delivered.
///
/// The `?` operator converts any [`std::error::Error`] into a retryable error whose message has the
/// whole chain of causes. For this conversion the type cannot be a `std::error::Error` itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotifierError {
    message: String,
    is_retryable: bool,
}

impl NotifierError {
    /// Creates an error for which a retry may help.
    #[must_use]
    pub fn retryable(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            is_retryable: true,
        }
    }

    /// Creates an error for which a retry cannot help. The event becomes a dead letter at once.
    #[must_use]
    pub fn permanent(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            is_retryable: false,
        }
    }

    /// Returns whether a retry may help.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        self.is_retryable
    }

    /// Returns the message.
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
