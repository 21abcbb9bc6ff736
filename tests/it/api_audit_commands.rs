//! Every command of a person is in the audit, with who and why.
//!
//! `api_audit` has what is not in it, refusals and lists.

use floret::query::{NewConnection, NewVariable};
use floret::testing::Step;
use floret::{AuditAction, AuditOutcome, Client, Pipeline, Scope};
use http::Method;
use serde_json::{Value, json};

use crate::api_audit::{audit, call, service_of};
use crate::harness::park_dead_letter;
use crate::wire::{Host, TestResponse, on_each_backend};

/// Gives a command as `alice`, and asserts that the newest entry shows it and that no other is
/// new.
async fn assert_audited(
    host: &Host,
    (method, path, body): (Method, &str, Value),
    (action, subject): (&str, &str),
) -> TestResponse {
    let before = audit(host, "").await.len();
    let reason = body["reason"].clone();
    let answer = call(&service_of(host, "alice"), method, path, &body).await;
    assert!(answer.status.is_success(), "{path}: {answer:?}");
    let after = audit(host, "").await;
    assert_eq!(after.len(), before + 1, "{path}: {after:?}");
    let mut expected = json!({
        "id": after[0]["id"], "at": after[0]["at"], "by": "alice", "action": action,
        "subject": subject, "outcome": "done",
    });
    if !reason.is_null() {
        expected["reason"] = reason;
    }
    assert_eq!(after[0], expected, "{path}");
    answer
}

/// Commands, each with the action and the subject of its entry.
const SETTINGS: [&str; 13] = [
    r#"POST /api/pipelines {"id": "orders", "name": "orders", "nodes": [{"id": "load", "type": "any"}]} => pipeline.create pipeline:orders"#,
    r#"PUT /api/pipelines/orders {"name": "all orders", "nodes": [{"id": "load", "type": "any"}]} => pipeline.edit pipeline:orders"#,
    r#"POST /api/pipelines/orders/rollback {"version": 1} => pipeline.rollback pipeline:orders"#,
    r#"POST /api/pipelines/orders/pause {"reason": "it moves"} => pipeline.pause pipeline:orders"#,
    r#"POST /api/pipelines/orders/unpause {"reason": "it moved"} => pipeline.unpause pipeline:orders"#,
    r#"POST /api/connections {"conn_id": "db", "type": "http", "password": "canary-1"} => connection.create connection:db"#,
    r#"PUT /api/connections/db {"type": "http", "password": "canary-2"} => connection.edit connection:db"#,
    r#"DELETE /api/connections/db null => connection.delete connection:db"#,
    r#"POST /api/variables {"key": "region", "value": "canary-3", "type": "secret"} => variable.create variable:region"#,
    r#"PUT /api/variables/region {"value": "canary-4", "type": "secret"} => variable.edit variable:region"#,
    r#"DELETE /api/variables/region null => variable.delete variable:region"#,
    r#"DELETE /api/pipelines/orders null => pipeline.delete pipeline:orders"#,
    r#"POST /api/system/purge {"days": 9, "reason": "x"} => system.purge system"#,
];

#[tokio::test]
async fn every_command_on_pipelines_and_settings_is_in_the_audit() {
    on_each_backend(async |host: &Host| {
        for row in SETTINGS {
            let (command, shown) = row.split_once(" => ").unwrap();
            let (action, subject) = shown.split_once(' ').unwrap();
            let mut parts = command.splitn(3, ' ');
            let mut next = || parts.next().unwrap();
            let (method, path) = (next().parse().unwrap(), next());
            let body = serde_json::from_str(next()).unwrap();
            assert_audited(host, (method, path, body), (action, subject)).await;
        }
        let all = Value::from(audit(host, "").await).to_string();
        assert!(!all.contains("canary"), "{all}");
    })
    .await;
}

#[tokio::test]
async fn every_command_on_runs_and_backfills_is_in_the_audit() {
    on_each_backend(async |host: &Host| {
        host.executor.script("load", [Step::permanent("no")]);
        let failed = host.finished_run_of(&json!({})).await;
        let subject = format!("run:{failed}");
        let path = |verb: &str| format!("/api/runs/{failed}/{verb}");
        let why = json!({"reason": "the source was wrong"});
        let edit = (
            Method::PATCH,
            &*format!("/api/runs/{failed}"),
            json!({"note": "seen"}),
        );
        assert_audited(host, edit, ("run.edit", &subject)).await;
        let resume = (Method::POST, &*path("resume"), why.clone());
        let resumed = assert_audited(host, resume, ("run.resume", &subject)).await;
        host.wait_finished(resumed.json()["id"].as_str().unwrap())
            .await;
        let rerun = (Method::POST, &*path("rerun"), why.clone());
        let rerun = assert_audited(host, rerun, ("run.rerun", &subject)).await;
        host.wait_finished(rerun.json()["id"].as_str().unwrap())
            .await;
        let many = json!({"run_ids": [failed], "reason": "again"});
        let many = (Method::POST, "/api/runs/rerun", many);
        assert_audited(host, many, ("run.rerun", &subject)).await;

        let day = json!({"start_date": "2024-01-01", "end_date": "2024-01-01"});
        let backfill = (Method::POST, "/api/pipelines/daily/backfill", day);
        let started = assert_audited(host, backfill, ("backfill.create", "pipeline:daily")).await;
        host.wait_finished(started.json()[0].as_str().unwrap())
            .await;
        let location = started.header("location").to_owned();
        let backfill = format!("backfill:{}", location.rsplit('/').next().unwrap());
        let rerun = (
            Method::POST,
            &*format!("{location}/rerun"),
            json!({"only": "all", "reason": "x"}),
        );
        let started = assert_audited(host, rerun, ("backfill.rerun", &backfill)).await;
        host.wait_finished(started.json()[0].as_str().unwrap())
            .await;

        let run = failed.parse().unwrap();
        let dead = park_dead_letter(&host.faults, "pager", run, 0).await;
        let retry = (
            Method::POST,
            &*format!("/api/deliveries/{dead}/retry"),
            Value::Null,
        );
        assert_audited(host, retry, ("delivery.retry", &format!("delivery:{dead}"))).await;
        let dead = park_dead_letter(&host.faults, "pager", run, 1).await;
        let drop = (
            Method::DELETE,
            &*format!("/api/deliveries/{dead}"),
            Value::Null,
        );
        assert_audited(host, drop, ("delivery.drop", &format!("delivery:{dead}"))).await;
    })
    .await;
}

