//! The journal of one run: gathers entries and appends them in order, one append at a time.
//!
//! Storage decides what an entry does to events and rows. `node` and `driver` decide which entries
//! a node writes.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::stop_signal::{StopSignal, lost_or_stopped};
use crate::error::{Error, ErrorKind, Result, log, trace_causes};
use crate::model::{NodeIndex, RunId, RunStatus};
use crate::outage::{Backoff, RetryError, retry_while_unavailable};
use crate::storage::{Append, AppendOutcome, Entry, FinishedNode, HeldRun};

const BACKOFF: Backoff = Backoff::doubling(Duration::from_millis(20), Duration::from_secs(2));

/// An entry on its way to the appender.
#[derive(Debug)]
struct Message {
    entry: Entry,
    receipt: Receipt,
}

/// What is due once an entry is stored.
#[derive(Debug)]
struct Receipt {
    waiter: Waiter,
    // Returns the entry's share of the byte budget.
    _budget: OwnedSemaphorePermit,
}

/// Who waits for an entry.
#[derive(Debug)]
enum Waiter {
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

/// How an appender ended.
#[derive(Debug)]
pub(super) enum JournalEnd {
    /// Everything that was sent is stored. The next append belongs here.
    Closed(JournalPosition),
    /// The claim is over, or the engine stops.
    LeaseLost,
    /// Storage refused the entries at this position, and would refuse them again.
    Refused(JournalPosition, Error),
}

/// The run's lease is lost: nothing more of the run can be stored.
#[derive(Debug)]
pub(super) struct LeaseLost;

impl Journal {
    /// Creates a journal and its appender, which [`Appender::run`] executes.
    ///
    /// `stored_nodes` gets the index of each node whose result is stored.
    pub(super) fn open(
        shared: &Arc<Shared>,
        start: JournalPosition,
        stored_nodes: mpsc::Sender<NodeIndex>,
        stop_signal: watch::Sender<StopSignal>,
    ) -> (Self, Appender) {
        let limits = &shared.limits;
        let entries_max = limits.journal_entries_max.clamp(1, Semaphore::MAX_PERMITS);
        let bytes_max = limits.journal_bytes_max.clamp(1, Semaphore::MAX_PERMITS);
        let (sender, receiver) = mpsc::channel(entries_max);
        let journal = Self {
            sender,
            byte_budget: Arc::new(Semaphore::new(bytes_max)),
            bytes_max,
            closing: CancellationToken::new(),
        };
        let appender = Appender {
            shared: Arc::clone(shared),
            receiver,
            stored_nodes,
            byte_budget: Arc::clone(&journal.byte_budget),
            bytes_max,
            next: start,
            stop_signal,
            closing: journal.closing_token(),
        };
        (journal, appender)
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
        Entry::NodeFinished(finished) => {
            let rows = finished
                .preview
                .as_ref()
                .map_or(0, |preview| preview.rows.len());
            finished.error.as_ref().map_or(0, String::len) + rows * FIXED
        }
        Entry::NodeStarted { .. } | Entry::Profile { .. } | Entry::RunFinished { .. } => 0,
    };
    FIXED + text
}

/// Where the next append of a claimed run belongs.
#[derive(Debug, Clone, Copy)]
pub(super) struct JournalPosition {
    pub(super) run: RunId,
    pub(super) epoch: u64,
    pub(super) position: u64,
}

/// The only writer of a run's entries.
#[derive(Debug)]
pub(super) struct Appender {
    shared: Arc<Shared>,
    receiver: mpsc::Receiver<Message>,
    // It has room for all nodes of the run.
    stored_nodes: mpsc::Sender<NodeIndex>,
    byte_budget: Arc<Semaphore>,
    bytes_max: usize,
    next: JournalPosition,
    stop_signal: watch::Sender<StopSignal>,
    closing: CancellationToken,
}

impl Appender {
    /// Appends until the journal is closed, the run is finished or the lease is lost.
    pub(super) async fn run(mut self) -> JournalEnd {
        let mut is_finished = false;
        while !is_finished && let Some(mut batch) = self.gather().await {
            is_finished = truncate_after_run_finished(&mut batch);
            if is_finished {
                self.wake_queue();
            }
            let messages = batch.into_iter();
            let (entries, receipts): (Vec<_>, Vec<_>) = messages
                .map(|Message { entry, receipt }| (entry, receipt))
                .unzip();
            if let Err(end) = self.append(entries.into()).await {
                self.stop_signal
                    .send_modify(|signal| *signal = (*signal).max(StopSignal::LeaseLost));
                return end;
            }
            for receipt in receipts {
                self.hand_out(receipt.waiter);
            }
        }
        JournalEnd::Closed(self.next)
    }

    /// Tells the waiter of an entry that it is stored. The waiter may have been dropped with the
    /// driver.
    fn hand_out(&self, waiter: Waiter) {
        match waiter {
            Waiter::Nobody => {}
            Waiter::Sender(sender) => drop(sender.send(())),
            Waiter::Driver(node_index) => drop(self.stored_nodes.try_send(node_index)),
        }
    }

    /// Lets the queue claim the next run right after the end of this one, in the same commit.
    fn wake_queue(&self) {
        let JournalPosition { run, epoch, .. } = self.next;
        self.shared.active.note_end(HeldRun::new(run, epoch));
        self.shared.wake.notify_one();
    }

