//! Events handed to the host's own code, one after another.
//!
//! An event counts as delivered once the host asks for the one after it, so that a crash in between brings it again.

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};

use super::{Notifier, NotifierError, Wanted};
use crate::model::{Event, EventKind};

/// Hands events to [`Notifications`], where the host takes them.
///
/// ```
/// use floret::notifier::ChannelNotifier;
/// use floret::storage::MemoryStorage;
/// use floret::{EventKind, Floret, Pipeline};
/// # async fn numbers(_: floret::executor::Ctx) -> Result<Vec<i64>, floret::executor::ExecutorError> { Ok(vec![1]) }
/// # #[tokio::main]
/// # async fn main() -> floret::Result<()> {
/// let (notifier, mut ends) = ChannelNotifier::of([EventKind::RunCompleted, EventKind::RunFailed]);
/// let pipeline = Pipeline::new("daily").node("one", "numbers");
/// let floret = Floret::builder(MemoryStorage::default())
///     .node("numbers", numbers)
///     .pipeline(pipeline)
///     .notifier("ends", notifier)
///     .start()
///     .await?;
/// let run = floret.run("daily").start().await?;
/// let event = ends.next().await.expect("an event before the shutdown");
/// assert_eq!(event.run_id, run.id());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ChannelNotifier {
    // Of one place: an event waits for the host here or in its run's order, never in a crowd.
    sender: mpsc::Sender<Handed>,
    wanted: Wanted,
}

#[derive(Debug)]
struct Handed {
    event: Event,
    taken: oneshot::Sender<()>,
}

/// Where a host takes the events of a [`ChannelNotifier`].
#[derive(Debug)]
pub struct Notifications {
    receiver: mpsc::Receiver<Handed>,
    held: Option<oneshot::Sender<()>>,
}

impl ChannelNotifier {
    /// Hands on every event, lines of logs included.
    #[must_use]
    pub fn all() -> (Self, Notifications) {
        Self::wanting(Wanted::Any)
    }

    /// Hands on events of these kinds.
    #[must_use]
    pub fn of(kinds: impl IntoIterator<Item = EventKind>) -> (Self, Notifications) {
        Self::wanting(Wanted::Of(kinds.into_iter().collect()))
    }

    fn wanting(wanted: Wanted) -> (Self, Notifications) {
        let (sender, receiver) = mpsc::channel(1);
        let notifications = Notifications {
            receiver,
            held: None,
        };
        (Self { sender, wanted }, notifications)
    }
}

impl Notifications {
    /// The next event; none once the Floret has shut down. Asking says that the one before is done with: until then it is not delivered, comes again
    /// after a crash, and is tried again when it takes longer than [`Limits::notifier_timeout`](crate::Limits).
    pub async fn next(&mut self) -> Option<Event> {
        if let Some(taken) = self.held.take() {
            // Whoever waited for it may have given it up: it comes again.
            let _ = taken.send(());
        }
        loop {
            let Handed { event, taken } = self.receiver.recv().await?;
            if !taken.is_closed() {
                self.held = Some(taken);
                return Some(event);
            }
        }
    }
}

#[async_trait]
impl Notifier for ChannelNotifier {
    async fn notify(&self, event: &Event) -> Result<(), NotifierError> {
        let gone = || NotifierError::retryable("nobody takes the notifications any more");
        let (taken, is_taken) = oneshot::channel();
        let event = event.clone();
        let handed = Handed { event, taken };
        self.sender.send(handed).await.map_err(|_| gone())?;
        is_taken.await.map_err(|_| gone())
    }

    fn wants(&self, event: &Event) -> bool {
        self.wanted.includes(event.kind)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::testing::contract::fixtures::{at, pipeline_id, run_id};

    fn event(seq: u64, kind: EventKind) -> Event {
        Event::new(seq, kind, run_id(1), pipeline_id("daily"), at(0))
    }

    #[tokio::test]
    async fn an_event_is_delivered_once_the_next_is_asked_for() {
        let (notifier, mut notifications) = ChannelNotifier::all();
        let first = event(1, EventKind::Log);
        let mut delivery = notifier.notify(&first);
        assert!((&mut delivery).now_or_never().is_none());
        assert_eq!(notifications.next().await.map(|event| event.seq), Some(1));
        assert!((&mut delivery).now_or_never().is_none());
        assert!(notifications.next().now_or_never().is_none());
        assert_eq!(delivery.await, Ok(()));
    }

    #[tokio::test]
    async fn what_was_given_up_is_not_handed_on() {
        let (notifier, mut notifications) = ChannelNotifier::all();
        let (first, second) = (event(1, EventKind::Log), event(2, EventKind::Log));
        assert!(notifier.notify(&first).now_or_never().is_none());
        let mut later = notifier.notify(&second);
        assert!((&mut later).now_or_never().is_none());
        let (event, _) = tokio::join!(notifications.next(), async { (&mut later).now_or_never() });
        assert_eq!(event.map(|event| event.seq), Some(2));
    }

    #[tokio::test]
    async fn an_event_that_nobody_takes_fails() {
        let (notifier, mut notifications) = ChannelNotifier::all();
        let first = event(1, EventKind::Log);
        let mut delivery = notifier.notify(&first);
        assert!((&mut delivery).now_or_never().is_none());
        notifications.next().await;
        drop(notifications);
        assert!(delivery.await.is_err_and(|error| error.is_retryable()));
        assert!(notifier.notify(&first).await.is_err());
    }

    #[test]
    fn kinds_are_all_or_those_that_were_named() {
        let (all, _all) = ChannelNotifier::all();
        let (some, _some) = ChannelNotifier::of([EventKind::RunFailed]);
        for (kind, expected) in [(EventKind::RunFailed, true), (EventKind::Log, false)] {
            assert!(all.wants(&event(1, kind)));
            assert_eq!(some.wants(&event(1, kind)), expected);
        }
    }
}