#[tokio::test]
async fn every_cancel_is_in_the_audit() {
    on_each_backend(async |host: &Host| {
        host.post("/api/pipelines/daily/pause", None).await;
        let why = json!({"reason": "the wrong day"});
        let run = host.trigger().await;
        let path = format!("/api/runs/{run}/cancel");
        let subject = format!("run:{run}");
        assert_audited(
            host,
            (Method::POST, &path, why.clone()),
            ("run.cancel", &subject),
        )
        .await;
        let forced = format!("{path}?force=true");
        assert_audited(
            host,
            (Method::POST, &forced, why.clone()),
            ("run.force_cancel", &subject),
        )
        .await;
        let run = host.trigger().await;
        let many = json!({"run_ids": [run], "reason": "x", "force": true});
        let many = (Method::POST, "/api/runs/cancel", many);
        assert_audited(host, many, ("run.force_cancel", &format!("run:{run}"))).await;
        let day = json!({"start_date": "2024-01-01", "end_date": "2024-01-02"});
        let started = host.post("/api/pipelines/daily/backfill", Some(&day)).await;
        let location = started.header("location").to_owned();
        let subject = format!("backfill:{}", location.rsplit('/').next().unwrap());
        for action in ["pause", "unpause", "cancel"] {
            let path = format!("{location}/{action}");
            assert_audited(
                host,
                (Method::POST, &path, why.clone()),
                (&format!("backfill.{action}"), &subject),
            )
            .await;
        }
        let path = format!("{location}/cancel");
        let path = format!("{path}?force=true");
        assert_audited(
            host,
            (Method::POST, &path, why),
            ("backfill.force_cancel", &subject),
        )
        .await;
    })
    .await;
}

/// The same commands from Rust, by a client with a name.
#[tokio::test]
async fn a_command_from_rust_is_in_the_audit_with_its_caller() {
    on_each_backend(async |host: &Host| {
        let alice: Client = host.floret.scoped(Scope::All).by("alice");
        let run = host.finished_run().await.parse().unwrap();
        let run = alice.run_by_id(run);
        run.edit().note("seen").await.unwrap();
        run.rerun()
            .reason("why 1")
            .await
            .unwrap()
            .finished()
            .await
            .unwrap();
        alice
            .runs()
            .rerun_all()
            .reason("why 2")
            .preview()
            .await
            .unwrap();
        let pipelines = alice.pipelines();
        let orders = || Pipeline::new("orders").node("load", "any");
        pipelines.create(orders()).await.unwrap();
        pipelines.put(orders().schedule("@daily")).await.unwrap();
        pipelines.versions("orders").roll_back(1).await.unwrap();
        pipelines.pause("orders").reason("why 3").await.unwrap();
        pipelines.unpause("orders").reason("why 4").await.unwrap();
        pipelines.delete("orders").await.unwrap();
        save_settings(&alice).await;
        alice.system().purge().reason("why 5").await.unwrap();
        alice.system().purge().preview().await.unwrap();
        let found = host
            .floret
            .audit()
            .by("alice")
            .page(100)
            .await
            .unwrap()
            .items;
        let shown = found.iter().rev().map(|entry| {
            assert_eq!(entry.outcome, AuditOutcome::Done);
            (entry.action, entry.reason.as_deref())
        });
        use AuditAction as It;
        let expected = [
            (It::RunEdit, None),
            (It::RunRerun, Some("why 1")),
            (It::PipelineCreate, None),
            (It::PipelineEdit, None),
            (It::PipelineRollback, None),
            (It::PipelinePause, Some("why 3")),
            (It::PipelineUnpause, Some("why 4")),
            (It::PipelineDelete, None),
            (It::ConnectionCreate, None),
            (It::ConnectionEdit, None),
            (It::ConnectionDelete, None),
            (It::VariableCreate, None),
            (It::VariableEdit, None),
            (It::VariableDelete, None),
            (It::SystemPurge, Some("why 5")),
        ];
        assert_eq!(shown.collect::<Vec<_>>(), expected);
    })
    .await;
}

/// Creates, replaces and deletes a connection and a variable.
async fn save_settings(client: &Client) {
    let connection = || NewConnection::new("db", "http");
    client.connections().create(connection()).await.unwrap();
    client.connections().put(connection()).await.unwrap();
    client.connections().delete("db").await.unwrap();
    let variable = || NewVariable::new("region", "north");
    client.variables().create(variable()).await.unwrap();
    client.variables().put(variable()).await.unwrap();
    client.variables().delete("region").await.unwrap();
}
