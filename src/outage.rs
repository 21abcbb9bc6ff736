//! Repeats a storage call while storage is unavailable.
//!
//! `engine/retry` repeats failed nodes.

use std::time::Duration;

use crate::clock::Clock;
use crate::error::{Error, Result, log};

const PAUSE: Duration = Duration::from_millis(100);

/// The pauses between the tries of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backoff {
    first: Duration,
    max: Duration,
}

impl Backoff {
    /// The default: constant pauses of 100 ms.
    pub(crate) const STANDARD: Self = Self::doubling(PAUSE, PAUSE);

    /// Returns pauses that double from `first` up to `max`.
    pub(crate) const fn doubling(first: Duration, max: Duration) -> Self {
        Self { first, max }
    }
}

/// Why the repetition of a call ended without success.
#[derive(Debug)]
pub(crate) enum RetryError {
    /// The call failed with an error that is not transient.
    Permanent(Error),
    /// The stop future resolved first. The error is that of the last try.
    Stopped(Error),
}

/// Repeats `call` until it succeeds, fails permanently, or `stop` resolves.
///
/// `stop` is polled only between tries. A call that has started is never dropped, because it may
/// have had its effect already. An outage is logged once per call, not once per try.
///
/// # Errors
/// - [`RetryError::Permanent`] at the first error that is not transient.
/// - [`RetryError::Stopped`] if `stop` resolves first.
pub(crate) async fn retry_while_unavailable<T, F>(
    clock: &Clock,
    backoff: Backoff,
    stop: impl Future<Output = ()>,
    mut call: impl FnMut() -> F,
) -> Result<T, RetryError>
where
    F: Future<Output = Result<T>>,
{
    let mut pause = backoff.first;
    let mut is_first = true;
    tokio::pin!(stop);
    loop {
        let error = match call().await {
            Ok(answer) => return Ok(answer),
            Err(error) if error.kind().is_transient() => error,
            Err(error) => return Err(RetryError::Permanent(error)),
        };
        if std::mem::take(&mut is_first) {
            log::warn!(%error, "storage is unavailable; the call is repeated");
        }
        tokio::select! {
            biased;
            () = &mut stop => return Err(RetryError::Stopped(error)),
            () = clock.sleep(pause) => {}
        }
        pause = pause.saturating_mul(2).min(backoff.max);
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;
    use crate::error::ErrorKind;
    use crate::testing::ManualClock;

    const SECOND: Duration = Duration::from_secs(1);

    fn manual() -> ManualClock {
        ManualClock::new("2024-01-15T00:00:00Z".parse().unwrap())
    }

    fn busy() -> Error {
        Error::unavailable("storage is busy")
    }

    /// Runs a call that fails `failures` times. Returns its answer and the pauses between the
    /// tries.
    async fn pauses_of(backoff: Backoff, failures: usize) -> (usize, Vec<Duration>) {
        let manual = manual();
        let clock = manual.clock();
        let mut tries = 0;
        let call = || {
            tries += 1;
            ready(if tries > failures {
                Ok(tries)
            } else {
                Err(busy())
            })
        };
        let waiting = retry_while_unavailable(&clock, backoff, pending(), call);
        let advancing = async {
            let mut taken = Vec::new();
            for _ in 0..failures {
                manual.sleepers(1).await;
                let pause = manual.next_wake().unwrap();
                manual.advance(pause);
                taken.push(pause);
                tokio::task::yield_now().await;
            }
            taken
        };
        let (answer, taken) = tokio::join!(waiting, advancing);
        (answer.unwrap(), taken)
    }

    #[tokio::test]
    async fn a_call_is_repeated_until_storage_answers() {
        let (tries, pauses) = pauses_of(Backoff::STANDARD, 3).await;
        assert_eq!((tries, pauses), (4, vec![PAUSE; 3]));
    }

    #[tokio::test]
    async fn pauses_double_up_to_their_maximum() {
        let (_, pauses) = pauses_of(Backoff::doubling(SECOND, 5 * SECOND), 5).await;
        assert_eq!(pauses, [1, 2, 4, 5, 5].map(Duration::from_secs));
    }

    #[tokio::test]
    async fn a_call_that_succeeds_at_once_has_no_pause() {
        let (tries, pauses) = pauses_of(Backoff::STANDARD, 0).await;
        assert_eq!((tries, pauses), (1, Vec::new()));
    }

    #[tokio::test]
    async fn a_permanent_error_is_not_retried() {
        let clock = manual().clock();
        let call = || ready(Err::<(), _>(Error::internal("damaged")));
        let answer = retry_while_unavailable(&clock, Backoff::STANDARD, pending(), call).await;
        let Err(RetryError::Permanent(error)) = answer else {
            panic!("{answer:?}");
        };
        assert_eq!(error.kind(), ErrorKind::Internal);
    }

    #[tokio::test]
    async fn a_stop_returns_the_last_error() {
        let manual = manual();
        let clock = manual.clock();
        let call = || ready(Err::<(), _>(busy()));
        let stop = clock.sleep(5 * SECOND);
        let waiting = retry_while_unavailable(
            &clock,
            Backoff::doubling(60 * SECOND, 60 * SECOND),
            stop,
            call,
        );
        let advancing = async {
            manual.sleepers(2).await;
            manual.advance(5 * SECOND);
        };
        let (answer, ()) = tokio::join!(waiting, advancing);
        let Err(RetryError::Stopped(error)) = answer else {
            panic!("{answer:?}");
        };
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }

    #[tokio::test]
    async fn a_stop_that_has_already_resolved_still_allows_one_try() {
        let clock = manual().clock();
        let call = || ready(Ok(7));
        let answer = retry_while_unavailable(&clock, Backoff::STANDARD, ready(()), call).await;
        assert_eq!(answer.unwrap(), 7);
    }
}
