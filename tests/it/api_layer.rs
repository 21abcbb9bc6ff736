//! Floret as a layer in a tower stack: it handles its own prefix and passes other requests through
//! unchanged.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Router;
use axum::routing::any;
use bytes::Bytes;
use floret::RunsLayer;
use floret::service::BodyError;
use http::{HeaderMap, Method, Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use tokio::sync::mpsc;
use tower::limit::ConcurrencyLimit;
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::wire::{Backend, Host, on_each_backend, request};

/// A body whose frames the test sends while the other side reads it.
struct Piped(mpsc::UnboundedReceiver<Result<Frame<Bytes>, Broken>>);

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("broken at {0}")]
struct Broken(u32);

impl Body for Piped {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.0.poll_recv(context)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(7)
    }
}

/// Returns the headers and the body of the request.
async fn echo<B>(request: Request<B>) -> Result<Response<B>, Infallible> {
    let (parts, body) = request.into_parts();
    let mut response = Response::new(body);
    *response.headers_mut() = parts.headers;
    let request_line = format!("{} {}", parts.method, parts.uri);
    response
        .headers_mut()
        .insert("was", request_line.parse().unwrap());
    Ok(response)
}

async fn read<B: Body<Error: std::fmt::Debug>>(response: Response<B>) -> (u16, Bytes) {
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    (parts.status.as_u16(), bytes)
}

#[tokio::test]
async fn floret_handles_its_prefix_and_the_host_handles_the_rest() {
    on_each_backend(async |host: &Host| {
        let layer = RunsLayer::new(host.service.clone());
        let app = layer.layer(service_fn(echo));
        for (path, is_floret) in [
            ("/api/health", true),
            ("/api/nothing", true),
            ("/api", true),
            ("/api/", true),
            ("/apiary", false),
            ("/API/health", false),
            ("/%61pi/health", false),
            ("/", false),
            ("/own?x=%2F&y", false),
            ("http://host.example/own", false),
        ] {
            let response = app.clone().oneshot(request(Method::GET, path, None));
            let response = response.await.unwrap();
            let was = response
                .headers()
                .get("was")
                .map(|was| was.to_str().unwrap());
            let expected = format!("GET {path}");
            assert_eq!(was, (!is_floret).then_some(&*expected), "{path}");
        }
        let post = request(Method::POST, "/api/pipelines/daily/run", None);
        assert_eq!(app.oneshot(post).await.unwrap().status(), 202);
    })
    .await;
}

#[tokio::test]
async fn other_requests_stream_both_ways_with_their_trailers() {
    let host = Host::start(Backend::Memory).await;
    let app = RunsLayer::new(host.service.clone()).layer(service_fn(echo::<Piped>));
    let (frames, piped) = mpsc::unbounded_channel();
    let request = Request::post("/own").body(Piped(piped)).unwrap();
    let response = app.oneshot(request).await.unwrap();
    assert_eq!(response.body().size_hint().exact(), Some(7));
    let mut body = response.into_body();
    for text in ["one", "four"] {
        frames.send(Ok(Frame::data(Bytes::from(text)))).unwrap();
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), text);
    }
    let trailers = HeaderMap::from_iter([(http::header::ETAG, "x".parse().unwrap())]);
    frames.send(Ok(Frame::trailers(trailers.clone()))).unwrap();
    let frame = body.frame().await.unwrap().unwrap();
    assert_eq!(frame.into_trailers().unwrap(), trailers);
    frames.send(Err(Broken(3))).unwrap();
    let error = body.frame().await.unwrap().unwrap_err();
    assert_eq!(error.downcast_ref::<Broken>(), Some(&Broken(3)));
    assert!(error.downcast_ref::<BodyError>().is_none());
}

fn host_request() -> Request<Full<Bytes>> {
    request(Method::GET, "/own", None)
}

/// A service that is ready once and then fails.
#[derive(Clone)]
struct Failing(u32);

