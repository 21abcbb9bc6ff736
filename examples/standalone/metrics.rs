//! `GET /metrics`: the figures of the server for Prometheus, beside the API.
//!
//! The figures are shown to the callers that may see the settings of all tenants: the API decides
//! about a request for its own figures with the same headers.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use floret::metrics::{ALL, MetricKind, MetricUnit};
use floret::{ConsoleService, Floret};
use http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tower::{Service, ServiceExt};

use crate::access::Keys;
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

/// The console with the API, and the metrics beside them.
#[derive(Clone)]
pub(crate) struct WithMetrics {
    runs: ConsoleService,
    floret: Floret,
    recorder: Recorder,
    keys: Option<Keys>,
}

impl WithMetrics {
    pub(crate) fn new(
        runs: ConsoleService,
        floret: Floret,
        recorder: Recorder,
        keys: Option<Keys>,
    ) -> Self {
        Self {
            runs,
            floret,
            recorder,
            keys,
        }
    }

    /// Answers as the API does to a request for its own figures, unless the caller may see those of
    /// the whole server.
    async fn metrics<B>(self, request: Request<B>) -> Result<Response<Body>, Infallible> {
        let (parts, _) = request.into_parts();
        let sees_all = self.keys.as_ref().is_none_or(|keys| keys.sees_all(&parts));
        let method = parts.method.clone();
        let allowed = self.runs.oneshot(asked_of_the_api(parts)).await?;
        if allowed.status() != StatusCode::OK {
            return Ok(allowed.map(boxed));
        }
        if !sees_all {
            let title = "The metrics are those of all tenants";
            return Ok(refusal(allowed, StatusCode::FORBIDDEN, title));
        }
        if !matches!(method, Method::GET | Method::HEAD) {
            let mut refused = refusal(allowed, StatusCode::METHOD_NOT_ALLOWED, "Use GET or HEAD");
            let methods = HeaderValue::from_static("GET, HEAD");
            refused.headers_mut().insert(ALLOW, methods);
            return Ok(refused);
        }
        if let Err(error) = self.floret.system().info().await.map(|info| info.record()) {
            tracing::warn!(%error, "the figures of the store are those of an earlier scrape");
        }
        let text = match method {
            Method::HEAD => String::new(),
            _ => self.recorder.0.render(),
        };
        let kind = "text/plain; version=0.0.4; charset=utf-8";
        Ok(with_body(allowed, StatusCode::OK, kind, text))
    }
}

/// Returns the request for the figures of the API that the same caller would send: with the same
/// headers, the same authority and the same query.
///
/// A target that is too long to be changed stays as it is: the API refuses it by its length.
fn asked_of_the_api(mut parts: Parts) -> Request<Empty<Bytes>> {
    if let Some(uri) = settings_uri(&parts.uri) {
        parts.uri = uri;
    }
    parts.method = Method::GET;
    Request::from_parts(parts, Empty::new())
}

fn settings_uri(asked: &Uri) -> Option<Uri> {
    let path = match asked.query() {
        Some(query) => format!("{SETTINGS}?{query}"),
        None => SETTINGS.to_owned(),
    };
    let mut uri = asked.clone().into_parts();
    uri.path_and_query = Some(path.parse().ok()?);
    Uri::from_parts(uri).ok()
}

/// Returns a problem with the headers of an answer of the API.
fn refusal<B>(answer: Response<B>, status: StatusCode, title: &str) -> Response<Body> {
    let problem = serde_json::json!({
        "type": "about:blank", "title": title, "status": status.as_u16(), "error": title,
    });
    with_body(
        answer,
        status,
        "application/problem+json",
        problem.to_string(),
    )
}

/// Returns an answer of the API with another status and another body. Its headers stay.
fn with_body<B>(
    answer: Response<B>,
    status: StatusCode,
    kind: &'static str,
    text: String,
) -> Response<Body> {
    let mut response = answer.map(|_| boxed(Full::from(text)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
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

fn boxed<B>(body: B) -> Body
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    UnsyncBoxBody::new(body.map_err(Into::into))
}
