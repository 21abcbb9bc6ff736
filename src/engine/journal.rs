//! The journal of one run: gathers entries and appends them, one append at a time, until each is stored.
//!
//! Attempts and log handles only send. What an entry does to events and rows is storage's.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::halt::{Halt, lost_or_stopped};
use crate::error::{Error, ErrorKind, Result, trace_causes, truncate};
use crate::executor::{LogLine, LogSink};
use crate::model::{NodeIndex, RunId, RunStatus};
use crate::outage::{Backoff, RetryError, retry_while_unavailable};
use crate::secret::Mask;
use crate::storage::{Append, AppendOutcome, Entry};

const BACKOFF: Backoff = Backoff::doubling(Duration::from_millis(20), Duration::from_secs(2));

/// An entry under way.
#[derive(Debug)]
struct Message {
    entry: Entry,
    stored: Option<oneshot::Sender<()>>,
    // Gives its share of the journal's bytes back once the entry is stored.
    _room: OwnedSemaphorePermit,
}

/// Sends entries to the journal of a run. Clones send to the same journal.
#[derive(Debug, Clone)]
pub(super) struct Journal {
    // Bounded, so that an executor that logs faster than storage writes waits.
    sender: mpsc::Sender<Message>,
    room: Arc<Semaphore>,
    bytes_max: usize,
    // Ends the journal once what is there is stored, though an executor that was left behind still holds a handle.
    closing: CancellationToken,
}

/// The run was lost to another claim: nothing more of it can be stored.
#[derive(Debug)]
pub(super) struct Lost;

impl Journal {
    /// A journal and the task's side of it, which [`Appender::run`] works off.
    pub(super) fn open(
        shared: &Arc<Shared>,
        held: Position,
        halt: watch::Sender<Halt>,
    ) -> (Self, Appender) {
        let limits = &shared.limits;
        let entries_max = limits.journal_entries_max.clamp(1, Semaphore::MAX_PERMITS);
        let bytes_max = limits.journal_bytes_max.clamp(1, Semaphore::MAX_PERMITS);
        let (sender, receiver) = mpsc::channel(entries_max);
        let journal = Self {
            sender,
            room: Arc::new(Semaphore::new(bytes_max)),
            bytes_max,
            closing: CancellationToken::new(),
        };
        let appender = Appender {
            shared: Arc::clone(shared),
            receiver,
            room: Arc::clone(&journal.room),
            bytes_max,
            at: held,
            halt,
            closing: journal.closing(),
        };
        (journal, appender)
    }

    pub(super) fn closing(&self) -> CancellationToken {
        self.closing.clone()
    }

    /// Sends an entry without waiting until it is stored.
    pub(super) async fn send(&self, entry: Entry) -> Result<(), Lost> {
        self.push(entry, None).await
    }

    /// Sends an entry; what comes back resolves once it is stored, and fails when the run was lost.
    pub(super) async fn store(&self, entry: Entry) -> Result<oneshot::Receiver<()>, Lost> {
        let (sender, receiver) = oneshot::channel();
        self.push(entry, Some(sender)).await?;
        Ok(receiver)
    }

    async fn push(&self, entry: Entry, stored: Option<oneshot::Sender<()>>) -> Result<(), Lost> {
        let bytes = bytes_of(&entry).clamp(1, self.bytes_max);
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room)
            .acquire_many_owned(bytes)
            .await
            .map_err(|_| Lost)?;
        self.sender
            .send(Message {
                entry,
                stored,
                _room: room,
            })
            .await
            .map_err(|_| Lost)
    }
}

/// About how many bytes an entry holds.
fn bytes_of(entry: &Entry) -> usize {
    const FIXED: usize = 64;
    let text = match entry {
        Entry::Log { message, .. } => message.len(),
        Entry::NodeRetrying { error, .. } => error.len(),
        Entry::NodeFinished(end) => {
            let rows = end.preview.as_ref().map_or(0, |preview| preview.rows.len());
            end.error.as_ref().map_or(0, String::len) + rows * FIXED
        }
        Entry::NodeStarted { .. } | Entry::Profile { .. } | Entry::RunFinished { .. } => 0,
    };
    FIXED + text
}