impl<B> Service<Request<B>> for Failing {
    type Response = Response<Full<Bytes>>;
    type Error = Broken;
    type Future = Ready<Result<Self::Response, Broken>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        self.0 += 1;
        Poll::Ready(if self.0 == 1 { Ok(()) } else { Err(Broken(1)) })
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        ready(Err(Broken(2)))
    }
}

#[tokio::test]
async fn the_inner_service_keeps_its_error_type() {
    let host = Host::start(Backend::Memory).await;
    let mut app = RunsLayer::new(host.service.clone()).layer(Failing(0));
    assert_eq!(call_own(&mut app).await.err(), Some(Broken(2)));
    assert_eq!(call_own(&mut app).await.err(), Some(Broken(1)));
}

async fn call_own<S: Service<Request<Full<Bytes>>>>(app: &mut S) -> Result<S::Response, S::Error> {
    app.ready().await?.call(host_request()).await
}

#[tokio::test]
async fn inner_readiness_is_awaited_and_released_if_floret_handles_the_request() {
    let host = Host::start(Backend::Memory).await;
    let limited = ConcurrencyLimit::new(service_fn(echo::<Full<Bytes>>), 1);
    let mut one = RunsLayer::new(host.service.clone()).layer(limited);
    let mut two = one.clone();
    let health = request(Method::GET, "/api/health", None);
    let response = one.ready().await.unwrap().call(health).await.unwrap();
    assert_eq!(read(response).await.0, 200);

    let pending = two.ready().await.unwrap().call(host_request());
    let mut waits = poll_in_test(async { one.ready().await.map(drop) });
    assert!(waits.poll().is_pending(), "the only permit is taken");
    assert_eq!(pending.await.unwrap().status(), 200);
    assert!(waits.poll().is_ready());
}

/// A future that the test polls.
struct TestPolled<F>(Pin<Box<F>>);

fn poll_in_test<F: Future>(future: F) -> TestPolled<F> {
    TestPolled(Box::pin(future))
}

impl<F: Future> TestPolled<F> {
    fn poll(&mut self) -> Poll<F::Output> {
        let mut context = Context::from_waker(std::task::Waker::noop());
        self.0.as_mut().poll(&mut context)
    }
}

#[tokio::test]
async fn links_have_the_whole_prefix_in_either_mount() {
    on_each_backend(async |host: &Host| {
        let service = host.service.clone().prefix("/ops/api");
        // This layer receives the whole prefix.
        let own = Router::new().route("/ops/own", any(async || "own"));
        let outermost = RunsLayer::new(service.clone()).layer(own);
        // This layer receives paths from which the outer router has stripped `/ops`.
        let layer = RunsLayer::new(service).mounted_at("/api");
        let within = Router::new()
            .route("/own", any(async || "own"))
            .fallback(async || (http::StatusCode::NOT_FOUND, "the host's own 404"))
            .layer(layer);
        let nested = Router::new().nest("/ops", within);
        for app in [Router::new().fallback_service(outermost), nested] {
            let call = async |method, path: &str| {
                let request = request(method, path, None).map(axum::body::Body::new);
                app.clone().oneshot(request).await.unwrap()
            };
            let started = call(Method::POST, "/ops/api/pipelines/daily/run").await;
            assert_eq!(started.status(), 202);
            let location = started.headers()["location"].to_str().unwrap().to_owned();
            assert!(location.starts_with("/ops/api/runs/"), "{location}");
            let run = call(Method::GET, &location).await;
            assert_eq!(run.status(), 200);
            let second = call(Method::POST, "/ops/api/pipelines/daily/run").await;
            assert_eq!(second.status(), 202);
            let list = call(Method::GET, "/ops/api/runs?limit=1").await;
            let link = list.headers()["link"].to_str().unwrap();
            assert!(link.starts_with("</ops/api/runs?limit=1&after="), "{link}");
            let own = call(Method::GET, "/ops/own").await;
            assert_eq!(read(own).await, (200, Bytes::from("own")));
        }
    })
    .await;
}
