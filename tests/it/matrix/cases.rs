//! What each route answers to its own tenant and to another one.
//!
//! A route that is missing here fails the test.

use floret::testing::Route;
use serde_json::{Value, json};

/// What a route is asked with, and what it answers to whoever is let in.
pub(super) struct Case {
    pub(super) query: &'static str,
    pub(super) body: Option<Value>,
    /// Which run stands for `{run_id}`.
    pub(super) run: &'static str,
    /// The status for the tenant's own callers.
    pub(super) own: u16,
    /// The status for another tenant.
    pub(super) foreign: u16,
    /// Whether everybody may ask.
    pub(super) is_open: bool,
}

impl Case {
    const fn new(own: u16, foreign: u16) -> Self {
        Self {
            query: "",
            body: None,
            run: "finished",
            own,
            foreign,
            is_open: false,
        }
    }

    /// One object: another tenant does not find it.
    const fn object(own: u16) -> Self {
        Self::new(own, 404)
    }

    /// A list, or figures: another tenant gets its own, which are none.
    const fn list() -> Self {
        Self::new(200, 200)
    }

    fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    const fn run(mut self, run: &'static str) -> Self {
        self.run = run;
        self
    }
}

pub(super) fn case(route: &Route) -> Case {
    let named = format!("{} {}", route.method, route.path);
    let pipeline = json!({"name": "beta", "nodes": [{"id": "load", "type": "any"}]});
    match named.as_str() {
        "GET /health" => Case {
            is_open: true,
            ..Case::list()
        },
        "POST /pipelines/{id}/run" => Case::object(202),
        "POST /pipelines/{id}/dry-run" => Case::object(200),
        "POST /runs/{run_id}/cancel" => Case::object(200).run("running"),
        "POST /runs/{run_id}/resume" => Case::object(202).run("failed"),
        "POST /pipelines" => Case::new(201, 201).body(pipeline),
        "PUT /pipelines/{id}" => Case::object(200).body(pipeline),
        "DELETE /pipelines/{id}" => Case::object(409),
        "GET /runs" | "GET /pipelines" => Case::list(),
        "GET /pipelines/{id}/runs"
        | "GET /runs/{run_id}"
        | "GET /runs/{run_id}/logs"
        | "GET /runs/{run_id}/logs/export"
        | "GET /runs/{run_id}/nodes/{node_id}/preview"
        | "GET /runs/{run_id}/nodes/{node_id}/profile"
        | "GET /pipelines/{id}"
        | "GET /pipelines/{id}/validate" => Case::object(200),
        _ => panic!("no case says what {named} answers"),
    }
}
