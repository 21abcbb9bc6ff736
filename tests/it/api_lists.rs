//! Lists of runs: pages, filters and links.

use std::collections::BTreeSet;

use floret::Limits;
use floret::testing::Step;
use http::Method;
use serde_json::{Value, json};

use crate::wire::{Backend, Host, TestResponse, on_each_backend, request};

/// Returns the ids of the items, in order.
fn ids(items: &Value) -> Vec<&str> {
    let items = items.as_array().unwrap();
    items
        .iter()
        .map(|item| item["id"].as_str().unwrap())
        .collect()
}

/// Returns the target of the link with this relation, or an empty string.
fn link<'a>(response: &'a TestResponse, rel: &str) -> &'a str {
    let wanted = format!("; rel=\"{rel}\"");
    let mut links = response.header("link").split(", ");
    let found = links.find_map(|link| link.strip_suffix(&wanted));
    found.map_or("", |link| {
        link.trim_start_matches('<').trim_end_matches('>')
    })
}

/// Executes `count` runs and returns their ids, newest first.
async fn finished_runs(host: &Host, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.insert(0, host.finished_run().await);
    }
    ids
}

#[tokio::test]
async fn an_unpaged_list_is_an_array_of_the_newest_runs_without_nodes() {
    on_each_backend(async |host: &Host| {
        let created = finished_runs(host, 3).await;
        for path in ["/api/pipelines/daily/runs", "/api/runs"] {
            let response = host.get(path).await;
            let list = response.json();
            assert_eq!(ids(&list), created, "{path}");
            assert_eq!(list[0]["status"], "success");
            assert!(list[0].get("node_runs").is_none(), "{list}");
            assert_eq!(response.header("link"), "");
        }
    })
    .await;
}

#[tokio::test]
async fn numbered_pages_have_the_total_and_link_to_each_other() {
    on_each_backend(async |host: &Host| {
        let created = finished_runs(host, 5).await;
        let first = host.get("/api/pipelines/daily/runs?per_page=2").await;
        let list = first.json();
        assert_eq!(ids(&list["items"]), created[..2]);
        let mut totals = list;
        totals.as_object_mut().unwrap().remove("items");
        assert_eq!(
            totals,
            json!({"total": 5, "page": 1, "per_page": 2, "pages": 3})
        );
        assert_eq!(link(&first, "prev"), "");
        let second = host.get(link(&first, "next")).await;
        assert_eq!(ids(&second.json()["items"]), created[2..4]);
        let third = host.get(link(&second, "next")).await;
        assert_eq!(ids(&third.json()["items"]), created[4..]);
        assert_eq!(link(&third, "next"), "");
        let back = host.get(link(&third, "prev")).await;
        assert_eq!(ids(&back.json()["items"]), created[2..4]);
        let beyond = host.get("/api/runs?page=9").await.json();
        assert_eq!(
            (&beyond["items"], &beyond["total"], &beyond["per_page"]),
            (&json!([]), &json!(5), &json!(20))
        );
    })
    .await;
}

#[tokio::test]
async fn a_cursor_walks_the_whole_list() {
    on_each_backend(async |host: &Host| {
        let created = finished_runs(host, 5).await;
        let mut walked = Vec::new();
        let mut response = host.get("/api/runs?limit=2").await;
        loop {
            let list = response.json();
            walked.extend(ids(&list["items"]).iter().map(|id| (*id).to_owned()));
            if list["has_next"] == false {
                assert!(list.get("cursor").is_none(), "{list}");
                break;
            }
            assert_eq!(list["cursor"], *walked.last().unwrap());
            response = host.get(link(&response, "next")).await;
        }
        assert_eq!(walked, created);
    })
    .await;
}

