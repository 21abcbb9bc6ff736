//! `GET /metrics`: the figures of the server for Prometheus, beside the API.
//!
//! The figures are shown to the callers that may see the settings: the API decides about a request
//! for its own figures with the same headers.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use floret::metrics::{ALL, MetricKind, MetricUnit};
use floret::{Floret, RunsService};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tower::{Service, ServiceExt};

use crate::failure::Failure;

/// The buckets of a histogram of seconds: from a fast commit to a run of hours.
const SECONDS: [f64; 16] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 120.0,
    600.0, 3_600.0,
];
/// The buckets of a histogram of things.
const COUNTS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];
/// How often the recorder gives up what it no longer needs.
const UPKEEP: Duration = Duration::from_secs(5);

/// The path of a route that needs the same permission as the metrics.
const SETTINGS: &str = "/api/system/info";

type Body = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// The recorder of this process.
#[derive(Clone)]
pub(crate) struct Recorder(PrometheusHandle);

impl Recorder {
    /// Installs the recorder. It counts what happens from now on.
    pub(crate) fn install() -> Result<Self, Failure> {
        let failure = |error| Failure::of("cannot record metrics", error);
        let histograms = ALL
            .iter()
            .filter(|metric| metric.kind == MetricKind::Histogram);
        let mut builder = PrometheusBuilder::new();
        for metric in histograms {
            let buckets: &[f64] = match metric.unit {
                MetricUnit::Seconds => &SECONDS,
                _ => &COUNTS,
            };
            let matcher = Matcher::Full(metric.name.to_owned());
            builder = builder
                .set_buckets_for_metric(matcher, buckets)
                .map_err(failure)?;
        }
        builder.install_recorder().map(Self).map_err(failure)
    }

    /// Keeps the memory of the recorder bounded.
    pub(crate) async fn keep_up(self) {
        let mut ticks = tokio::time::interval(UPKEEP);
        loop {
            ticks.tick().await;
            self.0.run_upkeep();
        }
    }
}

/// The API, and the metrics beside it.
#[derive(Clone)]
pub(crate) struct WithMetrics {
    runs: RunsService,
    floret: Floret,
    recorder: Recorder,
}

impl WithMetrics {
    pub(crate) fn new(runs: RunsService, floret: Floret, recorder: Recorder) -> Self {
        Self {
            runs,
            floret,
            recorder,
        }
    }

    async fn metrics<B>(self, request: Request<B>) -> Result<Response<Body>, Infallible> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Ok(not_allowed());
        }
        let is_head = request.method() == Method::HEAD;
        let (mut parts, _) = request.into_parts();
        parts.uri = Uri::from_static(SETTINGS);
        parts.method = Method::GET;
        let asked = Request::from_parts(parts, Empty::<Bytes>::new());
        let decided = self.runs.oneshot(asked).await?;
        if decided.status() != StatusCode::OK {
            return Ok(decided.map(boxed));
        }
        if let Ok(info) = self.floret.system().info().await {
            info.record();
        }
        let text = match is_head {
            true => String::new(),
            false => self.recorder.0.render(),
        };
        let mut response = Response::new(boxed(Full::from(text)));
        let headers = response.headers_mut();
        let text = "text/plain; version=0.0.4; charset=utf-8";
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(text));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(response)
    }
}

impl Service<Request<Incoming>> for WithMetrics {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        if request.uri().path() == "/metrics" {
            return Box::pin(self.clone().metrics(request));
        }
        let answer = self.runs.call(request);
        Box::pin(async move { Ok(answer.await?.map(boxed)) })
    }
}

fn not_allowed() -> Response<Body> {
    let mut response = Response::new(boxed(Empty::new()));
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    let allowed = HeaderValue::from_static("GET, HEAD");
    response.headers_mut().insert(ALLOW, allowed);
    response
}

fn boxed<B>(body: B) -> Body
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    UnsyncBoxBody::new(body.map_err(Into::into))
}
