//! The table of open connections: which of them is the idlest, and who must close.
//!
//! A connection is in the table as long as its slot lives, also after it has become a stream.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The open connections.
pub(super) struct Table {
    max: usize,
    open: Mutex<Open>,
    closings: Arc<Closings>,
}

/// How often the streams were closed. A request that began before the last time must not become a
/// stream. The ordering makes one of the two notice the other: a new stream, or who closes them.
#[derive(Default)]
struct Closings(AtomicUsize);

#[derive(Default)]
struct Open {
    next: u64,
    entries: BTreeMap<u64, Arc<Entry>>,
}

/// What the table knows of a connection.
pub(super) struct Entry {
    active_at: Mutex<Instant>,
    has_read: AtomicBool,
    /// Requests that the service works on, and the stream that the connection has become.
    busy: AtomicUsize,
    is_stream: AtomicBool,
    closings: Arc<Closings>,
    closed: CancellationToken,
}

/// The slot of a connection, which owns it. Dropping it frees the slot.
pub(super) struct Slot {
    table: Arc<Table>,
    number: u64,
    entry: Arc<Entry>,
}

/// A request that the service works on.
pub(super) struct Busy {
    entry: Arc<Entry>,
    /// How often the streams had been closed when the request began.
    closings: usize,
}

impl Table {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            open: Mutex::default(),
            closings: Arc::default(),
        }
    }

    /// Takes a slot. If there is none left, the idlest connection loses its own.
    pub(super) fn admit(self: &Arc<Self>) -> Slot {
        let entry = Arc::new(Entry {
            active_at: Mutex::new(Instant::now()),
            has_read: AtomicBool::new(false),
            busy: AtomicUsize::new(0),
            is_stream: AtomicBool::new(false),
            closings: Arc::clone(&self.closings),
            closed: CancellationToken::new(),
        });
        let mut open = self.open.lock();
        while open.entries.len() >= self.max {
            open.close_idlest();
        }
        let number = open.next;
        open.next += 1;
        open.entries.insert(number, Arc::clone(&entry));
        Slot {
            table: Arc::clone(self),
            number,
            entry,
        }
    }

    /// Closes every connection that has become a stream, and those whose requests are about to.
    pub(super) fn close_streams(&self) {
        self.closings.0.fetch_add(1, Ordering::SeqCst);
        for entry in self.open.lock().entries.values() {
            if entry.is_stream.load(Ordering::SeqCst) {
                entry.closed.cancel();
            }
        }
    }

    /// Closes the idlest eighth of the connections, so that many waiting clients are soon served.
    pub(super) fn close_some(&self) {
        let mut open = self.open.lock();
        for _ in 0..open.entries.len().div_ceil(8) {
            open.close_idlest();
        }
    }
}

impl Closings {
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Open {
    /// Closes the connection that has neither read nor written for longest. One that the service
    /// works for is closed only if there is no other.
    fn close_idlest(&mut self) {
        let idlest = self.entries.iter().min_by_key(|(_, entry)| {
            (
                entry.busy.load(Ordering::Relaxed) > 0,
                *entry.active_at.lock(),
            )
        });
        let Some(number) = idlest.map(|(number, _)| *number) else {
            return;
        };
        if let Some(entry) = self.entries.remove(&number) {
            entry.closed.cancel();
        }
    }
}

impl Entry {
    /// Notes that the client has sent something.
    pub(super) fn note_read(&self) {
        self.has_read.store(true, Ordering::Relaxed);
        self.note_write();
    }

    /// Notes that the client has taken something.
    pub(super) fn note_write(&self) {
        *self.active_at.lock() = Instant::now();
    }

    /// Returns whether the client has ever sent anything.
    pub(super) fn has_read(&self) -> bool {
        self.has_read.load(Ordering::Relaxed)
    }

    /// Marks the connection as busy until the result is dropped.
    pub(super) fn busy(self: &Arc<Self>) -> Busy {
        self.busy.fetch_add(1, Ordering::Relaxed);
        Busy {
            closings: self.closings.count(),
            entry: Arc::clone(self),
        }
    }

    /// Returns the token that is cancelled when the connection must close.
    pub(super) fn closed(&self) -> CancellationToken {
        self.closed.clone()
    }
}

impl Busy {
    /// Marks the connection as busy until its end: it has become a stream.
    pub(super) fn keep(self) {
        self.entry.busy.fetch_add(1, Ordering::Relaxed);
        self.entry.is_stream.store(true, Ordering::SeqCst);
        if self.entry.closings.count() != self.closings {
            self.entry.closed.cancel();
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.entry.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Slot {
    pub(super) fn entry(&self) -> Arc<Entry> {
        Arc::clone(&self.entry)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.table.open.lock().entries.remove(&self.number);
    }
}
