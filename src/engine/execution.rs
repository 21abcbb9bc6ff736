//! Executes one claimed run, from its claim until its slot is free again.
//!
//! `prepare` and `driver` do the work. If they break off, for example by a panic of the host's
//! code, the run ends here as failed. If even that is impossible, the next claim frees the run, and
//! the claim stays charged: poisoning then ends it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinError;
use tracing::field::display;

use super::Shared;
use super::active::{DriverHandle, Removal};
use super::appender::{Appender, JournalEnd, JournalPosition};
use super::driver::RunExit;
use super::journal::Journal;
use super::prepare::{self, PrepareError, PreparedRun, RunSignals};
use super::run_figures::RunFigures;
use super::stop_signal::{StopSignal, lost_or_stopped};
use crate::error::{
    ErrorKind, LogSpan, catch_panic, log, panic_message, trace_causes, trace_panic, truncate,
};
use crate::metrics;
use crate::model::{NodeIndex, RunStatus};
use crate::outage::{Backoff, RetryError, retry_while_unavailable};
use crate::storage::{Append, ClaimedRun, Entry, HeldRun};

const BACKOFF: Backoff = Backoff::doubling(Duration::from_millis(20), Duration::from_secs(2));

/// Starts to execute a claimed run.
pub(super) fn start(shared: &Arc<Shared>, claimed: ClaimedRun) {
    let run = &claimed.run;
    let tenant = run.tenant.as_ref().map(display);
    let traceparent = run.traceparent.map(|parent| display(parent.of_run(run.id)));
    let parent_span_id = run.traceparent.map(|parent| display(parent.span_id()));
    let span = log::info_span!(
        "run",
        run_id = %run.id,
        pipeline_id = %run.pipeline_id,
        tenant,
        traceparent,
        parent_span_id
    );
    let (cancel_sender, cancel_request) =
        watch::channel(claimed.run.cancel.as_ref().map(|cancel| cancel.kind));
    let stop_signal = watch::Sender::new(StopSignal::None);
    let held = HeldRun::new(claimed.run.id, claimed.epoch);
    shared.active.insert(
        held.run,
        DriverHandle::new(held.epoch, cancel_sender, stop_signal.clone()),
    );
    let slot = Slot {
        shared: Arc::clone(shared),
        held,
        stop_signal: stop_signal.clone(),
        removal: None,
        figures: RunFigures::begin(&claimed),
        _executing: metrics::Executing::begin(),
    };
    let signals = RunSignals {
        cancel_request,
        stop_signal,
    };
    shared
        .tasks
        .spawn(span.instrument(execute(slot, claimed, signals)));
}

async fn execute(slot: Slot, claimed: ClaimedRun, signals: RunSignals) {
    let shared = Arc::clone(&slot.shared);
    log_claim(&claimed);
    let start = JournalPosition {
        run: claimed.run.id,
        epoch: claimed.epoch,
        position: claimed.position,
    };
    let nodes = claimed.definition.nodes.len().max(1);
    let (stored, stored_nodes) = mpsc::channel(nodes);
    let (journal, queue) = Journal::open(&shared.limits);
    let stop_signal = signals.stop_signal.clone();
    let appender = Appender::new(
        &shared,
        queue,
        stored,
        start,
        stop_signal,
        slot.figures.clone(),
    );
    let closing = journal.closing_token();
    let appender = shared
        .tasks
        .spawn(LogSpan::current().instrument(appender.run()));
    let driving = Box::pin(drive(&shared, claimed, (journal, stored_nodes), signals));
    let exit = catch_panic(driving).await;
    let exit = exit.unwrap_or_else(|panic| RunExit::panicked(&panic));
    closing.cancel();
    slot.settle(exit, appender.await).await;
}

async fn drive(
    shared: &Arc<Shared>,
    claimed: ClaimedRun,
    journal: (Journal, mpsc::Receiver<NodeIndex>),
    signals: RunSignals,
) -> RunExit {
    match prepare::prepare_run(shared, claimed, journal, signals).await {
        Ok(PreparedRun { driver, skipped }) => driver.run(skipped).await,
        Err(PrepareError::LeaseLost) => RunExit::LeaseLost,
        Err(PrepareError::Invalid(error)) => {
            log::error!(%error, "the stored definition is invalid");
            trace_causes(&error);
            RunExit::BrokenOff(format!("the stored definition cannot be executed: {error}"))
        }
    }
}

/// Writes the start or the recovery of a run to the host's log.
fn log_claim(claimed: &ClaimedRun) {
    let (epoch, claims) = (claimed.epoch, claimed.claim_count);
    match claimed.interruption() {
        None => log::info!("the run starts"),
        Some(interruption) => {
            let reason = interruption.reason();
            log::info!(epoch, claims, reason, "the run continues");
        }
    }
}

impl RunExit {
    /// Logs a panic outside of the run's attempts.
    ///
    /// Its text is not part of the run's error: it may come from anywhere, so nothing masks it.
    fn panicked(panic: &str) -> Self {
        trace_panic(
            "the run broke off by a panic outside of its attempts",
            panic,
        );
        Self::BrokenOff("the run broke off: the host's log has a panic of this run".to_owned())
    }
}

