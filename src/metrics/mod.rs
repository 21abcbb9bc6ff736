//! Figures about the work of Floret, for the recorder of the host.
//!
//! Floret records with the crate `metrics`. A host installs a recorder of its choice before it
//! starts Floret, for example that of `metrics-exporter-prometheus`. A panic of the recorder costs
//! only the figure. [`ALL`] is the table of all metrics, and [the guide](crate::guide::monitoring)
//! explains them.
//!
//! No label has a value that callers choose: the types of nodes and the names of notifiers come
//! from the host, all others from Floret. Figures of one pipeline are those of its runs.

// Without the feature, each function does nothing. `catalog` has the table.
#[cfg(feature = "metrics")]
mod catalog;

use std::time::Duration;

#[cfg(feature = "metrics")]
pub use self::catalog::{ALL, Metric, MetricKind, MetricUnit};
#[cfg(feature = "metrics")]
use crate::error::contain;
use crate::model::{Interruption, NodeStatus, RunStatus, Trigger};

#[cfg(feature = "metrics")]
macro_rules! add {
    ($metric:ident, $count:expr $(, $label:literal = $text:expr)*) => {
        contain(|| ::metrics::counter!(catalog::$metric.name $(, $label => $text)*).increment($count))
    };
}

#[cfg(feature = "metrics")]
macro_rules! observe {
    ($metric:ident, $value:expr $(, $label:literal = $text:expr)*) => {
        contain(|| ::metrics::histogram!(catalog::$metric.name $(, $label => $text)*).record($value))
    };
}

#[cfg(feature = "metrics")]
macro_rules! gauge {
    ($metric:ident, $change:ident, $value:expr $(, $label:literal = $text:expr)*) => {
        contain(|| ::metrics::gauge!(catalog::$metric.name $(, $label => $text)*).$change($value))
    };
}

// The closures are never called: without the feature, not even a label is built.
#[cfg(not(feature = "metrics"))]
macro_rules! add {
    ($metric:ident, $count:expr $(, $label:literal = $text:expr)*) => {
        let _never_called = || ($count, $($text),*);
    };
}

#[cfg(not(feature = "metrics"))]
macro_rules! observe {
    ($metric:ident, $value:expr $(, $label:literal = $text:expr)*) => {
        let _never_called = || ($value, $($text),*);
    };
}

#[cfg(not(feature = "metrics"))]
macro_rules! gauge {
    ($metric:ident, $change:ident, $value:expr $(, $label:literal = $text:expr)*) => {
        let _never_called = || ($value, $($text),*);
    };
}

/// Describes each metric to the recorder, and creates the series of the counters of runs, so that
/// the first count is an increase.
pub(crate) fn begin() {
    #[cfg(feature = "metrics")]
    catalog::describe();
    for trigger in Trigger::ALL {
        runs_created(trigger, 0);
        for status in RunStatus::ALL
            .into_iter()
            .filter(|status| status.is_terminal())
        {
            count_finished(trigger, status, 0);
        }
    }
    for interruption in Interruption::ALL {
        count_recovered(interruption, 0);
    }
    runs_poisoned(0);
}

pub(crate) fn runs_created(trigger: Trigger, count: usize) {
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    add!(RUNS_CREATED, count, "trigger" = trigger.as_str());
}

pub(crate) fn run_started(trigger: Trigger, waited: Duration) {
    let waited = waited.as_secs_f64();
    observe!(RUN_QUEUE, waited, "trigger" = trigger.as_str());
}

pub(crate) fn run_finished(trigger: Trigger, status: RunStatus, took: Duration) {
    count_finished(trigger, status, 1);
    let (trigger, status, took) = (trigger.as_str(), status.as_str(), took.as_secs_f64());
    observe!(RUN_DURATION, took, "trigger" = trigger, "status" = status);
}

