//! Every bad input of the contract and what it gets, on each backend.
//!
//! Slow bodies, panics and foreign pages are in `api_service`, callers that are not let in in `api_access`.

use bytes::Bytes;
use floret::storage::{Purge, System};
use floret::testing::{Fault, Gate, Method as Call, Step};
use floret::{ErrorKind, Limits};
use http::{Method, Request};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::stream::{ask, open, upgrade};
use crate::wire::{Backend, Host, on_each, request};

/// A request with a body as it stands, named as the table names it: `{ended}` is a run that succeeded, `{failed}` one that failed.
struct Bad<'a> {
    method: &'a str,
    path: &'a str,
    content_type: Option<&'a str>,
    body: &'a [u8],
}

const RUN: &str = "/api/pipelines/daily/run";
const DRY_RUN: &str = "/api/pipelines/daily/dry-run";
const BACKFILL: &str = "/api/pipelines/daily/backfill";
const JSON: Option<&str> = Some("application/json");

fn post<'a>(path: &'a str, body: &'a str) -> Bad<'a> {
    Bad {
        method: "POST",
        path,
        content_type: JSON,
        body: body.as_bytes(),
    }
}

fn put<'a>(path: &'a str, body: &'a str) -> Bad<'a> {
    Bad {
        method: "PUT",
        ..post(path, body)
    }
}

fn get(path: &str) -> Bad<'_> {
    Bad {
        method: "GET",
        path,
        content_type: None,
        body: b"",
    }
}

/// A host with a run that succeeded and one that failed.
struct Ready<'a> {
    host: &'a Host,
    ended: String,
    failed: String,
}

impl<'a> Ready<'a> {
    async fn on(host: &'a Host) -> Self {
        let ended = host.finished().await;
        host.executor.script("load", [Step::permanent("no")]);
        let failed = host.finished().await;
        Self {
            host,
            ended,
            failed,
        }
    }

    async fn refuses(&self, bad: Bad<'_>, status: u16, slug: &str) {
        let path = bad
            .path
            .replace("{ended}", &self.ended)
            .replace("{failed}", &self.failed);
        let mut request = Request::builder().method(bad.method).uri(&path);
        if let Some(kind) = bad.content_type {
            request = request.header("content-type", kind);
        }
        let body = Full::from(Bytes::copy_from_slice(bad.body));
        let answer = self.host.send(request.body(body).unwrap()).await;
        let told = answer.json();
        let shown: String = String::from_utf8_lossy(bad.body).chars().take(80).collect();
        let is_expected =
            answer.status == status && told["type"] == format!("urn:floret:problem:{slug}");
        assert!(is_expected, "{} {path} {shown} gave {told}", bad.method);
        answer.refused(status, slug);
    }
}

#[tokio::test]
async fn bodies_that_cannot_be_read() {
    on_each(async |host: &Host| {
        let ready = Ready::on(host).await;
        let deep = format!("{{\"params\":{}{}}}", "[".repeat(200), "]".repeat(200));
        for path in [
            RUN,
            "/api/runs/{failed}/resume",
            "/api/runs/{failed}/cancel",
            "/api/pipelines",
        ] {
            ready
                .refuses(post(path, "{nonsense"), 400, "invalid-json")
                .await;
            ready
                .refuses(post(path, "{\"params\":{\"a\":"), 400, "invalid-json")
                .await;
            ready
                .refuses(post(path, "{} {}"), 400, "invalid-json")
                .await;
            ready
                .refuses(
                    Bad {
                        body: b"{\"a\":\"\xff\"}",
                        ..post(path, "")
                    },
                    400,
                    "invalid-json",
                )
                .await;
            ready.refuses(post(path, &deep), 400, "json-too-deep").await;
            ready
                .refuses(post(path, "{\"a\":1,\"a\":2}"), 400, "duplicate-key")
                .await;
        }
        ready
            .refuses(post("/api/pipelines", ""), 400, "invalid-json")
            .await;
        ready
            .refuses(put("/api/pipelines/daily", ""), 400, "invalid-json")
            .await;
    })
    .await;
}

