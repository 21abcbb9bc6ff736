//! The figures that Floret gives to the recorder of the host.
//!
//! `standalone_metrics` reads those of a server.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use floret::executor::Ctx;
use floret::metrics::{ALL, Metric, MetricKind};
use floret::notifier::{Notifier, NotifierError};
use floret::testing::memory;
use floret::{Access, Event, Floret, Node, Pipeline};
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};
use parking_lot::Mutex;
use tower::ServiceExt;

use crate::tidy::root;

/// Every figure by its name and labels: the sum of a counter, the value of a gauge, the number of
/// values of a histogram.
type Figures = Arc<Mutex<BTreeMap<String, f64>>>;

/// A recorder that remembers figures and descriptions.
#[derive(Default)]
struct Remembering {
    figures: Figures,
    described: Mutex<BTreeSet<String>>,
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

    fn value(&self, name: &str) -> Option<f64> {
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

/// Answers every finished run alike.
struct Answering {
    is_refusing: bool,
}

#[async_trait]
impl Notifier for Answering {
    async fn notify(&self, _: &Event) -> Result<(), NotifierError> {
        match self.is_refusing {
            true => Err(NotifierError::permanent("no")),
            false => Ok(()),
        }
    }

    fn wants(&self, event: &Event) -> bool {
        event.kind.is_terminal()
    }
}

async fn good(_: Ctx) -> Result<Vec<BTreeMap<&'static str, u32>>, std::io::Error> {
    Ok(vec![BTreeMap::from([("n", 1)])])
}

async fn bad(_: Ctx) -> Result<(), std::io::Error> {
    Err(std::io::Error::other("no"))
}

async fn start() -> Floret {
    let failing = Node::new("b", "bad")
        .retries(2)
        .retry_delay(Duration::from_millis(1));
    let failing = Pipeline::new("failing")
        .node("a", "good")
        .with(failing)
        .after("a");
    memory()
        .node("good", good)
        .node("bad", bad)
        .notifier("refusing", Answering { is_refusing: true })
        .notifier("accepting", Answering { is_refusing: false })
        .pipeline(Pipeline::new("fine").node("a", "good"))
        .pipeline(failing)
        .start()
        .await
        .unwrap()
}

/// The figures of two good runs and a failed one, and of three requests.
const EXPECTED: &[(&str, f64)] = &[
    ("floret_runs_created_total{trigger=manual}", 3.0),
    ("floret_run_queue_seconds{trigger=manual}", 3.0),
    ("floret_runs_executing{}", 0.0),
    (
        "floret_runs_finished_total{trigger=manual,status=success}",
        2.0,
    ),
    (
        "floret_runs_finished_total{trigger=schedule,status=failed}",
        0.0,
    ),
    ("floret_runs_recovered_total{after=crash}", 0.0),
    (
        "floret_run_duration_seconds{trigger=manual,status=success}",
        2.0,
    ),
    (
        "floret_run_duration_seconds{trigger=manual,status=failed}",
        1.0,
    ),
    ("floret_nodes_finished_total{type=good,status=success}", 3.0),
    ("floret_nodes_finished_total{type=bad,status=failed}", 1.0),
    (
        "floret_node_duration_seconds{type=good,status=success}",
        3.0,
    ),
    ("floret_node_duration_seconds{type=bad,status=failed}", 1.0),
    ("floret_node_retries_total{type=bad}", 2.0),
    ("floret_dataset_bytes{}", 0.0),
    (
        "floret_deliveries_total{notifier=refusing,outcome=dead}",
        3.0,
    ),
    (
        "floret_deliveries_total{notifier=accepting,outcome=delivered}",
        3.0,
    ),
    ("floret_delivery_lag_events{notifier=accepting}", 0.0),
    ("floret_streams{}", 0.0),
    (
        "floret_http_request_seconds{method=GET,route=/runs,status=200}",
        1.0,
    ),
    (
        "floret_http_request_seconds{method=GET,route=/runs/{run_id},status=404}",
        1.0,
    ),
    (
        "floret_http_request_seconds{method=none,route=none,status=404}",
        1.0,
    ),
];

/// The test has one thread, so that its own recorder gets every figure.
#[tokio::test]
async fn each_event_of_a_run_is_counted_once_under_the_labels_of_the_host() {
    let recorder = Remembering::default();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let floret = start().await;
    let described: BTreeSet<_> = ALL.iter().map(|metric| metric.name.to_owned()).collect();
    assert_eq!(*recorder.described.lock(), described);
    for pipeline in ["fine", "fine", "failing"] {
        floret
            .run(pipeline)
            .await
            .unwrap()
            .finished()
            .await
            .unwrap();
    }
    let service = floret.service(Access::allow_all());
    let get = |path| {
        let request = http::Request::get(path).body(String::new()).unwrap();
        service.clone().oneshot(request)
    };
    for path in ["/api/runs", "/api/runs/no-such-run", "/elsewhere"] {
        get(path).await.unwrap();
    }
    let stream = get("/api/events").await.unwrap();
    assert_eq!(recorder.value("floret_streams{}"), Some(1.0));
    drop(stream);
    floret.shutdown(Duration::from_secs(10)).await.unwrap();
    for (name, expected) in EXPECTED {
        let figures = recorder.figures.lock();
        assert_eq!(figures.get(*name), Some(expected), "{name} in {figures:#?}");
    }
    let unknown = recorder.figures.lock();
    let unknown = unknown.keys().filter(|name| {
        let (name, _) = name.split_once('{').unwrap();
        !described.contains(name)
    });
    assert_eq!(unknown.count(), 0);
}

#[test]
fn the_guide_shows_every_metric() {
    let guide = std::fs::read_to_string(root().join("docs/guides/monitoring.md")).unwrap();
    let shown: Vec<_> = guide
        .lines()
        .filter(|line| line.starts_with("| `floret_"))
        .collect();
    let expected: Vec<_> = ALL.iter().map(row).collect();
    assert_eq!(shown, expected);
}

fn row(metric: &Metric) -> String {
    let kind = match metric.kind {
        MetricKind::Counter => "counter",
        MetricKind::Gauge => "gauge",
        MetricKind::Histogram => "histogram",
        _ => panic!("another kind"),
    };
    let labels: Vec<_> = metric
        .labels
        .iter()
        .map(|label| format!("`{label}`"))
        .collect();
    let labels = match labels.is_empty() {
        true => String::new(),
        false => format!(" {}", labels.join(", ")),
    };
    let (name, text) = (metric.name, metric.description);
    format!("| `{name}` | {kind} |{labels} | {text} |")
}
