//! Everything that the service tells of a store with secrets in it, without changing anything.
//!
//! What must not stand in it is told by the tests.

use floret::testing::routes;
use http::Method;

use crate::wire::Host;

/// Every path of a route with each of these in the place of its parameters.
fn paths(route: &str, runs: &[String], backfill: &str) -> Vec<String> {
    let runs: Vec<_> = runs.iter().map(String::as_str).collect();
    let given: [(&str, &[&str]); 6] = [
        ("{id}", &["fine", "fails"]),
        ("{run_id}", &runs),
        ("{node_id}", &["tells", "next"]),
        ("{backfill_id}", &[backfill]),
        ("{conn_id}", &["warehouse"]),
        ("{key}", &["TOKEN"]),
    ];
    let mut paths = vec![route.to_owned()];
    for (name, values) in given.into_iter().filter(|(name, _)| route.contains(name)) {
        let with_all = |path: String| values.iter().map(move |value| path.replace(name, value));
        paths = paths.into_iter().flat_map(with_all).collect();
    }
    let query = match route {
        "/search" => "?q=t",
        "/runs/{run_id}/logs" => "?level=debug",
        _ => "",
    };
    paths
        .iter()
        .map(|path| format!("/api{path}{query}"))
        .collect()
}

/// Asks every route that answers without changing anything, with all that there is.
pub(super) async fn all_answers(host: &Host, runs: &[String], backfill: &str) -> String {
    let mut told = String::new();
    for route in routes().iter().filter(|route| route.method == Method::GET) {
        let mut has_answered = false;
        for path in paths(route.path, runs, backfill) {
            let answer = host.get(&path).await;
            has_answered |= answer.status == 200;
            told.push_str(&format!("{:?}", answer.headers));
            told.push_str(answer.text());
        }
        // What it tells of events is asked for over a stream.
        assert!(has_answered || route.path == "/ws", "{}", route.path);
    }
    for format in ["ndjson", "csv"] {
        let path = format!("/api/runs/{}/logs/export?format={format}", runs[0]);
        told.push_str(host.get(&path).await.text());
    }
    for pipeline in ["fine", "fails"] {
        let dry = host
            .post(&format!("/api/pipelines/{pipeline}/dry-run"), None)
            .await;
        assert_eq!(dry.status, 200, "{dry:?}");
        told.push_str(dry.text());
    }
    told
}