/// Where a claimed run's journal stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Position {
    pub(super) run: RunId,
    pub(super) epoch: u64,
    pub(super) position: u64,
}

/// The one writer of a run's entries.
#[derive(Debug)]
pub(super) struct Appender {
    shared: Arc<Shared>,
    receiver: mpsc::Receiver<Message>,
    room: Arc<Semaphore>,
    bytes_max: usize,
    at: Position,
    halt: watch::Sender<Halt>,
    closing: CancellationToken,
}

impl Appender {
    /// Appends until every handle is dropped, the run has ended, or it was lost.
    pub(super) async fn run(mut self) {
        let mut has_ended = false;
        while !has_ended && let Some(mut batch) = self.gather().await {
            has_ended = cut_at_end(&mut batch);
            let entries: Vec<Entry> = batch.iter().map(|message| message.entry.clone()).collect();
            if self.append(entries).await.is_err() {
                self.halt
                    .send_modify(|halt| *halt = (*halt).max(Halt::Lost));
                return;
            }
            for stored in batch.into_iter().filter_map(|message| message.stored) {
                // Whoever asked may have been dropped with its run.
                let _ = stored.send(());
            }
        }
    }

    /// The next entry; none once the journal is closed and empty.
    async fn next(&mut self) -> Option<Message> {
        tokio::select! {
            message = self.receiver.recv() => message,
            () = self.closing.cancelled() => {
                self.receiver.close();
                self.receiver.recv().await
            }
        }
    }

    /// The entries of the next append: all that are there, and for lines of the log those that come soon.
    async fn gather(&mut self) -> Option<Vec<Message>> {
        let mut batch = vec![self.next().await?];
        let lines_max = self.shared.limits.log_batch_max;
        let clock = self.shared.clock.clone();
        let linger = clock.sleep(self.shared.limits.log_linger);
        let breath = clock.breath();
        tokio::pin!(linger, breath);
        loop {
            while let Ok(message) = self.receiver.try_recv() {
                batch.push(message);
            }
            let urgency = batch
                .iter()
                .map(|message| Urgency::of(&message.entry))
                .max()
                .unwrap_or(Urgency::Line);
            let is_full = batch.len() >= lines_max || self.is_short_of_room();
            let has_more = match urgency {
                Urgency::End => false,
                Urgency::Start | Urgency::Line if is_full => false,
                // The end of a node that does next to nothing joins the append of its start.
                Urgency::Start => self.more(&mut batch, breath.as_mut()).await,
                Urgency::Line => self.more(&mut batch, linger.as_mut()).await,
            };
            if !has_more {
                return Some(batch);
            }
        }
    }

    /// Waits for one more entry; false when `pause` is over first or none will come.
    async fn more(&mut self, batch: &mut Vec<Message>, pause: impl Future<Output = ()>) -> bool {
        tokio::select! {
            message = self.receiver.recv() => message.map(|message| batch.push(message)).is_some(),
            () = self.closing.cancelled(), if !self.receiver.is_closed() => {
                self.receiver.close();
                true
            }
            () = pause => false,
        }
    }

    /// Whether so much gathers that senders may be waiting for its bytes already.
    fn is_short_of_room(&self) -> bool {
        self.room.available_permits() <= self.bytes_max / 2
    }

    /// Appends entries; a run whose cancel was requested meanwhile ends cancelled.
    async fn append(&mut self, mut entries: Vec<Entry>) -> Result<(), Lost> {
        loop {
            match self.try_append(&entries).await {
                Ok(appended) => {
                    self.advance(&entries, appended);
                    return Ok(());
                }
                Err(RetryError::Permanent(error)) if error.kind() == ErrorKind::CancelRequested => {
                    end_as_cancelled(&mut entries);
                }
                Err(RetryError::Permanent(error)) => return Err(self.give_up(&error)),
                Err(RetryError::Stopped(_)) => return Err(Lost),
            }
        }
    }

