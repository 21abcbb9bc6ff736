//! Repeats a call of storage while storage is unavailable.
//!
//! Further attempts of a failed node are left to `engine/retry`.

use std::time::Duration;

use crate::clock::Clock;
use crate::error::{Error, Result};

const PAUSE: Duration = Duration::from_millis(100);

/// The backoff between the tries of one call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backoff {
    first: Duration,
    max: Duration,
}

impl Backoff {
    /// Pauses of 100 ms.
    pub(crate) const STANDARD: Self = Self::doubling(PAUSE, PAUSE);

    /// Pauses that double from `first` up to `max`.
    pub(crate) const fn doubling(first: Duration, max: Duration) -> Self {
        Self { first, max }
    }
}

/// Why a call has no answer.
#[derive(Debug)]
pub(crate) enum RetryError {
    /// Storage refused the call with an error that is not transient.
    Permanent(Error),
    /// The waiting was stopped; the error is that of the last try.
    Stopped(Error),
}

/// Repeats `call` as long as its error is transient and `stop` has not resolved.
///
/// `stop` is polled between tries alone: a call that has begun is not dropped, since it may have
/// had its effect. An outage is logged once a call, not once a try.
///
/// # Errors
/// [`RetryError::Permanent`] at the first error that is not transient, [`RetryError::Stopped`] when
/// `stop` resolves first.
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
            tracing::warn!(%error, "storage is unavailable; the call is repeated");
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

    /// Runs a call that fails `failures` times, and returns its answer and the pauses between the calls.
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
        let turning = async {
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
        let (answer, taken) = tokio::join!(waiting, turning);
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
    async fn an_answer_needs_no_pause() {
        let (tries, pauses) = pauses_of(Backoff::STANDARD, 0).await;
        assert_eq!((tries, pauses), (1, Vec::new()));
    }

    #[tokio::test]
    async fn an_error_that_is_not_transient_ends_the_tries() {
        let clock = manual().clock();
        let call = || ready(Err::<(), _>(Error::internal("damaged")));
        let answer = retry_while_unavailable(&clock, Backoff::STANDARD, pending(), call).await;
        let Err(RetryError::Permanent(error)) = answer else {
            panic!("{answer:?}");
        };
        assert_eq!(error.kind(), ErrorKind::Internal);
    }

    #[tokio::test]
    async fn a_stop_ends_the_waiting_with_the_last_error() {
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
        let turning = async {
            manual.sleepers(2).await;
            manual.advance(5 * SECOND);
        };
        let (answer, ()) = tokio::join!(waiting, turning);
        let Err(RetryError::Stopped(error)) = answer else {
            panic!("{answer:?}");
        };
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }

    #[tokio::test]
    async fn a_stop_that_was_met_before_still_allows_one_try() {
        let clock = manual().clock();
        let call = || ready(Ok(7));
        let answer = retry_while_unavailable(&clock, Backoff::STANDARD, ready(()), call).await;
        assert_eq!(answer.unwrap(), 7);
    }
}
