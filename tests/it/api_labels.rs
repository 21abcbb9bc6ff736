//! Labels, notes and the cancel request of a run: given, shown, edited and found.

use floret::testing::{Gate, Step};
use floret::{Access, Decision, Permissions, Scope};
use http::Method;
use serde_json::{Value, json};

use crate::wire::{Host, on_each_backend, request, send, with_key};

const RUN: &str = "/api/pipelines/daily/run";

async fn patch(host: &Host, run: &str, body: &Value) -> Value {
    let path = format!("/api/runs/{run}");
    let edited = host.send(request(Method::PATCH, &path, Some(body))).await;
    assert_eq!(edited.status, 200, "{edited:?}");
    let found = host.get(&path).await;
    assert_eq!(found.text(), edited.text());
    assert_eq!(found.header("etag"), edited.header("etag"));
    edited.json()
}

async fn ids(host: &Host, query: &str) -> Vec<String> {
    let listed = host.get(&format!("/api/runs?{query}")).await;
    assert_eq!(listed.status, 200, "{listed:?}");
    let runs = listed.json();
    let ids = runs.as_array().unwrap().iter();
    ids.map(|run| run["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_run_shows_its_labels_and_its_note() {
    on_each_backend(async |host: &Host| {
        let body = json!({"labels": {"team": "data", "url": "http://x/?a=b"}, "note": "by hand"});
        let id = host.finished_run_of(&body).await;
        let run = host.find_run(&id).await;
        assert_eq!(
            (&run["labels"], &run["note"]),
            (&body["labels"], &body["note"])
        );
        let listed = host.get("/api/runs").await.json();
        assert_eq!(listed[0]["labels"], body["labels"]);
        let plain = host
            .finished_run_of(&json!({"labels": {}, "note": ""}))
            .await;
        let plain = host.get(&format!("/api/runs/{plain}")).await.json();
        for absent in ["labels", "note", "cancel"] {
            assert!(plain.get(absent).is_none(), "{plain}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_list_finds_runs_by_all_their_labels() {
    on_each_backend(async |host: &Host| {
        let both = json!({"labels": {"team": "data", "url": "http://x/?a=b&c"}});
        let both = host.finished_run_of(&both).await;
        let one = host
            .finished_run_of(&json!({"labels": {"team": "data"}}))
            .await;
        host.finished_run_of(&json!({"labels": {"team": "sales"}}))
            .await;
        assert_eq!(ids(host, "label=team:data").await, [&*one, &*both]);
        let url = "label=url:http%3A%2F%2Fx%2F%3Fa%3Db%26c";
        assert_eq!(ids(host, url).await, [&*both]);
        assert_eq!(ids(host, &format!("label=team:data&{url}")).await, [&*both]);
        assert_eq!(ids(host, "label=team:data&label=team:sales").await, [""; 0]);
        assert_eq!(ids(host, "label=team:").await, [""; 0]);
        assert_eq!(ids(host, "label=team:data&status=failed").await, [""; 0]);
        let page = host
            .get("/api/runs?label=team:data&page=1&per_page=1")
            .await;
        assert_eq!(
            (&page.json()["total"], &page.json()["pages"]),
            (&json!(2), &json!(2))
        );
        let link = page.header("link");
        assert!(link.contains("label=team%3Adata"), "{link}");
        let of_pipeline = host.get("/api/pipelines/daily/runs?label=team:sales").await;
        assert_eq!(of_pipeline.json().as_array().unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_edit_merges_labels_and_replaces_the_note() {
    on_each_backend(async |host: &Host| {
        let body = json!({"labels": {"team": "data", "draft": "yes"}, "note": "first"});
        let id = host.finished_run_of(&body).await;
        let tag = host.get(&format!("/api/runs/{id}")).await;
        let edited = patch(
            host,
            &id,
            &json!({"labels": {"draft": null, "order": "17", "absent": null}}),
        )
        .await;
        assert_eq!(edited["labels"], json!({"order": "17", "team": "data"}));
        assert_eq!(edited["note"], "first");
        let stale = tag.header("etag");
        let mut again = request(Method::GET, &format!("/api/runs/{id}"), None);
        again
            .headers_mut()
            .insert("if-none-match", stale.parse().unwrap());
        assert_eq!(
            host.send(again).await.status,
            200,
            "the edit changes the tag"
        );
        assert_eq!(ids(host, "label=order:17").await, [&*id]);
        assert_eq!(ids(host, "label=draft:yes").await, [""; 0]);
        let edited = patch(host, &id, &json!({"note": "second"})).await;
        assert_eq!(
            (&edited["note"], &edited["labels"]["order"]),
            (&json!("second"), &json!("17"))
        );
        assert_eq!(patch(host, &id, &json!({})).await, edited);
        let edited = patch(
            host,
            &id,
            &json!({"note": null, "labels": {"order": null, "team": null}}),
        )
        .await;
        assert!(
            edited.get("note").is_none() && edited.get("labels").is_none(),
            "{edited}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_resume_takes_the_labels_of_its_run_and_not_its_note() {
    on_each_backend(async |host: &Host| {
        host.executor
            .script("load", [Step::permanent("no"), Step::pass_on()]);
        let id = host
            .finished_run_of(&json!({"labels": {"team": "data"}, "note": "odd"}))
            .await;
        let resumed = host
            .post(&format!("/api/runs/{id}/resume?wait=60"), None)
            .await;
        assert_eq!(resumed.status, 200, "{resumed:?}");
        let resumed = resumed.json();
        assert_eq!(resumed["labels"], json!({"team": "data"}));
        assert!(resumed.get("note").is_none(), "{resumed}");
    })
    .await;
}

/// The key of a request covers what it attaches, and Rust and HTTP hash the same body.
#[tokio::test]
async fn a_key_is_for_one_set_of_labels() {
    on_each_backend(async |host: &Host| {
        let body = json!({"params": {"n": "1"}, "labels": {"team": "data"}, "note": "x"});
        let send = async |body: &Value| host.send(with_key(RUN, "once", Some(body))).await;
        let first = send(&body).await;
        assert_eq!(first.status, 202);
        let mut other = body.clone();
        other["labels"]["team"] = json!("sales");
        send(&other)
            .await
            .assert_problem(422, "idempotency-key-reused");
        let run = host
            .floret
            .run("daily")
            .param("n", "1")
            .label("team", "data");
        let repeated = run.note("x").key("once").await.unwrap();
        assert_eq!(first.json()["id"], repeated.id().to_string());
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_run_shows_who_cancelled_it_and_why() {
    on_each_backend(async |host: &Host| {
        let gate = Gate::new();
        host.executor.script("load", [Step::pass_on().at(&gate)]);
        let id = host.trigger().await;
        host.executor.started("load").await;
        let access = Access::custom(|_, _| Decision::allow(Scope::All).by("alice"));
        let service = host.floret.service(access);
        let path = format!("/api/runs/{id}/cancel");
        let reason = json!({"reason": "the wrong region"});
        let cancelled = send(&service, request(Method::POST, &path, Some(&reason))).await;
        assert_eq!(cancelled.status, 200, "{cancelled:?}");
        let run = host.find_run(&id).await;
        let cancel = &run["cancel"];
        assert_eq!(
            (&run["cancelling"], &cancel["force"]),
            (&json!(true), &json!(false))
        );
        assert_eq!(
            (&cancel["by"], &cancel["reason"]),
            (&json!("alice"), &reason["reason"])
        );
        assert!(cancel["at"].as_str().unwrap().ends_with('Z'), "{run}");
        // An escalation is a request of its own.
        host.post(&format!("{path}?force=true"), None).await;
        gate.open();
        host.wait_finished(&id).await;
        let run = host.find_run(&id).await;
        assert_eq!(run["status"], "cancelled");
        assert_eq!(run["cancel"]["force"], true);
        assert!(run["cancel"].get("by").is_none(), "{run}");
    })
    .await;
}

#[tokio::test]
async fn an_edit_needs_its_own_permission() {
    on_each_backend(async |host: &Host| {
        let id = host.finished_run_of(&json!({})).await;
        let service = host.floret.service(Access::from_extensions());
        let path = format!("/api/runs/{id}");
        let mut viewer = request(Method::PATCH, &path, Some(&json!({"note": "x"})));
        viewer.extensions_mut().insert(Permissions::read_only());
        send(&service, viewer)
            .await
            .assert_problem(403, "forbidden");
    })
    .await;
}
