//! A bounded queue from async callers to a thread, with two priorities.
//!
//! `writer` and `reader` process and answer the items.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::sync::Semaphore;

/// The priority of a queued item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InboxPriority {
    /// Taken in order, as many as fit into a group.
    Normal,
    /// Taken one per group.
    Low,
}

/// A bounded queue of items for a thread.
#[derive(Debug)]
pub(super) struct Inbox<T> {
    // Not a channel, because a thread waits for both priorities at once and takes many items at a
    // time.
    queues: Mutex<Queues<T>>,
    arrived: Condvar,
    closed: Condvar,
    // Semaphores make async callers wait without blocking a thread.
    room: Semaphore,
    low_room: Semaphore,
}

#[derive(Debug)]
struct Queues<T> {
    /// Items that the backend sends itself. They are unbounded, because no caller can wait.
    internal: VecDeque<T>,
    normal: VecDeque<T>,
    low: VecDeque<T>,
    is_closed: bool,
}

/// The maximum number of queued items of low priority.
///
/// These are chunks of outputs, which have 2 MiB together at most.
const LOW_MAX: usize = 8;

impl<T> Inbox<T> {
    /// Creates an inbox that holds up to `max` items of normal priority.
    pub(super) fn new(max: usize) -> Self {
        Self {
            queues: Mutex::new(Queues {
                internal: VecDeque::new(),
                normal: VecDeque::new(),
                low: VecDeque::new(),
                is_closed: false,
            }),
            arrived: Condvar::new(),
            closed: Condvar::new(),
            room: Semaphore::new(max.clamp(1, Semaphore::MAX_PERMITS)),
            low_room: Semaphore::new(LOW_MAX),
        }
    }

    /// Adds an item once there is room. Returns false if the inbox is closed.
    pub(super) async fn push(&self, priority: InboxPriority, item: T) -> bool {
        let Ok(permit) = self.room_for(priority).acquire().await else {
            return false;
        };
        let mut queues = self.queues.lock();
        if queues.is_closed {
            return false;
        }
        match priority {
            InboxPriority::Normal => queues.normal.push_back(item),
            InboxPriority::Low => queues.low.push_back(item),
        }
        drop(queues);
        permit.forget();
        self.arrived.notify_one();
        true
    }

    /// Adds an item of the backend itself without waiting, even to a closed inbox.
    pub(super) fn push_internal(&self, item: T) {
        self.queues.lock().internal.push_back(item);
        self.arrived.notify_one();
    }

    /// Adds an item of the backend itself without waiting, unless the inbox is closed.
    pub(super) fn push_background(&self, item: T) {
        let mut queues = self.queues.lock();
        if !queues.is_closed {
            queues.internal.push_back(item);
            drop(queues);
            self.arrived.notify_one();
        }
    }

    /// Waits for items. Removes up to `max` of normal priority and one of low priority.
    ///
    /// Returns no items once the inbox is closed and empty.
    pub(super) fn take(&self, max: usize) -> Vec<T> {
        let mut queues = self.queues.lock();
        while queues.is_empty() && !queues.is_closed {
            self.arrived.wait(&mut queues);
        }
        let mut items: Vec<T> = queues.internal.drain(..).collect();
        let count = queues.normal.len().min(max.max(1));
        items.extend(queues.normal.drain(..count));
        let low = queues.low.pop_front();
        drop(queues);
        self.room.add_permits(count);
        self.low_room.add_permits(usize::from(low.is_some()));
        items.extend(low);
        items
    }

    /// Removes up to `max` items of normal priority that have arrived, without waiting.
    pub(super) fn take_arrived(&self, max: usize) -> Vec<T> {
        let mut queues = self.queues.lock();
        let count = queues.normal.len().min(max);
        let items = queues.normal.drain(..count).collect();
        drop(queues);
        self.room.add_permits(count);
        items
    }

    /// Takes all queued items except internal ones.
    pub(super) fn drain(&self) -> Vec<T> {
        let mut queues = self.queues.lock();
        let (count, low_count) = (queues.normal.len(), queues.low.len());
        let mut items: Vec<T> = queues.normal.drain(..).collect();
        items.extend(queues.low.drain(..));
        drop(queues);
        self.room.add_permits(count);
        self.low_room.add_permits(low_count);
        items
    }

    /// Closes the inbox for new items. Queued items can still be taken.
    pub(super) fn close(&self) {
        self.queues.lock().is_closed = true;
        self.room.close();
        self.low_room.close();
        self.arrived.notify_all();
        self.closed.notify_all();
    }

    /// Waits until the inbox is closed, but no longer than `pause`. Returns whether it is closed.
    pub(super) fn waits_for_close(&self, pause: Duration) -> bool {
        let mut queues = self.queues.lock();
        if !queues.is_closed {
            self.closed.wait_for(&mut queues, pause);
        }
        queues.is_closed
    }

    /// Returns whether the inbox is open and empty.
    pub(super) fn is_idle(&self) -> bool {
        let queues = self.queues.lock();
        queues.is_empty() && !queues.is_closed
    }

    /// Closes the inbox and drops all queued items, because nobody takes them any more.
    fn abandon(&self) {
        self.close();
        let mut queues = self.queues.lock();
        let internal = std::mem::take(&mut queues.internal);
        drop(queues);
        // Without the lock: a dropped item may add an internal one.
        drop((internal, self.drain()));
    }

    const fn room_for(&self, priority: InboxPriority) -> &Semaphore {
        match priority {
            InboxPriority::Normal => &self.room,
            InboxPriority::Low => &self.low_room,
        }
    }
}

/// Closes an inbox once its thread ends, even by a panic. The callers of its items notice.
#[derive(Debug)]
pub(super) struct CloseOnDrop<T>(pub(super) Arc<Inbox<T>>);

impl<T> Drop for CloseOnDrop<T> {
    fn drop(&mut self) {
        self.0.abandon();
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
    async fn a_group_has_the_queued_items_and_one_of_low_priority() {
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
        assert!(inbox.take_arrived(0).is_empty());
        assert_eq!(inbox.take_arrived(9), [7]);
        assert_eq!(inbox.drain(), [6]);
        inbox.close();
        assert!(!inbox.push(InboxPriority::Normal, 4).await);
        inbox.push_internal(5);
        assert_eq!(
            inbox.take(2),
            [5],
            "an internal item is taken after closing"
        );
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
