//! The error of an executor: a message, and whether a retry may help.
//!
//! Whether an attempt is retried is decided by `engine/node`, and the delay by `engine/retry`.

use std::error::Error as StdError;
use std::fmt;

use crate::error::{Error, Problem, message_with_causes};

/// Why an attempt failed.
///
/// `?` converts any [`std::error::Error`] to a retryable error whose message has all causes. A
/// dataset that exceeds a limit is a permanent error.
/// The type does not implement `std::error::Error`, since that would forbid this conversion.
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
    /// Creates an error that a retry may fix.
    #[must_use]
    pub fn retryable(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            is_retryable: true,
        }
    }

    /// Creates an error that no retry can fix: the node fails at once, regardless of `max_retries`.
    #[must_use]
    pub fn permanent(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            is_retryable: false,
        }
    }

    /// Creates a retryable error from the message of an executor's panic.
    pub(crate) fn panicked(message: &str) -> Self {
        Self::retryable(format!("the executor panicked: {message}"))
    }

    /// Converts any error. It is retryable unless an `ExecutorError` among its causes is permanent.
    pub(crate) fn from_causes(error: &(dyn StdError + 'static)) -> Self {
        let mut cause = Some(error);
        let mut is_retryable = true;
        while let Some(error) = cause {
            if let Some(Boxed(executor_error)) = error.downcast_ref() {
                is_retryable = executor_error.is_retryable;
            }
            cause = error.source();
        }
        Self {
            message: message_with_causes(error),
            is_retryable,
        }
    }

    /// Changes the message.
    pub(crate) fn map_message(mut self, map: impl FnOnce(String) -> String) -> Self {
        self.message = map(self.message);
        self
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

impl fmt::Display for ExecutorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl<E: StdError + Send + Sync + 'static> From<E> for ExecutorError {
    fn from(error: E) -> Self {
        let is_too_large = (&error as &(dyn StdError + 'static))
            .downcast_ref::<Error>()
            .is_some_and(|error| error.problem() == Problem::DatasetTooLarge);
        Self {
            message: message_with_causes(&error),
            is_retryable: !is_too_large,
        }
    }
}

/// An executor's error as a `std::error::Error`, for layers that accept no other error.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Boxed(ExecutorError);

impl From<ExecutorError> for Box<dyn StdError + Send + Sync> {
    fn from(error: ExecutorError) -> Self {
        Box::new(Boxed(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the layer gave up")]
    struct Layer(#[source] Box<dyn StdError + Send + Sync>);

    #[test]
    fn a_boxed_error_stays_retryable_or_permanent_through_layers() {
        for error in [
            ExecutorError::permanent("no"),
            ExecutorError::retryable("no"),
        ] {
            let boxed: Box<dyn StdError + Send + Sync> = error.clone().into();
            assert_eq!(ExecutorError::from_causes(&*boxed), error);
            let wrapped = ExecutorError::from_causes(&Layer(boxed));
            assert_eq!(wrapped.message(), "the layer gave up: no");
            assert_eq!(wrapped.is_retryable(), error.is_retryable());
        }
        assert!(ExecutorError::from_causes(&std::fmt::Error).is_retryable());
    }

    #[test]
    fn a_dataset_that_is_too_large_is_not_retried() {
        let error = Error::new(Problem::DatasetTooLarge, "one row too many");
        assert!(!ExecutorError::from(error).is_retryable());
        assert!(ExecutorError::from(Error::internal("a fault")).is_retryable());
    }
}
