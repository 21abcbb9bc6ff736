//! Appends the entries of one run's journal in order, one append at a time.
//!
//! Storage decides what an entry does to events and rows.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::Shared;
use super::journal::{JournalQueue, Message, Waiter};
use super::run_figures::RunFigures;
use super::stop_signal::{StopSignal, lost_or_stopped};
use crate::error::{Error, ErrorKind, log, trace_causes};
use crate::model::{NodeIndex, RunId, RunStatus};
use crate::outage::{Backoff, RetryError, retry_while_unavailable};
use crate::storage::{Append, AppendOutcome, Entry, HeldRun};

const BACKOFF: Backoff = Backoff::doubling(Duration::from_millis(20), Duration::from_secs(2));

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
    queue: JournalQueue,
    // It has room for all nodes of the run.
    stored_nodes: mpsc::Sender<NodeIndex>,
    next: JournalPosition,
    stop_signal: watch::Sender<StopSignal>,
    figures: RunFigures,
}

impl Appender {
    /// Creates the appender of a journal.
    ///
    /// `stored_nodes` gets the index of each node whose result is stored. It has room for all nodes
    /// of the run.
    pub(super) fn new(
        shared: &Arc<Shared>,
        queue: JournalQueue,
        stored_nodes: mpsc::Sender<NodeIndex>,
        next: JournalPosition,
        stop_signal: watch::Sender<StopSignal>,
        figures: RunFigures,
    ) -> Self {
        Self {
            shared: Arc::clone(shared),
            queue,
            stored_nodes,
            next,
            stop_signal,
            figures,
        }
    }

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

    /// Informs the waiter of a stored entry, which may have been dropped with its driver.
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

    /// Gathers the entries of the next append.
    ///
    /// It takes all entries that wait. If they are not urgent, it also waits shortly for more.
    async fn gather(&mut self) -> Option<Vec<Message>> {
        let mut batch = vec![self.queue.receive().await?];
        let lines_max = self.shared.limits.log_batch_max;
        let clock = self.shared.clock.clone();
        let linger = clock.sleep(self.shared.limits.log_linger);
        let breath = clock.real_time_pause();
        tokio::pin!(linger, breath);
        loop {
            self.queue.take_waiting(&mut batch);
            let urgency = batch
                .iter()
                .map(|message| Urgency::of_entry(&message.entry))
                .max()
                .unwrap_or(Urgency::Log);
            let is_full = batch.len() >= lines_max || self.queue.is_short_of_budget();
            let has_more = match urgency {
                Urgency::Immediate => false,
                Urgency::NodeStart | Urgency::Log if is_full => false,
                // A very short node then stores its start and its result in one append.
                Urgency::NodeStart => self.queue.wait_for_more(&mut batch, breath.as_mut()).await,
                Urgency::Log => self.queue.wait_for_more(&mut batch, linger.as_mut()).await,
            };
            if !has_more {
                return Some(batch);
            }
        }
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
        self.figures.count(&self.shared, entries);
        self.shared.events.committed(appended.seq);
        self.shared
            .notify_cancelled_backfills(appended.cancelled_backfill);
        self.shared.notify_ends(appended.may_start_others);
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
            Entry::NodeStarted { .. } | Entry::NodeRecovered { .. } => Self::NodeStart,
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
