//! The audit: refusals by a rule, what is not in it, its lists and its tenants.
//!
//! `api_audit_commands` gives every command. The contract of storage states that an entry and its
//! command are one step. `retention` trims it.

use floret::testing::{Fault, Method as StorageMethod};
use floret::{Access, AuditAction, Decision, Pipeline, Problem, RunsService, Scope, TenantId};
use http::Method;
use http::header::IF_MATCH;
use serde_json::{Value, json};

use crate::wire::{Host, TestResponse, on_each_backend, request, send, with_key};

/// Returns the service for a caller with this name.
pub(crate) fn service_of(host: &Host, name: &'static str) -> RunsService {
    let access = Access::custom(move |_, _| Decision::allow(Scope::All).by(name));
    host.floret.service(access)
}

pub(crate) async fn call(
    service: &RunsService,
    method: Method,
    path: &str,
    body: &Value,
) -> TestResponse {
    let body = Some(body).filter(|body| !body.is_null());
    send(service, request(method, path, body)).await
}

pub(crate) async fn audit(host: &Host, query: &str) -> Vec<Value> {
    let answer = host.get(&format!("/api/audit{query}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json().as_array().unwrap().clone()
}

#[tokio::test]
async fn a_command_that_a_rule_refuses_is_in_the_audit() {
    on_each_backend(async |host: &Host| {
        let run = host.finished_run().await;
        host.post("/api/pipelines/daily/pause", None).await;
        let waiting = host.trigger().await;
        let paths = ["cancel", "resume"].map(|verb| format!("/api/runs/{run}/{verb}"));
        let rerun = format!("/api/runs/{waiting}/rerun");
        let (run, waiting) = (format!("run:{run}"), format!("run:{waiting}"));
        let daily =
            json!({"id": "daily", "name": "daily", "nodes": [{"id": "load", "type": "any"}]});
        let because = json!({"reason": "x"});
        for (path, body, action, subject, problem) in [
            (&*paths[0], &because, "run.cancel", &*run, "run-finished"),
            (&paths[1], &because, "run.resume", &run, "run-not-resumable"),
            (&rerun, &because, "run.rerun", &waiting, "run-not-finished"),
            (
                "/api/pipelines",
                &daily,
                "pipeline.create",
                "pipeline:daily",
                "already-exists",
            ),
        ] {
            let answer = call(&service_of(host, "alice"), Method::POST, path, body).await;
            answer.assert_problem(409, problem);
            assert_refused(host, (action, subject, problem), &body["reason"]).await;
        }
        let delete = || request(Method::DELETE, "/api/pipelines/daily", None);
        let answer = send(&service_of(host, "alice"), delete()).await;
        answer.assert_problem(409, "pipeline-active");
        let shown = ("pipeline.delete", "pipeline:daily", "pipeline-active");
        assert_refused(host, shown, &Value::Null).await;
        let mut stale = delete();
        stale
            .headers_mut()
            .insert(IF_MATCH, "\"daily.99\"".parse().unwrap());
        let answer = send(&service_of(host, "alice"), stale).await;
        answer.assert_problem(412, "precondition-failed");
        let shown = ("pipeline.delete", "pipeline:daily", "precondition-failed");
        assert_refused(host, shown, &Value::Null).await;
        assert_eq!(audit(host, "").await.len(), 7);
    })
    .await;
}

/// Asserts that the newest entry shows a refused command of `alice`.
async fn assert_refused(
    host: &Host,
    (action, subject, problem): (&str, &str, &str),
    reason: &Value,
) {
    let newest = audit(host, "?by=alice").await.remove(0);
    let mut expected = json!({
        "id": newest["id"], "at": newest["at"], "by": "alice", "action": action,
        "subject": subject, "outcome": "refused", "problem": problem,
    });
    if !reason.is_null() {
        expected["reason"] = reason.clone();
    }
    assert_eq!(newest, expected);
}

#[tokio::test]
async fn what_is_refused_at_the_door_is_not_in_the_audit() {
    on_each_backend(async |host: &Host| {
        let run = host.finished_run().await;
        let read_only = host.floret.service(Access::read_only());
        let cancel = format!("/api/runs/{run}/cancel");
        let absent = "/api/runs/00000000-0000-7000-8000-000000000000/cancel";
        let long = json!({"reason": "x".repeat(501)});
        for (service, path, body, status) in [
            (&read_only, &*cancel, json!({}), 403),
            (&host.service, absent, json!({}), 404),
            (&host.service, &format!("{cancel}?x=1"), json!({}), 400),
            (&host.service, &cancel, json!({"reason": 5}), 422),
            (&host.service, &cancel, long.clone(), 422),
            (&host.service, "/api/pipelines/absent/pause", json!({}), 404),
            (&host.service, "/api/pipelines", json!({"id": "daily"}), 422),
            (
                &host.service,
                "/api/runs/rerun",
                json!({"filter": {"status": ["failed"]}}),
                200,
            ),
            (
                &host.service,
                "/api/system/purge",
                json!({"preview": true}),
                200,
            ),
        ] {
            let answer = call(service, Method::POST, path, &body).await;
            assert_eq!(answer.status, status, "{path}: {answer:?}");
        }
        assert_eq!(audit(host, "").await, [Value::Null; 0]);
    })
    .await;
}

#[tokio::test]
async fn a_start_of_a_run_is_not_in_the_audit() {
    on_each_backend(async |host: &Host| {
        let alice = service_of(host, "alice");
        let answer = call(&alice, Method::POST, "/api/pipelines/daily/run", &json!({})).await;
        let id = answer.json()["id"].as_str().unwrap().to_owned();
        host.wait_finished(&id).await;
        assert_eq!(host.find_run(&id).await["created_by"], "alice");
        assert_eq!(audit(host, "").await, [Value::Null; 0]);
        // A repeat with the same key starts nothing.
        let path = format!("/api/runs/{id}/rerun");
        for _ in 0..2 {
            assert_eq!(host.send(with_key(&path, "once", None)).await.status, 202);
        }
        assert_eq!(audit(host, "").await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_tenant_sees_the_commands_on_its_own_objects() {
    on_each_backend(async |host: &Host| {
        let tenant = |name: &str| Scope::Tenant(TenantId::new(name).unwrap());
        let (ann, ben) = (
            host.floret.scoped(tenant("ann")),
            host.floret.scoped(tenant("ben")),
        );
        for client in [&ann, &ben] {
            let orders = Pipeline::new("orders").node("load", "any");
            client.pipelines().create(orders).await.unwrap();
        }
        // The host's operator acts on an object of one tenant.
        let path = "/api/pipelines/orders/pause?tenant=ann";
        let paused = call(
            &service_of(host, "operator"),
            Method::POST,
            path,
            &json!({}),
        )
        .await;
        assert_eq!(paused.status, 200, "{paused:?}");
        let seen = ann.audit().await.unwrap().items;
        let shown: Vec<_> = seen
            .iter()
            .map(|entry| (entry.action, entry.by.clone()))
            .collect();
        assert_eq!(
            shown,
            [
                (AuditAction::PipelinePause, Some("operator".into())),
                (AuditAction::PipelineCreate, None)
            ]
        );
        assert!(
            seen.iter()
                .all(|entry| entry.tenant == TenantId::new("ann").ok())
        );
        assert_eq!(ben.audit().await.unwrap().items.len(), 1);
        assert_eq!(audit(host, "?tenant=ben").await.len(), 1);
        assert_eq!(audit(host, "").await.len(), 3);
        let none = host.floret.scoped(Scope::NoTenant).audit().await.unwrap();
        assert_eq!(none.items, []);
    })
    .await;
}

/// A refusal stands, whether it can be recorded or not.
#[tokio::test]
async fn a_refusal_that_cannot_be_recorded_is_answered_all_the_same() {
    on_each_backend(async |host: &Host| {
        let run = host.finished_run().await;
        let fault = Fault::before(StorageMethod::RecordRefusal, Problem::StorageBusy);
        host.faults.fail(fault);
        let path = format!("/api/runs/{run}/cancel");
        host.post(&path, None)
            .await
            .assert_problem(409, "run-finished");
        assert_eq!(audit(host, "").await, [Value::Null; 0]);
        host.post(&path, None)
            .await
            .assert_problem(409, "run-finished");
        assert_eq!(audit(host, "").await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_pipeline_is_found_by_its_slug_too() {
    on_each_backend(async |host: &Host| {
        let body = json!({"name": "Named", "nodes": [{"id": "a", "type": "any"}]});
        let created = host.post("/api/pipelines", Some(&body)).await.json();
        let (id, slug) = (created["id"].as_str().unwrap(), created["slug"].as_str());
        assert_ne!(Some(id), slug);
        let slug = slug.unwrap();
        host.post(&format!("/api/pipelines/{slug}/pause"), None)
            .await;
        let by_id = audit(host, &format!("?subject=pipeline:{id}")).await;
        assert_eq!(by_id.len(), 2);
        let by_slug = audit(host, &format!("?subject=pipeline:{slug}")).await;
        assert_eq!(by_slug, by_id);
    })
    .await;
}

#[tokio::test]
async fn filters_and_pages_apply_together() {
    on_each_backend(async |host: &Host| {
        let (alice, ben) = (service_of(host, "alice"), service_of(host, "ben"));
        for (service, verb) in [
            (&alice, "pause"),
            (&ben, "unpause"),
            (&ben, "pause"),
            (&alice, "unpause"),
        ] {
            let path = format!("/api/pipelines/daily/{verb}");
            assert_eq!(
                call(service, Method::POST, &path, &Value::Null)
                    .await
                    .status,
                200
            );
        }
        let all = audit(host, "").await;
        let ids = |entries: &[Value]| -> Vec<String> {
            let id = |entry: &Value| entry["id"].as_str().unwrap().to_owned();
            entries.iter().map(id).collect()
        };
        assert_eq!(ids(&all), ["4", "3", "2", "1"]);
        let newest = all[0]["at"].as_str().unwrap();
        for (query, expected) in [
            ("?by=alice", &["4", "1"][..]),
            ("?action=pipeline.pause", &["3", "1"]),
            ("?subject=pipeline:daily", &["4", "3", "2", "1"]),
            ("?subject=pipeline:other", &[]),
            (
                "?by=ben&action=pipeline.pause&subject=pipeline:daily",
                &["3"],
            ),
            (&format!("?from={newest}&by=nobody"), &[]),
            ("?to=2024-01-01T00:00:00Z", &[]),
        ] {
            assert_eq!(ids(&audit(host, query).await), expected, "{query}");
        }
        let first = host.get("/api/audit?limit=3").await;
        assert_eq!(first.json()["cursor"], "2");
        assert_eq!(
            first.header("link"),
            "</api/audit?limit=3&after=2>; rel=\"next\""
        );
        let last = host.get("/api/audit?limit=3&after=2").await.json();
        assert_eq!(
            (&last["has_next"], &last["items"][0]["id"]),
            (&json!(false), &json!("1"))
        );
        let page = host.get("/api/audit?page=2&per_page=3").await.json();
        assert_eq!(
            (&page["total"], &page["pages"], &page["items"][0]["id"]),
            (&json!(4), &json!(2), &json!("1"))
        );
    })
    .await;
}
