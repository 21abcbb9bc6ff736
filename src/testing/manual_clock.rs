//! A clock that stands until a test turns it.
//!
//! What is made of its time (ids, time-outs) is [`Clock`]'s.

use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::clock::{Clock, Sleep, Time};

/// Turns a [`Clock`] by hand. Clones turn the same clock.
///
/// ```
/// # use std::time::Duration;
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # runtime.block_on(async {
/// let turned = floret::testing::ManualClock::new("2024-01-15T00:00:00Z".parse().unwrap());
/// let clock = turned.clock();
/// let sleep = clock.sleep(Duration::from_secs(3600));
/// let turn = async {
///     turned.sleepers(1).await;
///     turned.advance(Duration::from_secs(3600));
/// };
/// tokio::join!(sleep, turn);
/// assert_eq!(clock.now().to_rfc3339(), "2024-01-15T01:00:00+00:00");
/// # });
/// ```
#[derive(Clone)]
pub struct ManualClock(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Told whenever a task goes to sleep.
    slept: Notify,
}

struct State {
    wall: DateTime<Utc>,
    elapsed: Duration,
    /// Tasks that sleep, by deadline and then by the order in which they went to sleep.
    sleepers: BTreeMap<(Duration, u64), Waker>,
    newest: u64,
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.state.lock();
        f.debug_struct("ManualClock")
            .field("wall", &state.wall)
            .field("elapsed", &state.elapsed)
            .field("sleepers", &state.sleepers.len())
            .finish()
    }
}

impl ManualClock {
    /// A clock that stands at `start`.
    #[must_use]
    pub fn new(start: DateTime<Utc>) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::new(State {
                wall: start,
                elapsed: Duration::ZERO,
                sleepers: BTreeMap::new(),
                newest: 0,
            }),
            slept: Notify::new(),
        }))
    }

    /// A clock with this time and ids of its own.
    #[must_use]
    pub fn clock(&self) -> Clock {
        Clock::new(Box::new(self.clone()))
    }

    /// Turns both the wall clock and the monotonic one on, and wakes whom it passes in the order of
    /// their deadlines.
    ///
    /// # Panics
    /// When the calendar ends before that.
    #[expect(
        clippy::expect_used,
        reason = "a test that turns past the calendar's end is wrong"
    )]
    pub fn advance(&self, duration: Duration) {
        let due = {
            let mut state = self.0.state.lock();
            let step = TimeDelta::from_std(duration).expect("a duration of the calendar");
            state.wall = state
                .wall
                .checked_add_signed(step)
                .expect("a time of the calendar");
            state.elapsed = state.elapsed.saturating_add(duration);
            let after = (state.elapsed.saturating_add(Duration::from_nanos(1)), 0);
            let later = state.sleepers.split_off(&after);
            std::mem::replace(&mut state.sleepers, later)
        };
        // Wakers run code of the runtime: not under the lock.
        due.into_values().for_each(Waker::wake);
    }

    /// Sets the wall clock, forwards or back; who sleeps sleeps on.
    pub fn set_wall(&self, wall: DateTime<Utc>) {
        self.0.state.lock().wall = wall;
    }

    /// Ends once at least `count` tasks sleep on the clock.
    pub async fn sleepers(&self, count: usize) {
        self.until(|state| state.sleepers.len() >= count).await;
    }

    /// Ends once a task sleeps that `duration` from now on would wake.
    pub async fn sleeper_within(&self, duration: Duration) {
        self.until(|state| {
            let next = state.sleepers.keys().next();
            next.is_some_and(|(deadline, _)| *deadline <= state.elapsed.saturating_add(duration))
        })
        .await;
    }

    /// How long until the next sleeper wakes; none while nobody sleeps.
    #[must_use]
    pub fn next_wake(&self) -> Option<Duration> {
        let state = self.0.state.lock();
        let (deadline, _) = state.sleepers.keys().next()?;
        Some(deadline.saturating_sub(state.elapsed))
    }

    async fn until(&self, is_met: impl Fn(&State) -> bool) {
        let slept = self.0.slept.notified();
        tokio::pin!(slept);
        loop {
            slept.as_mut().enable();
            if is_met(&self.0.state.lock()) {
                return;
            }
            slept.as_mut().await;
            slept.set(self.0.slept.notified());
        }
    }
}

