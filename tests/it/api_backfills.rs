//! Backfills over HTTP: start, preview, repeat, get, list, cancel, and refusals.

use floret::testing::{Gate, Step};
use floret::{Access, Clock, Permissions, Scope, TenantId};
use http::Method;
use serde_json::{Value, json};

use crate::wire::{Host, TestResponse, on_each_backend, request, send, with_key};

const BACKFILL: &str = "/api/pipelines/daily/backfill";

fn january(days: u32) -> Value {
    json!({"start_date": "2024-01-01", "end_date": format!("2024-01-{days:02}")})
}

fn with(mut body: Value, fields: &Value) -> Value {
    let given = fields.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(given);
    body
}

fn ids(response: &TestResponse) -> Vec<String> {
    let ids = response.json();
    let ids = ids.as_array().unwrap().iter();
    ids.map(|id| id.as_str().unwrap().to_owned()).collect()
}

/// Starts a backfill and returns its location and the ids of its runs.
async fn start_backfill(host: &Host, body: &Value) -> (String, Vec<String>) {
    let response = host.post(BACKFILL, Some(body)).await;
    assert_eq!(response.status, 202, "{response:?}");
    (response.header("location").to_owned(), ids(&response))
}

async fn wait_finished(host: &Host, runs: &[String]) {
    for run in runs {
        host.wait_finished(run).await;
    }
}

