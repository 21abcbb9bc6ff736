//! A host with a small pipeline and its service, called without a socket, on each backend.
//!
//! What the answers must be stands in the tests.

use std::fmt::Debug;
use std::path::Path;
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

/// Where a host keeps its runs.
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
    /// Makes storage fail on cue.
    pub(crate) faults: FaultyStorage,
    /// Where the backend SQLite has its files.
    pub(crate) folder: Scratch,
}

/// An answer that was read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Runs a test on each backend.
#[expect(
    clippy::future_not_send,
    reason = "a test of tokio stays on its thread"
)]
pub(crate) async fn on_each(test: impl AsyncFn(&Host)) {
    for backend in [Backend::Memory, Backend::Sqlite] {
        let _named = Named(backend);
        test(&Host::start(backend).await).await;
    }
}

/// Says on which backend a test failed.
struct Named(Backend);

impl Drop for Named {
    #[expect(clippy::print_stderr, reason = "cargo shows it beside the failure")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("this was on the backend {:?}", self.0);
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

/// The pipeline of every host.
pub(crate) fn daily() -> Pipeline {
    Pipeline::new("daily")
        .node("load", "any")
        .node("sum", "any")
        .after("load")
        .param("region", "eu")
}

impl Host {
    pub(crate) async fn start(backend: Backend) -> Self {
        Self::with(backend, Limits::default()).await
    }

    /// A host whose builder is finished by the test; it has no key for secrets but what the test
    /// gives it.
    pub(crate) async fn built(backend: Backend, build: impl FnOnce(Builder) -> Builder) -> Self {
        Self::on(scratch(), backend, build).await
    }

    pub(crate) async fn with(backend: Backend, limits: Limits) -> Self {
        let key = SecretKey::from_bytes([7; 32]);
        Self::built(backend, |builder| builder.limits(limits).secret_key(key)).await
    }

    /// A host on what a folder has of another one before it.
    pub(crate) async fn on(
        folder: Scratch,
        backend: Backend,
        build: impl FnOnce(Builder) -> Builder,
    ) -> Self {
        let faults = FaultyStorage::new(backend.open(folder.path()).await);
        let executor = ScriptedExecutor::new();
        let builder = Floret::builder(faults.clone())
            .executor("any", executor.clone())
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
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        send(&self.service, request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(request(Method::GET, path, None)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Option<&Value>) -> Answer {
        self.send(request(Method::POST, path, body)).await
    }

    /// Starts a run and answers its id.
    pub(crate) async fn trigger(&self) -> String {
        let answer = self.post("/api/pipelines/daily/run", None).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// Starts a run, waits for its end and answers its id.
    pub(crate) async fn finished(&self) -> String {
        let id = self.trigger().await;
        self.finish(&id).await;
        id
    }

    /// Waits for the end of a run.
    pub(crate) async fn finish(&self, id: &str) {
        let run = self.floret.handle(id.parse().unwrap());
        run.finished().await.unwrap();
    }
}

/// Sends a request to a service.
pub(crate) async fn send(service: &RunsService, request: Request<Full<Bytes>>) -> Answer {
    Answer::read(service.clone().oneshot(request).await.unwrap()).await
}

/// A request, with a body of JSON where one is given.
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

impl Answer {
    /// Reads an answer to its end.
    pub(crate) async fn read(answer: Response<impl Body<Data = Bytes, Error: Debug>>) -> Self {
        let (parts, body) = answer.into_parts();
        Self {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
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

    /// Asserts a refusal: status and slug, and that it has every member of a problem and nothing
    /// that a problem must not have.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, slug: &str) {
        let told = String::from_utf8_lossy(&self.body).into_owned();
        assert_eq!(self.status.as_u16(), status, "{told}");
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{told}"
        );
        assert_eq!(self.header("cache-control"), "no-store", "{told}");
        let problem = self.json();
        assert_eq!(
            problem["type"],
            format!("urn:floret:problem:{slug}"),
            "{told}"
        );
        assert_eq!(problem["status"], status, "{told}");
        assert_eq!(problem["detail"], problem["error"], "{told}");
        for member in ["title", "detail", "instance"] {
            assert!(
                problem[member]
                    .as_str()
                    .is_some_and(|text| !text.is_empty()),
                "{told}"
            );
        }
        let is_retryable = matches!(status, 429 | 503);
        assert_eq!(
            self.headers.contains_key("retry-after"),
            is_retryable,
            "{told}"
        );
    }
}
