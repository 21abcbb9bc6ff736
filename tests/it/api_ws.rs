//! `GET /ws` before the stream starts: which upgrades are accepted, and how others are refused.
//!
//! `api_ws_session` covers what a stream sends.

use floret::storage::{Purge, System};
use floret::{Access, Decision, Limits, Permission, Permissions, Scope, TenantId};
use futures_util::StreamExt;
use http::Method;
use serde_json::json;

use crate::stream::{Client, connect, open, upgrade};
use crate::streamed::INVALID_QUERIES;
use crate::wire::{Backend, Host, TestResponse, on_each_backend, request};

fn assert_refused(result: Result<Client, TestResponse>, status: u16, slug: &str) -> TestResponse {
    let response = result.unwrap_err();
    response.assert_problem(status, slug);
    response
}

#[tokio::test]
async fn a_complete_upgrade_gets_the_standard_response() {
    on_each_backend(async |host: &Host| {
        let client = open(&host.service, "/api/ws").await;
        let response = &client.response;
        assert_eq!(response.header("upgrade"), "websocket");
        assert_eq!(response.header("connection"), "Upgrade");
        let accepted = response.header("sec-websocket-accept");
        assert_eq!(accepted, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    })
    .await;
}

#[tokio::test]
async fn an_incomplete_upgrade_gets_426_and_the_headers_to_send() {
    on_each_backend(async |host: &Host| {
        for headers in [
            ("upgrade", "-"),
            ("upgrade", "h2c"),
            ("connection", "-"),
            ("sec-websocket-version", "8"),
            ("sec-websocket-key", "-"),
            ("sec-websocket-key", "x"),
        ] {
            let result = connect(&host.service, upgrade("/api/ws", &[headers])).await;
            let response = assert_refused(result, 426, "upgrade-required");
            assert_eq!(response.header("upgrade"), "websocket");
            assert_eq!(response.header("sec-websocket-version"), "13");
        }
        host.get("/api/ws")
            .await
            .assert_problem(426, "upgrade-required");
        let post = request(Method::POST, "/api/ws", None);
        host.send(post)
            .await
            .assert_problem(405, "method-not-allowed");
    })
    .await;
}

#[tokio::test]
async fn a_stream_for_another_origin_is_refused() {
    on_each_backend(async |host: &Host| {
        let service = host.service.clone().allow_origin("https://app.example.com");
        for (origin, is_allowed) in [
            ("-", true),
            ("https://floret.example.com", true),
            ("http://floret.example.com", true),
            ("HTTPS://FLORET.EXAMPLE.COM", true),
            ("https://app.example.com", true),
            ("null", false),
            ("", false),
            ("https://evil.com", false),
            ("https://floret.example.com.evil", false),
            ("https://floret.example.com:8443", false),
            ("http://app.example.com", false),
        ] {
            let result = connect(&service, upgrade("/api/ws", &[("origin", origin)])).await;
            if is_allowed {
                assert!(result.is_ok(), "{origin}: {result:?}");
            } else {
                assert_refused(result, 403, "cross-origin");
            }
        }
        let twice = [
            ("origin", "https://app.example.com"),
            ("origin", "https://evil.com"),
        ];
        let result = connect(&service, upgrade("/api/ws", &twice)).await;
        assert_refused(result, 403, "cross-origin");
        let elsewhere = service.allow_host("localhost");
        let result = connect(&elsewhere, upgrade("/api/ws", &[])).await;
        assert_refused(result, 421, "misdirected");
    })
    .await;
}

#[tokio::test]
async fn invalid_parameters_are_refused() {
    on_each_backend(async |host: &Host| {
        for query in INVALID_QUERIES {
            let result = connect(&host.service, upgrade(&format!("/api/ws?{query}"), &[])).await;
            let response = assert_refused(result, 400, "invalid-parameter");
            let name = query.split('=').next().unwrap();
            let parameter = response.json()["errors"][0]["parameter"].clone();
            assert_eq!(parameter, name, "{query}");
        }
    })
    .await;
}

#[tokio::test]
async fn problems_are_reported_in_the_documented_order() {
    on_each_backend(async |host: &Host| {
        let service = host.floret.service(Access::from_extensions());
        let evil = [("origin", "https://evil.com"), ("upgrade", "-")];
        let run = "run_id=00000000-0000-7000-8000-000000000000";
        let result = connect(&service, upgrade("/api/ws?since=x", &evil)).await;
        assert_refused(result, 401, "unauthenticated");
        let service = &host.service;
        let result = connect(service, upgrade("/api/ws?since=x", &evil)).await;
        assert_refused(result, 403, "cross-origin");
        let no_upgrade = [("upgrade", "-")];
        let path = format!("/api/ws?since=x&{run}");
        let result = connect(service, upgrade(&path, &no_upgrade)).await;
        assert_refused(result, 400, "invalid-parameter");
        let result = connect(service, upgrade(&format!("/api/ws?{run}"), &no_upgrade)).await;
        assert_refused(result, 404, "run-not-found");
    })
    .await;
}

#[tokio::test]
async fn a_purged_since_is_gone_and_the_first_valid_one_is_reported() {
    on_each_backend(async |host: &Host| {
        let gone = host.finished_run().await;
        let before = host.floret.run_by_id(gone.parse().unwrap());
        let later = before.finished().await.unwrap().run.created_at + chrono::TimeDelta::days(1);
        assert_eq!(
            host.faults
                .purge(Purge::new(later, 100))
                .await
                .unwrap()
                .deleted,
            1
        );
        let stays = host.finished_run().await;
        let no_upgrade = [("upgrade", "-")];
        let result = connect(&host.service, upgrade("/api/ws?since=0", &no_upgrade)).await;
        let response = assert_refused(result, 410, "events-expired");
        let first = response.json()["first_seq"].as_u64().unwrap();
        let path = format!("/api/ws?since={}", first - 1);
        assert_refused(
            connect(&host.service, upgrade(&path, &[])).await,
            410,
            "events-expired",
        );

        let mut client = open(&host.service, &format!("/api/ws?since={first}")).await;
        let event = client.event().await;
        assert_eq!(
            (&event["seq"], &event["run_id"]),
            (&json!(first + 1), &json!(stays))
        );
        let path = format!("/api/ws?since=0&run_id={gone}");
        assert_refused(
            connect(&host.service, upgrade(&path, &[])).await,
            404,
            "run-not-found",
        );
        let mut filtered = open(&host.service, &format!("/api/ws?since=0&run_id={stays}")).await;
        assert_eq!(filtered.event().await["seq"], first + 1);
    })
    .await;
}

#[tokio::test]
async fn the_stream_limit_holds_and_a_closed_stream_frees_its_slot() {
    for backend in [Backend::Memory, Backend::Sqlite] {
        let mut limits = Limits::default();
        limits.streams_max = 2;
        let host = Host::with_limits(backend, limits).await;
        let other = host.floret.service(Access::allow_all());
        let mut first = open(&host.service, "/api/ws").await;
        let _second = open(&other, "/api/ws").await;
        let result = connect(&host.service, upgrade("/api/ws", &[])).await;
        let response = assert_refused(result, 503, "too-many-streams");
        assert!(
            response.json()["detail"]
                .as_str()
                .unwrap()
                .contains("2 streams")
        );
        first.socket.close(None).await.unwrap();
        while first.socket.next().await.is_some() {}
        while connect(&host.service, upgrade("/api/ws", &[]))
            .await
            .is_err()
        {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_client_without_headers_sends_its_key_as_a_subprotocol() {
    on_each_backend(async |host: &Host| {
        let access = Access::custom(|parts, permission| {
            assert_eq!(permission, Permission::EventsView);
            match parts.headers.get("authorization") {
                Some(key) if key == "Bearer s3cret" => Decision::Allow(Scope::All),
                Some(_) => Decision::Forbidden,
                None => Decision::Unauthenticated,
            }
        });
        let service = host.floret.service(access);
        for (offered, named) in [
            ("floret, bearer.s3cret", "floret"),
            ("bearer.s3cret", "bearer.s3cret"),
        ] {
            let headers = [("sec-websocket-protocol", offered)];
            let client = connect(&service, upgrade("/api/ws", &headers))
                .await
                .unwrap();
            assert_eq!(client.response.header("sec-websocket-protocol"), named);
        }
        let other = [("sec-websocket-protocol", "bearer.other")];
        assert_refused(
            connect(&service, upgrade("/api/ws", &other)).await,
            403,
            "forbidden",
        );
        let without_key = [("sec-websocket-protocol", "floret")];
        let result = connect(&service, upgrade("/api/ws", &without_key)).await;
        assert_refused(result, 401, "unauthenticated");
    })
    .await;
}

#[tokio::test]
async fn a_tenant_receives_only_events_of_its_own_runs() {
    on_each_backend(async |host: &Host| {
        let service = host.floret.service(Access::from_extensions());
        let as_tenant = |tenant: &str, mut request: http::Request<_>| {
            let scope = Scope::Tenant(TenantId::new(tenant).unwrap());
            request
                .extensions_mut()
                .insert(Permissions::all().scope(scope));
            request
        };
        let mut runs = Vec::new();
        for tenant in ["a", "b"] {
            let body = json!({"id": tenant, "name": tenant, "nodes": [{"id": "x", "type": "any"}]});
            let create = as_tenant(tenant, request(Method::POST, "/api/pipelines", Some(&body)));
            let created = crate::wire::send(&service, create).await;
            assert_eq!(created.status, 201);
        }
        let mut live = connect(&service, as_tenant("b", upgrade("/api/ws", &[])))
            .await
            .unwrap();
        for tenant in ["a", "b", "a", "b"] {
            let path = format!("/api/pipelines/{tenant}/run");
            let run = crate::wire::send(
                &service,
                as_tenant(tenant, request(Method::POST, &path, None)),
            );
            let id = run.await.json()["id"].as_str().unwrap().to_owned();
            host.wait_finished(&id).await;
            runs.push(id);
        }
        let mut stored = connect(&service, as_tenant("b", upgrade("/api/ws?since=0", &[])))
            .await
            .unwrap();
        for client in [&mut live, &mut stored] {
            let mut finished = 0;
            while finished < 2 {
                let event = client.event().await;
                assert_eq!(event["pipeline_id"], "b", "{event}");
                assert_eq!(event["tenant"], "b", "{event}");
                finished += usize::from(event["type"] == "run.completed");
            }
        }
        let path = format!("/api/ws?run_id={}", runs[0]);
        let result = connect(&service, as_tenant("b", upgrade(&path, &[]))).await;
        assert_refused(result, 404, "run-not-found");
    })
    .await;
}

#[tokio::test]
async fn a_host_without_upgrade_support_gets_an_internal_error() {
    let host = Host::start(Backend::Memory).await;
    let response = host.send(upgrade("/api/ws", &[])).await;
    response.assert_problem(500, "internal-error");
}
