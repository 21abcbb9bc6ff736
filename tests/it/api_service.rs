//! The service itself: prefixes, methods, and requests from other origins.
//!
//! `bad_input` covers panics and bodies that do not arrive.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use floret::testing::{Fault, Method as StorageCall};
use floret::{Body, Problem};
use http::{Method, Request, Response};
use http_body::Frame;
use serde_json::json;
use tower::{Service, ServiceExt};

use crate::wire::{Backend, Host, on_each_backend, request, send};

/// A body that is not `Sync`.
struct Unshared(std::marker::PhantomData<std::cell::Cell<u8>>);

impl http_body::Body for Unshared {
    type Data = Bytes;
    type Error = ();

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ()>>> {
        Poll::Ready(None)
    }
}

#[tokio::test]
async fn the_service_accepts_a_body_that_is_not_sync_and_returns_a_send_future() {
    fn mount<S>(service: S) -> S
    where
        S: Service<Request<Unshared>, Response = Response<Body>, Error = Infallible>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        service
    }
    let host = Host::start(Backend::Memory).await;
    let request = Request::post("/api/pipelines/daily/run");
    let request = request.body(Unshared(std::marker::PhantomData)).unwrap();
    let response = mount(host.service.clone()).oneshot(request).await.unwrap();
    assert_eq!(response.status(), 202);
}

#[tokio::test]
async fn paths_work_with_and_without_the_prefix_and_links_have_it() {
    on_each_backend(async |host: &Host| {
        let service = host.service.clone().prefix("/v1/floret/");
        for path in ["/v1/floret/pipelines/daily/run", "/pipelines/daily/run"] {
            let response = send(&service, request(Method::POST, path, None)).await;
            let id = response.json()["id"].as_str().unwrap().to_owned();
            assert_eq!(response.header("location"), format!("/v1/floret/runs/{id}"));
            host.wait_finished(&id).await;
            let list = request(Method::GET, "/runs?limit=1", None);
            let link = send(&service, list).await.header("link").to_owned();
            assert!(
                link.is_empty() || link.starts_with("</v1/floret/runs?limit=1&after="),
                "{link}"
            );
        }
        let other = request(Method::GET, "/api/health", None);
        send(&service, other).await.assert_problem(404, "not-found");
        let bare = host.service.clone().prefix("");
        assert_eq!(
            send(&bare, request(Method::GET, "/health", None))
                .await
                .status,
            200
        );
    })
    .await;
}

#[tokio::test]
async fn head_gets_the_headers_of_get_without_a_body() {
    on_each_backend(async |host: &Host| {
        let id = host.finished_run().await;
        for path in [
            "/api/health",
            "/api/runs",
            &format!("/api/runs/{id}"),
            &format!("/api/runs/{id}/logs/export"),
            "/api/nothing",
        ] {
            let get = host.get(path).await;
            let head = host.send(request(Method::HEAD, path, None)).await;
            assert_eq!((head.status, head.body.len()), (get.status, 0), "{path}");
            for name in ["content-type", "content-disposition", "link"] {
                assert_eq!(head.header(name), get.header(name), "{path}");
            }
            let is_stream = path.ends_with("export");
            let has_problem = get.status == 404;
            if !is_stream && !has_problem {
                assert_eq!(
                    head.header("content-length"),
                    get.body.len().to_string(),
                    "{path}"
                );
            }
        }
    })
    .await;
}

#[tokio::test]
async fn an_unsupported_method_gets_the_allowed_methods() {
    on_each_backend(async |host: &Host| {
        for (method, path, allow) in [
            ("PATCH", "/api/pipelines/daily", "GET, HEAD, PUT, DELETE"),
            ("DELETE", "/api/runs", "GET, HEAD"),
            ("GET", "/api/pipelines/daily/run", "POST"),
            ("OPTIONS", "/api/pipelines", "GET, HEAD, POST"),
        ] {
            let response = host
                .send(request(method.parse().unwrap(), path, None))
                .await;
            response.assert_problem(405, "method-not-allowed");
            assert_eq!(response.header("allow"), allow, "{method} {path}");
        }
    })
    .await;
}

#[tokio::test]
async fn another_origin_may_read_but_not_write() {
    on_each_backend(async |host: &Host| {
        let service = host.service.clone().allow_origin("https://app.example.com");
        for (origin, expected) in [
            ("https://floret.example.com", 202),
            ("https://app.example.com", 202),
            ("https://evil.example.com", 403),
            ("null", 403),
        ] {
            let mut post = request(Method::POST, "/api/pipelines/daily/run", None);
            post.headers_mut()
                .insert("host", "floret.example.com".parse().unwrap());
            post.headers_mut().insert("origin", origin.parse().unwrap());
            let response = send(&service, post).await;
            match expected {
                403 => response.assert_problem(403, "cross-origin"),
                _ => assert_eq!(response.status, expected, "{origin}"),
            }
        }
        let mut get = request(Method::GET, "/api/runs", None);
        get.headers_mut()
            .insert("origin", "https://evil.example.com".parse().unwrap());
        assert_eq!(send(&service, get).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn a_service_with_allowed_hosts_refuses_other_hosts() {
    on_each_backend(async |host: &Host| {
        let service = host
            .service
            .clone()
            .allow_host("localhost")
            .allow_host("127.0.0.1");
        for (name, expected) in [
            ("localhost:8080", 200),
            ("127.0.0.1", 200),
            ("evil.example.com", 421),
        ] {
            let mut get = request(Method::GET, "/api/health", None);
            get.headers_mut().insert("host", name.parse().unwrap());
            let response = send(&service, get).await;
            match expected {
                421 => response.assert_problem(421, "misdirected"),
                _ => assert_eq!(response.status, expected, "{name}"),
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_refused_query_reads_neither_the_nodes_of_a_run_nor_the_runs_of_a_backfill() {
    on_each_backend(async |host: &Host| {
        let dates = json!({"start_date": "2024-01-01", "end_date": "2024-01-02"});
        let started = host
            .post("/api/pipelines/daily/backfill", Some(&dates))
            .await;
        let backfill = started.header("location");
        for run in started.json().as_array().unwrap() {
            host.wait_finished(run.as_str().unwrap()).await;
        }
        let id = host.finished_run().await;
        for method in [StorageCall::FindRun, StorageCall::FindBackfill] {
            let fault = Fault::before(method, Problem::StorageBusy);
            host.faults.fail(fault.times(u64::MAX));
        }
        let run = format!("/api/runs/{id}");
        for path in [backfill, &run, &format!("{run}/nodes/sum/preview")] {
            let refused = host.get(&format!("{path}?x=1")).await;
            refused.assert_problem(400, "invalid-parameter");
        }
        let absent = "00000000-0000-7000-8000-000000000000";
        for (path, slug) in [
            (format!("/api/backfills/{absent}"), "backfill-not-found"),
            (format!("/api/runs/{absent}"), "run-not-found"),
            (format!("{run}/nodes/none/preview"), "node-not-found"),
        ] {
            let refused = host.get(&format!("{path}?x=1")).await;
            refused.assert_problem(404, slug);
        }
    })
    .await;
}
