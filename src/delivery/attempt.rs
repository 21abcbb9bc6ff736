//! One attempt to deliver one event, dropped when it exceeds its timeout.
//!
//! `ledger` decides whether another attempt follows.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinError;
use tokio_util::task::AbortOnDropHandle;

use super::Shared;
use super::exclusive::Exclusive;
use super::run_queue::QueueKey;
use super::stopwatch::Stopwatch;
use crate::error::{catch_panic, log, panic_message, trace_panic};
use crate::model::Event;
use crate::notifier::{Notifier, NotifierError};
use crate::storage::EventFilter;

/// An attempt to deliver one event. `event` is `None` if the event is parked.
#[derive(Debug)]
pub(super) struct DeliveryAttempt {
    pub(super) queue: QueueKey,
    pub(super) seq: u64,
    pub(super) event: Option<Arc<Event>>,
}

/// An attempt that has finished.
#[derive(Debug)]
pub(super) struct FinishedAttempt {
    pub(super) queue: QueueKey,
    pub(super) outcome: DeliveryOutcome,
}

/// The outcome of a delivery attempt.
#[derive(Debug)]
pub(super) enum DeliveryOutcome {
    /// The notifier accepted the event.
    Delivered,
    /// The notifier failed.
    Failed(NotifierError),
    /// Storage could not return the event for now. This does not count as a try.
    StorageUnavailable,
    /// The event is no longer stored.
    EventPurged,
}

/// What an attempt holds while it runs a notifier's code.
#[derive(Debug)]
pub(super) struct Admission {
    /// Held until the notifier's code ends, even after its timeout.
    pub(super) permit: OwnedSemaphorePermit,
    pub(super) exclusive: Exclusive,
}

/// Executes one attempt.
pub(super) async fn execute_attempt(
    shared: Arc<Shared>,
    notifier: Arc<dyn Notifier>,
    attempt: DeliveryAttempt,
    admission: Admission,
) -> FinishedAttempt {
    let queue = attempt.queue;
    let delivering = async {
        match load_event(&shared, attempt).await {
            Ok(event) => call_notifier(&shared, notifier, event, admission).await,
            Err(outcome) => outcome,
        }
    };
    // Without an outcome, the later events of the run would wait for the next start.
    let outcome = catch_panic(delivering).await.unwrap_or_else(|panic| {
        trace_panic("a delivery panicked outside of its notifier", &panic);
        DeliveryOutcome::Failed(NotifierError::retryable("the delivery panicked"))
    });
    FinishedAttempt { queue, outcome }
}

/// Returns the event, and reads it from storage if it is parked.
async fn load_event(
    shared: &Shared,
    attempt: DeliveryAttempt,
) -> Result<Arc<Event>, DeliveryOutcome> {
    let DeliveryAttempt { queue, seq, event } = attempt;
    if let Some(event) = event {
        return Ok(event);
    }
    let filter = EventFilter {
        run: Some(queue.run),
        ..EventFilter::default()
    };
    let before = seq.saturating_sub(1);
    match shared.storage.events(filter, before, 1).await {
        Ok(page) => {
            let event = page.events.into_iter().find(|event| event.seq == seq);
            event.map(Arc::new).ok_or(DeliveryOutcome::EventPurged)
        }
        Err(error) if error.kind().is_transient() => {
            log::warn!(%error, "a parked event waits for storage");
            Err(DeliveryOutcome::StorageUnavailable)
        }
        Err(error) => Err(DeliveryOutcome::Failed(NotifierError::permanent(format!(
            "the stored event cannot be read: {error}"
        )))),
    }
}

async fn call_notifier(
    shared: &Shared,
    notifier: Arc<dyn Notifier>,
    event: Arc<Event>,
    admission: Admission,
) -> DeliveryOutcome {
    let Admission { permit, exclusive } = admission;
    // A separate task contains a panic, and can be dropped at any await.
    let stopwatch = Stopwatch::new(&shared.clock);
    let task = shared
        .tasks
        .spawn(exclusive.run(stopwatch.clone(), async move {
            let _permit = permit;
            if notifier.wants(&event) {
                notifier.notify(&event).await
            } else {
                Ok(())
            }
        }));
    let task = AbortOnDropHandle::new(task);
    let timeout = shared.limits.notifier_timeout;
    let joined = tokio::select! {
        biased;
        joined = task => Some(joined),
        // Another event of this notifier may hold its code for long. That is no fault of this one.
        () = stopwatch.reaches(timeout) => None,
    };
    match joined {
        Some(Ok(Ok(()))) => DeliveryOutcome::Delivered,
        Some(Ok(Err(error))) => DeliveryOutcome::Failed(error),
        Some(Err(error)) => {
            DeliveryOutcome::Failed(NotifierError::retryable(join_error_text(error)))
        }
        None => DeliveryOutcome::Failed(NotifierError::retryable(format!(
            "the notifier took longer than {timeout:?}"
        ))),
    }
}

fn join_error_text(error: JoinError) -> String {
    match error.try_into_panic() {
        Ok(payload) => format!("the notifier panicked: {}", panic_message(payload)),
        Err(_) => "the delivery was aborted from outside".to_owned(),
    }
}
