//! Query parameters that are unknown, invalid, repeated, missing or contradictory, and invalid
//! cursors.

use super::row::{RUN, Row, all, get, post};

pub(super) fn rows() -> Vec<Row> {
    let post_paths = [
        RUN,
        "/api/pipelines/daily/dry-run",
        "/api/pipelines/daily/backfill",
        "/api/runs/{failed}/resume",
        "/api/pipelines",
        "/api/connections",
        "/api/variables",
        "/api/system/purge",
        "/api/deliveries/{waiting}/retry",
    ];
    let unknown = post_paths.map(|path| post(format!("{path}?x=1"), "{}").at("x"));
    let invalid_force = ["1", "yes", ""]
        .map(|force| post(format!("/api/runs/{{failed}}/cancel?force={force}"), "{}"));
    let invalid_queries = INVALID_QUERIES.iter().map(|path| get(*path));
    let misspelled = get("/api/runs?pgae=1")
        .at("pgae")
        .with_detail(r#"did you mean "page"?"#);
    let bad = invalid_queries
        .chain(unknown)
        .chain(invalid_force)
        .chain([misspelled]);
    all(400, "invalid-parameter", bad)
}

const INVALID_QUERIES: &[&str] = &[
    "/api/health?x=1",
    "/api/capabilities?x=1",
    "/api/dashboard?x=1",
    "/api/lineage?x=1",
    "/api/scheduler/status?x=1",
    "/api/system/info?x=1",
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
    "/api/runs?limit=1&limit=1",
    "/api/runs?page=1&after=x",
    "/api/runs?page=1&limit=1",
    "/api/runs?after=x",
    "/api/runs?status=done",
    "/api/runs?status=",
    "/api/runs?trigger=magic",
    "/api/runs?trigger=manual&trigger=resume",
    "/api/runs?label=team",
    "/api/runs?label=",
    "/api/pipelines/daily/runs?label=team%3Ddata",
    "/api/runs?label=a:&label=b:&label=c:&label=d:&label=e:&label=f:&label=g:&label=h:&label=i:\
     &label=j:&label=k:&label=l:&label=m:&label=n:&label=o:&label=p:&label=q:",
    "/api/runs?idempotency_key=k",
    "/api/runs?pipeline_id=daily&idempotency_key=",
    "/api/runs?pipeline_id=daily&idempotency_key=a%20b",
    "/api/pipelines/daily/runs?idempotency_key=%C3%A4",
    "/api/runs?pipeline_id=daily&idempotency_key=k&idempotency_key=k",
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
    "/api/pipelines/daily/versions?after=x",
    "/api/pipelines/daily/versions/1?x=1",
    "/api/runs/{finished}?x=1",
    "/api/runs/{finished}?label=team:data",
    "/api/runs/{finished}?wait=0",
    "/api/runs/{finished}?wait=61",
    "/api/runs/{finished}?wait=",
    "/api/runs/{finished}?wait=1.5",
    "/api/runs/{finished}?wait=1&wait=1",
    "/api/runs/{finished}/logs?level=loud",
    "/api/runs/{finished}/logs?limit=0",
    "/api/runs/{finished}/logs?limit=10001",
    "/api/runs/{finished}/logs?after=x",
    "/api/runs/{finished}/logs?after=-1",
    "/api/runs/{finished}/logs?after=18446744073709551616",
    "/api/runs/{finished}/logs?node_id=a%20b",
    "/api/runs/{finished}/logs/export?format=xml",
    "/api/runs/{finished}/logs/export?limit=1",
    "/api/runs/{finished}/nodes/load/preview?x=1",
    "/api/runs/{finished}/nodes/load/profile?x=1",
    "/api/runs/calendar?days=0",
    "/api/runs/calendar?days=366",
    "/api/runs/calendar?days=1&days=1",
    "/api/runs?from=2024-01-02T00:00:00Z&to=2024-01-01T00:00:00Z",
    "/api/search",
    "/api/search?q=%20",
    "/api/search?q=x&limit=101",
    "/api/search?q=x&q=y",
    "/api/ws?since=x",
    "/api/ws?since=-1",
    "/api/ws?since=1&since=2",
    "/api/ws?types=none",
    "/api/ws?run_id=x",
    "/api/events?since=x",
    "/api/events?since=1&since=2",
    "/api/events?types=none",
    "/api/events?run_id=x",
    "/api/connections?after=none",
    "/api/connections/taken?x=1",
    "/api/variables?after=none",
    "/api/variables/taken?x=1",
    "/api/pipelines/daily/backfills?after=none",
    "/api/backfills/{their_backfill}?x=1",
    "/api/deliveries?state=lost",
    "/api/deliveries?state=dead&state=dead",
    "/api/deliveries?after=none",
    "/api/deliveries/{waiting}?x=1",
];
