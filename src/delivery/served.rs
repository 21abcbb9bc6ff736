//! A notifier with what its worker may do at once.
//!
//! `worker` serves it.

use std::sync::Arc;

use crate::error::{catch_panic_in, trace_panic};
use crate::limits::Limits;
use crate::notifier::{Notifier, RetrySchedule};

/// How many times as many events are in flight to the hooks of all pipelines as to a notifier. 64:
/// 1,024 with the default limits, so that hundreds of receivers that hang leave room for others.
const MANY: usize = 64;

/// A notifier and the limits of its worker.
pub(super) struct ServedNotifier {
    pub(super) notifier: Arc<dyn Notifier>,
    pub(super) limits: Limits,
    pub(super) backlog: Backlog,
}

/// What waits for an event that is retried, and what follows when as many events are parked as may
/// be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Backlog {
    /// The later events of its run wait, and no more events are read: a receiver that is back gets
    /// all of them in order.
    Waits,
    /// No event waits, and further ones that fail become dead letters: the next event of a run may
    /// be for another receiver.
    IsBuried,
}

impl ServedNotifier {
    /// Returns when failed deliveries are retried.
    pub(super) fn retries(&self) -> RetrySchedule {
        catch_panic_in(|| self.notifier.retries()).unwrap_or_else(|panic| {
            trace_panic(
                "a notifier panicked, so the limits decide about its retries",
                &panic,
            );
            RetrySchedule::default()
        })
    }

    /// A notifier with one receiver.
    pub(super) fn of_one_receiver(notifier: Arc<dyn Notifier>, limits: &Limits) -> Self {
        Self {
            notifier,
            limits: limits.clone(),
            backlog: Backlog::Waits,
        }
    }

    /// A notifier with receivers that know nothing of one another.
    pub(super) fn of_many_receivers(notifier: &Arc<dyn Notifier>, limits: &Limits) -> Self {
        let in_flight = limits.notifier_in_flight_max.saturating_mul(MANY);
        Self {
            notifier: Arc::clone(notifier),
            limits: Limits {
                notifier_in_flight_max: in_flight,
                ..limits.clone()
            },
            backlog: Backlog::IsBuried,
        }
    }
}