    /// Appends entries as they are, and repeats that while storage is unavailable.
    async fn try_append(&self, entries: &[Entry]) -> Result<AppendOutcome, RetryError> {
        let (shared, at) = (&self.shared, self.at);
        let append = || {
            let mut append = Append::new(at.run, at.epoch, at.position, entries.to_vec());
            append.result_bytes_max = shared.limits.result_bytes_max;
            shared.storage.append(append)
        };
        let stop = lost_or_stopped(&self.halt, &shared.stop);
        retry_while_unavailable(&shared.clock, BACKOFF, stop, append).await
    }

    fn advance(&mut self, entries: &[Entry], appended: AppendOutcome) {
        let count = u64::try_from(entries.len()).unwrap_or(u64::MAX);
        self.at.position = self.at.position.saturating_add(count);
        self.shared.events.committed(appended.seq);
        self.shared.tell_of_stopped(appended.cancelled_backfill);
    }

    fn give_up(&self, error: &Error) -> Lost {
        let is_of_another = matches!(
            error.kind(),
            ErrorKind::StaleEpoch
                | ErrorKind::RunFinished
                | ErrorKind::NotFound
                | ErrorKind::ShuttingDown
        );
        if is_of_another {
            tracing::warn!(run_id = %self.at.run, %error, "the run belongs to another claim, or to none");
        } else {
            tracing::error!(run_id = %self.at.run, %error, "the journal refused an entry; the run is left to the next start");
            trace_causes(error);
        }
        Lost
    }
}

/// How soon an entry wants to be stored.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Urgency {
    Line,
    Start,
    End,
}

impl Urgency {
    const fn of(entry: &Entry) -> Self {
        match entry {
            Entry::Log { .. } | Entry::Profile { .. } => Self::Line,
            Entry::NodeStarted { .. } => Self::Start,
            Entry::NodeRetrying { .. } | Entry::NodeFinished(_) | Entry::RunFinished { .. } => {
                Self::End
            }
        }
    }
}

/// Leaves out what comes after the run's end (lines of executors that were left behind), and tells whether the end is there.
fn cut_at_end(batch: &mut Vec<Message>) -> bool {
    let is_end = |message: &Message| matches!(message.entry, Entry::RunFinished { .. });
    let Some(end) = batch.iter().position(is_end) else {
        return false;
    };
    batch.truncate(end.saturating_add(1));
    true
}

/// A run whose cancel was asked for meanwhile ends cancelled, whatever its last node did.
fn end_as_cancelled(entries: &mut [Entry]) {
    for entry in entries {
        if let Entry::RunFinished { status, error, .. } = entry {
            *status = RunStatus::Cancelled;
            *error = None;
        }
    }
}

/// The log of one attempt.
#[derive(Debug)]
pub(super) struct AttemptLog {
    pub(super) journal: Journal,
    pub(super) shared: Arc<Shared>,
    pub(super) mask: Mask,
    pub(super) node_index: NodeIndex,
    pub(super) attempt: u32,
}

#[async_trait]
impl LogSink for AttemptLog {
    async fn send(&self, line: LogLine) {
        // Hidden before it is cut: the beginning of a secret at the cut would not be found.
        let message = self.mask.text(line.message);
        let entry = Entry::Log {
            node_index: Some(self.node_index),
            attempt: Some(self.attempt),
            level: line.level,
            message: truncate(message, self.shared.limits.log_line_bytes_max),
            at: self.shared.clock.now(),
        };
        // A run that was lost takes no more lines; its executor is about to be dropped.
        drop(self.journal.send(entry).await);
    }
}
