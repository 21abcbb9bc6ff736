//! The headers that every response has, whatever the route and the status.

use floret::storage::Events as _;
use floret::{Access, EventKind};
use http::{Method, Request};
use http_body_util::Full;
use serde_json::json;

use crate::wire::{Host, TestResponse, on_each_backend, request, send};

fn assert_restricted(what: &str, response: &TestResponse) {
    let caching = match response.header("etag") {
        "" => "no-store",
        _ => "private, no-cache",
    };
    for (name, expected) in [
        ("x-content-type-options", "nosniff"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cache-control", caching),
    ] {
        let header = response.headers.get_all(name);
        assert_eq!(header.iter().count(), 1, "{what}: {name}");
        assert_eq!(response.header(name), expected, "{what}: {name}");
    }
}

#[tokio::test]
async fn no_response_is_cached_sniffed_or_embedded_by_another_origin() {
    on_each_backend(async |host: &Host| {
        let id = host.finished_run().await;
        let body = json!({"name": "x", "nodes": [{"id": "load", "type": "any"}]});
        let run = format!("/api/runs/{id}");
        for (method, path, body, status) in [
            ("GET", "/api/health", None, 200),
            ("HEAD", "/api/health", None, 200),
            ("GET", "/api/pipelines/daily", None, 200),
            ("GET", &run, None, 200),
            ("GET", &format!("{run}/logs/export?format=csv"), None, 200),
            ("POST", "/api/pipelines", Some(&body), 201),
            ("POST", "/api/pipelines/daily/run", None, 202),
            ("DELETE", "/api/pipelines/x", None, 204),
            ("POST", "/api/pipelines", Some(&json!([])), 422),
            ("PATCH", "/api/runs", None, 405),
            ("GET", "/api/nothing", None, 404),
            ("GET", "/api/ws", None, 426),
        ] {
            let method = method.parse::<Method>().unwrap();
            let what = format!("{method} {path}");
            let response = host.send(request(method, path, body)).await;
            assert_eq!(response.status, status, "{what}: {response:?}");
            assert_restricted(&what, &response);
        }
        for path in ["/api/pipelines/daily", &run] {
            let shown = host.get(path).await;
            let known = Request::get(path)
                .header("if-none-match", shown.header("etag"))
                .body(Full::default());
            let unchanged = host.send(known.unwrap()).await;
            assert_eq!(unchanged.status, 304, "{path}");
            assert_restricted("304", &unchanged);
        }
        let closed = host.floret.service(Access::from_extensions());
        let refused = send(&closed, request(Method::GET, "/api/runs", None)).await;
        assert_eq!(refused.status, 401);
        assert_restricted("401", &refused);
        let broken = host
            .floret
            .service(Access::custom(|_, _| panic!("a bug of the host")));
        let failed = send(&broken, request(Method::GET, "/api/runs", None)).await;
        assert_eq!(failed.status, 500);
        assert_restricted("500", &failed);
    })
    .await;
}

/// A client that shows a list and then follows the events must see each change once at least.
#[tokio::test]
async fn what_shows_runs_says_after_which_event_a_stream_goes_on() {
    on_each_backend(async |host: &Host| {
        let id = host.finished_run().await;
        let newest = host.faults.newest_seq().await.unwrap();
        let shown = host.get(&format!("/api/runs/{id}")).await;
        let known = Request::get(format!("/api/runs/{id}"))
            .header("if-none-match", shown.header("etag"))
            .body(Full::default());
        let unchanged = host.send(known.unwrap()).await;
        assert_eq!(unchanged.status, 304);
        assert_eq!(unchanged.header("floret-seq"), newest.to_string());
        for (path, is_numbered) in [
            ("/api/runs".to_owned(), true),
            ("/api/runs?page=1".to_owned(), true),
            (format!("/api/runs/{id}"), true),
            (format!("/api/runs/{id}/logs"), true),
            (format!("/api/runs/{id}/logs/export"), true),
            ("/api/runs/calendar".to_owned(), true),
            ("/api/pipelines/daily/runs".to_owned(), true),
            ("/api/pipelines/daily/backfills".to_owned(), true),
            ("/api/pipelines/daily/grid".to_owned(), true),
            ("/api/pipelines/daily/nodes/load/history".to_owned(), true),
            ("/api/pipelines/daily/nodes/none/history".to_owned(), false),
            ("/api/dashboard".to_owned(), true),
            ("/api/pipelines".to_owned(), false),
            ("/api/health".to_owned(), false),
            ("/api/runs?page=0".to_owned(), false),
            (format!("/api/runs/{id}0"), false),
        ] {
            let response = host.get(&path).await;
            let expected = match is_numbered {
                true => newest.to_string(),
                false => String::new(),
            };
            assert_eq!(response.header("floret-seq"), expected, "{path}");
        }
        // The events after the number are those of the next run, from the first one on.
        let next = host.finished_run().await;
        let seq = newest.to_string();
        let runs = host.get("/api/runs").await;
        assert_ne!(runs.header("floret-seq"), seq);
        let mut events = host.floret.events_after(newest);
        let first = events.next().await.unwrap().unwrap();
        assert_eq!(
            (first.run_id.to_string(), first.kind),
            (next, EventKind::RunCreated)
        );
    })
    .await;
}
