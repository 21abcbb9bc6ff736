//! The way from async callers to a thread: a bounded queue with a lane for what may wait.
//!
//! What is in it, and when it is answered, is left to `writer` and `reader`.

use std::collections::VecDeque;

use parking_lot::{Condvar, Mutex};
use tokio::sync::Semaphore;

/// Which lane an item waits in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InboxPriority {
    /// In order, as many at once as fit a group.
    Normal,
    /// One between two groups.
    Low,
}

/// Items that wait for a thread.
#[derive(Debug)]
pub(super) struct Inbox<T> {
    // A lock and a condition rather than a channel: a thread waits for two lanes at once and takes
    // many items at a time.
    waiting: Mutex<Queues<T>>,
    arrived: Condvar,
    // Semaphores hold back async callers without a thread.
    room: Semaphore,
    low_room: Semaphore,
}

#[derive(Debug)]
struct Queues<T> {
    /// What the backend sends itself; outside the bound, since nobody could wait for it.
    internal: VecDeque<T>,
    normal: VecDeque<T>,
    low: VecDeque<T>,
    is_closed: bool,
}

/// Chunks of outputs that wait at once: 2 MiB at their largest.
const LOW_MAX: usize = 8;

impl<T> Inbox<T> {
    /// An inbox in which so many items of the normal lane may wait.
    pub(super) fn new(max: usize) -> Self {
        Self {
            waiting: Mutex::new(Queues {
                internal: VecDeque::new(),
                normal: VecDeque::new(),
                low: VecDeque::new(),
                is_closed: false,
            }),
            arrived: Condvar::new(),
            room: Semaphore::new(max.clamp(1, Semaphore::MAX_PERMITS)),
            low_room: Semaphore::new(LOW_MAX),
        }
    }

    /// Adds an item once there is room; false when the inbox is closed.
    pub(super) async fn push(&self, priority: InboxPriority, item: T) -> bool {
        let Ok(permit) = self.room_for(priority).acquire().await else {
            return false;
        };
        let mut waiting = self.waiting.lock();
        if waiting.is_closed {
            return false;
        }
        match priority {
            InboxPriority::Normal => waiting.normal.push_back(item),
            InboxPriority::Low => waiting.low.push_back(item),
        }
        drop(waiting);
        permit.forget();
        self.arrived.notify_one();
        true
    }

    /// Adds an item of the backend's own, at once and though the inbox is closed.
    pub(super) fn push_internal(&self, item: T) {
        self.waiting.lock().internal.push_back(item);
        self.arrived.notify_one();
    }

    /// Waits for items and takes up to `max` of the normal lane and one of the other; nothing once
    /// the inbox is closed and empty.
    pub(super) fn take(&self, max: usize) -> Vec<T> {
        let mut waiting = self.waiting.lock();
        while waiting.is_empty() && !waiting.is_closed {
            self.arrived.wait(&mut waiting);
        }
        let mut items: Vec<T> = waiting.internal.drain(..).collect();
        let count = waiting.normal.len().min(max.max(1));
        items.extend(waiting.normal.drain(..count));
        let low = waiting.low.pop_front();
        drop(waiting);
        self.room.add_permits(count);
        self.low_room.add_permits(usize::from(low.is_some()));
        items.extend(low);
        items
    }

    /// Takes all that waits, but for its own.
    pub(super) fn drain(&self) -> Vec<T> {
        let mut waiting = self.waiting.lock();
        let (count, low_count) = (waiting.normal.len(), waiting.low.len());
        let mut items: Vec<T> = waiting.normal.drain(..).collect();
        items.extend(waiting.low.drain(..));
        drop(waiting);
        self.room.add_permits(count);
        self.low_room.add_permits(low_count);
        items
    }

    /// Refuses what comes from now on; what waits is still taken.
    pub(super) fn close(&self) {
        self.waiting.lock().is_closed = true;
        self.room.close();
        self.low_room.close();
        self.arrived.notify_all();
    }

    const fn room_for(&self, priority: InboxPriority) -> &Semaphore {
        match priority {
            InboxPriority::Normal => &self.room,
            InboxPriority::Low => &self.low_room,
        }
    }
}

impl<T> Queues<T> {
    fn is_empty(&self) -> bool {
        self.internal.is_empty() && self.normal.is_empty() && self.low.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_group_has_what_waits_and_one_of_the_low_lane() {
        let inbox = Inbox::new(8);
        for (priority, item) in [
            (InboxPriority::Low, 10),
            (InboxPriority::Low, 11),
            (InboxPriority::Normal, 1),
            (InboxPriority::Normal, 2),
            (InboxPriority::Normal, 3),
        ] {
            assert!(inbox.push(priority, item).await);
        }
        assert_eq!(inbox.take(2), [1, 2, 10]);
        inbox.push_internal(0);
        assert_eq!(inbox.take(2), [0, 3, 11]);
        assert!(
            inbox.push(InboxPriority::Low, 6).await && inbox.push(InboxPriority::Normal, 7).await
        );
        assert_eq!(inbox.drain(), [7, 6]);
        inbox.close();
        assert!(!inbox.push(InboxPriority::Normal, 4).await);
        inbox.push_internal(5);
        assert_eq!(inbox.take(2), [5], "its own is taken though it is closed");
        assert!(inbox.take(2).is_empty());
    }

    #[tokio::test]
    async fn a_full_inbox_makes_callers_wait_until_there_is_room() {
        let inbox = Inbox::new(1);
        assert!(inbox.push(InboxPriority::Normal, 1).await);
        let mut second = push(&inbox, 2);
        assert!(poll_once(&mut second).await.is_none());
        assert_eq!(inbox.take(8), [1]);
        assert!(second.await);
        assert_eq!(inbox.take(8), [2]);
    }

    fn push(inbox: &Inbox<i32>, item: i32) -> std::pin::Pin<Box<dyn Future<Output = bool> + '_>> {
        Box::pin(inbox.push(InboxPriority::Normal, item))
    }

    async fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        std::future::poll_fn(|cx| {
            std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(cx) {
                std::task::Poll::Ready(output) => Some(output),
                std::task::Poll::Pending => None,
            })
        })
        .await
    }
}
