//! The error of a notifier: a message, and whether a retry may help.
//!
//! `delivery` decides when and how often to retry.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use crate::error::message_with_causes;

/// The longest delay that a receiver can ask for. One day, the longest one of Standard Webhooks.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 3_600);

/// Why an event was not delivered.
///
/// The `?` operator converts any [`std::error::Error`] into a retryable error whose message has the
/// whole chain of causes. For this conversion the type cannot be a `std::error::Error` itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotifierError {
    message: String,
    remedy: Remedy,
}

/// What may help after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Remedy {
    /// A retry, not before this delay.
    Retry { delay_min: Duration },
    /// Nothing: this event cannot be delivered.
    Nothing,
    /// Nothing: the receiver wants no more events.
    Disable,
}

impl NotifierError {
    /// Creates an error for which a retry may help.
    #[must_use]
    pub fn retryable(message: impl Into<String>) -> Self {
        let delay_min = Duration::ZERO;
        Self::new(message.into(), Remedy::Retry { delay_min })
    }

    /// Creates an error for which a retry cannot help. The event becomes a dead letter at once.
    #[must_use]
    pub fn permanent(message: impl Into<String>) -> Self {
        Self::new(message.into(), Remedy::Nothing)
    }

    /// Creates an error of a receiver that wants no more events, as HTTP's status 410 says.
    ///
    /// The notifier is disabled until the next start, or until a delivery that a caller retries
    /// succeeds. Meanwhile, its events become dead letters without a try.
    #[must_use]
    pub fn gone(message: impl Into<String>) -> Self {
        Self::new(message.into(), Remedy::Disable)
    }

    const fn new(message: String, remedy: Remedy) -> Self {
        Self { message, remedy }
    }

    /// Delays the retry by at least this much, up to a day: the receiver has asked for it. Errors
    /// that are not retryable stay as they are.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        if let Remedy::Retry { delay_min } = &mut self.remedy {
            *delay_min = delay.min(RETRY_AFTER_MAX);
        }
        self
    }

    /// Returns whether a retry may help.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self.remedy {
            Remedy::Retry { delay_min: _ } => true,
            Remedy::Nothing | Remedy::Disable => false,
        }
    }

    /// Returns whether the receiver wants no more events.
    #[must_use]
    pub const fn is_gone(&self) -> bool {
        match self.remedy {
            Remedy::Disable => true,
            Remedy::Nothing | Remedy::Retry { delay_min: _ } => false,
        }
    }

    /// Returns the shortest delay before a retry.
    pub(crate) const fn delay_min(&self) -> Duration {
        match self.remedy {
            Remedy::Retry { delay_min } => delay_min,
            Remedy::Nothing | Remedy::Disable => Duration::ZERO,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_can_delay_a_retry_by_up_to_a_day() {
        let second = Duration::from_secs(1);
        let error = NotifierError::retryable("busy").retry_after(second);
        assert!(error.is_retryable() && !error.is_gone());
        assert_eq!(error.delay_min(), second);
        let error = error.retry_after(Duration::MAX);
        assert_eq!(error.delay_min(), RETRY_AFTER_MAX);
    }

    #[test]
    fn an_error_that_is_not_retryable_has_no_delay() {
        let cases = [
            (NotifierError::permanent("no"), false),
            (NotifierError::gone("bye"), true),
        ];
        for (error, is_gone) in cases {
            let error = error.retry_after(Duration::from_secs(1));
            assert!(!error.is_retryable());
            assert_eq!(
                (error.is_gone(), error.delay_min()),
                (is_gone, Duration::ZERO)
            );
        }
    }
}