fn count_finished(trigger: Trigger, status: RunStatus, count: u64) {
    let (trigger, status) = (trigger.as_str(), status.as_str());
    add!(RUNS_FINISHED, count, "trigger" = trigger, "status" = status);
}

/// Counts a run that continues.
pub(crate) fn run_recovered(after: Interruption) {
    count_recovered(after, 1);
}

fn count_recovered(after: Interruption, count: u64) {
    add!(RUNS_RECOVERED, count, "after" = after.as_str());
}

pub(crate) fn runs_poisoned(count: usize) {
    add!(RUNS_POISONED, u64::try_from(count).unwrap_or(u64::MAX));
}

/// Counts a run as executing until it is dropped.
#[derive(Debug)]
pub(crate) struct Executing(());

impl Executing {
    pub(crate) fn begin() -> Self {
        gauge!(RUNS_EXECUTING, increment, 1.0);
        Self(())
    }
}

impl Drop for Executing {
    fn drop(&mut self) {
        gauge!(RUNS_EXECUTING, decrement, 1.0);
    }
}

/// Counts a node that finished, and how long its last attempt took if it had one.
pub(crate) fn node_finished(kind: &str, status: NodeStatus, took: Option<Duration>) {
    let status = status.as_str();
    add!(
        NODES_FINISHED,
        1,
        "type" = kind.to_owned(),
        "status" = status
    );
    if let Some(took) = took {
        let took = took.as_secs_f64();
        observe!(
            NODE_DURATION,
            took,
            "type" = kind.to_owned(),
            "status" = status
        );
    }
}

pub(crate) fn node_retried(kind: &str) {
    add!(NODE_RETRIES, 1, "type" = kind.to_owned());
}

pub(crate) fn dataset_held(bytes: u64) {
    gauge!(DATASET_BYTES, increment, bytes as f64);
}

pub(crate) fn dataset_dropped(bytes: u64) {
    gauge!(DATASET_BYTES, decrement, bytes as f64);
}

#[cfg(feature = "sqlite")]
pub(crate) fn committed(steps: usize, took: Duration) {
    observe!(COMMIT, took.as_secs_f64());
    observe!(COMMIT_STEPS, steps as f64);
}

/// What came of a try to deliver an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Try {
    Delivered,
    /// It is repeated later.
    Failed,
    /// It is not repeated.
    Dead,
}

pub(crate) fn delivery_tried(notifier: &str, outcome: Try) {
    let outcome = match outcome {
        Try::Delivered => "delivered",
        Try::Failed => "failed",
        Try::Dead => "dead",
    };
    add!(
        DELIVERIES,
        1,
        "notifier" = notifier.to_owned(),
        "outcome" = outcome
    );
}

pub(crate) fn delivery_lags(notifier: &str, events: u64) {
    gauge!(
        DELIVERY_LAG,
        set,
        events as f64,
        "notifier" = notifier.to_owned()
    );
}

pub(crate) fn stream_opened() {
    gauge!(STREAMS, increment, 1.0);
}

pub(crate) fn stream_closed() {
    gauge!(STREAMS, decrement, 1.0);
}

pub(crate) fn stream_missed(events: u64) {
    add!(STREAM_MISSED, events);
}

/// Counts a request. `route` is the path of the route table, and `method` one of its methods.
pub(crate) fn request_answered(
    method: &'static str,
    route: &'static str,
    status: u16,
    took: Duration,
) {
    let took = took.as_secs_f64();
    observe!(
        REQUEST,
        took,
        "method" = method,
        "route" = route,
        "status" = status.to_string()
    );
}

/// Sets the figures of a store.
#[cfg(feature = "metrics")]
pub(crate) fn store_has(pending_runs: u64, dead_letters: u64, bytes: u64) {
    gauge!(RUNS_PENDING, set, pending_runs as f64);
    gauge!(DEAD_LETTERS, set, dead_letters as f64);
    gauge!(STORE_BYTES, set, bytes as f64);
}