#[tokio::test]
async fn filters_combine_and_are_kept_in_the_links() {
    on_each_backend(async |host: &Host| {
        host.executor
            .script("load", [Step::pass_on(), Step::permanent("no")]);
        let success = host.finished_run().await;
        let failed = host.finished_run().await;
        let resumed = host
            .post(&format!("/api/runs/{failed}/resume"), None)
            .await
            .json();
        let resumed = resumed["id"].as_str().unwrap();
        host.wait_finished(resumed).await;
        let list = async |query: &str| {
            let list = host.get(&format!("/api/runs?{query}")).await.json();
            ids(&list)
                .iter()
                .map(|id| (*id).to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(list("status=success").await, [success.as_str()]);
        assert_eq!(list("status=failed").await, [resumed, &failed]);
        assert_eq!(list("status=failed&status=success").await.len(), 3);
        assert_eq!(list("status=failed&trigger=resume").await, [resumed]);
        assert_eq!(list("trigger=schedule").await, [""; 0]);
        assert_eq!(list("pipeline_id=daily").await.len(), 3);

        let run = host.get(&format!("/api/runs/{failed}")).await.json();
        let at = run["created_at"].as_str().unwrap();
        assert!(list(&format!("from={at}")).await.contains(&failed));
        assert!(!list(&format!("to={at}")).await.contains(&failed));

        let page = host.get("/api/runs?status=failed&per_page=1").await;
        assert_eq!(
            link(&page, "next"),
            "/api/runs?status=failed&per_page=1&page=2"
        );
        assert_eq!(page.json()["total"], 2);
    })
    .await;
}

#[tokio::test]
async fn an_unknown_pipeline_filter_is_not_found_on_every_route() {
    on_each_backend(async |host: &Host| {
        let named = json!({"id": "weekly", "pipeline_id": "slug-of-weekly", "name": "weekly",
            "nodes": [{"id": "a", "type": "any"}]});
        assert_eq!(host.post("/api/pipelines", Some(&named)).await.status, 201);
        for route in ["/api/runs", "/api/runs/calendar", "/api/ws", "/api/events"] {
            let unknown = host.get(&format!("{route}?pipeline_id=wekly")).await;
            unknown.assert_problem(404, "pipeline-not-found");
            let slug = host.get(&format!("{route}?pipeline_id=slug-of-weekly")).await;
            slug.assert_problem(404, "pipeline-not-found");
            assert_eq!(
                slug.json()["detail"],
                "no pipeline has the id \"slug-of-weekly\", which is the slug of the pipeline weekly"
            );
            let without_runs = host.get(&format!("{route}?pipeline_id=weekly")).await;
            let expected = if route == "/api/ws" { 426 } else { 200 };
            assert_eq!(without_runs.status, expected, "{without_runs:?}");
        }
        host.finished_run().await;
        let delete = request(Method::DELETE, "/api/pipelines/daily", None);
        assert_eq!(host.send(delete).await.status, 204);
        for route in ["/api/runs", "/api/runs/calendar"] {
            let deleted = host.get(&format!("{route}?pipeline_id=daily")).await;
            assert_eq!(deleted.status, 200, "its runs are left");
        }
    })
    .await;
}

/// Follows the links of a list whose pages have room for one item. Returns the number of items.
async fn follow(host: &Host, path: &str) -> usize {
    let (mut found, mut next) = (BTreeSet::new(), path.to_owned());
    while !next.is_empty() {
        let response = host.get(&next).await;
        assert_eq!(response.status, 200, "{next}: {response:?}");
        let mut body = response.json();
        let items = match body.get_mut("items") {
            Some(items) => items.take(),
            None => body,
        };
        let [item] = items.as_array().unwrap().as_slice() else {
            panic!("{next}: {items}");
        };
        let mut item = item.clone();
        // Only a line of a page after a cursor has its number.
        item.as_object_mut().unwrap().remove("seq");
        assert!(found.insert(item.to_string()), "{next} repeats {item}");
        link(&response, "next").clone_into(&mut next);
    }
    found.len()
}

#[tokio::test]
async fn every_list_that_ends_early_goes_on_where_it_ended() {
    for backend in [Backend::Memory, Backend::Sqlite] {
        let mut limits = Limits::default();
        limits.page_bytes_max = 1;
        let host = Host::with_limits(backend, limits).await;
        let run = host.finished_run().await;
        for index in 1..=3 {
            let date = format!("2024-01-0{index}");
            for (path, body) in [
                (
                    "/api/pipelines/daily/backfill",
                    json!({"start_date": date, "end_date": date}),
                ),
                (
                    "/api/pipelines",
                    json!({"name": "n", "nodes": [{"id": "a", "type": "any"}]}),
                ),
                (
                    "/api/connections",
                    json!({"conn_id": format!("c{index}"), "type": "x"}),
                ),
                (
                    "/api/variables",
                    json!({"key": format!("k{index}"), "value": "v"}),
                ),
            ] {
                let created = host.post(path, Some(&body)).await;
                assert!(created.status.is_success(), "{path}: {created:?}");
            }
        }
        for (path, count) in [
            ("/api/runs", 4),
            ("/api/pipelines/daily/runs", 4),
            ("/api/pipelines/daily/backfills", 3),
            ("/api/pipelines", 4),
            ("/api/connections", 3),
            ("/api/variables", 3),
        ] {
            assert_eq!(follow(&host, path).await, count, "{path}");
        }
        let log = format!("/api/runs/{run}/logs");
        let exported = host.get(&format!("{log}/export?format=ndjson")).await;
        let count = exported.text().lines().count();
        assert!(count > 1, "{exported:?}");
        assert_eq!(follow(&host, &log).await, count);
    }
}
