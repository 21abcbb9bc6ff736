//! A host with a small pipeline on each backend, whose service is called without a socket.
//!
//! The tests assert what the responses contain.

use std::fmt::Debug;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use floret::storage::{Durability, MemoryStorage, SqliteOptions, SqliteStorage, Storage};
use floret::testing::{FaultyStorage, Scratch, ScriptedExecutor, scratch};
use floret::{Access, Builder, Floret, Limits, Pipeline, RunsService, SecretKey};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tower::ServiceExt;

use crate::openapi;
use crate::sse;

/// The storage backend of a host.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Backend {
    Memory,
    Sqlite,
}

/// A host with the pipeline `daily` (`load`, then `sum`), whose nodes follow a script.
pub(crate) struct Host {
    pub(crate) floret: Floret,
    pub(crate) executor: ScriptedExecutor,
    pub(crate) service: RunsService,
    /// The storage of the host. A test can make it fail.
    pub(crate) faults: FaultyStorage,
    /// The folder of the SQLite files.
    pub(crate) folder: Scratch,
}

/// A response whose body was read to the end, or up to the first bytes of a stream of events.
#[derive(Debug)]
pub(crate) struct TestResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Runs a test on each backend.
#[expect(clippy::future_not_send, reason = "a tokio test stays on its thread")]
pub(crate) async fn on_each_backend(test: impl AsyncFn(&Host)) {
    for backend in [Backend::Memory, Backend::Sqlite] {
        let _on_panic = BackendOnPanic(backend);
        test(&Host::start(backend).await).await;
    }
}

/// Names the backend of a test that panics.
struct BackendOnPanic(Backend);

impl Drop for BackendOnPanic {
    #[expect(clippy::print_stderr, reason = "cargo shows it beside the failure")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the backend was {:?}", self.0);
        }
    }
}

impl Backend {
    pub(crate) async fn open(self, folder: &Path) -> Arc<dyn Storage> {
        match self {
            Self::Memory => Arc::new(MemoryStorage::default()),
            Self::Sqlite => {
                let options = SqliteOptions::default().durability(Durability::Normal);
                let path = folder.join("runs.db");
                Arc::new(SqliteStorage::open_with(path, options).await.unwrap())
            }
        }
    }
}

/// Returns the pipeline of every host.
pub(crate) fn daily() -> Pipeline {
    Pipeline::new("daily")
        .node("load", "any")
        .node("sum", "any")
        .after("load")
        .param("region", "eu")
}

impl Host {
    pub(crate) async fn start(backend: Backend) -> Self {
        Self::with_limits(backend, Limits::default()).await
    }

    /// Starts a host with a builder that the test completes. The host has no secret key unless the
    /// test sets one.
    pub(crate) async fn build(backend: Backend, build: impl FnOnce(Builder) -> Builder) -> Self {
        Self::build_in(scratch(), backend, build).await
    }

    pub(crate) async fn with_limits(backend: Backend, limits: Limits) -> Self {
        let key = SecretKey::from_bytes([7; 32]);
        Self::build(backend, |builder| builder.limits(limits).secret_key(key)).await
    }

    /// Starts a host in a folder, which may hold the files of an earlier host.
    pub(crate) async fn build_in(
        folder: Scratch,
        backend: Backend,
        build: impl FnOnce(Builder) -> Builder,
    ) -> Self {
        let faults = FaultyStorage::new(backend.open(folder.path()).await);
        let executor = ScriptedExecutor::new();
        let builder = Floret::builder(faults.clone())
            .executor("any", executor.clone())
            .allow_pipeline_edits()
            .pipeline(daily());
        let floret = build(builder).start().await.unwrap();
        Self {
            service: floret.service(Access::allow_all()),
            floret,
            executor,
            faults,
            folder,
        }
    }

