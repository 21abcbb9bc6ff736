//! The error of an executor: a message, and whether a retry may help.
//!
//! Whether an attempt is retried is decided by `engine/node`, and the delay by `engine/retry`.

use std::error::Error as StdError;
use std::fmt;

use crate::error::{Error, Problem, causes};

/// Why an attempt failed.
///
/// `?` converts any error to a retryable error whose message has all causes: any
/// [`std::error::Error`], a `Box<dyn Error + Send + Sync>`, the errors of anyhow and eyre, and a
/// text. A dataset that exceeds a limit is a permanent error. With the feature `anyhow`, `?` also
/// converts this type to an `anyhow::Error`.
///
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

    /// Converts any error. It is retryable unless an `ExecutorError` among its causes is permanent,
    /// or it is a dataset that exceeds a limit.
    pub(crate) fn from_causes(head: &(dyn StdError + 'static)) -> Self {
        let mut cause = Some(head);
        let is_too_large = |error: &Error| error.problem() == Problem::DatasetTooLarge;
        let mut is_retryable = !head.downcast_ref().is_some_and(is_too_large);
        while let Some(error) = cause {
            if let Some(Boxed(executor_error)) = error.downcast_ref() {
                is_retryable = executor_error.is_retryable;
            }
            cause = error.source();
        }
        let mut messages = causes(head);
        messages.insert(0, head.to_string());
        // The error of anyhow repeats the message of the one that it carries.
        messages.dedup();
        Self {
            message: messages.join(": "),
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

/// Converts any error, also a boxed one, one of anyhow or eyre, or a text.
///
/// The error is retryable unless an `ExecutorError` among its causes is permanent, or it is a
/// dataset that exceeds a limit.
// `Unpin` excludes `ExecutorError` itself, which converts to a `Box` too, from this implementation:
// the standard library has its own for equal types. All other errors are `Unpin`.
#[diagnostic::do_not_recommend]
impl<E: Into<Box<dyn StdError + Send + Sync>> + Unpin> From<E> for ExecutorError {
    fn from(error: E) -> Self {
        let error: Box<dyn StdError + Send + Sync> = error.into();
        Self::from_causes(&*error)
    }
}

/// A trait without implementations.
trait Never {}

// An implementation under a bound that never holds: the type is not `Unpin`, although all its
// fields are. Nothing pins an error, so this has no other effect.
impl Unpin for ExecutorError where for<'a> &'a Self: Never {}

/// An executor's error as a `std::error::Error`, for layers that accept no other error.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Boxed(ExecutorError);

impl From<ExecutorError> for Box<dyn StdError + Send + Sync> {
    fn from(error: ExecutorError) -> Self {
        Box::new(Boxed(error))
    }
}

/// The carrier of an executor's error in an error of anyhow, which hides the type of the outermost
/// error that it converts to a `Box`, but not those of its causes.
#[cfg(feature = "anyhow")]
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Carrier(#[source] Boxed);

/// `?` in a function that returns `anyhow::Result`. The way back keeps a permanent error permanent.
#[cfg(feature = "anyhow")]
impl From<ExecutorError> for anyhow::Error {
    fn from(error: ExecutorError) -> Self {
        Self::new(Carrier(Boxed(error)))
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
    fn a_question_mark_converts_boxed_errors_and_texts() {
        fn ask(answer: Result<(), impl Into<ExecutorError>>) -> ExecutorError {
            answer.map_err(Into::into).unwrap_err()
        }
        let boxed: Box<dyn StdError + Send + Sync> = Box::new(Layer("no".into()));
        let error = ask(Err(boxed));
        assert_eq!(error.message(), "the layer gave up: no");
        assert!(error.is_retryable());
        assert_eq!(ask(Err("no")), ExecutorError::retryable("no"));
        assert_eq!(ask(Err("no".to_owned())), ExecutorError::retryable("no"));
        let permanent: Box<dyn StdError + Send + Sync> = ExecutorError::permanent("no").into();
        assert_eq!(ask(Err(permanent)), ExecutorError::permanent("no"));
    }

    #[cfg(feature = "anyhow")]
    #[test]
    fn an_error_of_anyhow_has_its_causes_and_stays_permanent() {
        use anyhow::Context;

        let parsed = "seven".parse::<i64>().context("the count");
        let error = ExecutorError::from(parsed.unwrap_err());
        assert_eq!(
            error,
            ExecutorError::retryable("the count: invalid digit found in string")
        );
        for original in [
            ExecutorError::permanent("no"),
            ExecutorError::retryable("no"),
        ] {
            let converted = anyhow::Error::from(original.clone());
            assert_eq!(ExecutorError::from(converted), original);
            let converted = anyhow::Error::from(original.clone()).context("the load");
            let error = ExecutorError::from(converted);
            assert_eq!(error.message(), "the load: no");
            assert_eq!(error.is_retryable(), original.is_retryable());
        }
    }

    #[test]
    fn a_dataset_that_is_too_large_is_not_retried() {
        let error = Error::new(Problem::DatasetTooLarge, "one row too many");
        assert!(!ExecutorError::from(error).is_retryable());
        assert!(ExecutorError::from(Error::internal("a fault")).is_retryable());
    }
}
