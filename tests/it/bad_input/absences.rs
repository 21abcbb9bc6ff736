//! Places and methods that are not there, and things: never made, malformed, purged, deleted or
//! another tenant's.

use super::row::{Bad, Row, all, delete, get, post, put};

const NEVER_MADE: &str = "019a0000-0000-7000-8000-000000000000";

pub(super) fn rows() -> Vec<Row> {
    let mut rows = places();
    rows.extend(methods());
    for run in [
        NEVER_MADE,
        "x",
        "{ended}0",
        "..",
        "%2e%2e",
        "%00",
        "{ended}%2Flogs",
        "{purged}",
    ] {
        rows.extend(run_routes(run, |bad| bad));
    }
    rows.extend(run_routes("{theirs}", |bad| bad.of("ben")));
    rows.extend(run_routes("{ended}", |bad| bad.of("ben")));
    for key in [
        "other",
        "a%20b",
        "%2e%2e",
        "daily%2Fruns",
        "DAILY",
        "deleted",
    ] {
        rows.extend(pipeline_routes(key, |bad| bad));
    }
    rows.extend(pipeline_routes("ann", |bad| bad.of("ben")));
    rows.extend(pipeline_routes("daily", |bad| bad.of("ben")));
    for id in [NEVER_MADE, "none", "a%20b", "{purged_backfill}"] {
        rows.extend(backfill_routes(id, |bad| bad));
    }
    rows.extend(backfill_routes("{their_backfill}", |bad| bad.of("ben")));
    for (kind, slug) in [
        ("connections", "connection-not-found"),
        ("variables", "variable-not-found"),
    ] {
        for id in ["none", "a%20b", "%C3%A4", "-", "deleted"] {
            rows.extend(all(404, slug, object_routes(kind, id)));
        }
        let theirs = object_routes(kind, "ann").map(|bad| bad.of("ben"));
        rows.extend(all(404, slug, theirs));
    }
    rows.extend(nodes());
    rows
}

fn places() -> Vec<Row> {
    let paths = [
        "/",
        "/api",
        "/api/",
        "/api/run",
        "/api/runs/",
        "/api/health/",
        "/api/runs/{ended}/",
        "/api//runs",
        "/api/pipelines/daily/runs/",
    ];
    all(404, "not-found", paths.map(get))
}

fn methods() -> Vec<Row> {
    let asked = [
        ("POST", "/api/health"),
        ("DELETE", "/api/runs/{ended}"),
        ("GET", "/api/runs/{ended}/cancel"),
        ("PATCH", "/api/pipelines/daily"),
        ("BREW", "/api/runs"),
        ("GET", "/api/system/purge"),
        ("POST", "/api/ws"),
        ("DELETE", "/api/backfills/{their_backfill}"),
    ];
    let asked = asked.map(|(method, path)| get(path).method(method));
    all(405, "method-not-allowed", asked)
}

/// Every route of a run that is not there, which is told before what else is wrong.
fn run_routes(run: &str, by: impl Fn(Bad) -> Bad) -> Vec<Row> {
    let path = format!("/api/runs/{run}");
    let asked = [
        "",
        "/logs",
        "/logs/export",
        "/nodes/load/preview",
        "/nodes/load/profile",
        "?x=1",
    ];
    let asked = asked.map(|rest| get(format!("{path}{rest}")));
    let posted = ["cancel", "resume"].map(|act| {
        let path = format!("{path}/{act}");
        let text = post(path.as_str(), "x").typed(Some("text/plain"));
        [post(path.as_str(), "{nonsense"), post(path, "{}"), text]
    });
    let bad = asked.into_iter().chain(posted.into_iter().flatten());
    all(404, "run-not-found", bad.map(by))
}

fn pipeline_routes(key: &str, by: impl Fn(Bad) -> Bad) -> Vec<Row> {
    let path = format!("/api/pipelines/{key}");
    let asked = ["", "/runs", "/validate", "/runs?page=0", "/backfills"];
    let asked = asked.map(|rest| get(format!("{path}{rest}")));
    let posted = ["run", "dry-run", "backfill"].map(|act| {
        let path = format!("{path}/{act}");
        [post(path.as_str(), "{}"), post(path, "[]")]
    });
    let changed = [
        put(path.as_str(), "{}"),
        put(path.as_str(), "{nonsense"),
        delete(path),
    ];
    let bad = asked.into_iter().chain(posted.into_iter().flatten());
    all(404, "pipeline-not-found", bad.chain(changed).map(by))
}

fn backfill_routes(id: &str, by: impl Fn(Bad) -> Bad) -> Vec<Row> {
    let path = format!("/api/backfills/{id}");
    let bad = [
        get(path.as_str()),
        get(format!("{path}?x=y")),
        post(format!("{path}/cancel"), ""),
        post(format!("{path}/cancel"), "[]"),
    ];
    all(404, "backfill-not-found", bad.map(by))
}

fn object_routes(kind: &str, id: &str) -> [Bad; 4] {
    let path = format!("/api/{kind}/{id}");
    [
        get(path.as_str()),
        put(path.as_str(), "{}"),
        put(path.as_str(), "[]"),
        delete(path),
    ]
}

fn nodes() -> Vec<Row> {
    let mut rows = Vec::new();
    for (kind, slug) in [
        ("preview", "preview-not-found"),
        ("profile", "profile-not-found"),
    ] {
        let of = |run: &str, node: &str| get(format!("/api/runs/{run}/nodes/{node}/{kind}"));
        let absent = ["other", "a%20b", "%2F"].map(|node| of("{ended}", node));
        rows.extend(all(404, "node-not-found", absent));
        // The one failed, the other was never reached.
        rows.extend(all(
            404,
            slug,
            ["load", "sum"].map(|node| of("{failed}", node)),
        ));
    }
    rows
}
