//! A clock that stands still until a test advances it.
//!
//! What depends on time (ids, timeouts) is left to [`Clock`].

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

/// The control of a [`Clock`] that stands still until a test advances it.
///
/// Give [`clock`](Self::clock) to [`Builder::clock`](crate::Builder::clock). Clones control the
/// same time.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use std::time::Duration;
///
/// use floret::testing::ManualClock;
///
/// let hour = Duration::from_secs(3600);
/// let manual = ManualClock::new("2024-01-15T00:00:00Z".parse().unwrap());
/// let clock = manual.clock();
/// let advance = async {
///     manual.sleepers(1).await;
///     manual.advance(hour);
/// };
/// tokio::join!(clock.sleep(hour), advance);
/// assert_eq!(clock.now().to_rfc3339(), "2024-01-15T01:00:00+00:00");
/// # }
/// ```
#[derive(Clone)]
pub struct ManualClock(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Notified whenever a task goes to sleep.
    slept: Notify,
}

struct State {
    wall: DateTime<Utc>,
    elapsed: Duration,
    /// The wakers of sleeping tasks, by deadline and then by the order in which they fell asleep.
    sleepers: BTreeMap<(Duration, u64), Waker>,
    newest: u64,
}

impl State {
    /// Returns the time until the next task wakes.
    fn next_wake(&self) -> Option<Duration> {
        let (deadline, _) = self.sleepers.keys().next()?;
        Some(deadline.saturating_sub(self.elapsed))
    }
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
    /// Returns a clock that stands at `start`.
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

    /// Returns a [`Clock`] that reads this time and generates its own ids.
    #[must_use]
    pub fn clock(&self) -> Clock {
        Clock::new(Box::new(self.clone()))
    }

