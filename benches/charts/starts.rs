//! From a trigger to the start of the run's node, beside queues of several lengths.
//!
//! Another pipeline is at its limit: one of its runs never ends, and the others wait. The triggered
//! run may start, because the engine has free slots. One run at a time, so nothing else executes.

use std::time::{Duration, Instant};

use floret::executor::{Ctx, ExecutorError};
use floret::{Access, Body, Floret, Pipeline, RunStatus};
use http_body_util::BodyExt;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tower::Service;

use crate::engine::{self, BACKENDS, Backend};
use crate::figure::{Figure, percentile};
use crate::{Scale, folder, name};

const QUEUED: [u64; 5] = [0, 100, 1_000, 10_000, 100_000];

/// The runs that a round starts beside each queue.
const SINGLES: usize = 500;

/// The pause before each trigger.
const PAUSE: Duration = Duration::from_millis(2);

pub(crate) fn measure(scale: Scale) -> Figure {
    let mut figure = Figure::new("Trigger → start beside a queue", "runs in the queue", "ms");
    for backend in BACKENDS {
        let runtime = Runtime::new().unwrap();
        // In a task, because a future outside of the workers is woken on another thread.
        let task = runtime.spawn(beside_queues(backend, scale));
        for (series, queued, millis) in runtime.block_on(task).unwrap() {
            figure.add(name(backend), series, queued, millis);
        }
    }
    figure
}

/// A percentile of a round: its series, the length of the queue and the milliseconds.
type Value = (&'static str, u64, f64);

/// Measures the queues in turn.
async fn beside_queues(backend: Backend, scale: Scale) -> Vec<Value> {
    let mut values = Vec::new();
    let mut queues = Vec::new();
    for queued in scale.of(&QUEUED) {
        queues.push(Queue::open(backend, *queued).await);
    }
    for _ in 0..scale.rounds {
        for queue in &mut queues {
            let mut times = queue.starts(SINGLES).await;
            for (series, percent) in [("p50", 50), ("p99", 99)] {
                let millis = percentile(&mut times, percent).as_secs_f64() * 1e3;
                values.push((series, queue.length, millis));
            }
        }
    }
    for queue in queues {
        queue.close().await;
    }
    values
}

/// A Floret with a queue.
struct Queue {
    floret: Floret,
    length: u64,
    /// When the node of the triggered run has started.
    started: mpsc::Receiver<Instant>,
    _folder: TempDir,
}

impl Queue {
    async fn open(backend: Backend, length: u64) -> Self {
        let folder = folder();
        let (sender, started) = mpsc::channel(1);
        let floret = engine::builder(backend, folder.path(), 5)
            .await
            .node("starts", move |_: Ctx| {
                let sender = sender.clone();
                async move {
                    sender.send(Instant::now()).await.unwrap();
                    Ok::<_, ExecutorError>(())
                }
            })
            .pipeline(engine::at_its_limit())
            .pipeline(Pipeline::new("free").node("only", "starts"))
            .start()
            .await
            .unwrap();
        // The first run executes, the others wait.
        engine::trigger(&floret, usize::try_from(length).unwrap() + 1).await;
        Self {
            floret,
            length,
            started,
            _folder: folder,
        }
    }

    /// Returns the times from the call that triggers a run to the first line of its node.
    async fn starts(&mut self, count: usize) -> Vec<Duration> {
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            tokio::time::sleep(PAUSE).await;
            let begin = Instant::now();
            let run = self.floret.run("free").start().await.unwrap();
            times.push(self.started.recv().await.unwrap() - begin);
            let detail = run.finished().await.unwrap();
            assert_eq!(detail.run.status, RunStatus::Success);
        }
        times
    }

    /// Checks that the queue is as long as it was.
    async fn close(self) {
        let request = http::Request::get("/api/runs?status=pending&per_page=1");
        let request = request.header("host", "localhost").body(Body::default());
        let mut service = self.floret.service(Access::allow_all());
        let response = service.call(request.unwrap()).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let page: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(page["total"], self.length, "{page}");
        self.floret.shutdown(Duration::ZERO).await.unwrap();
    }
}
