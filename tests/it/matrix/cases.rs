//! The status that each route returns to its own tenant and to another one.
//!
//! A route that has no case here fails the test.

use floret::testing::Route;
use serde_json::{Value, json};

/// The token of the webhook of the tenant's pipeline.
pub(super) const TOKEN: &str = "acme-webhook-token";

/// A request to a route, and the statuses that permitted callers receive.
pub(super) struct Case {
    pub(super) query: &'static str,
    pub(super) body: Option<Value>,
    /// The token of the webhook.
    pub(super) token: Option<&'static str>,
    /// The run that replaces `{run_id}`.
    pub(super) run: &'static str,
    /// The status for the tenant's own callers.
    pub(super) own: u16,
    /// The status for another tenant.
    pub(super) foreign: u16,
    /// Whether the route needs no credentials of a caller.
    pub(super) is_open: bool,
}

impl Case {
    const fn new(own: u16, foreign: u16) -> Self {
        Self {
            query: "",
            body: None,
            token: None,
            run: "finished",
            own,
            foreign,
            is_open: false,
        }
    }

    /// A route to one object, which another tenant cannot find.
    const fn object(own: u16) -> Self {
        Self::new(own, 404)
    }

    /// A route to a list or to figures. Another tenant receives its own, which are empty.
    const fn list() -> Self {
        Self::new(200, 200)
    }

    fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    const fn query(mut self, query: &'static str) -> Self {
        self.query = query;
        self
    }

    const fn run(mut self, run: &'static str) -> Self {
        self.run = run;
        self
    }
}

pub(super) fn case(route: &Route) -> Case {
    let name = format!("{} {}", route.method, route.path);
    let pipeline = json!({"name": "beta", "nodes": [{"id": "load", "type": "any"}]});
    match name.as_str() {
        "GET /health" => Case {
            is_open: true,
            ..Case::list()
        },
        "POST /pipelines/{id}/run" => Case::object(202),
        "POST /pipelines/{id}/webhook" => Case {
            is_open: true,
            token: Some(TOKEN),
            ..Case::object(202)
        },
        "POST /pipelines/{id}/dry-run" => Case::object(200),
        "PATCH /runs/{run_id}" => Case::object(200).body(json!({"labels": {"team": "data"}})),
        "POST /runs/{run_id}/cancel" => Case::object(200).run("running"),
        "POST /runs/cancel" | "POST /runs/rerun" => {
            Case::object(200).body(json!({"filter": {"pipeline_id": "acme-daily"}}))
        }
        "POST /runs/{run_id}/rerun" => Case::object(202).run("failed"),
        "POST /runs/{run_id}/resume" => Case::object(202).run("failed"),
        "POST /pipelines" => Case::new(201, 201).body(pipeline),
        "PUT /pipelines/{id}" => Case::object(200).body(pipeline),
        "DELETE /pipelines/{id}" => Case::object(409),
        "POST /pipelines/{id}/rollback" => Case::object(200).body(json!({"version": 1})),
        "POST /pipelines/{id}/pause" | "POST /pipelines/{id}/unpause" => Case::object(200),
        "POST /pipelines/{id}/backfill" => {
            Case::object(202).body(json!({"start_date": "2024-01-01", "end_date": "2024-01-02"}))
        }
        "GET /backfills/{backfill_id}" => Case::object(200),
        "POST /backfills/{backfill_id}/rerun" => Case::object(202).body(json!({"only": "all"})),
        // The backfill has already finished.
        "POST /backfills/{backfill_id}/cancel"
        | "POST /backfills/{backfill_id}/pause"
        | "POST /backfills/{backfill_id}/unpause" => Case::new(409, 404),
        "POST /connections" => Case::new(201, 201).body(json!({"conn_id": "beta", "type": "http"})),
        "POST /variables" => {
            Case::new(201, 201).body(json!({"key": "beta", "value": "b", "type": "string"}))
        }
        "PUT /connections/{conn_id}" => Case::object(200).body(json!({"type": "http"})),
        "PUT /variables/{key}" => Case::object(200).body(json!({"value": "b", "type": "string"})),
        "DELETE /connections/{conn_id}"
        | "DELETE /variables/{key}"
        | "DELETE /deliveries/{delivery_id}" => Case::object(204),
        "POST /deliveries/{delivery_id}/retry" => Case::object(200),
        "POST /system/purge" => Case::list().body(json!({"days": 30})),
        // The request has no upgrade headers, so a permitted caller receives 426.
        "GET /ws" => Case::new(426, 426),
        "GET /runs/{run_id}/logs/export" => Case::object(200).query("?format=ndjson"),
        "GET /events" => Case::list().query("?since=0"),
        "GET /search" => Case::list().query("?q=acme"),
        _ => plain_case(&name),
    }
}

/// Returns the case of a route without a body and a query.
fn plain_case(name: &str) -> Case {
    match name {
        "GET /runs"
        | "GET /pipelines"
        | "GET /connections"
        | "GET /variables"
        | "GET /deliveries"
        | "GET /audit"
        | "GET /runs/calendar"
        | "GET /dashboard"
        | "GET /lineage"
        | "GET /scheduler/status"
        | "GET /system/info"
        | "GET /capabilities"
        | "GET /openapi.json" => Case::list(),
        "GET /pipelines/{id}/runs"
        | "GET /runs/{run_id}"
        | "GET /runs/{run_id}/logs"
        | "GET /runs/{run_id}/nodes/{node_id}/preview"
        | "GET /runs/{run_id}/nodes/{node_id}/profile"
        | "GET /runs/{run_id}/nodes/{node_id}/attempts"
        | "GET /pipelines/{id}"
        | "GET /pipelines/{id}/grid"
        | "GET /pipelines/{id}/nodes/{node_id}/history"
        | "GET /pipelines/{id}/versions"
        | "GET /pipelines/{id}/versions/{version}"
        | "GET /pipelines/{id}/versions/{version}/diff/{to}"
        | "GET /pipelines/{id}/validate"
        | "GET /pipelines/{id}/backfills"
        | "GET /connections/{conn_id}"
        | "GET /deliveries/{delivery_id}"
        | "GET /variables/{key}" => Case::object(200),
        _ => panic!("no case covers {name}"),
    }
}
