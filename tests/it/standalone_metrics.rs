//! `GET /metrics` of the standalone example.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::path::Path;

use floret::metrics::{ALL, MetricKind};
use floret::testing::scratch;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::standalone::{Api, Standalone};
use crate::standalone_keys::{Caller, server};
use crate::tidy::root;

/// Reads the text format of Prometheus 0.0.4: the type of each family, and each sample by its name
/// and labels.
fn parse(text: &str) -> (BTreeMap<String, String>, BTreeMap<String, f64>) {
    let (mut families, mut samples) = (BTreeMap::new(), BTreeMap::new());
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(family) = line.strip_prefix("# TYPE ") {
            let (name, kind) = family.split_once(' ').unwrap();
            assert!(families.insert(name.to_owned(), kind.to_owned()).is_none());
        } else if !line.starts_with("# HELP ") {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(
                samples
                    .insert(name.to_owned(), value.parse().unwrap())
                    .is_none()
            );
        }
    }
    (families, samples)
}

async fn metrics(
    server: &Api,
    method: Method,
    headers: &[(String, String)],
) -> (StatusCode, String) {
    server
        .beside()
        .exchange(method, "/metrics", headers, String::new())
        .await
}

fn pipelines(folder: &Path) {
    let definitions = [
        json!({"id": "fine", "name": "fine", "nodes": [{"id": "a", "name": "a", "type": "command", "config": {"command": ["true"]}}]}),
        json!({"id": "failing", "name": "failing", "nodes": [{"id": "a", "name": "a", "type": "command",
            "config": {"command": ["false"], "max_retries": 1, "retry_delay": 1}}]}),
    ];
    for definition in definitions {
        let file = folder.join(format!("{}.json", definition["id"].as_str().unwrap()));
        std::fs::write(file, definition.to_string()).unwrap();
    }
}

#[tokio::test]
async fn the_metrics_count_what_the_server_has_done() {
    let folder = scratch();
    pipelines(folder.path());
    let db = folder.path().join("runs.db");
    let server = Standalone::start(&[
        "--db",
        db.to_str().unwrap(),
        "--allow-commands",
        "--pipelines",
        folder.path().to_str().unwrap(),
    ]);
    for pipeline in ["fine", "fine", "failing"] {
        let path = format!("/pipelines/{pipeline}/run?wait=30");
        let (status, _) = server.api.post(&path, &Value::Null).await.unwrap();
        assert_eq!(status, 200);
    }
    let (status, text) = metrics(&server.api, Method::GET, &[]).await;
    assert_eq!(status, 200, "{text}");
    let (families, samples) = parse(&text);
    for (name, expected) in [
        ("floret_runs_created_total{trigger=\"manual\"}", 3.0),
        ("floret_run_queue_seconds_count{trigger=\"manual\"}", 3.0),
        (
            "floret_run_duration_seconds_count{trigger=\"manual\",status=\"success\"}",
            2.0,
        ),
        (
            "floret_run_duration_seconds_count{trigger=\"manual\",status=\"failed\"}",
            1.0,
        ),
        (
            "floret_nodes_finished_total{type=\"command\",status=\"success\"}",
            2.0,
        ),
        (
            "floret_nodes_finished_total{type=\"command\",status=\"failed\"}",
            1.0,
        ),
        ("floret_node_retries_total{type=\"command\"}", 1.0),
        ("floret_runs_pending", 0.0),
        ("floret_dead_letters", 0.0),
        (
            "floret_http_request_seconds_count{method=\"POST\",route=\"/pipelines/{id}/run\",status=\"200\"}",
            3.0,
        ),
    ] {
        assert_eq!(samples.get(name), Some(&expected), "{name} in {text}");
    }
    assert!(samples["floret_commit_seconds_count"] > 0.0);
    assert!(samples["floret_commit_steps_sum"] >= samples["floret_commit_steps_count"]);
    assert!(samples["floret_store_bytes"] > 0.0);
    for (name, kind) in &families {
        let metric = ALL.iter().find(|metric| metric.name == name);
        let expected = match metric.unwrap_or_else(|| panic!("{name}")).kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
            _ => panic!("another kind"),
        };
        assert_eq!(kind, expected, "{name}");
    }
}

