//! The journal of one run: takes entries in order and within bounds.
//!
//! `appender` stores them. `node` and `driver` decide which entries a node writes.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::limits::Limits;
use crate::model::NodeIndex;
use crate::storage::{Entry, FinishedNode};

/// An entry on its way to the appender.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) entry: Entry,
    pub(super) receipt: Receipt,
}

/// What is due once an entry is stored.
#[derive(Debug)]
pub(super) struct Receipt {
    pub(super) waiter: Waiter,
    // Returns the entry's share of the byte budget.
    _budget: OwnedSemaphorePermit,
}

/// Who waits for an entry.
#[derive(Debug)]
pub(super) enum Waiter {
    Nobody,
    Sender(oneshot::Sender<()>),
    /// The driver, for the result of this node.
    Driver(NodeIndex),
}

/// A handle that sends entries to the journal of a run. Clones send to the same journal.
#[derive(Debug, Clone)]
pub(super) struct Journal {
    // Bounded, so that an executor that logs faster than storage writes has to wait.
    sender: mpsc::Sender<Message>,
    byte_budget: Arc<Semaphore>,
    bytes_max: usize,
    // Closes the journal once its entries are stored. Dropped senders are not enough: an abandoned
    // executor may keep its handle.
    closing: CancellationToken,
}

/// The run's lease is lost: nothing more of the run can be stored.
#[derive(Debug)]
pub(super) struct LeaseLost;

impl Journal {
    /// Creates a journal and the queue of its entries.
    pub(super) fn open(limits: &Limits) -> (Self, JournalQueue) {
        let entries_max = limits.journal_entries_max.clamp(1, Semaphore::MAX_PERMITS);
        let bytes_max = limits.journal_bytes_max.clamp(1, Semaphore::MAX_PERMITS);
        let (sender, receiver) = mpsc::channel(entries_max);
        let journal = Self {
            sender,
            byte_budget: Arc::new(Semaphore::new(bytes_max)),
            bytes_max,
            closing: CancellationToken::new(),
        };
        let queue = JournalQueue {
            receiver,
            byte_budget: Arc::clone(&journal.byte_budget),
            bytes_max,
            closing: journal.closing_token(),
        };
        (journal, queue)
    }

    /// Returns the token that closes the journal.
    pub(super) fn closing_token(&self) -> CancellationToken {
        self.closing.clone()
    }

    /// Sends an entry without waiting until it is stored.
    pub(super) async fn send(&self, entry: Entry) -> Result<(), LeaseLost> {
        self.push(entry, Waiter::Nobody).await
    }

    /// Sends the result of a node. The driver hears of it once it is stored.
    pub(super) async fn send_result(&self, finished: Box<FinishedNode>) -> Result<(), LeaseLost> {
        let waiter = Waiter::Driver(finished.node_index);
        self.push(Entry::NodeFinished(finished), waiter).await
    }

    /// Sends an entry. The receiver resolves once the entry is stored, and fails if the lease is
    /// lost.
    pub(super) async fn send_for_commit(
        &self,
        entry: Entry,
    ) -> Result<oneshot::Receiver<()>, LeaseLost> {
        let (sender, receiver) = oneshot::channel();
        self.push(entry, Waiter::Sender(sender)).await?;
        Ok(receiver)
    }

    async fn push(&self, entry: Entry, waiter: Waiter) -> Result<(), LeaseLost> {
        let bytes = bytes_of(&entry).clamp(1, self.bytes_max);
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let budget = Arc::clone(&self.byte_budget)
            .acquire_many_owned(bytes)
            .await
            .map_err(|_| LeaseLost)?;
        let receipt = Receipt {
            waiter,
            _budget: budget,
        };
        let sent = self.sender.send(Message { entry, receipt }).await;
        sent.map_err(|_| LeaseLost)
    }
}

/// Returns about how many bytes an entry occupies.
fn bytes_of(entry: &Entry) -> usize {
    const FIXED: usize = 64;
    let text = match entry {
        Entry::Log { message, .. } => message.len(),
        Entry::NodeRetrying { error, .. } => error.len(),
        Entry::NodeRecovered { reason, .. } => reason.len(),
        Entry::NodeFinished(finished) => {
            let rows = finished
                .preview
                .as_ref()
                .map_or(0, |preview| preview.rows.len());
            let output = finished.output_bytes.as_ref().map_or(0, Bytes::len);
            finished.error.as_ref().map_or(0, String::len) + rows * FIXED + output
        }
        Entry::NodeStarted { .. } | Entry::Profile { .. } | Entry::RunFinished { .. } => 0,
    };
    FIXED + text
}

/// The entries on their way to the appender.
#[derive(Debug)]
pub(super) struct JournalQueue {
    receiver: mpsc::Receiver<Message>,
    byte_budget: Arc<Semaphore>,
    bytes_max: usize,
    closing: CancellationToken,
}

impl JournalQueue {
    /// Waits for the next entry. Returns `None` once the journal is closed and empty.
    pub(super) async fn receive(&mut self) -> Option<Message> {
        tokio::select! {
            message = self.receiver.recv() => message,
            () = self.closing.cancelled() => {
                self.receiver.close();
                self.receiver.recv().await
            }
        }
    }

    /// Adds all entries that wait to a batch.
    pub(super) fn take_waiting(&mut self, batch: &mut Vec<Message>) {
        while let Ok(message) = self.receiver.try_recv() {
            batch.push(message);
        }
    }

    /// Waits for one more entry. Returns false if `pause` ends first or no entry can come.
    pub(super) async fn wait_for_more(
        &mut self,
        batch: &mut Vec<Message>,
        pause: impl Future<Output = ()>,
    ) -> bool {
        tokio::select! {
            message = self.receiver.recv() => message.map(|message| batch.push(message)).is_some(),
            () = self.closing.cancelled(), if !self.receiver.is_closed() => {
                self.receiver.close();
                true
            }
            () = pause => false,
        }
    }

    /// Returns whether so many bytes are gathered that senders may already wait for budget.
    pub(super) fn is_short_of_budget(&self) -> bool {
        self.byte_budget.available_permits() <= self.bytes_max / 2
    }
}