/// The slot of an active run. Dropping it frees the slot, however the run's task ends.
struct Slot {
    shared: Arc<Shared>,
    held: HeldRun,
    stop_signal: watch::Sender<StopSignal>,
    /// What the drop reports. `None` until the run is settled.
    removal: Option<Removal>,
    figures: RunFigures,
    /// Counts the run as executing.
    _executing: metrics::Executing,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let removal = match self.removal {
            Some(removal) => removal,
            None if std::thread::panicking() => Removal::BrokenOff,
            // Only the end of the runtime drops the task of a run. A queue that is still polled
            // would claim the run again and again, until it is poisoned.
            None => {
                self.shared.drain.cancel();
                Removal::Settled
            }
        };
        self.shared.active.remove(self.held, removal);
        self.shared.wake.notify_one();
    }
}

impl Slot {
    /// Settles the run after its driver and its journal have ended.
    async fn settle(mut self, exit: RunExit, journal: Result<JournalEnd, JoinError>) {
        match (exit, journal) {
            (RunExit::Finished, _) => self.finished(),
            // The runtime ends.
            (_, Err(error)) if error.is_cancelled() => return,
            (_, Err(error)) => log_dead_journal(error),
            (_, Ok(JournalEnd::Refused(position, error))) => {
                let reason = format!("storage refused an entry of the run: {error}");
                self.fail(position, reason).await;
            }
            (RunExit::BrokenOff(reason), Ok(JournalEnd::Closed(position))) => {
                self.fail(position, reason).await;
            }
            (RunExit::Released, Ok(_)) => {
                log::info!("the run stops here unfinished; the next start continues it");
                self.release().await;
            }
            // The stop may be the only reason. If the lease is lost, the release changes nothing.
            (RunExit::LeaseLost | RunExit::BrokenOff(_), Ok(_))
                if self.shared.stop.is_cancelled() =>
            {
                self.release().await;
            }
            (RunExit::LeaseLost | RunExit::BrokenOff(_), Ok(_)) => {
                log::warn!("the run stopped here, since its lease is lost");
            }
        }
        self.removal.get_or_insert(Removal::BrokenOff);
    }

    /// Reports the run as finished.
    fn finished(&mut self) {
        self.removal = Some(Removal::Settled);
        self.shared.events.run_finished(self.held.run);
    }

    /// Finishes a run that broke off, as failed, or as cancelled if that was requested.
    async fn fail(&mut self, position: JournalPosition, reason: String) {
        let error_max = self.shared.limits.error_bytes_max;
        let reason = truncate(reason, error_max);
        let (mut status, mut error) = (RunStatus::Failed, Some(reason.clone()));
        loop {
            match self.append_outcome(position, status, error.take()).await {
                Ok(()) => {
                    let status = status.as_str();
                    log::warn!(status, error = reason, "the run broke off");
                    return self.finished();
                }
                Err(RetryError::Permanent(refusal))
                    if refusal.kind() == ErrorKind::CancelRequested
                        && status == RunStatus::Failed =>
                {
                    status = RunStatus::Cancelled;
                }
                Err(RetryError::Permanent(error) | RetryError::Stopped(error)) => {
                    log::error!(%error, "a run that broke off could not be finished; its claim counts as a crash");
                    trace_causes(&error);
                    return;
                }
            }
        }
    }

    async fn append_outcome(
        &self,
        position: JournalPosition,
        status: RunStatus,
        error: Option<String>,
    ) -> Result<(), RetryError> {
        let shared = &self.shared;
        let at = shared.clock.now();
        let entries: Arc<[Entry]> = Arc::new([Entry::RunFinished { status, error, at }]);
        let append = || {
            let entries = Arc::clone(&entries);
            let JournalPosition {
                run,
                epoch,
                position,
            } = position;
            shared
                .storage
                .append(Append::new(run, epoch, position, entries))
        };
        let stop = lost_or_stopped(&self.stop_signal, &shared.stop);
        let appended = retry_while_unavailable(&shared.clock, BACKOFF, stop, append).await?;
        self.figures.count(shared, &entries);
        shared.events.committed(appended.seq);
        shared.notify_cancelled_backfills(appended.cancelled_backfill);
        shared.notify_ends(appended.may_start_others);
        Ok(())
    }

    /// Returns the claim without a charge.
    async fn release(&mut self) {
        let (shared, held) = (&self.shared, self.held);
        let release = || shared.storage.release(shared.owner, vec![held]);
        let stop = shared.stop.cancelled();
        match retry_while_unavailable(&shared.clock, BACKOFF, stop, release).await {
            Ok(_) => {}
            Err(RetryError::Stopped(error)) => {
                log::warn!(%error, "the run could not be released; the next start counts a crash");
            }
            Err(RetryError::Permanent(error)) => {
                log::warn!(%error, "the run could not be released; the next claim releases it");
            }
        }
        self.removal = Some(Removal::Settled);
    }
}

fn log_dead_journal(error: JoinError) {
    if let Ok(payload) = error.try_into_panic() {
        trace_panic(
            "the run's journal panicked; its claim counts as a crash",
            &panic_message(payload),
        );
    }
}
