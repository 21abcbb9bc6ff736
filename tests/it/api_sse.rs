//! `GET /events` before the stream starts: where it begins, and how a request is refused.
//!
//! `api_sse_session` covers what a stream sends.

use floret::storage::{Events, Purge, System};
use floret::{Access, Limits, Permissions, Scope, TenantId};
use http::{Method, Request};
use serde_json::json;

use crate::sse::{Client, connect, get, open};
use crate::streamed::INVALID_QUERIES;
use crate::wire::{Backend, Host, TestResponse, on_each_backend, request, send};

fn assert_refused(result: Result<Client, TestResponse>, status: u16, slug: &str) -> TestResponse {
    let response = result.unwrap_err();
    response.assert_problem(status, slug);
    response
}

/// Returns the number of the newest stored event, once new streams begin after it.
async fn newest(host: &Host) -> u64 {
    let stored = host.faults.newest_seq().await.unwrap();
    while open(&host.service, "/api/events").await.first_id().await != stored {
        tokio::task::yield_now().await;
    }
    stored
}

#[tokio::test]
async fn no_cache_and_no_proxy_holds_a_stream_back() {
    on_each_backend(async |host: &Host| {
        let client = open(&host.service, "/api/events").await;
        assert_eq!(client.headers["content-type"], "text/event-stream");
        assert_eq!(client.headers["cache-control"], "no-store");
        assert_eq!(client.headers["x-accel-buffering"], "no");
        assert!(!client.headers.contains_key("content-length"));
        let head = host.send(request(Method::HEAD, "/api/events", None)).await;
        assert_eq!((head.status.as_u16(), &*head.body), (200, &b""[..]));
        let post = request(Method::POST, "/api/events", None);
        let refused = host.send(post).await;
        refused.assert_problem(405, "method-not-allowed");
    })
    .await;
}

