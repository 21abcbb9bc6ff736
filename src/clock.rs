//! The clock of Floret: the only place that reads the time, sleeps or creates ids.
//!
//! A `Clock` is the system clock or, in tests, a clock that the test advances
//! (`testing::ManualClock`).

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};
use parking_lot::Mutex;
use uuid::Uuid;

use crate::model::{BackfillId, OwnerId, RunId};

const REAL_TIME_PAUSE: Duration = Duration::from_millis(1);

/// Returns a duration in whole milliseconds, rounded down.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A future that resolves when a sleep is over.
pub(crate) type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The source of a clock's time.
pub(crate) trait Time: Send + Sync {
    /// Returns the wall-clock time.
    fn wall(&self) -> DateTime<Utc>;
    /// Returns the time since a fixed moment. Unlike the wall clock, it never steps back.
    fn elapsed(&self) -> Duration;
    /// Returns a future that resolves once [`Time::elapsed`] has advanced by `duration`.
    fn sleep(&self, duration: Duration) -> Sleep;
}

/// A clock, which also sleeps and creates increasing ids. Clones share its time and its ids.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use floret::Clock;
///
/// let clock = Clock::system();
/// let floret = floret::testing::memory().clock(clock.clone()).start().await?;
/// let never = std::future::pending::<()>();
/// assert_eq!(clock.timeout(Duration::from_millis(1), never).await, None);
/// # drop(floret);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Clock(Arc<Shared>);

struct Shared {
    time: Box<dyn Time>,
    /// The zero of [`Clock::real_time`].
    created_at: std::time::Instant,
    newest_id: Mutex<Uuid>,
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").finish_non_exhaustive()
    }
}

impl Clock {
    /// Returns the system clock.
    #[must_use]
    pub fn system() -> Self {
        Self::new(Box::new(SystemTime {
            start: system_instant(),
        }))
    }

    pub(crate) fn new(time: Box<dyn Time>) -> Self {
        Self(Arc::new(Shared {
            time,
            created_at: system_instant(),
            newest_id: Mutex::new(Uuid::nil()),
        }))
    }

    /// Returns the wall-clock time, truncated to milliseconds.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.0.time.wall().trunc_subsecs(3)
    }

    /// Returns the time since a fixed moment. Unlike the wall clock, it never steps back.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.time.elapsed()
    }

    /// Waits until [`Clock::elapsed`] has advanced by `duration`.
    pub async fn sleep(&self, duration: Duration) {
        self.0.time.sleep(duration).await;
    }

    /// Waits for about a millisecond of real time, even on a manual clock.
    ///
    /// This lets other tasks that are ready run.
    pub(crate) async fn real_time_pause(&self) {
        self.real_time_sleep(REAL_TIME_PAUSE).await;
    }

    /// Returns the real time since the clock was created, even on a manual clock.
    ///
    /// This measures how long work takes. A test may advance its clock in the middle of the work,
    /// which then took no longer.
    pub(crate) fn real_time(&self) -> Duration {
        self.0.created_at.elapsed()
    }

    /// Waits for real time, even on a manual clock.
    ///
    /// A pause that leaves room for other work is no sleep that a test waits for.
    #[expect(clippy::disallowed_methods, reason = "only this file sleeps")]
    pub(crate) async fn real_time_sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    /// Waits until [`Clock::elapsed`] reaches `deadline`. Returns at once if it already has.
    pub async fn sleep_until(&self, deadline: Duration) {
        let remaining = deadline.saturating_sub(self.elapsed());
        if !remaining.is_zero() {
            self.sleep(remaining).await;
        }
    }

    /// Returns the future's output, or `None` if `duration` passes first.
    pub async fn timeout<F: Future>(&self, duration: Duration, future: F) -> Option<F::Output> {
        let sleep = self.sleep(duration);
        tokio::pin!(future, sleep);
        tokio::select! {
            biased;
            output = &mut future => Some(output),
            () = &mut sleep => None,
        }
    }

    /// Creates a run id that is greater than all earlier ids and than every id passed to
    /// [`Clock::seed`].
    #[must_use]
    pub fn new_run_id(&self) -> RunId {
        RunId::from_uuid(self.next_uuid())
    }

    /// Creates a backfill id, greater than the same ids as [`Clock::new_run_id`].
    #[must_use]
    pub fn new_backfill_id(&self) -> BackfillId {
        BackfillId::from_uuid(self.next_uuid())
    }

    /// Creates an owner id.
    #[must_use]
    pub fn new_owner_id(&self) -> OwnerId {
        OwnerId::from_uuid(self.next_uuid())
    }

    /// Creates a secret token with 244 random bits from the operating system, in 64 hexadecimal
    /// digits.
    #[must_use]
    pub(crate) fn new_token(&self) -> String {
        let [first, second] = [Uuid::new_v4(), Uuid::new_v4()];
        format!("{}{}", first.simple(), second.simple())
    }

    /// Makes all later ids greater than `newest`.
    pub fn seed(&self, newest: RunId) {
        let mut newest_id = self.0.newest_id.lock();
        *newest_id = (*newest_id).max(*newest.as_uuid());
    }

    /// Returns a random number from 0.0 to 1.0, for jitter.
    #[must_use]
    pub(crate) fn random(&self) -> f64 {
        let (_, low) = Uuid::new_v4().as_u64_pair();
        let random = u32::try_from(low & u64::from(u32::MAX)).unwrap_or(0);
        f64::from(random) / f64::from(u32::MAX)
    }

    /// Creates a version 7 UUID (RFC 9562) from the wall clock.
    ///
    /// If that UUID is not greater than the newest one, returns the successor of the newest one.
    /// This can happen within a millisecond, and after the wall clock steps back.
    fn next_uuid(&self) -> Uuid {
        let millis = u64::try_from(self.0.time.wall().timestamp_millis()).unwrap_or(0);
        let fresh = uuid::Builder::from_unix_timestamp_millis(millis, &random_bytes()).into_uuid();
        let mut newest_id = self.0.newest_id.lock();
        *newest_id = if fresh > *newest_id {
            fresh
        } else {
            successor(*newest_id)
        };
        *newest_id
    }
}

