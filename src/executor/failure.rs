//! What an executor fails with: a message, and whether trying again may help.
//!
//! When and how often it is tried again is left to `engine/retry`.

use std::error::Error as StdError;
use std::fmt;

/// Why an attempt failed.
///
/// `?` on any [`std::error::Error`] makes a retryable one whose message is the whole chain of causes.
/// It is no `std::error::Error` itself: only so can it take all others.
///
/// ```
/// use floret::executor::ExecutorError;
/// fn parse(text: &str) -> Result<i64, ExecutorError> {
///     Ok(text.parse()?)
/// }
/// assert!(parse("seven").unwrap_err().is_retryable());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutorError {
    message: String,
    is_retryable: bool,
}

impl ExecutorError {
    /// Trying again may help.
    #[must_use]
    pub fn retryable(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            is_retryable: true,
        }
    }

    /// Trying again cannot help: the node fails at once, whatever `max_retries` says.
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

impl fmt::Display for ExecutorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl<E: StdError + Send + Sync + 'static> From<E> for ExecutorError {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            message.push_str(": ");
            message.push_str(&cause.to_string());
            source = cause.source();
        }
        Self::retryable(message)
    }
}
