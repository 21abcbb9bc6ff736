//! Entity tags of runs, and finished runs that are kept in memory: no caller gets one that is
//! purged, or one of another tenant.
//!
//! Tags of pipelines are left to `api_preconditions`.

use std::time::Duration;

use floret::storage::{Purge, System as _};
use floret::testing::{Gate, ManualClock, Method as StorageCall, Step};
use floret::{Access, Decision, Limits, Permission, Scope, TenantId};
use http::{Method, Request};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::wire::{Backend, Host, TestResponse, on_each_backend, request, send};

const DAY: Duration = Duration::from_secs(86_400);

/// Sends a request with `If-None-Match`.
async fn ask(host: &Host, method: Method, path: &str, known: &str) -> TestResponse {
    let request = Request::builder().method(method).uri(path);
    let request = request.header("if-none-match", known).body(Full::default());
    host.send(request.unwrap()).await
}

async fn finished(host: &Host) -> String {
    format!("/api/runs/{}", host.finished_run().await)
}

fn reads(host: &Host) -> u64 {
    host.faults.calls(StorageCall::FindRun)
}

/// Returns a purge of all finished runs, whenever they finished.
fn of_all_runs() -> Purge {
    Purge::new("9999-01-01T00:00:00Z".parse().unwrap(), 1_000)
}

#[tokio::test]
async fn a_run_has_another_tag_once_it_has_changed() {
    on_each_backend(async |host: &Host| {
        let gate = Gate::new();
        host.executor.script("load", [Step::pass_on().at(&gate)]);
        let id = host.trigger().await;
        let path = format!("/api/runs/{id}");
        host.executor.started("load").await;
        // The start of a node is stored a moment after it.
        let mut running = host.get(&path).await;
        while running.json()["node_runs"][0]["status"] != "running" {
            tokio::task::yield_now().await;
            running = host.get(&path).await;
        }
        let tag = running.header("etag");
        assert_eq!(ask(host, Method::GET, &path, tag).await.status, 304);
        gate.open();
        host.wait_finished(&id).await;
        let finished = ask(host, Method::GET, &path, tag).await;
        assert_eq!(finished.status, 200);
        assert_eq!(finished.json()["status"], "success");
        assert_ne!(finished.header("etag"), tag);
        let again = host.get(&path).await;
        assert_eq!(again.body, finished.body);
        assert_eq!(again.headers, finished.headers);
    })
    .await;
}

