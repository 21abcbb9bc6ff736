//! Collects the responses of every route that changes nothing.
//!
//! What must not be in the responses is left to the tests.

use floret::testing::routes;
use http::Method;

use crate::harness::park_dead_letter;
use crate::wire::Host;

/// Returns the paths of a route, one per combination of parameter values.
fn paths(route: &str, runs: &[String], backfill: &str, dead: &str) -> Vec<String> {
    let runs: Vec<_> = runs.iter().map(String::as_str).collect();
    let parameters: [(&str, &[&str]); 9] = [
        ("{id}", &["fine", "fails"]),
        ("{run_id}", &runs),
        ("{node_id}", &["leaky", "next"]),
        ("{backfill_id}", &[backfill]),
        ("{conn_id}", &["warehouse"]),
        ("{key}", &["TOKEN"]),
        ("{version}", &["1"]),
        ("{to}", &["1"]),
        ("{delivery_id}", &[dead]),
    ];
    let mut paths = vec![route.to_owned()];
    for (name, values) in parameters
        .into_iter()
        .filter(|(name, _)| route.contains(name))
    {
        let with_all = |path: String| values.iter().map(move |value| path.replace(name, value));
        paths = paths.into_iter().flat_map(with_all).collect();
    }
    let query = match route {
        "/search" => "?q=t",
        "/events" => "?since=0",
        "/runs/{run_id}/logs" => "?level=debug",
        _ => "",
    };
    paths
        .iter()
        .map(|path| format!("/api{path}{query}"))
        .collect()
}

/// Calls every route that changes nothing, for every object, and returns all headers and bodies.
pub(super) async fn collect_responses(host: &Host, runs: &[String], backfill: &str) -> String {
    let mut text = String::new();
    let run = runs[1].parse().unwrap();
    let dead = park_dead_letter(&host.faults, "pager", run, 0).await;
    for route in routes().iter().filter(|route| route.method == Method::GET) {
        let mut has_succeeded = false;
        for path in paths(route.path, runs, backfill, &dead) {
            let answer = host.get(&path).await;
            has_succeeded |= answer.status == 200;
            text.push_str(&format!("{:?}", answer.headers));
            text.push_str(answer.text());
        }
        // The tests read events over a stream.
        assert!(has_succeeded || route.path == "/ws", "{}", route.path);
    }
    for format in ["ndjson", "csv"] {
        let path = format!("/api/runs/{}/logs/export?format={format}", runs[0]);
        text.push_str(host.get(&path).await.text());
    }
    for pipeline in ["fine", "fails"] {
        let dry_run = host
            .post(&format!("/api/pipelines/{pipeline}/dry-run"), None)
            .await;
        assert_eq!(dry_run.status, 200, "{dry_run:?}");
        text.push_str(dry_run.text());
    }
    text
}