    /// Waits for the next entry. Returns `None` once the journal is closed and empty.
    async fn receive(&mut self) -> Option<Message> {
        tokio::select! {
            message = self.receiver.recv() => message,
            () = self.closing.cancelled() => {
                self.receiver.close();
                self.receiver.recv().await
            }
        }
    }

    /// Gathers the entries of the next append.
    ///
    /// It takes all entries that wait. If they are not urgent, it also waits shortly for more.
    async fn gather(&mut self) -> Option<Vec<Message>> {
        let mut batch = vec![self.receive().await?];
        let lines_max = self.shared.limits.log_batch_max;
        let clock = self.shared.clock.clone();
        let linger = clock.sleep(self.shared.limits.log_linger);
        let breath = clock.real_time_pause();
        tokio::pin!(linger, breath);
        loop {
            while let Ok(message) = self.receiver.try_recv() {
                batch.push(message);
            }
            let urgency = batch
                .iter()
                .map(|message| Urgency::of_entry(&message.entry))
                .max()
                .unwrap_or(Urgency::Log);
            let is_full = batch.len() >= lines_max || self.is_short_of_budget();
            let has_more = match urgency {
                Urgency::Immediate => false,
                Urgency::NodeStart | Urgency::Log if is_full => false,
                // A very short node then stores its start and its result in one append.
                Urgency::NodeStart => self.wait_for_more(&mut batch, breath.as_mut()).await,
                Urgency::Log => self.wait_for_more(&mut batch, linger.as_mut()).await,
            };
            if !has_more {
                return Some(batch);
            }
        }
    }

    /// Waits for one more entry. Returns false if `pause` ends first or no entry can come.
    async fn wait_for_more(
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
    fn is_short_of_budget(&self) -> bool {
        self.byte_budget.available_permits() <= self.bytes_max / 2
    }

    /// Appends entries. A run with a cancel request finishes as cancelled.
    async fn append(&mut self, mut entries: Arc<[Entry]>) -> Result<(), JournalEnd> {
        loop {
            match self.try_append(&entries).await {
                Ok(appended) => {
                    self.advance(&entries, appended);
                    return Ok(());
                }
                Err(RetryError::Permanent(error)) if error.kind() == ErrorKind::CancelRequested => {
                    mark_run_cancelled(Arc::make_mut(&mut entries));
                }
                Err(RetryError::Permanent(error)) => return Err(self.end_by(error)),
                Err(RetryError::Stopped(_)) => return Err(JournalEnd::LeaseLost),
            }
        }
    }

    /// Appends entries as they are, and repeats that while storage is unavailable.
    async fn try_append(&self, entries: &Arc<[Entry]>) -> Result<AppendOutcome, RetryError> {
        let (shared, next) = (&self.shared, self.next);
        let append = || {
            let entries = Arc::clone(entries);
            let mut append = Append::new(next.run, next.epoch, next.position, entries);
            append.result_bytes_max = shared.limits.result_bytes_max;
            shared.storage.append(append)
        };
        let stop = lost_or_stopped(&self.stop_signal, &shared.stop);
        retry_while_unavailable(&shared.clock, BACKOFF, stop, append).await
    }

    fn advance(&mut self, entries: &[Entry], appended: AppendOutcome) {
        let count = u64::try_from(entries.len()).unwrap_or(u64::MAX);
        self.next.position = self.next.position.saturating_add(count);
        self.shared.events.committed(appended.seq);
        self.shared
            .notify_cancelled_backfills(appended.cancelled_backfill);
    }

    /// Returns how the journal ends after a refused append.
    fn end_by(&self, error: Error) -> JournalEnd {
        if is_claim_over(&error) {
            log::warn!(run_id = %self.next.run, %error, "the run no longer belongs to this claim");
            return JournalEnd::LeaseLost;
        }
        log::error!(run_id = %self.next.run, %error, "storage refused a journal entry");
        trace_causes(&error);
        JournalEnd::Refused(self.next, error)
    }
}

/// Returns whether storage refused a write because the run no longer belongs to this claim.
pub(super) fn is_claim_over(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StaleEpoch
            | ErrorKind::RunFinished
            | ErrorKind::NotFound
            | ErrorKind::ShuttingDown
    )
}

/// How soon an entry must be stored.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Urgency {
    /// It may wait for `Limits::log_linger`.
    Log,
    /// It may wait for the result of a very short node.
    NodeStart,
    /// It must not wait.
    Immediate,
}

impl Urgency {
    const fn of_entry(entry: &Entry) -> Self {
        match entry {
            Entry::Log { .. } | Entry::Profile { .. } => Self::Log,
            Entry::NodeStarted { .. } => Self::NodeStart,
            Entry::NodeRetrying { .. } | Entry::NodeFinished(_) | Entry::RunFinished { .. } => {
                Self::Immediate
            }
        }
    }
}

/// Drops entries after the run's final one, which are log lines of abandoned executors.
///
/// Returns whether the batch contains the final entry.
fn truncate_after_run_finished(batch: &mut Vec<Message>) -> bool {
    let is_final = |message: &Message| matches!(message.entry, Entry::RunFinished { .. });
    let Some(end) = batch.iter().position(is_final) else {
        return false;
    };
    batch.truncate(end.saturating_add(1));
    true
}

/// Changes the run's outcome to cancelled, since a cancel request was stored before the append.
fn mark_run_cancelled(entries: &mut [Entry]) {
    for entry in entries {
        if let Entry::RunFinished { status, error, .. } = entry {
            *status = RunStatus::Cancelled;
            *error = None;
        }
    }
}