    /// Advances the wall clock and the monotonic clock by `duration`.
    ///
    /// Wakes the tasks whose deadlines have passed, in the order of their deadlines.
    ///
    /// # Panics
    /// If the calendar cannot represent the new time.
    #[expect(
        clippy::expect_used,
        reason = "a test that advances past the end of the calendar is wrong"
    )]
    pub fn advance(&self, duration: Duration) {
        let woken = {
            let mut state = self.0.state.lock();
            let step =
                TimeDelta::from_std(duration).expect("the calendar can represent the duration");
            state.wall = state
                .wall
                .checked_add_signed(step)
                .expect("the calendar can represent the new time");
            state.elapsed = state.elapsed.saturating_add(duration);
            let after = (state.elapsed.saturating_add(Duration::from_nanos(1)), 0);
            let later = state.sleepers.split_off(&after);
            std::mem::replace(&mut state.sleepers, later)
        };
        // Wakers run code of the runtime, so the lock must be free.
        woken.into_values().for_each(Waker::wake);
    }

    /// Sets the wall clock, forward or back, and wakes no task.
    ///
    /// Sleeps follow the monotonic clock, which does not change.
    pub fn set_wall(&self, wall: DateTime<Utc>) {
        self.0.state.lock().wall = wall;
    }

    /// Waits until at least `count` tasks sleep on the clock.
    pub async fn sleepers(&self, count: usize) {
        self.until(|state| (state.sleepers.len() >= count).then_some(()))
            .await;
    }

    /// Waits until a task sleeps that an advance by `duration` would wake.
    ///
    /// Returns the time until the first such task wakes.
    pub async fn sleeper_within(&self, duration: Duration) -> Duration {
        self.until(|state| state.next_wake().filter(|next| *next <= duration))
            .await
    }

    /// Waits until a task sleeps that wakes within `bound`, and advances to the moment when it
    /// wakes. Returns the step.
    ///
    /// A test that expects one sleep passes a bound that is shorter than all others, so that it
    /// advances to this sleep whatever else waits.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> floret::Result<()> {
    /// use std::time::Duration;
    ///
    /// use floret::testing::{ManualClock, ScriptedExecutor, Step, memory};
    /// use floret::{Node, Pipeline, RunStatus};
    ///
    /// let script = ScriptedExecutor::new();
    /// script.script("load", [Step::retryable("busy"), Step::nothing()]);
    /// let clock = ManualClock::new("2024-01-15T06:00:00Z".parse().unwrap());
    /// let load = Node::new("load", "scripted").retries(1).retry_delay(Duration::from_secs(2));
    /// let floret = memory()
    ///     .clock(clock.clock())
    ///     .executor("scripted", script)
    ///     .pipeline(Pipeline::new("daily").with(load))
    ///     .start()
    ///     .await?;
    /// let run = floret.run("daily").await?;
    /// let finished = clock.advance_until(Duration::from_secs(3), run.finished()).await?;
    /// assert_eq!(finished.run.status, RunStatus::Success);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn advance_within(&self, bound: Duration) -> Duration {
        let step = self.sleeper_within(bound).await;
        self.advance(step);
        step
    }

    /// Advances from one sleep within `bound` to the next until the future finishes, and returns
    /// its output. See [`ManualClock::advance_within`].
    pub async fn advance_until<T>(&self, bound: Duration, future: impl Future<Output = T>) -> T {
        tokio::pin!(future);
        loop {
            tokio::select! {
                biased;
                output = &mut future => return output,
                _ = self.advance_within(bound) => {}
            }
        }
    }

    /// Returns the time until the next task wakes, or `None` if no task sleeps.
    #[must_use]
    pub fn next_wake(&self) -> Option<Duration> {
        self.0.state.lock().next_wake()
    }

    /// Waits until `find` finds something in the state, and returns it.
    async fn until<T>(&self, find: impl Fn(&State) -> Option<T>) -> T {
        let slept = self.0.slept.notified();
        tokio::pin!(slept);
        loop {
            slept.as_mut().enable();
            // The lock must be free over the await.
            let found = find(&self.0.state.lock());
            if let Some(found) = found {
                return found;
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

/// One sleep. Dropping it removes its task from the sleepers.
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
    fn a_sleep_finishes_exactly_at_its_deadline() {
        let manual = ManualClock::new(start());
        let mut sleep = manual.sleep(Duration::from_secs(2));
        let mut context = Context::from_waker(noop_waker_ref());
        assert!(sleep.poll_unpin(&mut context).is_pending());
        manual.advance(Duration::from_millis(1_999));
        assert!(sleep.poll_unpin(&mut context).is_pending());
        assert_eq!(manual.next_wake(), Some(Duration::from_millis(1)));
        manual.advance(Duration::from_millis(1));
        assert!(sleep.poll_unpin(&mut context).is_ready());
        assert_eq!(manual.next_wake(), None);
    }

    struct RecordingWaker(u64, Arc<Mutex<Vec<u64>>>);

    impl Wake for RecordingWaker {
        fn wake(self: Arc<Self>) {
            self.1.lock().push(self.0);
        }
    }

    #[test]
    fn tasks_wake_in_the_order_of_their_deadlines() {
        let manual = ManualClock::new(start());
        let woken = Arc::default();
        let sleeps = [3, 1, 2, 4].map(|seconds| {
            let mut sleep = manual.sleep(Duration::from_secs(seconds));
            let waker = Arc::new(RecordingWaker(seconds, Arc::clone(&woken))).into();
            assert!(
                sleep
                    .poll_unpin(&mut Context::from_waker(&waker))
                    .is_pending()
            );
            sleep
        });
        manual.advance(Duration::from_secs(3));
        assert_eq!(*woken.lock(), [1, 2, 3]);
        drop(sleeps);
    }

    #[test]
    fn setting_the_wall_clock_wakes_no_task() {
        let manual = ManualClock::new(start());
        let clock = manual.clock();
        let mut sleep = manual.sleep(Duration::from_secs(1));
        let mut context = Context::from_waker(noop_waker_ref());
        assert!(sleep.poll_unpin(&mut context).is_pending());
        manual.set_wall("2034-01-15T06:00:00Z".parse().unwrap());
        assert!(sleep.poll_unpin(&mut context).is_pending());
        assert_eq!(clock.elapsed(), Duration::ZERO);
        assert_eq!(clock.now().to_rfc3339(), "2034-01-15T06:00:00+00:00");
    }

    #[test]
    fn a_dropped_sleep_is_not_counted() {
        let manual = ManualClock::new(start());
        let mut sleep = manual.sleep(Duration::MAX);
        let mut context = Context::from_waker(noop_waker_ref());
        assert!(sleep.poll_unpin(&mut context).is_pending());
        assert!(manual.sleepers(1).now_or_never().is_some());
        drop(sleep);
        assert!(manual.sleepers(1).now_or_never().is_none());
    }
}