#[tokio::test]
async fn a_stream_begins_after_the_last_event_that_the_client_has() {
    on_each_backend(async |host: &Host| {
        host.finished_run().await;
        let newest = newest(host).await;
        let last = newest.to_string();
        for (query, last_event, first) in [
            ("", None, newest),
            ("?since=0", None, 0),
            ("?since=3", None, 3),
            ("?since=3", Some("5"), 5),
            ("?since=3", Some("0"), 0),
            ("", Some("7"), 7),
            ("", Some("007"), 7),
            ("", Some(&*last), newest),
        ] {
            let headers = last_event.map(|id| ("last-event-id", id));
            let request = get(&format!("/api/events{query}"), headers.as_slice());
            let mut client = connect(&host.service, request).await.unwrap();
            // A client that loses the connection here continues at the same place.
            assert_eq!(client.first_id().await, first, "{query} {last_event:?}");
            if first < newest {
                assert_eq!(client.event().await["seq"], first + 1);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn invalid_parameters_are_refused() {
    on_each_backend(async |host: &Host| {
        for query in INVALID_QUERIES {
            let path = format!("/api/events?{query}");
            let response = assert_refused(
                connect(&host.service, get(&path, &[])).await,
                400,
                "invalid-parameter",
            );
            let name = query.split('=').next().unwrap();
            assert_eq!(response.json()["errors"][0]["parameter"], name, "{query}");
        }
        for values in [
            &["x"][..],
            &[""],
            &["-1"],
            &["+1"],
            &["1.5"],
            &["18446744073709551616"],
            &["18446744073709551615"],
            &["1", "1"],
        ] {
            let headers: Vec<_> = values.iter().map(|id| ("last-event-id", *id)).collect();
            let response = assert_refused(
                connect(&host.service, get("/api/events?since=0", &headers)).await,
                400,
                "invalid-parameter",
            );
            let parameter = &response.json()["errors"][0]["parameter"];
            assert_eq!(parameter, "Last-Event-ID", "{values:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_stream_for_another_origin_is_refused() {
    on_each_backend(async |host: &Host| {
        let service = host.service.clone().allow_origin("https://app.example.com");
        for (origin, is_allowed) in [
            ("https://floret.example.com", true),
            ("https://app.example.com", true),
            ("null", false),
            ("https://evil.com", false),
        ] {
            let request = get("/api/events?since=x", &[("origin", origin)]);
            let (status, slug) = match is_allowed {
                true => (400, "invalid-parameter"),
                false => (403, "cross-origin"),
            };
            assert_refused(connect(&service, request).await, status, slug);
        }
    })
    .await;
}

#[tokio::test]
async fn a_purged_number_gets_410_and_the_smallest_that_is_accepted() {
    on_each_backend(async |host: &Host| {
        let run = host.finished_run().await;
        let gone = newest(host).await;
        let run = host.floret.run_by_id(run.parse().unwrap()).get().await;
        let later = run.unwrap().run.created_at + chrono::TimeDelta::days(1);
        host.faults.purge(Purge::new(later, 100)).await.unwrap();
        host.finished_run().await;
        let last = (gone - 1).to_string();
        let since = format!("/api/events?since={last}");
        let by_header = get("/api/events", &[("last-event-id", &last)]);
        for (request, name) in [(get(&since, &[]), "since"), (by_header, "Last-Event-ID")] {
            let result = connect(&host.service, request).await;
            let problem = assert_refused(result, 410, "events-expired").json();
            assert_eq!(problem["first_seq"], gone);
            let detail = problem["detail"].as_str().unwrap();
            assert!(
                detail.contains(&format!("{name} must be at least {gone}")),
                "{detail}"
            );
        }
        let mut client = open(&host.service, &format!("/api/events?since={gone}")).await;
        assert_eq!(client.event().await["type"], "run.created");
    })
    .await;
}

#[tokio::test]
async fn both_kinds_of_streams_share_their_maximum() {
    let mut limits = Limits::default();
    limits.streams_max = 2;
    for backend in [Backend::Memory, Backend::Sqlite] {
        let host = Host::with_limits(backend, limits.clone()).await;
        let first = open(&host.service, "/api/events").await;
        let _second = crate::stream::open(&host.service, "/api/ws").await;
        let result = connect(&host.service, get("/api/events", &[])).await;
        assert_refused(result, 503, "too-many-streams");
        drop(first);
        // The session notices that its client has gone.
        while connect(&host.service, get("/api/events", &[]))
            .await
            .is_err()
        {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_stream_has_only_the_events_of_its_tenant() {
    on_each_backend(async |host: &Host| {
        let service = host.floret.service(Access::from_extensions());
        let as_tenant = |tenant: &str, mut request: Request<_>| {
            let scope = Scope::Tenant(TenantId::new(tenant).unwrap());
            let permissions = Permissions::all().scope(scope);
            request.extensions_mut().insert(permissions);
            request
        };
        for tenant in ["a", "b"] {
            let body = json!({"id": tenant, "name": tenant, "nodes": [{"id": "x", "type": "any"}]});
            let create = as_tenant(tenant, request(Method::POST, "/api/pipelines", Some(&body)));
            assert_eq!(send(&service, create).await.status, 201);
        }
        let open = |path: &str| connect(&service, as_tenant("b", get(path, &[])));
        let mut live = open("/api/events").await.unwrap();
        for tenant in ["a", "b", "a", "b"] {
            let path = format!("/api/pipelines/{tenant}/run?wait=60");
            let start = as_tenant(tenant, request(Method::POST, &path, None));
            assert_eq!(send(&service, start).await.status, 200);
        }
        let mut stored = open("/api/events?since=0").await.unwrap();
        for client in [&mut live, &mut stored] {
            let mut finished = 0;
            while finished < 2 {
                let event = client.event().await;
                assert_eq!(event["tenant"], "b", "{event}");
                finished += usize::from(event["type"] == "run.completed");
            }
        }
        let other = open("/api/events?run_id=00000000-0000-7000-8000-000000000000").await;
        assert_refused(other, 404, "run-not-found");
    })
    .await;
}
