//! What an executor fails with: a message, and whether trying again may help.
//!
//! When and how often it is tried again is left to `engine/retry`.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;

use crate::error::{message_with_causes, panic_message};

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

    /// What a panic of an executor becomes: retryable, with its text.
    pub(crate) fn panicked(payload: Box<dyn Any + Send>) -> Self {
        Self::retryable(format!("the executor panicked: {}", panic_message(payload)))
    }

    /// What any error becomes: retryable, unless one of these is among its causes and says otherwise.
    pub(crate) fn of(error: &(dyn StdError + 'static)) -> Self {
        let mut cause = Some(error);
        let mut is_retryable = true;
        while let Some(own) = cause {
            if let Some(Boxed(own)) = own.downcast_ref() {
                is_retryable = own.is_retryable;
            }
            cause = own.source();
        }
        Self {
            message: message_with_causes(error),
            is_retryable,
        }
    }

    /// The same with another message.
    pub(crate) fn map_message(mut self, map: impl FnOnce(String) -> String) -> Self {
        self.message = map(self.message);
        self
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
        Self::retryable(message_with_causes(&error))
    }
}

/// An executor's error on its way through layers that know `std::error::Error` alone.
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
    fn a_box_keeps_whether_trying_again_may_help_through_layers() {
        for error in [
            ExecutorError::permanent("no"),
            ExecutorError::retryable("no"),
        ] {
            let boxed: Box<dyn StdError + Send + Sync> = error.clone().into();
            assert_eq!(ExecutorError::of(&*boxed), error);
            let wrapped = ExecutorError::of(&Layer(boxed));
            assert_eq!(wrapped.message(), "the layer gave up: no");
            assert_eq!(wrapped.is_retryable(), error.is_retryable());
        }
        assert!(ExecutorError::of(&std::fmt::Error).is_retryable());
    }
}