#[tokio::test]
async fn bodies_of_another_type_or_size() {
    on_each(async |host: &Host| {
        let ready = Ready::on(host).await;
        for content_type in [
            None,
            Some("text/plain"),
            Some("application/x-www-form-urlencoded"),
            Some("multipart/form-data; boundary=x"),
            Some("application/json; charset=utf-16"),
        ] {
            for path in [RUN, "/api/pipelines"] {
                let bad = Bad {
                    content_type,
                    ..post(path, "{}")
                };
                ready.refuses(bad, 415, "unsupported-media-type").await;
            }
        }
        for path in [
            "/api/health",
            "/api/runs",
            "/api/pipelines/daily",
            "/api/runs/{ended}/logs",
        ] {
            let form = Bad {
                content_type: Some("application/x-www-form-urlencoded"),
                ..get(path)
            };
            ready.refuses(form, 415, "unsupported-media-type").await;
        }
        let large = format!("{{\"params\":{{\"a\":\"{}\"}}}}", "x".repeat(4 << 20));
        ready
            .refuses(post(RUN, &large), 413, "body-too-large")
            .await;
        let long = format!("/api/runs?status={}", "x".repeat(8 << 10));
        ready.refuses(get(&long), 414, "uri-too-long").await;
    })
    .await;
}

