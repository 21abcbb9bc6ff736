//! One try to deliver one event: watched, dropped when its time is over.
//!
//! Whether another follows is decided by `book`.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinError;
use tokio_util::task::AbortOnDropHandle;

use super::Shared;
use super::turn::Turn;
use crate::error::panic_message;
use crate::model::{Event, RunId};
use crate::notifier::{Notifier, NotifierError};
use crate::storage::EventFilter;

/// A letter that goes out: its event, where the book has kept it.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) run: RunId,
    pub(super) seq: u64,
    pub(super) event: Option<Arc<Event>>,
}

/// A letter that came back.
#[derive(Debug)]
pub(super) struct Landing {
    pub(super) run: RunId,
    pub(super) outcome: Outcome,
}

/// What became of a try.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The notifier has the event.
    Delivered,
    /// The notifier failed.
    Failed(NotifierError),
    /// Storage does not answer for the moment: it was no try.
    Waits,
    /// The event is no longer stored.
    Gone,
}

/// What a notifier's code takes to run.
#[derive(Debug)]
pub(super) struct Leave {
    /// Held for as long as it runs, though nobody waits for it any more.
    pub(super) way: OwnedSemaphorePermit,
    pub(super) turn: Turn,
}

/// Makes one try.
pub(super) async fn fly(
    shared: Arc<Shared>,
    notifier: Arc<dyn Notifier>,
    flight: Flight,
    leave: Leave,
) -> Landing {
    let run = flight.run;
    let outcome = match load(&shared, flight).await {
        Ok(event) => deliver(&shared, notifier, event, leave).await,
        Err(outcome) => outcome,
    };
    Landing { run, outcome }
}

/// The event, read again where it was parked.
async fn load(shared: &Shared, flight: Flight) -> Result<Arc<Event>, Outcome> {
    let Flight { run, seq, event } = flight;
    if let Some(event) = event {
        return Ok(event);
    }
    let filter = EventFilter {
        run: Some(run),
        ..EventFilter::default()
    };
    let before = seq.saturating_sub(1);
    match shared.storage.events(filter, before, 1).await {
        Ok(events) => {
            let event = events.into_iter().find(|event| event.seq == seq);
            event.map(Arc::new).ok_or(Outcome::Gone)
        }
        Err(error) if error.kind().is_transient() => {
            tracing::warn!(%error, "a parked event waits for storage");
            Err(Outcome::Waits)
        }
        Err(error) => Err(Outcome::Failed(NotifierError::permanent(format!(
            "the stored event cannot be read: {error}"
        )))),
    }
}

async fn deliver(
    shared: &Shared,
    notifier: Arc<dyn Notifier>,
    event: Arc<Event>,
    leave: Leave,
) -> Outcome {
    let Leave { way, turn } = leave;
    // A task of its own, so that a panic is its own too, and so that it can be dropped at any await.
    let task = shared.tasks.spawn(turn.of(async move {
        let _way = way;
        if notifier.wants(&event) {
            notifier.notify(&event).await
        } else {
            Ok(())
        }
    }));
    let task = AbortOnDropHandle::new(task);
    let timeout = shared.limits.notifier_timeout;
    match shared.clock.timeout(timeout, task).await {
        Some(Ok(Ok(()))) => Outcome::Delivered,
        Some(Ok(Err(error))) => Outcome::Failed(error),
        Some(Err(error)) => Outcome::Failed(NotifierError::retryable(end_text(error))),
        None => Outcome::Failed(NotifierError::retryable(format!(
            "the notifier took longer than {timeout:?}"
        ))),
    }
}

fn end_text(error: JoinError) -> String {
    match error.try_into_panic() {
        Ok(payload) => format!("the notifier panicked: {}", panic_message(payload)),
        Err(_) => "the delivery was stopped from outside".to_owned(),
    }
}