/// Returns the next version 7 UUID: increments the random part and carries into the time.
fn successor(uuid: Uuid) -> Uuid {
    const RANDOM_B: u64 = (1 << 62) - 1;
    let (high, low) = uuid.as_u64_pair();
    let (millis, random_a) = (high >> 16, high & 0x0fff);
    let (random_b, carry) = (
        (low & RANDOM_B).wrapping_add(1) & RANDOM_B,
        low & RANDOM_B == RANDOM_B,
    );
    let (random_a, carry) = (
        random_a.wrapping_add(u64::from(carry)) & 0x0fff,
        carry && random_a == 0x0fff,
    );
    let millis = millis.wrapping_add(u64::from(carry));
    Uuid::from_u64_pair(millis << 16 | 0x7000 | random_a, 0b10 << 62 | random_b)
}

fn random_bytes() -> [u8; 10] {
    let random = *Uuid::new_v4().as_bytes();
    let mut bytes = [0; 10];
    // Bytes 6 and 8 of a version 4 UUID hold its version and variant; the others are random.
    bytes[..6].copy_from_slice(&random[..6]);
    bytes[6..].copy_from_slice(&random[10..14]);
    bytes
}

struct SystemTime {
    start: std::time::Instant,
}

/// Measures how long work takes, where no clock is at hand.
#[cfg(feature = "sqlite")]
#[derive(Debug)]
pub(crate) struct RealTimer(std::time::Instant);

#[cfg(feature = "sqlite")]
impl RealTimer {
    pub(crate) fn start() -> Self {
        Self(system_instant())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

#[expect(clippy::disallowed_methods, reason = "only this file reads the time")]
fn system_instant() -> std::time::Instant {
    std::time::Instant::now()
}

impl Time for SystemTime {
    #[expect(clippy::disallowed_methods, reason = "only this file reads the time")]
    fn wall(&self) -> DateTime<Utc> {
        Utc::now()
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    #[expect(clippy::disallowed_methods, reason = "only this file sleeps")]
    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(duration))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_increase_within_a_millisecond_and_after_a_seed_from_the_future() {
        let clock = Clock::system();
        let first: Vec<_> = (0..10_000).map(|_| clock.new_run_id()).collect();
        assert!(first.is_sorted_by(|a, b| a < b));
        let future = RunId::from_uuid(Uuid::from_u64_pair(
            u64::MAX >> 20 << 16 | 0x7fff,
            u64::MAX >> 2 | 1 << 63,
        ));
        clock.seed(future);
        let next = clock.new_run_id();
        assert!(next > future);
        assert_eq!(next.as_uuid().get_version_num(), 7);
    }
}