    /// Sends a request to the service.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> TestResponse {
        send(&self.service, request).await
    }

    pub(crate) async fn get(&self, path: &str) -> TestResponse {
        self.send(request(Method::GET, path, None)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Option<&Value>) -> TestResponse {
        self.send(request(Method::POST, path, body)).await
    }

    /// Starts a run and returns its id.
    pub(crate) async fn trigger(&self) -> String {
        let response = self.post("/api/pipelines/daily/run", None).await;
        assert_eq!(response.status, 202, "{response:?}");
        response.json()["id"].as_str().unwrap().to_owned()
    }

    /// Starts a run, waits until it finishes and returns its id.
    pub(crate) async fn finished_run(&self) -> String {
        let id = self.trigger().await;
        self.wait_finished(&id).await;
        id
    }

    /// Starts a run with a body, waits until it finishes and returns its id.
    pub(crate) async fn finished_run_of(&self, body: &Value) -> String {
        let started = self.post("/api/pipelines/daily/run", Some(body)).await;
        assert_eq!(started.status, 202, "{started:?}");
        let id = started.json()["id"].as_str().unwrap().to_owned();
        self.wait_finished(&id).await;
        id
    }

    /// Returns a run with its nodes.
    pub(crate) async fn find_run(&self, id: &str) -> Value {
        self.get(&format!("/api/runs/{id}")).await.json()
    }

    /// Waits until a run finishes.
    pub(crate) async fn wait_finished(&self, id: &str) {
        let run = self.floret.run_by_id(id.parse().unwrap());
        run.finished().await.unwrap();
    }
}

/// Sends a request to a service, and checks the response against the OpenAPI document.
pub(crate) async fn send(service: &RunsService, request: Request<Full<Bytes>>) -> TestResponse {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = TestResponse::read(service.clone().oneshot(request).await.unwrap()).await;
    // The paths of the document are below its default prefix.
    if format!("{service:?}").contains(r#"prefix: "/api""#) {
        openapi::check(&method, &path, &response);
    }
    response
}

/// Returns a request, with a JSON body if one is given.
pub(crate) fn request(method: Method, path: &str, body: Option<&Value>) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method).uri(path);
    match body {
        Some(body) => request
            .header("content-type", "application/json")
            .body(Full::from(body.to_string()))
            .unwrap(),
        None => request.body(Full::default()).unwrap(),
    }
}

/// Returns a `POST` with an idempotency key.
pub(crate) fn with_key(path: &str, key: &str, body: Option<&Value>) -> Request<Full<Bytes>> {
    let mut request = request(Method::POST, path, body);
    let key = key.parse().unwrap();
    request.headers_mut().insert("idempotency-key", key);
    request
}

impl TestResponse {
    /// Reads a response to its end. A stream of events has none, so its first bytes are read.
    pub(crate) async fn read(response: Response<impl Body<Data = Bytes, Error: Debug>>) -> Self {
        let (parts, body) = response.into_parts();
        let mut body = pin!(body);
        let body = if sse::is_stream(&parts.headers) {
            // A response to HEAD has none.
            let first = body.frame().await.transpose().unwrap();
            first.map_or_else(Bytes::new, |frame| frame.into_data().unwrap())
        } else {
            body.collect().await.unwrap().to_bytes()
        };
        Self {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    pub(crate) fn json(&self) -> Value {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("{error}: {self:?}"),
        }
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// Asserts that this is a problem response with this status and slug, and with all required
    /// members and headers.
    #[track_caller]
    pub(crate) fn assert_problem(&self, status: u16, slug: &str) {
        let body = String::from_utf8_lossy(&self.body).into_owned();
        assert_eq!(self.status.as_u16(), status, "{body}");
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{body}"
        );
        assert_eq!(self.header("cache-control"), "no-store", "{body}");
        let problem = self.json();
        assert_eq!(
            problem["type"],
            format!("urn:floret:problem:{slug}"),
            "{body}"
        );
        assert_eq!(problem["status"], status, "{body}");
        assert_eq!(problem["detail"], problem["error"], "{body}");
        for member in ["title", "detail", "instance"] {
            assert!(
                problem[member]
                    .as_str()
                    .is_some_and(|text| !text.is_empty()),
                "{body}"
            );
        }
        let is_retryable = matches!(status, 429 | 503);
        assert_eq!(
            self.headers.contains_key("retry-after"),
            is_retryable,
            "{body}"
        );
    }
}
