//! The one table of all metrics: names, kinds, labels and descriptions.
//!
//! The parent module records them. `docs/guides/monitoring.md` shows the table.

use ::metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

use crate::error::contain;

/// What a metric measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricKind {
    /// A number that only grows while the process lives.
    Counter,
    /// A number that goes up and down.
    Gauge,
    /// The distribution of measured values.
    Histogram,
}

/// What a metric counts or measures in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricUnit {
    /// Things.
    Count,
    /// Seconds, with a fraction.
    Seconds,
    /// Bytes.
    Bytes,
}

/// A metric that Floret records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metric {
    /// The name, by the conventions of `OpenMetrics`.
    pub name: &'static str,
    /// What it measures.
    pub kind: MetricKind,
    /// What it counts or measures in.
    pub unit: MetricUnit,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub description: &'static str,
}

macro_rules! metrics {
    ($($name:ident = $kind:ident($text:literal, $unit:ident, [$($label:literal),*]), $description:literal;)*) => {
        $(
            pub(super) const $name: Metric = Metric {
                name: $text,
                kind: MetricKind::$kind,
                unit: MetricUnit::$unit,
                labels: &[$($label),*],
                description: $description,
            };
        )*

        /// Every metric that Floret records, in the order of the guide.
        ///
        /// ```
        /// use floret::metrics::{ALL, MetricUnit};
        ///
        /// // A host chooses the buckets of each histogram in seconds.
        /// let seconds = ALL.iter().filter(|metric| metric.unit == MetricUnit::Seconds);
        /// assert!(seconds.map(|metric| metric.name).all(|name| name.ends_with("_seconds")));
        /// ```
        pub const ALL: &[Metric] = &[$($name),*];
    };
}

// One list generates the constants and `ALL`, so that no metric is missing there.
metrics! {
    RUNS_CREATED = Counter("floret_runs_created_total", Count, ["trigger"]), "Runs that were created.";
    RUN_QUEUE = Histogram("floret_run_queue_seconds", Seconds, ["trigger"]), "How long runs waited until they started: from their creation, or from the end of their delay.";
    RUNS_EXECUTING = Gauge("floret_runs_executing", Count, []), "Runs that this process executes.";
    RUNS_FINISHED = Counter("floret_runs_finished_total", Count, ["trigger", "status"]), "Runs that this process has executed to their end.";
    RUN_DURATION = Histogram("floret_run_duration_seconds", Seconds, ["trigger", "status"]), "How long runs took from their start to their end.";
    RUNS_RECOVERED = Counter("floret_runs_recovered_total", Count, ["after"]), "Runs that continued after a crash or a shutdown.";
    RUNS_POISONED = Counter("floret_runs_poisoned_total", Count, []), "Runs that failed because they crashed the process too often.";
    NODES_FINISHED = Counter("floret_nodes_finished_total", Count, ["type", "status"]), "Nodes that finished, also without being executed.";
    NODE_DURATION = Histogram("floret_node_duration_seconds", Seconds, ["type", "status"]), "How long the last attempt at a node took.";
    NODE_RETRIES = Counter("floret_node_retries_total", Count, ["type"]), "Attempts at nodes that failed and are repeated.";
    DATASET_BYTES = Gauge("floret_dataset_bytes", Bytes, []), "The bytes of the datasets in memory.";
    COMMIT = Histogram("floret_commit_seconds", Seconds, []), "How long commits of SQLite took.";
    COMMIT_STEPS = Histogram("floret_commit_steps", Count, []), "How many writes shared a commit of SQLite.";
    DELIVERIES = Counter("floret_deliveries_total", Count, ["notifier", "outcome"]), "Tries to deliver an event to a notifier.";
    DELIVERY_LAG = Gauge("floret_delivery_lag_events", Count, ["notifier"]), "Stored events that a notifier has not passed yet.";
    STREAMS = Gauge("floret_streams", Count, []), "Open streams of events.";
    STREAM_MISSED = Counter("floret_stream_missed_events_total", Count, []), "Events that streams skipped, since their clients read too slowly.";
    REQUEST = Histogram("floret_http_request_seconds", Seconds, ["method", "route", "status"]), "How long requests took until the head of their response.";
    RUNS_PENDING = Gauge("floret_runs_pending", Count, []), "Runs in the store that wait for a slot.";
    DEAD_LETTERS = Gauge("floret_dead_letters", Count, []), "Events in the store that no notifier took.";
    STORE_BYTES = Gauge("floret_store_bytes", Bytes, []), "The bytes that storage occupies.";
}

/// Describes each metric to the recorder.
pub(super) fn describe() {
    for metric in ALL {
        contain(|| describe_one(metric));
    }
}

fn describe_one(metric: &Metric) {
    let (name, text) = (metric.name, metric.description);
    let unit = match metric.unit {
        MetricUnit::Count => Unit::Count,
        MetricUnit::Seconds => Unit::Seconds,
        MetricUnit::Bytes => Unit::Bytes,
    };
    match metric.kind {
        MetricKind::Counter => describe_counter!(name, unit, text),
        MetricKind::Gauge => describe_gauge!(name, unit, text),
        MetricKind::Histogram => describe_histogram!(name, unit, text),
    }
}