#[tokio::test]
async fn a_caller_that_has_a_run_gets_304_without_a_body() {
    on_each_backend(async |host: &Host| {
        let path = finished(host).await;
        let shown = host.get(&path).await;
        let tag = shown.header("etag");
        assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
        for known in [
            tag.to_owned(),
            format!("W/{tag}"),
            format!(r#""x", {tag}"#),
            format!(r#"W/"a,b" ,{tag}, "y""#),
            "*".to_owned(),
        ] {
            for method in [Method::GET, Method::HEAD] {
                let response = ask(host, method, &path, &known).await;
                assert_eq!(response.status, 304, "{known}");
                assert_eq!(response.body.len(), 0, "{known}");
                assert_eq!(response.header("etag"), tag, "{known}");
                assert_eq!(response.header("cache-control"), "private, no-cache");
            }
        }
        for other in [r#""x""#, r#"W/"x", "y""#, &tag.to_uppercase()] {
            let response = ask(host, Method::GET, &path, other).await;
            assert_eq!(
                (response.status.as_u16(), &response.body),
                (200, &shown.body)
            );
        }
        for malformed in ["", "x", tag.trim_matches('"'), r#"*, "x""#] {
            ask(host, Method::GET, &path, malformed)
                .await
                .assert_problem(400, "invalid-parameter");
        }
    })
    .await;
}

#[tokio::test]
async fn a_head_request_gets_the_headers_of_the_run() {
    on_each_backend(async |host: &Host| {
        let path = finished(host).await;
        for _ in 0..2 {
            let mut head = host.send(request(Method::HEAD, &path, None)).await;
            let mut shown = host.get(&path).await;
            // A reader may see a commit shortly before the number of its newest event is known.
            let seqs =
                [&mut head, &mut shown].map(|response| response.headers.remove("floret-seq"));
            assert!(seqs.iter().all(Option::is_some), "{seqs:?}");
            assert_eq!(head.headers, shown.headers);
            assert_eq!(head.header("content-length"), shown.body.len().to_string());
            assert_eq!(head.body.len(), 0);
        }
    })
    .await;
}

#[tokio::test]
async fn a_finished_run_is_read_from_storage_once() {
    on_each_backend(async |host: &Host| {
        let path = finished(host).await;
        let before = reads(host);
        let first = host.get(&path).await;
        for _ in 0..3 {
            assert_eq!(host.get(&path).await.body, first.body);
            ask(host, Method::GET, &path, first.header("etag")).await;
        }
        assert_eq!(reads(host), before + 1);
        // Another service of the same Floret has another access policy, and the same runs.
        let service = host.floret.service(Access::read_only()).prefix("/v1");
        let shown = send(
            &service,
            request(Method::GET, &path.replace("/api", "/v1"), None),
        )
        .await;
        assert_eq!(shown.body, first.body);
        assert_eq!(reads(host), before + 1);
    })
    .await;
}

#[tokio::test]
async fn the_finished_runs_in_memory_are_bounded_by_bytes() {
    for backend in [Backend::Memory, Backend::Sqlite] {
        for (bytes_max, kept) in [(0, 0), (100, 0), (1 << 20, 1)] {
            let mut limits = Limits::default();
            limits.finished_runs_bytes_max = bytes_max;
            let host = Host::with_limits(backend, limits).await;
            let path = finished(&host).await;
            let before = reads(&host);
            let [first, second] = [host.get(&path).await, host.get(&path).await];
            assert_eq!(first.body, second.body);
            assert_eq!(reads(&host), before + 2 - kept, "{bytes_max}");
        }
    }
}

#[tokio::test]
async fn a_purged_run_is_gone_although_it_was_read() {
    for backend in [Backend::Memory, Backend::Sqlite] {
        let clock = ManualClock::new("2024-01-15T06:00:00Z".parse().unwrap());
        let mut limits = Limits::default();
        // Advancing the clock by days must not expire a lease.
        limits.lease = 1_000 * DAY;
        let build = |builder: floret::Builder| builder.clock(clock.clock()).limits(limits);
        let host = Host::build(backend, build).await;
        let old = finished(&host).await;
        clock.advance(31 * DAY);
        let new = finished(&host).await;
        let tag = host.get(&old).await.header("etag").to_owned();
        let kept = host.get(&new).await;
        let purged = host.post("/api/system/purge", None).await;
        assert_eq!(purged.json()["deleted"], 1);
        host.get(&old).await.assert_problem(404, "run-not-found");
        for known in [tag.as_str(), "*"] {
            ask(&host, Method::GET, &old, known)
                .await
                .assert_problem(404, "run-not-found");
        }
        assert_eq!(host.get(&new).await.body, kept.body);
    }
}

#[tokio::test]
async fn a_read_beside_a_purge_keeps_nothing() {
    on_each_backend(async |host: &Host| {
        let path = finished(host).await;
        let gate = Gate::new();
        host.faults.hold_after(StorageCall::FindRun, &gate);
        let purge = async {
            // Through storage, as a host may do it beside the engine.
            let purged = host.faults.purge(of_all_runs()).await.unwrap();
            assert_eq!(purged.deleted, 1);
            gate.open();
        };
        // The read may come before the purge or after it.
        let (read, ()) = tokio::join!(host.get(&path), purge);
        assert!(matches!(read.status.as_u16(), 200 | 404), "{read:?}");
        host.get(&path).await.assert_problem(404, "run-not-found");
    })
    .await;
}

#[tokio::test]
async fn a_kept_run_is_shown_only_to_callers_that_may_see_it() {
    on_each_backend(async |host: &Host| {
        let access = Access::custom(|parts, permission| {
            let named = |name| parts.headers.get(name).map(|it| it.to_str().unwrap());
            match (named("x-tenant"), named("x-denied")) {
                (_, Some(denied)) if denied == permission.as_str() => Decision::Forbidden,
                (Some("all"), _) => Decision::Allow(Scope::All),
                (Some(""), _) => Decision::Allow(Scope::NoTenant),
                (Some(tenant), _) => Decision::Allow(Scope::Tenant(TenantId::new(tenant).unwrap())),
                (None, _) => Decision::Unauthenticated,
            }
        });
        let service = host.floret.service(access);
        let call =
            async |method: Method, path: &str, headers: &[(&str, &str)], body: Option<&Value>| {
                let mut request = request(method, path, body);
                for (name, value) in headers {
                    let name: http::HeaderName = name.parse().unwrap();
                    request.headers_mut().insert(name, value.parse().unwrap());
                }
                send(&service, request).await
            };
        let ann = [("x-tenant", "ann")];
        let definition = json!({"id": "own", "name": "own", "nodes": [{"id": "a", "type": "any"}]});
        call(Method::POST, "/api/pipelines", &ann, Some(&definition)).await;
        let started = call(Method::POST, "/api/pipelines/own/run", &ann, None).await;
        let id = started.json()["id"].as_str().unwrap().to_owned();
        host.wait_finished(&id).await;
        let path = format!("/api/runs/{id}");
        let shown = call(Method::GET, &path, &ann, None).await;
        assert_eq!(shown.json()["tenant"], "ann");
        let known = ("if-none-match", shown.header("etag"));
        let before = reads(host);
        for tenant in ["ann", "all"] {
            let own = [("x-tenant", tenant), known];
            assert_eq!(
                call(Method::GET, &path, &own[..1], None).await.body,
                shown.body
            );
            assert_eq!(call(Method::GET, &path, &own, None).await.status, 304);
        }
        assert_eq!(reads(host), before);
        for tenant in ["ben", ""] {
            let other = [("x-tenant", tenant), known];
            for headers in [&other[..1], &other] {
                let hidden = call(Method::GET, &path, headers, None).await;
                hidden.assert_problem(404, "run-not-found");
            }
        }
        let narrowed = format!("{path}?tenant=ben");
        let hidden = call(Method::GET, &narrowed, &[("x-tenant", "all"), known], None).await;
        hidden.assert_problem(404, "run-not-found");
        let denied = ("x-denied", Permission::RunsView.as_str());
        let refused = call(Method::GET, &path, &[ann[0], denied, known], None).await;
        refused.assert_problem(403, "forbidden");
        call(Method::GET, &path, &[known], None)
            .await
            .assert_problem(401, "unauthenticated");
    })
    .await;
}

#[tokio::test]
async fn a_resume_is_read_at_once_and_its_failed_run_stays_as_it_was() {
    on_each_backend(async |host: &Host| {
        let gate = Gate::new();
        host.executor.script("load", [Step::pass_on()]);
        host.executor
            .script("sum", [Step::permanent("no"), Step::pass_on().at(&gate)]);
        let failed = finished(host).await;
        let before = host.get(&failed).await;
        assert_eq!(before.json()["status"], "failed");
        let resumed = host.post(&format!("{failed}/resume"), None).await;
        let id = resumed.json()["id"].as_str().unwrap().to_owned();
        let path = format!("/api/runs/{id}");
        host.executor.started_times("sum", 2).await;
        assert_eq!(host.get(&path).await.json()["status"], "running");
        gate.open();
        host.wait_finished(&id).await;
        assert_eq!(host.get(&path).await.json()["status"], "success");
        assert_eq!(host.get(&failed).await.body, before.body);
        host.post(&format!("{failed}/cancel"), None)
            .await
            .assert_problem(409, "run-finished");
        assert_eq!(host.get(&failed).await.body, before.body);
    })
    .await;
}

#[tokio::test]
async fn after_a_shutdown_no_run_is_shown() {
    on_each_backend(async |host: &Host| {
        let path = finished(host).await;
        let tag = host.get(&path).await.header("etag").to_owned();
        host.floret.shutdown(Duration::ZERO).await.unwrap();
        for known in [r#""x""#, &tag] {
            ask(host, Method::GET, &path, known)
                .await
                .assert_problem(503, "shutting-down");
        }
    })
    .await;
}
