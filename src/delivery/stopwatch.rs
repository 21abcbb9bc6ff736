//! A stopwatch for the code of a notifier: the wait for exclusive access does not count.
//!
//! `exclusive` starts and pauses it, `attempt` waits for its limit.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Clock;

/// A stopwatch that stands still at first. Clones are the same one.
#[derive(Debug, Clone)]
pub(super) struct Stopwatch {
    clock: Clock,
    // A watch, since the waiter needs only the newest state.
    counted: Arc<watch::Sender<Counted>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    /// The time until the latest pause.
    spent: Duration,
    /// Since when it runs, on the monotonic clock.
    since: Option<Duration>,
}

impl Stopwatch {
    pub(super) fn new(clock: &Clock) -> Self {
        Self {
            clock: clock.clone(),
            counted: Arc::new(watch::Sender::new(Counted::default())),
        }
    }

    pub(super) fn start(&self) {
        let now = self.clock.elapsed();
        self.counted.send_if_modified(|counted| {
            let is_standing = counted.since.is_none();
            counted.since.get_or_insert(now);
            is_standing
        });
    }

    pub(super) fn pause(&self) {
        let now = self.clock.elapsed();
        self.counted.send_if_modified(|counted| {
            let since = counted.since.take();
            let ran = since.map_or(Duration::ZERO, |since| now.saturating_sub(since));
            counted.spent = counted.spent.saturating_add(ran);
            since.is_some()
        });
    }

    /// Waits until it has counted `limit`.
    pub(super) async fn reaches(&self, limit: Duration) {
        let mut counted = self.counted.subscribe();
        loop {
            let Counted { spent, since } = *counted.borrow_and_update();
            let at = since.map(|since| since.saturating_add(limit.saturating_sub(spent)));
            let sleep = async {
                match at {
                    Some(at) => self.clock.sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                // The sender lives in `self`.
                Ok(()) = counted.changed() => {}
                () = sleep => return,
            }
        }
    }
}
