//! Recorders for tests: one that remembers every figure, and one that panics.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use floret::metrics::ALL;
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};
use parking_lot::Mutex;

/// Every figure by its name and labels: the sum of a counter, the value of a gauge, the number of
/// values of a histogram.
type Figures = Arc<Mutex<BTreeMap<String, f64>>>;

/// A recorder that remembers figures and descriptions.
#[derive(Default)]
pub(super) struct Remembering {
    pub(super) figures: Figures,
    pub(super) described: Mutex<BTreeSet<String>>,
}

/// One figure.
struct Figure {
    name: String,
    figures: Figures,
}

impl Remembering {
    fn figure(&self, key: &Key) -> Arc<Figure> {
        let labels: Vec<_> = key
            .labels()
            .map(|label| format!("{}={}", label.key(), label.value()))
            .collect();
        Arc::new(Figure {
            name: format!("{}{{{}}}", key.name(), labels.join(",")),
            figures: Arc::clone(&self.figures),
        })
    }

    /// Asserts that each figure is a metric of the table, with its labels.
    pub(super) fn assert_catalogued(&self) {
        for figure in self.figures.lock().keys() {
            let (name, labels) = figure.trim_end_matches('}').split_once('{').unwrap();
            let metric = ALL.iter().find(|metric| metric.name == name);
            let metric = metric.unwrap_or_else(|| panic!("{name} is not in the table"));
            let labels = labels.split(',').filter_map(|label| label.split_once('='));
            let labels: Vec<_> = labels.map(|(label, _)| label).collect();
            assert_eq!(labels, metric.labels, "{figure}");
        }
    }

    pub(super) fn value(&self, name: &str) -> Option<f64> {
        self.figures.lock().get(name).copied()
    }
}

impl Figure {
    fn add(&self, value: f64) {
        *self.figures.lock().entry(self.name.clone()).or_default() += value;
    }
}

impl CounterFn for Figure {
    fn increment(&self, value: u64) {
        self.add(value as f64);
    }

    fn absolute(&self, value: u64) {
        panic!("{} was set to {value}", self.name);
    }
}

impl GaugeFn for Figure {
    fn increment(&self, value: f64) {
        self.add(value);
    }

    fn decrement(&self, value: f64) {
        self.add(-value);
    }

    fn set(&self, value: f64) {
        self.figures.lock().insert(self.name.clone(), value);
    }
}

impl HistogramFn for Figure {
    fn record(&self, value: f64) {
        assert!(value.is_finite() && value >= 0.0, "{}: {value}", self.name);
        self.add(1.0);
    }
}

impl Recorder for Remembering {
    fn describe_counter(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        self.described.lock().insert(name.as_str().to_owned());
    }

    fn describe_gauge(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        self.described.lock().insert(name.as_str().to_owned());
    }

    fn describe_histogram(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        self.described.lock().insert(name.as_str().to_owned());
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.figure(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.figure(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.figure(key))
    }
}

/// A recorder that panics whatever it is asked for.
pub(super) struct Panicking;

impl Recorder for Panicking {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
        panic!("no counter");
    }

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
        panic!("no gauge");
    }

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
        panic!("no histogram");
    }

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        panic!("no counter");
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        panic!("no gauge");
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        panic!("no histogram");
    }
}