#[tokio::test]
async fn fields_that_are_not_known_or_not_acceptable() {
    on_each(async |host: &Host| {
        let ready = Ready::on(host).await;
        for path in [
            RUN,
            "/api/runs/{failed}/resume",
            "/api/runs/{failed}/cancel",
        ] {
            ready
                .refuses(post(path, r#"{"parms":{}}"#), 422, "unknown-field")
                .await;
            for body in ["[]", "5", "null", "\"x\""] {
                ready.refuses(post(path, body), 422, "invalid-field").await;
            }
        }
        for body in [
            r#"{"params":[]}"#,
            r#"{"params":{"a":[]}}"#,
            r#"{"params":{"a":{}}}"#,
            r#"{"params":{"a":null}}"#,
        ] {
            ready.refuses(post(RUN, body), 422, "invalid-field").await;
        }
        let hint = host.post(RUN, Some(&json!({"parms": {}}))).await.json();
        assert!(
            hint["detail"]
                .as_str()
                .unwrap()
                .contains("did you mean \"params\"?"),
            "{hint}"
        );
        assert_eq!(hint["errors"][0]["pointer"], "/parms");
    })
    .await;
}

#[tokio::test]
async fn query_parameters_that_are_not_known_or_not_acceptable() {
    on_each(async |host: &Host| {
        let ready = Ready::on(host).await;
        for path in [
            "/api/health?x=1",
            "/api/runs?pgae=1",
            "/api/runs?page=0",
            "/api/runs?page=x",
            "/api/runs?page=-1",
            "/api/runs?page=99999999999",
            "/api/runs?page=1&page=2",
            "/api/runs?per_page=0",
            "/api/runs?per_page=101",
            "/api/runs?limit=0",
            "/api/runs?limit=101",
            "/api/runs?page=1&after=x",
            "/api/runs?after=x",
            "/api/runs?status=done",
            "/api/runs?status=",
            "/api/runs?trigger=magic",
            "/api/runs?trigger=manual&trigger=resume",
            "/api/runs?from=yesterday",
            "/api/runs?to=2024-13-01T00:00:00Z",
            "/api/runs?pipeline_id=a/b",
            "/api/runs?status=%ff",
            "/api/runs?status=%zz",
            "/api/pipelines/daily/runs?pipeline_id=daily",
            "/api/pipelines/daily/runs?after=x",
            "/api/pipelines?enabled=yes",
            "/api/pipelines?status=failed",
            "/api/pipelines?after=a%20b",
            "/api/pipelines/daily?x=1",
            "/api/pipelines/daily/validate?x=1",
            "/api/runs/{ended}?x=1",
            "/api/runs/{ended}/logs?level=loud",
            "/api/runs/{ended}/logs?limit=0",
            "/api/runs/{ended}/logs?limit=10001",
            "/api/runs/{ended}/logs?after=x",
            "/api/runs/{ended}/logs?after=-1",
            "/api/runs/{ended}/logs?after=18446744073709551616",
            "/api/runs/{ended}/logs?node_id=a%20b",
            "/api/runs/{ended}/logs/export?format=xml",
            "/api/runs/{ended}/logs/export?limit=1",
            "/api/runs/{ended}/nodes/load/preview?x=1",
            "/api/runs/{ended}/nodes/load/profile?x=1",
        ] {
            ready.refuses(get(path), 400, "invalid-parameter").await;
        }
        for path in [
            "/api/pipelines/daily/run?x=1",
            "/api/runs/{failed}/resume?x=1",
            "/api/runs/{failed}/cancel?force=1",
            "/api/pipelines?x=1",
        ] {
            ready
                .refuses(post(path, "{}"), 400, "invalid-parameter")
                .await;
        }
        let hint = host.get("/api/runs?pgae=1").await.json();
        assert!(
            hint["detail"]
                .as_str()
                .unwrap()
                .contains("did you mean \"page\"?"),
            "{hint}"
        );
        assert_eq!(hint["errors"][0]["parameter"], "pgae");
    })
    .await;
}

#[tokio::test]
async fn places_that_are_not_there() {
    on_each(async |host: &Host| {
        let ready = Ready::on(host).await;
        let unknown = "019a0000-0000-7000-8000-000000000000";
        for path in [
            "/",
            "/api",
            "/api/",
            "/api/run",
            "/api/runs/",
            "/api/health/",
            "/api/runs/{ended}/",
            "/api//runs",
            "/api/pipelines/daily/runs/",
        ] {
            ready.refuses(get(path), 404, "not-found").await;
        }
        for run in [
            unknown,
            "x",
            "{ended}0",
            "..",
            "%2e%2e",
            "%00",
            "{ended}%2Flogs",
        ] {
            for rest in [
                "",
                "/logs",
                "/logs/export",
                "/nodes/load/preview",
                "/nodes/load/profile",
                "?x=1",
            ] {
                ready
                    .refuses(get(&format!("/api/runs/{run}{rest}")), 404, "run-not-found")
                    .await;
            }
            for act in ["cancel", "resume"] {
                ready
                    .refuses(
                        post(&format!("/api/runs/{run}/{act}"), "{nonsense"),
                        404,
                        "run-not-found",
                    )
                    .await;
                ready
                    .refuses(
                        post(&format!("/api/runs/{run}/{act}"), "{}"),
                        404,
                        "run-not-found",
                    )
                    .await;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn pipelines_that_are_not_there() {
    on_each(async |host: &Host| {
        let ready = Ready::on(host).await;
        for key in ["other", "a%20b", "%2e%2e", "daily%2Fruns", "DAILY"] {
            for rest in ["", "/runs", "/validate", "/runs?page=0"] {
                ready
                    .refuses(
                        get(&format!("/api/pipelines/{key}{rest}")),
                        404,
                        "pipeline-not-found",
                    )
                    .await;
            }
            let path = format!("/api/pipelines/{key}");
            ready
                .refuses(
                    post(&format!("{path}/run"), "{}"),
                    404,
                    "pipeline-not-found",
                )
                .await;
            ready
                .refuses(
                    post(&format!("{path}/run"), "[]"),
                    404,
                    "pipeline-not-found",
                )
                .await;
            ready
                .refuses(put(&path, "{}"), 404, "pipeline-not-found")
                .await;
            ready
                .refuses(put(&path, "{nonsense"), 404, "pipeline-not-found")
                .await;
            let delete = Bad {
                method: "DELETE",
                ..get(&path)
            };
            ready.refuses(delete, 404, "pipeline-not-found").await;
        }
    })
    .await;
}

#[tokio::test]
async fn nodes_that_are_not_there() {
    on_each(async |host: &Host| {
        let ready = Ready::on(host).await;
        for kind in ["preview", "profile"] {
            for node in ["other", "a%20b", "%2F"] {
                let path = format!("/api/runs/{{ended}}/nodes/{node}/{kind}");
                ready.refuses(get(&path), 404, "node-not-found").await;
            }
            for node in ["load", "sum"] {
                let path = format!("/api/runs/{{failed}}/nodes/{node}/{kind}");
                ready
                    .refuses(get(&path), 404, &format!("{kind}-not-found"))
                    .await;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn methods_that_are_not_there() {
    on_each(async |host: &Host| {
        let ready = Ready::on(host).await;
        for (method, path) in [
            ("POST", "/api/health"),
            ("DELETE", "/api/runs/{ended}"),
            ("GET", "/api/runs/{ended}/cancel"),
            ("PATCH", "/api/pipelines/daily"),
            ("BREW", "/api/runs"),
        ] {
            ready
                .refuses(
                    Bad {
                        method,
                        ..get(path)
                    },
                    405,
                    "method-not-allowed",
                )
                .await;
        }
    })
    .await;
}

#[tokio::test]
async fn idempotency_keys_that_are_none() {
    on_each(async |host: &Host| {
        let ready = Ready::on(host).await;
        let too_long = "k".repeat(256);
        let resume = format!("/api/runs/{}/resume", ready.failed);
        let days = json!({"start_date": "2024-01-01", "end_date": "2024-01-02"});
        for (path, body) in [
            (RUN, None),
            (resume.as_str(), None),
            (BACKFILL, Some(&days)),
        ] {
            for keys in [
                vec![""],
                vec!["a b"],
                vec!["a\tb"],
                vec!["ä"],
                vec![&*too_long],
                vec!["a", "b"],
            ] {
                let mut bad = request(Method::POST, path, body);
                for key in &keys {
                    let key = http::HeaderValue::from_bytes(key.as_bytes()).unwrap();
                    bad.headers_mut().append("idempotency-key", key);
                }
                host.send(bad).await.refused(400, "invalid-idempotency-key");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn idempotency_keys_that_came_with_another_body() {
    on_each(async |host: &Host| {
        let ready = Ready::on(host).await;
        let resume = format!("/api/runs/{}/resume", ready.failed);
        let until = |last: &str| json!({"start_date": "2024-01-01", "end_date": last});
        for (path, first, other) in [
            (RUN, json!({}), json!({"params": {"a": "1"}})),
            (resume.as_str(), json!({}), json!({"definition": "current"})),
            (BACKFILL, until("2024-01-02"), until("2024-01-03")),
        ] {
            let with_key = async |body: &Value| {
                let mut keyed = request(Method::POST, path, Some(body));
                let key = http::HeaderValue::from_static("k");
                keyed.headers_mut().insert("idempotency-key", key);
                host.send(keyed).await
            };
            assert_eq!(with_key(&first).await.status, 202);
            with_key(&other)
                .await
                .refused(422, "idempotency-key-reused");
        }
    })
    .await;
}

/// A definition with these nodes and edges.
fn graph(nodes: &[&str], edges: &[(&str, &str)]) -> Value {
    let node = |id: &&str| json!({"id": id, "type": "any"});
    let edge = |(from, to): &(&str, &str)| json!({"from": from, "to": to});
    json!({
        "name": "x",
        "nodes": nodes.iter().map(node).collect::<Vec<_>>(),
        "edges": edges.iter().map(edge).collect::<Vec<_>>(),
    })
}

#[tokio::test]
async fn a_definition_of_a_thousand_nodes_is_accepted() {
    on_each(async |host: &Host| {
        let all: Vec<_> = (0..1_000).map(|n| format!("n{n}")).collect();
        let all: Vec<_> = all.iter().map(String::as_str).collect();
        let body = graph(&all, &[]);
        let answer = host.post("/api/pipelines", Some(&body)).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(answer.json()["nodes"].as_array().unwrap().len(), 1_000);
    })
    .await;
}

#[tokio::test]
async fn definitions_that_make_no_graph() {
    on_each(async |host: &Host| {
        let many: Vec<_> = (0..1_001).map(|n| format!("n{n}")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        for (definition, slug) in [
            (graph(&["a", "b"], &[("a", "b"), ("b", "a")]), "graph-cycle"),
            (graph(&["a"], &[("a", "a")]), "graph-invalid"),
            (graph(&["a", "a"], &[]), "graph-invalid"),
            (graph(&["load"], &[("laod", "load")]), "graph-invalid"),
            (graph(&[], &[]), "graph-empty"),
            (graph(&many, &[]), "graph-too-large"),
            (graph(&["a", "b"], &[("a", "b"); 20_001]), "graph-too-large"),
        ] {
            for (method, path) in [
                (Method::POST, "/api/pipelines"),
                (Method::PUT, "/api/pipelines/daily"),
            ] {
                host.send(request(method, path, Some(&definition)))
                    .await
                    .refused(422, slug);
            }
        }
        let hint = graph(&["load"], &[("laod", "load")]);
        let hint = host.post("/api/pipelines", Some(&hint)).await;
        assert!(hint.text().contains("did you mean"), "{}", hint.text());
    })
    .await;
}

#[tokio::test]
async fn schedules_that_are_none() {
    on_each(async |host: &Host| {
        for (member, value, slug, told) in [
            ("schedule", "* 25 * * *", "cron-invalid", "the hour field"),
            ("schedule", "* * * *", "cron-invalid", "five fields"),
            ("schedule", &"*".repeat(257), "cron-too-long", "256"),
            ("schedule", "0 0 30 2 *", "cron-never-fires", "30"),
            (
                "schedule_timezone",
                "Europe/Berln",
                "timezone-unknown",
                "did you mean Europe/Berlin?",
            ),
        ] {
            let mut definition = graph(&["a"], &[]);
            definition[member] = json!(value);
            for (method, path) in [
                (Method::POST, "/api/pipelines"),
                (Method::PUT, "/api/pipelines/daily"),
            ] {
                let answer = host.send(request(method, path, Some(&definition))).await;
                answer.refused(422, slug);
                let problem = answer.json();
                assert!(problem["detail"].as_str().unwrap().contains(told));
                assert_eq!(problem["errors"][0]["pointer"], format!("/{member}"));
            }
        }
        for (member, value) in [
            ("schedule", json!(5)),
            ("schedule", json!(null)),
            ("schedule_timezone", json!(1)),
            ("catch_up", json!("yes")),
            ("catchup", json!(1)),
            ("overlap", json!("cancel_running")),
        ] {
            let mut definition = graph(&["a"], &[]);
            definition[member] = value;
            let answer = host.post("/api/pipelines", Some(&definition)).await;
            answer.refused(422, "invalid-field");
            let pointer = &answer.json()["errors"][0]["pointer"];
            assert_eq!(*pointer, format!("/{member}"));
        }
    })
    .await;
}

#[tokio::test]
async fn definitions_with_fields_that_are_not_acceptable() {
    on_each(async |host: &Host| {
        let valid = graph(&["a"], &[]);
        for (member, value) in [
            ("name", json!("")),
            ("name", json!("x".repeat(256))),
            ("name", json!("a\nb")),
            ("name", json!(5)),
            ("id", json!("a b")),
            ("id", json!("")),
            ("pipeline_id", json!("-x")),
            ("description", json!("x".repeat(2_001))),
            ("nodes", json!({})),
            ("nodes", json!([5])),
            ("nodes", json!([{"type": "any"}])),
            ("nodes", json!([{"id": "a"}])),
            ("edges", json!([{"from": "a"}])),
            ("params", json!({"a": []})),
            ("tags", json!([5])),
            ("enabled", json!("yes")),
            ("timeout", json!(-1)),
            ("timeout", json!(1e300)),
            ("max_concurrent_runs", json!(0)),
            (
                "nodes",
                json!([{"id": "a", "type": "any", "config": {"max_retries": 101}}]),
            ),
            (
                "nodes",
                json!([{"id": "a", "type": "any", "config": {"max_retries": -1}}]),
            ),
            (
                "nodes",
                json!([{"id": "a", "type": "any", "config": {"retry_delay": -1}}]),
            ),
            (
                "nodes",
                json!([{"id": "a", "type": "any", "config": {"timeout": 0}}]),
            ),
            (
                "nodes",
                json!([{"id": "a", "type": "any", "config": {"timeout": "long"}}]),
            ),
        ] {
            let mut definition = valid.clone();
            definition[member] = value;
            let answer = host.post("/api/pipelines", Some(&definition)).await;
            assert_eq!(answer.status, 422, "{definition} gave {}", answer.text());
            answer.refused(422, "invalid-field");
            let pointer = answer.json()["errors"][0]["pointer"]
                .as_str()
                .unwrap()
                .to_owned();
            assert!(
                pointer.starts_with(&format!("/{member}")),
                "{definition} gave {pointer}"
            );
        }
        for body in [
            json!([]),
            json!(5),
            json!({"nodes": [{"id": "a", "type": "any"}]}),
        ] {
            host.post("/api/pipelines", Some(&body))
                .await
                .refused(422, "invalid-field");
        }
    })
    .await;
}

#[tokio::test]
async fn acts_that_conflict_with_what_is_there() {
    on_each(async |host: &Host| {
        let ready = Ready::on(host).await;
        for run in ["{ended}", "{failed}"] {
            ready
                .refuses(
                    post(&format!("/api/runs/{run}/cancel"), "{}"),
                    409,
                    "run-finished",
                )
                .await;
        }
        ready
            .refuses(
                post("/api/runs/{ended}/resume", "{}"),
                409,
                "run-not-resumable",
            )
            .await;
        let gate = Gate::new();
        host.executor.script("load", [Step::pass_on().at(&gate)]);
        let resumed = host
            .post(&format!("/api/runs/{}/resume", ready.failed), None)
            .await;
        ready
            .refuses(
                post("/api/runs/{failed}/resume", "{}"),
                409,
                "run-not-resumable",
            )
            .await;
        let delete = Bad {
            method: "DELETE",
            ..get("/api/pipelines/daily")
        };
        ready.refuses(delete, 409, "pipeline-active").await;
        gate.open();
        host.finish(resumed.json()["id"].as_str().unwrap()).await;

        let mut taken = graph(&["a"], &[]);
        taken["id"] = json!("daily");
        host.post("/api/pipelines", Some(&taken))
            .await
            .refused(409, "already-exists");
        taken["id"] = json!("x");
        taken["pipeline_id"] = json!("daily");
        host.post("/api/pipelines", Some(&taken))
            .await
            .refused(409, "already-exists");

        let mut other = graph(&["a"], &[]);
        other["id"] = json!("other");
        let put = request(Method::PUT, "/api/pipelines/daily", Some(&other));
        host.send(put).await.refused(400, "id-mismatch");

        let odd = json!({"id": "odd", "name": "odd", "nodes": [{"id": "a", "type": "teleport"}]});
        assert_eq!(host.post("/api/pipelines", Some(&odd)).await.status, 201);
        ready
            .refuses(
                post("/api/pipelines/odd/run", "{}"),
                422,
                "node-type-unknown",
            )
            .await;
    })
    .await;
}

#[tokio::test]
async fn a_queue_that_is_full() {
    for backend in [Backend::Memory, Backend::Sqlite] {
        let mut limits = Limits::default();
        limits.runs_max = 1;
        limits.queued_pipeline_max = 1;
        let host = Host::with(backend, limits).await;
        let gate = Gate::new();
        host.executor.script("load", [Step::pass_on().at(&gate)]);
        let first = host.trigger().await;
        host.executor.started("load").await;
        let second = host.trigger().await;
        host.post(RUN, None).await.refused(429, "too-many-requests");
        gate.open();
        host.finish(&first).await;
        host.finish(&second).await;
        host.finished().await;
    }
}

#[tokio::test]
async fn more_dry_runs_than_may_be_at_once() {
    for backend in [Backend::Memory, Backend::Sqlite] {
        let mut limits = Limits::default();
        limits.dry_runs_max = 1;
        let host = Host::with(backend, limits).await;
        let gate = Gate::new();
        host.executor.script("load", [Step::nothing().at(&gate)]);
        let one_more = async {
            host.executor.started("load").await;
            let refused = host.post(DRY_RUN, None).await;
            refused.refused(429, "too-many-requests");
            gate.open();
        };
        let (first, ()) = tokio::join!(host.post(DRY_RUN, None), one_more);
        assert_eq!(first.status, 200, "{first:?}");
    }
}

#[tokio::test]
async fn streams_that_cannot_be_had_and_runs_that_were_purged() {
    for backend in [Backend::Memory, Backend::Sqlite] {
        let mut limits = Limits::default();
        limits.streams_max = 1;
        let host = Host::with(backend, limits).await;
        let gone = host.finished().await;
        let run = host.floret.handle(gone.parse().unwrap());
        let later = run.finished().await.unwrap().run.created_at + chrono::TimeDelta::days(1);
        let purged = host.faults.purge(Purge::new(later, 100)).await.unwrap();
        assert_eq!(purged.deleted, 1);
        for part in ["", "/logs", "/logs/export", "/nodes/load/preview"] {
            let path = format!("/api/runs/{gone}{part}");
            host.get(&path).await.refused(404, "run-not-found");
        }
        let _only = open(&host.service, "/api/ws").await;
        let of_run = format!("/api/ws?since=0&run_id={gone}");
        for (path, status, slug) in [
            ("/api/ws?since=0", 410, "events-expired"),
            (of_run.as_str(), 404, "run-not-found"),
            ("/api/ws", 503, "too-many-streams"),
        ] {
            let asked = ask(&host.service, upgrade(path, &[])).await;
            asked.unwrap_err().refused(status, slug);
        }
    }
}

#[tokio::test]
async fn secrets_where_no_key_is_configured() {
    for backend in [Backend::Memory, Backend::Sqlite] {
        let host = Host::built(backend, |builder| builder).await;
        let ready = Ready::on(&host).await;
        let connection = json!({"conn_id": "c", "type": "x"});
        let made = host.post("/api/connections", Some(&connection)).await;
        assert_eq!(made.status, 201, "{made:?}");
        let variable = json!({"key": "k", "value": "v"});
        let made = host.post("/api/variables", Some(&variable)).await;
        assert_eq!(made.status, 201, "{made:?}");
        for bad in [
            post(
                "/api/connections",
                r#"{"conn_id":"d","type":"x","password":"p"}"#,
            ),
            post(
                "/api/connections",
                r#"{"conn_id":"d","type":"x","extra":"e"}"#,
            ),
            put("/api/connections/c", r#"{"type":"x","password":"p"}"#),
            post(
                "/api/variables",
                r#"{"key":"l","value":"v","type":"secret"}"#,
            ),
            put("/api/variables/k", r#"{"value":"v","type":"secret"}"#),
        ] {
            ready.refuses(bad, 409, "encryption-key-missing").await;
        }
    }
}

#[tokio::test]
async fn a_storage_that_is_busy_or_full_or_broken() {
    for backend in [Backend::Memory, Backend::Sqlite] {
        let host = Host::start(backend).await;
        for (kind, status, slug) in [
            (ErrorKind::Unavailable, 503, "storage-busy"),
            (ErrorKind::StorageFull, 507, "storage-full"),
            (ErrorKind::Internal, 500, "internal-error"),
        ] {
            host.faults.fail(Fault::before(Call::CreateRuns, kind));
            host.post(RUN, None).await.refused(status, slug);
            host.faults.fail(Fault::before(Call::ListRuns, kind));
            host.get("/api/runs").await.refused(status, slug);
        }
        host.finished().await;
    }
}

/// A request with the status and the slug that it gets.
type Row = (Bad<'static>, u16, &'static str);

fn bad_ranges() -> Vec<Row> {
    let of = |body, slug| (post(BACKFILL, body), 422, slug);
    vec![
        of("{}", "invalid-field"),
        of(
            r#"{"start_date":"2024-01-02","end_date":"2024-01-01"}"#,
            "range-invalid",
        ),
        of(
            r#"{"start_date":"2999-01-01","end_date":"2999-01-02"}"#,
            "range-invalid",
        ),
        of(
            r#"{"start_date":"1990-01-01","end_date":"2024-01-01"}"#,
            "backfill-too-large",
        ),
        of(
            r#"{"start_date":"2024-01-01","end_date":"2024-01-02","params":{"date":"x"}}"#,
            "invalid-field",
        ),
        of(
            r#"{"start_date":"2024-01-01","end_date":"2024-01-02","parallel":1}"#,
            "unknown-field",
        ),
    ]
}

fn absent_things() -> Vec<Row> {
    const NO_ID: &str = "/api/backfills/01890000-0000-7000-8000-000000000000";
    vec![
        (
            post("/api/pipelines/none/backfill", "{}"),
            404,
            "pipeline-not-found",
        ),
        (get(NO_ID), 404, "backfill-not-found"),
        (
            post("/api/backfills/none/cancel", ""),
            404,
            "backfill-not-found",
        ),
        (get("/api/connections/none"), 404, "connection-not-found"),
        (get("/api/variables/none"), 404, "variable-not-found"),
        (
            post("/api/pipelines/none/dry-run", ""),
            404,
            "pipeline-not-found",
        ),
    ]
}

fn bad_parameters() -> Vec<Row> {
    let paths = [
        "/api/runs/calendar?days=0",
        "/api/runs/calendar?days=366",
        "/api/search",
        "/api/search?q=%20",
        "/api/search?q=x&limit=101",
        "/api/runs/{ended}/logs/export?format=xml",
        "/api/ws?since=x",
        "/api/connections?after=none",
        "/api/variables?after=none",
        "/api/pipelines/daily/backfills?after=none",
    ];
    paths
        .map(|path| (get(path), 400, "invalid-parameter"))
        .into()
}

fn bad_bodies() -> Vec<Row> {
    let of = |path, body| (post(path, body), 422, "invalid-field");
    vec![
        of("/api/connections", r#"{"conn_id":"c","type":"x","port":0}"#),
        of("/api/system/purge", r#"{"days":0}"#),
        (
            post("/api/system/purge", r#"{"days":"#),
            400,
            "invalid-json",
        ),
        of("/api/runs/{failed}/resume", r#"{"from_node":"none"}"#),
        of("/api/runs/{failed}/resume", r#"{"definition":"newest"}"#),
        of("/api/pipelines/daily/dry-run", r#"{"params":{"a":[]}}"#),
        (get("/api/ws"), 426, "upgrade-required"),
    ]
}

#[tokio::test]
async fn ranges_of_dates_settings_and_figures_that_are_not_acceptable() {
    on_each(async |host: &Host| {
        let ready = Ready::on(host).await;
        let rows = [
            bad_ranges(),
            absent_things(),
            bad_parameters(),
            bad_bodies(),
        ];
        for (bad, status, slug) in rows.into_iter().flatten() {
            ready.refuses(bad, status, slug).await;
        }
        let stale = Request::put("/api/pipelines/daily")
            .header("content-type", "application/json")
            .header("if-match", "\"stale\"")
            .body(Full::from(
                r#"{"name":"daily","nodes":[{"id":"load","type":"any"}]}"#,
            ));
        host.send(stale.unwrap())
            .await
            .refused(412, "precondition-failed");
    })
    .await;
}
