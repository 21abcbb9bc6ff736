//! Paths and methods that do not exist, and objects that were never created, are malformed, purged
//! or deleted, or belong to another tenant.

use super::row::{Row, TestRequest, all, delete, get, patch, post, put};

const NEVER_CREATED: &str = "019a0000-0000-7000-8000-000000000000";

pub(super) fn rows() -> Vec<Row> {
    let mut rows = paths();
    rows.extend(methods());
    for run in [
        NEVER_CREATED,
        "x",
        "{finished}0",
        "..",
        "%2e%2e",
        "%00",
        "{finished}%2Flogs",
        "{purged}",
    ] {
        rows.extend(run_routes(run, |bad| bad));
    }
    rows.extend(run_routes("{theirs}", |bad| bad.by_tenant("ben")));
    rows.extend(run_routes("{finished}", |bad| bad.by_tenant("ben")));
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
    rows.extend(pipeline_routes("ann", |bad| bad.by_tenant("ben")));
    rows.extend(pipeline_routes("daily", |bad| bad.by_tenant("ben")));
    for id in [NEVER_CREATED, "none", "a%20b", "{purged_backfill}"] {
        rows.extend(backfill_routes(id, |bad| bad));
    }
    rows.extend(backfill_routes("{their_backfill}", |bad| {
        bad.by_tenant("ben")
    }));
    for id in [
        "none",
        "pager",
        "pager.0",
        "pager.01",
        "none.1",
        "%2E",
        "{waiting}0",
    ] {
        rows.extend(delivery_routes(id, |bad| bad));
    }
    rows.extend(delivery_routes("{their_delivery}", |bad| {
        bad.by_tenant("ben")
    }));
    for (kind, slug) in [
        ("connections", "connection-not-found"),
        ("variables", "variable-not-found"),
    ] {
        for id in ["none", "a%20b", "%C3%A4", "-", "deleted"] {
            rows.extend(all(404, slug, object_routes(kind, id)));
        }
        let theirs = object_routes(kind, "ann").map(|bad| bad.by_tenant("ben"));
        rows.extend(all(404, slug, theirs));
    }
    rows.extend(nodes());
    rows.extend(versions());
    rows
}

fn paths() -> Vec<Row> {
    let paths = [
        "/",
        "/api",
        "/api/",
        "/api/run",
        "/api/runs/",
        "/api/health/",
        "/api/runs/{finished}/",
        "/api//runs",
        "/api/pipelines/daily/runs/",
    ];
    all(404, "not-found", paths.map(get))
}

fn methods() -> Vec<Row> {
    let requests = [
        ("POST", "/api/health"),
        ("DELETE", "/api/runs/{finished}"),
        ("GET", "/api/runs/{finished}/cancel"),
        ("PATCH", "/api/pipelines/daily"),
        ("BREW", "/api/runs"),
        ("GET", "/api/system/purge"),
        ("POST", "/api/ws"),
        ("DELETE", "/api/backfills/{their_backfill}"),
    ];
    let requests = requests.map(|(method, path)| get(path).method(method));
    all(405, "method-not-allowed", requests)
}

/// Versions that a pipeline does not have.
fn versions() -> Vec<Row> {
    let numbers = ["0", "99", "4294967296", "-1", "+1", "x", "1.0", "%00"];
    let bad = numbers.into_iter().flat_map(|number| {
        let path = format!("/api/pipelines/daily/versions/{number}");
        [
            path.clone(),
            format!("{path}/diff/1"),
            format!("/api/pipelines/daily/versions/1/diff/{number}"),
        ]
    });
    all(404, "version-not-found", bad.map(get))
}

/// The routes of a missing run, which is reported before any other problem.
fn run_routes(run: &str, modify: impl Fn(TestRequest) -> TestRequest) -> Vec<Row> {
    let path = format!("/api/runs/{run}");
    let requests = [
        "",
        "/logs",
        "/logs/export",
        "/nodes/load/preview",
        "/nodes/load/profile",
        "?x=1",
    ];
    let requests = requests.map(|rest| get(format!("{path}{rest}")));
    let posted = ["cancel", "resume", "rerun"].map(|action| {
        let path = format!("{path}/{action}");
        let text = post(path.as_str(), "x").content_type(Some("text/plain"));
        [post(path.as_str(), "{nonsense"), post(path, "{}"), text]
    });
    let edited = [patch(path.as_str(), "{}"), patch(path, "{nonsense")];
    let bad = requests
        .into_iter()
        .chain(posted.into_iter().flatten())
        .chain(edited);
    all(404, "run-not-found", bad.map(modify))
}

fn pipeline_routes(key: &str, modify: impl Fn(TestRequest) -> TestRequest) -> Vec<Row> {
    let path = format!("/api/pipelines/{key}");
    let requests = [
        "",
        "/runs",
        "/validate",
        "/runs?page=0",
        "/backfills",
        "/grid",
        "/grid?runs=0",
        "/nodes/load/history",
        "/nodes/load/history?runs=0",
        "/nodes/a%20b/history",
        "/versions",
        "/versions/1",
        "/versions/x",
        "/versions/1/diff/1",
    ];
    let requests = requests.map(|rest| get(format!("{path}{rest}")));
    let posted = ["run", "dry-run", "backfill", "rollback", "pause", "unpause"].map(|action| {
        let path = format!("{path}/{action}");
        [post(path.as_str(), "{}"), post(path, "[]")]
    });
    let changed = [
        put(path.as_str(), "{}"),
        put(path.as_str(), "{nonsense"),
        delete(path),
    ];
    let bad = requests.into_iter().chain(posted.into_iter().flatten());
    all(404, "pipeline-not-found", bad.chain(changed).map(modify))
}

fn backfill_routes(id: &str, modify: impl Fn(TestRequest) -> TestRequest) -> Vec<Row> {
    let path = format!("/api/backfills/{id}");
    let bad = [
        get(path.as_str()),
        get(format!("{path}?x=y")),
        post(format!("{path}/cancel"), ""),
        post(format!("{path}/cancel"), "[]"),
        post(format!("{path}/pause"), ""),
        post(format!("{path}/pause"), "[]"),
        post(format!("{path}/unpause"), r#"{"reason": 5}"#),
    ];
    all(404, "backfill-not-found", bad.map(modify))
}

fn delivery_routes(id: &str, modify: impl Fn(TestRequest) -> TestRequest) -> Vec<Row> {
    let path = format!("/api/deliveries/{id}");
    let bad = [
        get(path.as_str()),
        get(format!("{path}?x=y")),
        post(format!("{path}/retry"), ""),
        post(format!("{path}/retry"), "[]"),
        delete(path),
    ];
    all(404, "delivery-not-found", bad.map(modify))
}

fn object_routes(kind: &str, id: &str) -> [TestRequest; 4] {
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
        let request = |run: &str, node: &str| get(format!("/api/runs/{run}/nodes/{node}/{kind}"));
        let absent = ["other", "a%20b", "%2F"].map(|node| request("{finished}", node));
        rows.extend(all(404, "node-not-found", absent));
        // `load` failed, and `sum` was skipped.
        rows.extend(all(
            404,
            slug,
            ["load", "sum"].map(|node| request("{failed}", node)),
        ));
    }
    rows
}