#[tokio::test]
async fn a_list_of_dates_creates_the_runs_of_a_preview_and_no_others() {
    on_each_backend(async |host: &Host| {
        let dates = json!({"dates": ["2024-02-29", "2024-01-01", "2024-01-08"]});
        let preview = with(dates.clone(), &json!({"preview": true}));
        let preview = host.post(BACKFILL, Some(&preview)).await;
        let expected = json!(["2024-01-01", "2024-01-08", "2024-02-29"]);
        assert_eq!(preview.json(), json!({"dates": expected, "skipped": []}));
        let (location, runs) = start_backfill(host, &dates).await;
        wait_finished(host, &runs).await;
        let mut ran = Vec::new();
        for run in &runs {
            let run = host.get(&format!("/api/runs/{run}")).await.json();
            ran.push(run["params"]["date"].clone());
        }
        assert_eq!(Value::from(ran), expected, "the oldest first");
        let backfill = host.get(&location).await.json();
        assert_eq!(backfill["start_date"], "2024-01-01");
        assert_eq!(backfill["end_date"], "2024-02-29");
        assert_eq!(backfill["counts"]["success"], 3);
        // A date that has run is left out.
        let again = json!({"dates": ["2024-01-08", "2024-01-09"], "skip_existing": true});
        assert_eq!(start_backfill(host, &again).await.1.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_backfill_returns_a_run_per_date_and_its_location() {
    on_each_backend(async |host: &Host| {
        let (location, runs) =
            start_backfill(host, &with(january(3), &json!({"params": {"n": 7}}))).await;
        assert_eq!(runs.len(), 3);
        wait_finished(host, &runs).await;
        let response = host.get(&location).await;
        assert_eq!(response.status, 200);
        let backfill = response.json();
        assert!(location.ends_with(backfill["id"].as_str().unwrap()));
        let expected = json!({
            "id": backfill["id"],
            "pipeline_id": "daily",
            "status": "success",
            "start_date": "2024-01-01",
            "end_date": "2024-01-03",
            "unit": "day",
            "order": "asc",
            "max_parallel": 1,
            "counts": {"pending": 0, "running": 0, "success": 3, "failed": 0, "cancelled": 0},
            "run_ids": runs,
            "created_at": backfill["created_at"],
            "finished_at": backfill["finished_at"],
        });
        assert_eq!(backfill, expected);
        for (run, date) in runs.iter().zip(["2024-01-01", "2024-01-02", "2024-01-03"]) {
            let run = host.get(&format!("/api/runs/{run}")).await.json();
            assert_eq!(run["trigger"], "backfill");
            assert_eq!(run["backfill_id"], backfill["id"]);
            assert_eq!(run["scheduled_at"], format!("{date}T00:00:00Z"));
            let params = json!({"region": "eu", "n": "7", "date": date});
            assert_eq!(run["params"], params);
        }
        let list = host.get("/api/runs?trigger=backfill").await.json();
        assert_eq!(list[0]["backfill_id"], backfill["id"]);
    })
    .await;
}

#[tokio::test]
async fn a_repeat_gets_the_first_response_byte_for_byte() {
    on_each_backend(async |host: &Host| {
        let keyed = |body: &Value, path: &str| with_key(path, "k", Some(body));
        let body = with(january(31), &json!({"max_parallel": 5}));
        let first = host.send(keyed(&body, BACKFILL)).await;
        assert_eq!(first.status, 202);
        wait_finished(host, &ids(&first)).await;
        let again = host.send(keyed(&body, BACKFILL)).await;
        assert_eq!((again.status.as_u16(), &again.body), (202, &first.body));
        assert_eq!(again.header("location"), first.header("location"));
        assert_eq!(again.header("idempotent-replayed"), "true");
        assert_eq!(first.header("idempotent-replayed"), "");
        let other = host.send(keyed(&january(3), BACKFILL)).await;
        other.assert_problem(422, "idempotency-key-reused");
        let run = host.send(keyed(&json!({}), "/api/pipelines/daily/run"));
        assert_eq!(run.await.header("idempotent-replayed"), "");
    })
    .await;
}

#[tokio::test]
async fn a_preview_lists_the_dates_and_creates_nothing() {
    on_each_backend(async |host: &Host| {
        let steps = [Step::pass_on(), Step::permanent("no"), Step::pass_on()];
        host.executor.script("load", steps);
        let (_, runs) = start_backfill(host, &january(3)).await;
        wait_finished(host, &runs).await;
        let skip = json!({"skip_existing": true});
        let preview = with(january(4), &json!({"skip_existing": true, "preview": true}));
        let preview = host.post(BACKFILL, Some(&preview)).await;
        assert_eq!(
            (preview.status.as_u16(), preview.header("location")),
            (200, "")
        );
        let expected = json!({
            "dates": ["2024-01-02", "2024-01-04"],
            "skipped": ["2024-01-01", "2024-01-03"],
        });
        assert_eq!(preview.json(), expected);
        let backfills = "/api/pipelines/daily/backfills";
        let count = async || host.get(backfills).await.json().as_array().unwrap().len();
        assert_eq!(count().await, 1);
        let (_, runs) = start_backfill(host, &with(january(4), &skip)).await;
        assert_eq!(runs.len(), 2);
        wait_finished(host, &runs).await;
        let repeated = host.post(BACKFILL, Some(&with(january(4), &skip))).await;
        assert_eq!(
            (repeated.status.as_u16(), repeated.header("location")),
            (202, "")
        );
        assert_eq!(repeated.json(), json!([]));
        assert_eq!(count().await, 2);
        let all = with(january(4), &json!({"preview": true}));
        let all = host.post(BACKFILL, Some(&all)).await.json();
        assert_eq!(all["dates"].as_array().unwrap().len(), 4);
        assert_eq!(all["skipped"], json!([]));
    })
    .await;
}

#[tokio::test]
async fn cancelling_a_backfill_returns_its_progress() {
    on_each_backend(async |host: &Host| {
        let gate = Gate::new();
        host.executor.script("load", [Step::pass_on().at(&gate)]);
        let body = json!({"order": "desc", "max_parallel": 2, "max_failures": 3});
        let (location, runs) = start_backfill(host, &with(january(5), &body)).await;
        host.executor.started_times("load", 2).await;
        let response = host.post(&format!("{location}/cancel"), None).await;
        assert_eq!(response.status, 200);
        let backfill = response.json();
        assert_eq!(backfill["status"], "running");
        assert_eq!(backfill["counts"]["running"], 2);
        assert_eq!(backfill["counts"]["cancelled"], 3);
        assert_eq!(
            (&backfill["order"], &backfill["max_failures"]),
            (&json!("desc"), &json!(3))
        );
        assert_eq!(backfill["run_ids"], json!(runs));
        let newest = host.get(&format!("/api/runs/{}", runs[4])).await.json();
        assert_eq!(newest["cancelling"], true);
        let forced = host
            .post(&format!("{location}/cancel?force=true"), None)
            .await;
        assert_eq!(forced.status, 200);
        wait_finished(host, &runs).await;
        let finished = host.get(&location).await.json();
        assert_eq!(finished["status"], "cancelled");
        let again = host.post(&format!("{location}/cancel"), None).await;
        assert_eq!((again.status.as_u16(), again.json()), (200, finished));
    })
    .await;
}

#[tokio::test]
async fn backfills_are_listed_newest_first_in_their_usual_shape() {
    on_each_backend(async |host: &Host| {
        let mut locations = Vec::new();
        for _ in 0..3 {
            let (location, runs) = start_backfill(host, &january(1)).await;
            wait_finished(host, &runs).await;
            locations.insert(0, location);
        }
        let list = host.get("/api/pipelines/daily/backfills").await.json();
        let backfills: Vec<_> = list.as_array().unwrap().iter().collect();
        for (item, location) in backfills.iter().zip(&locations) {
            assert_eq!(**item, host.get(location).await.json(), "{list}");
            assert_eq!(item["run_ids"].as_array().unwrap().len(), 1);
        }
        assert_eq!(backfills.len(), 3);
        let page = host.get("/api/pipelines/daily/backfills?limit=2").await;
        let listed = page.json();
        assert_eq!(listed["has_next"], true);
        let rest = format!(
            "/api/pipelines/daily/backfills?limit=2&after={}",
            listed["cursor"].as_str().unwrap()
        );
        assert!(page.header("link").contains(&rest));
        let rest = host.get(&rest).await.json();
        assert_eq!(rest["items"], json!([backfills[2]]));
        let numbered = host.get("/api/pipelines/daily/backfills?page=2&per_page=2");
        let numbered = numbered.await.json();
        assert_eq!(
            (&numbered["total"], &numbered["pages"]),
            (&json!(3), &json!(2))
        );
    })
    .await;
}

/// An invalid body, the slug of its problem and the pointer to it.
type InvalidBody = (Value, &'static str, &'static str);

fn bad_ranges() -> Vec<InvalidBody> {
    let later = (Clock::system().now() + chrono::Days::new(2)).date_naive();
    let dates = |start: &str, end: &str| json!({"start_date": start, "end_date": end});
    let (field, range) = ("invalid-field", "range-invalid");
    let large = "backfill-too-large";
    vec![
        (json!({}), field, "/start_date"),
        (json!({"start_date": "2024-01-01"}), field, "/end_date"),
        (dates("2024-1-1", "2024-01-02"), field, "/start_date"),
        (dates("2024-01-01", "2024-02-30"), field, "/end_date"),
        (dates("2024-01-02", "2024-01-01"), range, "/end_date"),
        (dates("2024-01-01", &later.to_string()), range, "/end_date"),
        (dates("2010-01-01", "2024-01-01"), large, "/end_date"),
        (dates("0001-01-01", "2024-01-01"), large, "/end_date"),
    ]
}

fn bad_fields() -> impl Iterator<Item = InvalidBody> {
    let fields = [
        (json!({"start_date": 5}), "/start_date"),
        (json!({"params": {"date": "2024-01-01"}}), "/params/date"),
        (json!({"params": []}), "/params"),
        (json!({"max_parallel": 0}), "/max_parallel"),
        (json!({"max_parallel": 1.5}), "/max_parallel"),
        (json!({"max_parallel": -1}), "/max_parallel"),
        (json!({"max_failures": 3_661}), "/max_failures"),
        (json!({"max_failures": null}), "/max_failures"),
        (json!({"order": "ascending"}), "/order"),
        (json!({"skip_existing": "yes"}), "/skip_existing"),
        (json!({"preview": 1}), "/preview"),
        (json!({"max_paralel": 2}), "/max_paralel"),
    ];
    fields.into_iter().map(|(fields, pointer)| {
        let slug = match pointer {
            "/max_paralel" => "unknown-field",
            _ => "invalid-field",
        };
        (with(january(2), &fields), slug, pointer)
    })
}

#[tokio::test]
async fn an_invalid_backfill_is_refused() {
    on_each_backend(async |host: &Host| {
        for (body, slug, pointer) in bad_ranges().into_iter().chain(bad_fields()) {
            let response = host.post(BACKFILL, Some(&body)).await;
            assert_eq!(response.status, 422, "{body} gave {}", response.text());
            response.assert_problem(422, slug);
            let problem = response.json();
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        }
        host.post(BACKFILL, None)
            .await
            .assert_problem(400, "invalid-json");
        let odd = json!({"id": "odd", "name": "odd", "nodes": [{"id": "a", "type": "teleport"}]});
        assert_eq!(host.post("/api/pipelines", Some(&odd)).await.status, 201);
        host.post("/api/pipelines/odd/backfill", Some(&january(2)))
            .await
            .assert_problem(422, "node-type-unknown");
        assert_eq!(host.get("/api/runs").await.json(), json!([]));
    })
    .await;
}

#[tokio::test]
async fn paths_without_a_backfill_are_not_found() {
    on_each_backend(async |host: &Host| {
        let never_created = "0198c0de-0000-7000-8000-000000000000";
        for id in [never_created, "x", "0198c0de000070008000000000000000"] {
            let location = format!("/api/backfills/{id}");
            host.get(&location)
                .await
                .assert_problem(404, "backfill-not-found");
            host.get(&format!("{location}?x=y"))
                .await
                .assert_problem(404, "backfill-not-found");
            let cancel = host
                .post(&format!("{location}/cancel"), Some(&json!([])))
                .await;
            cancel.assert_problem(404, "backfill-not-found");
        }
        let absent = "/api/pipelines/absent/backfill";
        host.post(absent, Some(&json!([])))
            .await
            .assert_problem(404, "pipeline-not-found");
        host.get("/api/pipelines/absent/backfills")
            .await
            .assert_problem(404, "pipeline-not-found");
        let (location, runs) = start_backfill(host, &january(1)).await;
        wait_finished(host, &runs).await;
        host.post(&format!("{location}/cancel"), None)
            .await
            .assert_problem(409, "run-finished");
        host.post(&format!("{location}/cancel"), Some(&json!({"why": "x"})))
            .await
            .assert_problem(422, "unknown-field");
        host.get(&format!("{location}?x=y"))
            .await
            .assert_problem(400, "invalid-parameter");
    })
    .await;
}

#[tokio::test]
async fn today_is_the_date_in_the_schedules_time_zone() {
    on_each_backend(async |host: &Host| {
        // At any time, one of these zones is a day ahead of the other.
        let zones = ["Pacific/Kiritimati", "Pacific/Niue"];
        let ahead = (Clock::system().now() + chrono::TimeDelta::hours(14)).date_naive();
        for (zone, status) in zones.into_iter().zip([200, 422]) {
            let id = zone.replace('/', "-");
            let nodes = json!([{"id": "a", "type": "any"}]);
            let pipeline =
                json!({"id": id, "name": zone, "nodes": nodes, "schedule_timezone": zone});
            let saved = host.post("/api/pipelines", Some(&pipeline)).await;
            assert_eq!(saved.status, 201, "{saved:?}");
            let body = json!({"start_date": ahead, "end_date": ahead, "preview": true});
            let path = format!("/api/pipelines/{id}/backfill");
            let response = host.post(&path, Some(&body)).await;
            assert_eq!(response.status, status, "{zone} {response:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_runs_of_a_backfill_are_listed_and_chosen_by_its_id() {
    on_each_backend(async |host: &Host| {
        let other = host.finished_run().await;
        let (first, runs) = start_backfill(host, &january(3)).await;
        let (second, _) = start_backfill(host, &january(2)).await;
        wait_finished(host, &runs).await;
        let newest_first: Vec<_> = runs.iter().rev().cloned().collect();
        let id = first.rsplit('/').next().unwrap();
        let list = async |query: &str| {
            host.get(&format!("/api/runs?backfill_id={id}{query}"))
                .await
        };
        let listed = async |query: &str| ids_of(&list(query).await.json());
        assert_eq!(listed("").await, newest_first);
        assert_eq!(listed("&pipeline_id=daily").await, newest_first);
        assert_eq!(listed("&status=success").await, newest_first);
        assert_eq!(listed("&status=failed").await, [""; 0]);
        assert_eq!(listed("&trigger=manual").await, [""; 0]);
        let page = list("&per_page=2").await;
        assert_eq!(page.json()["total"], 3);
        let next = format!("</api/runs?backfill_id={id}&per_page=2&page=2>");
        assert!(page.header("link").contains(&next), "{page:?}");

        let typed = host.floret.runs().backfill(id.parse().unwrap());
        let typed = typed.await.unwrap().items;
        let typed: Vec<_> = typed.iter().map(|run| run.id.to_string()).collect();
        assert_eq!(typed, newest_first);

        let rerun = json!({"filter": {"backfill_id": id}, "preview": true});
        let rerun = host.post("/api/runs/rerun", Some(&rerun)).await.json();
        assert_eq!(rerun, json!({"matched": 3, "done": 3, "skipped": []}));
        assert!(!newest_first.contains(&other) && second != first);
    })
    .await;
}

#[tokio::test]
async fn a_filter_by_an_unknown_backfill_is_not_found() {
    on_each_backend(async |host: &Host| {
        let id = "018d0c5e-7a00-7000-8000-000000000001";
        let list = host.get(&format!("/api/runs?backfill_id={id}")).await;
        list.assert_problem(404, "backfill-not-found");
        for verb in ["cancel", "rerun"] {
            let body = json!({"filter": {"backfill_id": id}});
            let many = host.post(&format!("/api/runs/{verb}"), Some(&body)).await;
            many.assert_problem(404, "backfill-not-found");
        }
        let typed = host.floret.runs().backfill(id.parse().unwrap()).await;
        assert_eq!(typed.unwrap_err().slug(), "backfill-not-found");
    })
    .await;
}

/// Returns the ids of the items of a list.
fn ids_of(list: &Value) -> Vec<String> {
    let items = list.as_array().unwrap().iter();
    items
        .map(|item| item["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn another_tenants_backfills_appear_not_to_exist() {
    on_each_backend(async |host: &Host| {
        let service = host.floret.service(Access::from_extensions());
        let send_as = async |tenant: &str, method: Method, path: &str, body: Option<&Value>| {
            let mut request = request(method, path, body);
            let scope = Scope::Tenant(TenantId::new(tenant).unwrap());
            request
                .extensions_mut()
                .insert(Permissions::all().scope(scope));
            send(&service, request).await
        };
        let own = json!({"id": "own", "name": "own", "nodes": [{"id": "load", "type": "any"}]});
        send_as("a", Method::POST, "/api/pipelines", Some(&own)).await;
        let path = "/api/pipelines/own/backfill";
        let created = send_as("a", Method::POST, path, Some(&january(2))).await;
        assert_eq!(created.status, 202);
        wait_finished(host, &ids(&created)).await;
        let location = created.header("location").to_owned();
        let cancel = format!("{location}/cancel");
        let list = "/api/pipelines/own/backfills";
        assert_eq!(send_as("a", Method::GET, &location, None).await.status, 200);
        send_as("b", Method::GET, &location, None)
            .await
            .assert_problem(404, "backfill-not-found");
        send_as("b", Method::POST, &cancel, None)
            .await
            .assert_problem(404, "backfill-not-found");
        let runs = location.replace("/backfills/", "/runs?backfill_id=");
        let listed = send_as("a", Method::GET, &runs, None).await.json();
        assert_eq!(ids_of(&listed).len(), 2);
        send_as("b", Method::GET, &runs, None)
            .await
            .assert_problem(404, "backfill-not-found");
        send_as("b", Method::POST, path, Some(&january(2)))
            .await
            .assert_problem(404, "pipeline-not-found");
        send_as("b", Method::GET, list, None)
            .await
            .assert_problem(404, "pipeline-not-found");
        let listed = send_as("a", Method::GET, list, None).await.json();
        assert_eq!(listed.as_array().unwrap().len(), 1);
    })
    .await;
}
