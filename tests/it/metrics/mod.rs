//! The figures that Floret gives to the recorder of the host.
//!
//! `standalone_metrics` reads those of a server.

mod recorder;
mod recoveries;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use floret::executor::Ctx;
use floret::metrics::{ALL, Metric, MetricKind};
use floret::notifier::{Notifier, NotifierError, RetrySchedule};
use floret::testing::memory;
use floret::{Access, Builder, Event, Floret, Limits, Node, Pipeline};
use http_body_util::BodyExt;
use tower::ServiceExt;

use self::recorder::{Panicking, Remembering};
use crate::harness::with_timeout;
use crate::tidy::root;

/// How a notifier answers the events of finished runs.
enum Answering {
    Accepts,
    Refuses,
    /// Fails once, and then accepts.
    Recovers(AtomicBool),
}

#[async_trait]
impl Notifier for Answering {
    async fn notify(&self, _: &Event) -> Result<(), NotifierError> {
        match self {
            Self::Accepts => Ok(()),
            Self::Refuses => Err(NotifierError::permanent("no")),
            Self::Recovers(has_failed) => match has_failed.swap(true, Ordering::Relaxed) {
                true => Ok(()),
                false => Err(NotifierError::retryable("not yet")),
            },
        }
    }

    fn wants(&self, event: &Event) -> bool {
        event.kind.is_terminal()
    }

    fn retries(&self) -> RetrySchedule {
        RetrySchedule::after([Duration::from_millis(1)])
    }
}

async fn good(_: Ctx) -> Result<Vec<BTreeMap<&'static str, u32>>, std::io::Error> {
    Ok(vec![BTreeMap::from([("n", 1)])])
}

async fn bad(_: Ctx) -> Result<(), std::io::Error> {
    Err(std::io::Error::other("no"))
}

fn builder() -> Builder {
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
        .notifier("refusing", Answering::Refuses)
        .notifier("accepting", Answering::Accepts)
        .notifier("recovering", Answering::Recovers(AtomicBool::new(false)))
        .pipeline(Pipeline::new("fine").node("a", "good"))
        .pipeline(failing)
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
    (
        "floret_deliveries_total{notifier=recovering,outcome=failed}",
        1.0,
    ),
    (
        "floret_deliveries_total{notifier=recovering,outcome=delivered}",
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
    let floret = builder().start().await.unwrap();
    let described: BTreeSet<_> = ALL.iter().map(|metric| metric.name.to_owned()).collect();
    assert_eq!(*recorder.described.lock(), described);
    run_all(&floret).await;
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
    recorder.assert_catalogued();
}

async fn run_all(floret: &Floret) {
    for pipeline in ["fine", "fine", "failing"] {
        let run = floret.run(pipeline).await.unwrap();
        run.finished().await.unwrap();
    }
}

/// The recorder is the host's code.
#[tokio::test]
async fn a_recorder_that_panics_costs_only_its_figures() {
    let _recording = metrics::set_default_local_recorder(&Panicking);
    let floret = builder().start().await.unwrap();
    run_all(&floret).await;
    let statuses = floret.runs().await.unwrap().items;
    let statuses: Vec<_> = statuses.iter().map(|run| run.status.as_str()).collect();
    assert_eq!(statuses, ["failed", "success", "success"]);
    floret.system().info().await.unwrap().record();
    let service = floret.service(Access::allow_all());
    let request = http::Request::get("/api/runs").body(String::new()).unwrap();
    assert_eq!(service.oneshot(request).await.unwrap().status(), 200);
    floret.shutdown(Duration::from_secs(10)).await.unwrap();
}

async fn chatty(ctx: Ctx) -> Result<(), std::io::Error> {
    for line in 0..400 {
        ctx.log.info(format!("line {line}")).await;
    }
    Ok(())
}

#[tokio::test]
async fn the_events_that_a_slow_client_missed_are_counted() {
    let recorder = Remembering::default();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let mut limits = Limits::default();
    limits.events_ring_max = 64;
    let talking = Pipeline::new("talking").node("a", "chatty");
    let floret = builder()
        .node("chatty", chatty)
        .pipeline(talking)
        .limits(limits);
    let floret = floret.start().await.unwrap();
    let service = floret.service(Access::allow_all());
    let request = http::Request::get("/api/events")
        .body(String::new())
        .unwrap();
    let mut stream = service.oneshot(request).await.unwrap().into_body();
    let mut read_until = async |text: &str| {
        let mut read = String::new();
        while !read.contains(text) {
            let frame = with_timeout(text, stream.frame()).await.unwrap().unwrap();
            read += std::str::from_utf8(frame.data_ref().unwrap()).unwrap();
        }
        read
    };
    floret.run("fine").await.unwrap().finished().await.unwrap();
    read_until("run.completed").await;
    for _ in 0..4 {
        floret
            .run("talking")
            .await
            .unwrap()
            .finished()
            .await
            .unwrap();
    }
    let newest = floret.run("fine").await.unwrap();
    newest.finished().await.unwrap();
    let lines = read_until(&format!("\"run.completed\",\"run_id\":\"{}\"", newest.id())).await;
    let messages = lines.lines().filter_map(|line| line.strip_prefix("data: "));
    let missed: Vec<_> = messages
        .filter_map(|message| {
            serde_json::from_str::<serde_json::Value>(message).unwrap()["missed"].as_u64()
        })
        .collect();
    let counted = recorder.value("floret_stream_missed_events_total{}");
    assert_eq!(
        counted,
        Some(missed.iter().sum::<u64>() as f64),
        "{missed:?}"
    );
    assert!(!missed.is_empty());
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
