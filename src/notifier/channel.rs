//! A notifier that sends events to the host's own code, one at a time.
//!
//! An event is delivered once the host asks for the next one, so that it arrives again after a
//! crash in between.

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};

use super::{Notifier, NotifierError, Wanted};
use crate::model::{Event, EventKind};

/// Sends events to [`Notifications`], from which the host receives them.
///
/// ```
/// use floret::notifier::ChannelNotifier;
/// use floret::storage::MemoryStorage;
/// use floret::{EventKind, Floret, Pipeline};
/// # async fn numbers(_: floret::executor::Ctx) -> Result<Vec<i64>,
/// floret::executor::ExecutorError> { Ok(vec![1]) }
/// # #[tokio::main]
/// # async fn main() -> floret::Result<()> {
/// let (notifier, mut notifications) = ChannelNotifier::of([EventKind::RunCompleted,
/// EventKind::RunFailed]); let pipeline = Pipeline::new("daily").node("one", "numbers"); let floret
/// = Floret::builder(MemoryStorage::default())
///     .node("numbers", numbers)
///     .pipeline(pipeline)
///     .notifier("host", notifier)
///     .start()
///     .await?;
/// let run = floret.run("daily").start().await?;
/// let event = notifications.next().await.expect("an event before the shutdown");
/// assert_eq!(event.run_id, run.id());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ChannelNotifier {
    // Capacity one: other events wait in `delivery`, in the order of their runs.
    sender: mpsc::Sender<PendingEvent>,
    wanted: Wanted,
}

#[derive(Debug)]
struct PendingEvent {
    event: Event,
    acknowledge: oneshot::Sender<()>,
}

/// The receiver of the events of a [`ChannelNotifier`].
#[derive(Debug)]
pub struct Notifications {
    receiver: mpsc::Receiver<PendingEvent>,
    unacknowledged: Option<oneshot::Sender<()>>,
}

impl ChannelNotifier {
    /// Creates a notifier for every event, including log lines.
    #[must_use]
    pub fn all() -> (Self, Notifications) {
        Self::wanting(Wanted::Any)
    }

    /// Creates a notifier for events of these kinds.
    #[must_use]
    pub fn of(kinds: impl IntoIterator<Item = EventKind>) -> (Self, Notifications) {
        Self::wanting(Wanted::Of(kinds.into_iter().collect()))
    }

    fn wanting(wanted: Wanted) -> (Self, Notifications) {
        let (sender, receiver) = mpsc::channel(1);
        let notifications = Notifications {
            receiver,
            unacknowledged: None,
        };
        (Self { sender, wanted }, notifications)
    }
}

impl Notifications {
    /// Returns the next event, or `None` after Floret has shut down.
    ///
    /// The call acknowledges the previous event. Until then that event is not delivered: it arrives
    /// again after a crash, and is retried after [`Limits::notifier_timeout`](crate::Limits).
    pub async fn next(&mut self) -> Option<Event> {
        if let Some(acknowledge) = self.unacknowledged.take() {
            // The attempt may have timed out. The event then arrives again.
            let _ = acknowledge.send(());
        }
        loop {
            let PendingEvent { event, acknowledge } = self.receiver.recv().await?;
            if !acknowledge.is_closed() {
                self.unacknowledged = Some(acknowledge);
                return Some(event);
            }
        }
    }
}

#[async_trait]
impl Notifier for ChannelNotifier {
    async fn notify(&self, event: &Event) -> Result<(), NotifierError> {
        let closed = || NotifierError::retryable("the receiver of the notifications was dropped");
        let (acknowledge, acknowledged) = oneshot::channel();
        let event = event.clone();
        let pending = PendingEvent { event, acknowledge };
        self.sender.send(pending).await.map_err(|_| closed())?;
        acknowledged.await.map_err(|_| closed())
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
    async fn an_event_is_delivered_once_the_next_is_requested() {
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
    async fn an_event_whose_attempt_was_dropped_is_not_received() {
        let (notifier, mut notifications) = ChannelNotifier::all();
        let (first, second) = (event(1, EventKind::Log), event(2, EventKind::Log));
        assert!(notifier.notify(&first).now_or_never().is_none());
        let mut later = notifier.notify(&second);
        assert!((&mut later).now_or_never().is_none());
        let (event, _) = tokio::join!(notifications.next(), async { (&mut later).now_or_never() });
        assert_eq!(event.map(|event| event.seq), Some(2));
    }

    #[tokio::test]
    async fn an_event_without_a_receiver_fails() {
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
    fn all_kinds_or_the_named_kinds_are_wanted() {
        let (all, _all) = ChannelNotifier::all();
        let (some, _some) = ChannelNotifier::of([EventKind::RunFailed]);
        for (kind, expected) in [(EventKind::RunFailed, true), (EventKind::Log, false)] {
            assert!(all.wants(&event(1, kind)));
            assert_eq!(some.wants(&event(1, kind)), expected);
        }
    }
}