impl Time for ManualClock {
    fn wall(&self) -> DateTime<Utc> {
        self.0.state.lock().wall
    }

    fn elapsed(&self) -> Duration {
        self.0.state.lock().elapsed
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        let mut sleeper = {
            let mut state = self.0.state.lock();
            state.newest += 1;
            Sleeper {
                key: (state.elapsed.saturating_add(duration), state.newest),
                shared: Arc::clone(&self.0),
            }
        };
        Box::pin(poll_fn(move |context| sleeper.poll(context)))
    }
}

/// One sleep; dropped, it is no sleeper any more.
struct Sleeper {
    key: (Duration, u64),
    shared: Arc<Shared>,
}

impl Sleeper {
    fn poll(&mut self, context: &Context<'_>) -> Poll<()> {
        let mut state = self.shared.state.lock();
        if state.elapsed >= self.key.0 {
            return Poll::Ready(());
        }
        state.sleepers.insert(self.key, context.waker().clone());
        drop(state);
        self.shared.slept.notify_waiters();
        Poll::Pending
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.shared.state.lock().sleepers.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Wake;

    use futures_util::FutureExt as _;
    use futures_util::task::noop_waker_ref;

    use super::*;

    fn start() -> DateTime<Utc> {
        "2024-01-15T06:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_sleep_ends_when_the_clock_reaches_its_deadline_and_not_before() {
        let turned = ManualClock::new(start());
        let mut sleep = turned.sleep(Duration::from_secs(2));
        let mut context = Context::from_waker(noop_waker_ref());
        assert!(sleep.poll_unpin(&mut context).is_pending());
        turned.advance(Duration::from_millis(1_999));
        assert!(sleep.poll_unpin(&mut context).is_pending());
        assert_eq!(turned.next_wake(), Some(Duration::from_millis(1)));
        turned.advance(Duration::from_millis(1));
        assert!(sleep.poll_unpin(&mut context).is_ready());
        assert_eq!(turned.next_wake(), None);
    }

    struct Told(u64, Arc<Mutex<Vec<u64>>>);

    impl Wake for Told {
        fn wake(self: Arc<Self>) {
            self.1.lock().push(self.0);
        }
    }

    #[test]
    fn sleepers_wake_in_the_order_of_their_deadlines() {
        let turned = ManualClock::new(start());
        let woken = Arc::default();
        let sleeps = [3, 1, 2, 4].map(|seconds| {
            let mut sleep = turned.sleep(Duration::from_secs(seconds));
            let waker = Arc::new(Told(seconds, Arc::clone(&woken))).into();
            assert!(
                sleep
                    .poll_unpin(&mut Context::from_waker(&waker))
                    .is_pending()
            );
            sleep
        });
        turned.advance(Duration::from_secs(3));
        assert_eq!(*woken.lock(), [1, 2, 3]);
        drop(sleeps);
    }

    #[test]
    fn stepping_the_wall_clock_wakes_nobody() {
        let turned = ManualClock::new(start());
        let clock = turned.clock();
        let mut sleep = turned.sleep(Duration::from_secs(1));
        let mut context = Context::from_waker(noop_waker_ref());
        assert!(sleep.poll_unpin(&mut context).is_pending());
        turned.set_wall("2034-01-15T06:00:00Z".parse().unwrap());
        assert!(sleep.poll_unpin(&mut context).is_pending());
        assert_eq!(clock.elapsed(), Duration::ZERO);
        assert_eq!(clock.now().to_rfc3339(), "2034-01-15T06:00:00+00:00");
    }

    #[test]
    fn a_dropped_sleep_is_no_sleeper() {
        let turned = ManualClock::new(start());
        let mut sleep = turned.sleep(Duration::MAX);
        let mut context = Context::from_waker(noop_waker_ref());
        assert!(sleep.poll_unpin(&mut context).is_pending());
        assert!(turned.sleepers(1).now_or_never().is_some());
        drop(sleep);
        assert!(turned.sleepers(1).now_or_never().is_none());
    }
}
