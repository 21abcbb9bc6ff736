//! `GET /ws` before anything is sent: who gets a stream and who is refused, in which order and how.
//!
//! What comes over a stream is `api_ws_session`'s.

use floret::storage::{Purge, System};
use floret::{Access, Decision, Limits, Permission, Permissions, Scope, TenantId};
use futures_util::StreamExt;
use http::Method;
use serde_json::json;

use crate::stream::{Client, ask, open, upgrade};
use crate::wire::{Answer, Backend, Host, on_each, request};

fn refused(asked: Result<Client, Answer>, status: u16, slug: &str) -> Answer {
    let answer = asked.unwrap_err();
    answer.refused(status, slug);
    answer
}

#[tokio::test]
async fn a_whole_upgrade_is_answered_as_the_standard_says() {
    on_each(async |host: &Host| {
        let client = open(&host.service, "/api/ws").await;
        let answer = &client.answer;
        assert_eq!(answer.header("upgrade"), "websocket");
        assert_eq!(answer.header("connection"), "Upgrade");
        let accepted = answer.header("sec-websocket-accept");
        assert_eq!(accepted, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    })
    .await;
}

#[tokio::test]
async fn without_the_headers_of_an_upgrade_it_is_426_and_says_what_to_send() {
    on_each(async |host: &Host| {
        for headers in [
            ("upgrade", "-"),
            ("upgrade", "h2c"),
            ("connection", "-"),
            ("sec-websocket-version", "8"),
            ("sec-websocket-key", "-"),
            ("sec-websocket-key", "x"),
        ] {
            let asked = ask(&host.service, upgrade("/api/ws", &[headers])).await;
            let answer = refused(asked, 426, "upgrade-required");
            assert_eq!(answer.header("upgrade"), "websocket");
            assert_eq!(answer.header("sec-websocket-version"), "13");
        }
        host.get("/api/ws").await.refused(426, "upgrade-required");
        let post = request(Method::POST, "/api/ws", None);
        host.send(post).await.refused(405, "method-not-allowed");
    })
    .await;
}

#[tokio::test]
async fn a_stream_for_a_foreign_page_is_refused() {
    on_each(async |host: &Host| {
        let service = host.service.clone().allow_origin("https://app.example.com");
        for (origin, is_let_in) in [
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
            let asked = ask(&service, upgrade("/api/ws", &[("origin", origin)])).await;
            if is_let_in {
                assert!(asked.is_ok(), "{origin}: {asked:?}");
            } else {
                refused(asked, 403, "cross-origin");
            }
        }
        let twice = [
            ("origin", "https://app.example.com"),
            ("origin", "https://evil.com"),
        ];
        let asked = ask(&service, upgrade("/api/ws", &twice)).await;
        refused(asked, 403, "cross-origin");
        let elsewhere = service.allow_host("localhost");
        let asked = ask(&elsewhere, upgrade("/api/ws", &[])).await;
        refused(asked, 421, "misdirected");
    })
    .await;
}

#[tokio::test]
async fn what_the_parameters_cannot_say_is_refused() {
    on_each(async |host: &Host| {
        for query in [
            "since=x",
            "since=-1",
            "since=",
            "since=1.5",
            "since=18446744073709551616",
            "since=1&since=2",
            "since=18446744073709551615",
            "run_id=x",
            "pipeline_id=%20",
            "types=run.created,nothing",
            "types=",
            "limit=1",
        ] {
            let asked = ask(&host.service, upgrade(&format!("/api/ws?{query}"), &[])).await;
            let answer = refused(asked, 400, "invalid-parameter");
            let name = query.split('=').next().unwrap();
            let told = answer.json()["errors"][0]["parameter"].clone();
            assert_eq!(told, name, "{query}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_wrong_is_told_in_the_order_of_the_contract() {
    on_each(async |host: &Host| {
        let service = host.floret.service(Access::from_extensions());
        let evil = [("origin", "https://evil.com"), ("upgrade", "-")];
        let run = "run_id=00000000-0000-7000-8000-000000000000";
        let asked = ask(&service, upgrade("/api/ws?since=x", &evil)).await;
        refused(asked, 401, "unauthenticated");
        let service = &host.service;
        let asked = ask(service, upgrade("/api/ws?since=x", &evil)).await;
        refused(asked, 403, "cross-origin");
        let no_upgrade = [("upgrade", "-")];
        let path = format!("/api/ws?since=x&{run}");
        let asked = ask(service, upgrade(&path, &no_upgrade)).await;
        refused(asked, 400, "invalid-parameter");
        let asked = ask(service, upgrade(&format!("/api/ws?{run}"), &no_upgrade)).await;
        refused(asked, 404, "run-not-found");
    })
    .await;
}

#[tokio::test]
async fn a_number_below_what_purge_took_is_gone_and_the_first_that_is_left_is_told() {
    on_each(async |host: &Host| {
        let gone = host.finished().await;
        let before = host.floret.handle(gone.parse().unwrap());
        let later = before.finished().await.unwrap().run.created_at + chrono::TimeDelta::days(1);
        assert_eq!(
            host.faults
                .purge(Purge::new(later, 100))
                .await
                .unwrap()
                .deleted,
            1
        );
        let stays = host.finished().await;
        let no_upgrade = [("upgrade", "-")];
        let asked = ask(&host.service, upgrade("/api/ws?since=0", &no_upgrade)).await;
        let answer = refused(asked, 410, "events-expired");
        let first = answer.json()["first_seq"].as_u64().unwrap();
        let path = format!("/api/ws?since={}", first - 1);
        refused(
            ask(&host.service, upgrade(&path, &[])).await,
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
        refused(
            ask(&host.service, upgrade(&path, &[])).await,
            404,
            "run-not-found",
        );
        let mut own = open(&host.service, &format!("/api/ws?since=0&run_id={stays}")).await;
        assert_eq!(own.event().await["seq"], first + 1);
    })
    .await;
}

#[tokio::test]
async fn no_more_streams_are_open_than_are_allowed_and_a_place_is_given_back() {
    for backend in [Backend::Memory, Backend::Sqlite] {
        let mut limits = Limits::default();
        limits.streams_max = 2;
        let host = Host::with(backend, limits).await;
        let other = host.floret.service(Access::allow_all());
        let mut first = open(&host.service, "/api/ws").await;
        let _second = open(&other, "/api/ws").await;
        let asked = ask(&host.service, upgrade("/api/ws", &[])).await;
        let answer = refused(asked, 503, "too-many-streams");
        assert!(
            answer.json()["detail"]
                .as_str()
                .unwrap()
                .contains("2 streams")
        );
        first.socket.close(None).await.unwrap();
        while first.socket.next().await.is_some() {}
        while ask(&host.service, upgrade("/api/ws", &[])).await.is_err() {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_key_comes_as_a_subprotocol_where_no_header_can_be_set() {
    on_each(async |host: &Host| {
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
            let client = ask(&service, upgrade("/api/ws", &headers)).await.unwrap();
            assert_eq!(client.answer.header("sec-websocket-protocol"), named);
        }
        let other = [("sec-websocket-protocol", "bearer.other")];
        refused(
            ask(&service, upgrade("/api/ws", &other)).await,
            403,
            "forbidden",
        );
        let none = [("sec-websocket-protocol", "floret")];
        let asked = ask(&service, upgrade("/api/ws", &none)).await;
        refused(asked, 401, "unauthenticated");
    })
    .await;
}

#[tokio::test]
async fn a_tenant_hears_of_its_own_runs_alone() {
    on_each(async |host: &Host| {
        let service = host.floret.service(Access::from_extensions());
        let of = |tenant: &str, mut request: http::Request<_>| {
            let scope = Scope::Tenant(TenantId::new(tenant).unwrap());
            request
                .extensions_mut()
                .insert(Permissions::all().scope(scope));
            request
        };
        let mut runs = Vec::new();
        for tenant in ["a", "b"] {
            let body = json!({"id": tenant, "name": tenant, "nodes": [{"id": "x", "type": "any"}]});
            let create = of(tenant, request(Method::POST, "/api/pipelines", Some(&body)));
            let created = crate::wire::send(&service, create).await;
            assert_eq!(created.status, 201);
        }
        let mut live = ask(&service, of("b", upgrade("/api/ws", &[])))
            .await
            .unwrap();
        for tenant in ["a", "b", "a", "b"] {
            let path = format!("/api/pipelines/{tenant}/run");
            let run = crate::wire::send(&service, of(tenant, request(Method::POST, &path, None)));
            let id = run.await.json()["id"].as_str().unwrap().to_owned();
            host.finish(&id).await;
            runs.push(id);
        }
        let mut stored = ask(&service, of("b", upgrade("/api/ws?since=0", &[])))
            .await
            .unwrap();
        for client in [&mut live, &mut stored] {
            let mut ends = 0;
            while ends < 2 {
                let event = client.event().await;
                assert_eq!(event["pipeline_id"], "b", "{event}");
                assert!(event.get("tenant").is_none());
                ends += usize::from(event["type"] == "run.completed");
            }
        }
        let path = format!("/api/ws?run_id={}", runs[0]);
        let asked = ask(&service, of("b", upgrade(&path, &[]))).await;
        refused(asked, 404, "run-not-found");
    })
    .await;
}

#[tokio::test]
async fn a_host_that_cannot_hand_over_is_told_so_and_not_the_client() {
    let host = Host::start(Backend::Memory).await;
    let answer = host.send(upgrade("/api/ws", &[])).await;
    answer.refused(500, "internal-error");
}
