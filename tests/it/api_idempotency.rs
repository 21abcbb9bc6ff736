//! Requests that repeat an `Idempotency-Key`.

use floret::testing::Step;
use http_body_util::Full;
use serde_json::json;

use crate::wire::{Host, on_each_backend, with_key};

const RUN: &str = "/api/pipelines/daily/run";

#[tokio::test]
async fn a_repeat_gets_the_first_response_byte_for_byte_after_the_run_finished() {
    on_each_backend(async |host: &Host| {
        let body = json!({"params": {"a": "1", "b": "2"}});
        let first = host.send(with_key(RUN, "k", Some(&body))).await;
        assert_eq!(
            (first.status.as_u16(), first.header("idempotent-replayed")),
            (202, "")
        );
        host.wait_finished(first.json()["id"].as_str().unwrap())
            .await;

        let mut other_order = with_key(RUN, "k", Some(&json!({})));
        *other_order.body_mut() = Full::from(r#"{ "params": {"b":"2", "a":"1"} }"#);
        let again = host.send(other_order).await;
        assert_eq!(again.status, 202);
        assert_eq!(again.body, first.body);
        assert_eq!(again.header("location"), first.header("location"));
        assert_eq!(again.header("idempotent-replayed"), "true");
        assert_eq!(
            host.get("/api/runs").await.json().as_array().unwrap().len(),
            1
        );
    })
    .await;
}

#[tokio::test]
async fn an_empty_body_equals_an_empty_object_and_another_body_is_refused() {
    on_each_backend(async |host: &Host| {
        let first = host.send(with_key(RUN, "k", None)).await;
        let again = host.send(with_key(RUN, "k", Some(&json!({})))).await;
        assert_eq!(again.body, first.body);
        let other = json!({"params": {"a": "1"}});
        let refused = host.send(with_key(RUN, "k", Some(&other))).await;
        refused.assert_problem(422, "idempotency-key-reused");
        let another = host.send(with_key(RUN, "l", Some(&other))).await;
        assert_ne!(another.body, first.body);
    })
    .await;
}

#[tokio::test]
async fn a_key_belongs_to_its_path() {
    on_each_backend(async |host: &Host| {
        host.executor.script("load", [Step::permanent("no")]);
        let first = host.send(with_key(RUN, "k", None)).await.json();
        let id = first["id"].as_str().unwrap();
        host.wait_finished(id).await;
        let resume = format!("/api/runs/{id}/resume");
        let resumed = host.send(with_key(&resume, "k", None)).await;
        assert_eq!(
            (
                resumed.status.as_u16(),
                resumed.header("idempotent-replayed")
            ),
            (202, "")
        );
        assert_eq!(resumed.json()["resumed_from"], id);
        let again = host.send(with_key(&resume, "k", None)).await;
        assert_eq!(again.body, resumed.body);
        assert_eq!(again.header("idempotent-replayed"), "true");
    })
    .await;
}

#[tokio::test]
async fn a_thousand_simultaneous_requests_with_twenty_keys_create_twenty_runs() {
    const KEYS: usize = 20;
    on_each_backend(async |host: &Host| {
        let key = |index: usize| format!("k{}", index % KEYS);
        let all = (0..1_000).map(|index| host.send(with_key(RUN, &key(index), None)));
        let responses = futures_util::future::join_all(all).await;
        for (index, response) in responses.iter().enumerate() {
            assert_eq!(response.status, 202, "{response:?}");
            assert_eq!(response.body, responses[index % KEYS].body);
        }
        let replayed = responses
            .iter()
            .filter(|response| response.header("idempotent-replayed") == "true");
        assert_eq!(replayed.count(), 1_000 - KEYS);
        let runs = host.get("/api/runs").await.json();
        assert_eq!(runs.as_array().unwrap().len(), KEYS);
    })
    .await;
}

/// A caller that no longer has the body finds the run of its key.
#[tokio::test]
async fn a_list_contains_the_run_of_a_key() {
    on_each_backend(async |host: &Host| {
        let body = json!({"params": {"a": "1"}});
        let first = host.send(with_key(RUN, "k/1+2", Some(&body))).await.json();
        let id = first["id"].as_str().unwrap();
        host.finished_run_of(&json!({})).await;
        host.wait_finished(id).await;
        let ids = async |query: &str| {
            let listed = host.get(&format!("/api/{query}")).await;
            assert_eq!(listed.status, 200, "{listed:?}");
            let runs = listed.json();
            let items = runs.get("items").unwrap_or(&runs).as_array().unwrap();
            let ids = items.iter().map(|run| run["id"].clone());
            ids.collect::<Vec<_>>()
        };
        for query in [
            "runs?pipeline_id=daily&idempotency_key=k/1%2B2",
            "pipelines/daily/runs?idempotency_key=k/1%2B2&page=1",
            "runs?pipeline_id=daily&idempotency_key=k/1%2B2&limit=1&status=success",
        ] {
            assert_eq!(ids(query).await, [json!(id)], "{query}");
        }
        for query in [
            "runs?pipeline_id=daily&idempotency_key=K/1%2B2",
            "runs?pipeline_id=daily&idempotency_key=k/1%2B2&status=failed",
        ] {
            assert_eq!(ids(query).await, [] as [serde_json::Value; 0], "{query}");
        }
        let other = "/api/pipelines/other/runs?idempotency_key=k/1%2B2";
        let other = host.get(other).await;
        other.assert_problem(404, "pipeline-not-found");
        let runs = host.floret.runs().of("daily").key("k/1+2");
        assert_eq!(json!(runs.await.unwrap().items[0].id), id);
    })
    .await;
}

/// A list that is acted upon contains no more than the run of the key.
#[tokio::test]
async fn only_the_run_of_a_key_is_rerun() {
    on_each_backend(async |host: &Host| {
        host.finished_run_of(&json!({})).await;
        for (key, count) in [("none", 0), ("k", 1)] {
            let run = host.floret.run("daily").key("k").await.unwrap();
            run.finished().await.unwrap();
            let all = host.floret.runs().of("daily").key(key).rerun_all();
            let outcome = all.preview().await.unwrap();
            assert_eq!((outcome.matched, outcome.done), (count, count), "{key}");
        }
        let unclear = host.floret.runs().key("k").rerun_all().await;
        assert_eq!(unclear.unwrap_err().slug(), "invalid-parameter");
    })
    .await;
}