#[tokio::test]
async fn the_metrics_are_for_callers_that_may_see_the_settings() {
    let server = Standalone::start(&["--memory", "--api-key", "0123456789abcdef0123456789abcdef"]);
    let key = |key: &str| vec![("authorization".to_owned(), format!("Bearer {key}"))];
    let known = key("0123456789abcdef0123456789abcdef");
    for (headers, method, expected) in [
        (&known, Method::GET, 200),
        (&known, Method::HEAD, 200),
        (&known, Method::POST, 405),
        (&key("another"), Method::GET, 401),
        (&Vec::new(), Method::GET, 401),
        (&Vec::new(), Method::HEAD, 401),
    ] {
        let (status, text) = metrics(&server.api, method.clone(), headers).await;
        assert_eq!(status, expected, "{method} {headers:?}: {text}");
        let shows_figures = text.contains("floret_");
        assert_eq!(
            shows_figures,
            expected == 200 && method == Method::GET,
            "{text}"
        );
    }
    let (_, body) = metrics(&server.api, Method::POST, &known).await;
    let problem: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(problem["status"], 405);
    let local = Standalone::start(&["--memory"]);
    let foreign = [("host".to_owned(), "evil.example".to_owned())];
    let (status, _) = metrics(&local.api, Method::GET, &foreign).await;
    assert_eq!(status, 421);
}

/// The figures are those of all tenants. What the API refuses, the metrics refuse too.
#[tokio::test]
async fn the_metrics_are_as_guarded_as_the_settings() {
    let folder = scratch();
    let file = folder.path().join("keys");
    let (of_tenant, of_all) = (
        Caller::new(&["a", "viewer", "--tenant", "acme"]),
        Caller::new(&["b", "viewer"]),
    );
    std::fs::write(&file, format!("{}{}", of_tenant.line, of_all.line)).unwrap();
    let server = server(&file);
    for (caller, expected) in [(&of_tenant, 403), (&of_all, 200)] {
        let (status, text) = metrics(&server.api, Method::GET, &caller.headers()).await;
        assert_eq!(status, expected, "{text}");
        assert_eq!(text.contains("floret_"), expected == 200, "{text}");
    }
    let beside = server.api.beside();
    for (path, expected) in [
        ("/metrics?x=1".to_owned(), 400),
        (format!("/metrics?{}", "x".repeat(9_000)), 414),
        // The page of the console, which has no figure.
        ("/metrics/".to_owned(), 200),
    ] {
        let headers = of_all.headers();
        let sent = beside.exchange(Method::GET, &path, &headers, String::new());
        let (status, text) = sent.await;
        assert_eq!(status, expected, "{path}");
        assert!(!text.contains("floret_"), "{path}");
    }
}

/// Returns the names of metrics in the expressions of a text.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
    let names = words.filter(|word| word.starts_with("floret_"));
    let base = |name: &str| {
        let suffixes = ["_bucket", "_count", "_sum"];
        let suffix = suffixes.iter().find_map(|suffix| name.strip_suffix(suffix));
        suffix.unwrap_or(name).to_owned()
    };
    names.map(base).collect()
}

#[test]
fn the_dashboard_and_the_alerts_name_metrics_that_exist() {
    let known: BTreeSet<_> = ALL.iter().map(|metric| metric.name.to_owned()).collect();
    let dashboard = root().join("examples/standalone/grafana.json");
    let dashboard = std::fs::read_to_string(dashboard).unwrap();
    let parsed: Value = serde_json::from_str(&dashboard).unwrap();
    assert!(parsed["panels"].as_array().unwrap().len() > 5);
    assert_eq!(names(&dashboard), known, "the dashboard shows every metric");
    let guide = std::fs::read_to_string(root().join("docs/guides/monitoring.md")).unwrap();
    assert_eq!(names(&guide), known);
}

/// Sends a request whose target a client library would not send, and returns the head of the
/// answer.
fn head_of(server: &Api, request: &str) -> String {
    let address = server.base().trim_start_matches("http://");
    let address = address.split('/').next().unwrap();
    let mut socket = std::net::TcpStream::connect(address).unwrap();
    let request = format!("{request}\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let (head, _) = answer.split_once("\r\n\r\n").unwrap();
    head.to_ascii_lowercase()
}

#[tokio::test]
async fn every_answer_of_the_metrics_has_the_headers_of_the_api() {
    let open = Standalone::start(&["--memory"]);
    let closed = Standalone::start(&["--memory", "--api-key", "0123456789abcdef0123456789abcdef"]);
    let longest = format!("GET /metrics?{} HTTP/1.1", "x".repeat(65_522));
    for (server, request, status) in [
        (&open, longest.as_str(), 414),
        (&open, "GET /metrics HTTP/1.1", 200),
        (&open, "HEAD /metrics HTTP/1.1", 200),
        (&open, "DELETE /metrics HTTP/1.1", 405),
        (&open, "GET http://evil.example/metrics HTTP/1.1", 421),
        (&closed, "GET /metrics HTTP/1.1", 401),
    ] {
        let head = head_of(&server.api, request);
        assert!(
            head.starts_with(&format!("http/1.1 {status} ")),
            "{request}: {head}"
        );
        for header in [
            "x-content-type-options: nosniff",
            "cache-control: no-store",
            "cross-origin-resource-policy: same-origin",
        ] {
            assert!(head.lines().any(|line| line == header), "{request}: {head}");
        }
    }
}
