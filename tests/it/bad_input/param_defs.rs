//! Definitions of parameters that are wrong, and parameters that do not fit them.
//!
//! `parameters` covers query parameters.

use serde_json::{Value, json};

use super::definitions::{create_and_replace, graph};
use super::row::{Row, all, post};

pub(super) fn rows() -> Vec<Row> {
    [definitions(), patterns(), params_of_definitions(), starts()].concat()
}

/// Returns rows that save a pipeline with these definitions and parameters.
fn saves(defs: &Value, params: &Value, slug: &'static str, at: &str) -> Vec<Row> {
    let mut definition = graph(&["a"], &[]);
    definition["param_defs"] = defs.clone();
    definition["params"] = params.clone();
    let bad = create_and_replace(&definition).map(|bad| bad.at(at));
    all(422, slug, bad)
}

/// Definitions that are wrong, and where.
const WRONG: &[(&str, &str)] = &[
    ("{}", ""),
    ("null", ""),
    ("[5]", "/0"),
    (r#"[{"type": "string"}]"#, "/0/name"),
    (r#"[{"name": "a"}]"#, "/0/type"),
    (r#"[{"name": "a", "type": "int"}]"#, "/0/type"),
    (r#"[{"name": "", "type": "string"}]"#, "/0/name"),
    (
        r#"[{"name": "a", "type": "string"}, {"name": "a", "type": "date"}]"#,
        "/1/name",
    ),
    (
        r#"[{"name": "a", "type": "string", "required": 1}]"#,
        "/0/required",
    ),
    (
        r#"[{"name": "a", "type": "string", "default": null}]"#,
        "/0/default",
    ),
    (
        r#"[{"name": "a", "type": "string", "default": ["x"]}]"#,
        "/0/default",
    ),
    (
        r#"[{"name": "a", "type": "integer", "default": "05"}]"#,
        "/0/default",
    ),
    (
        r#"[{"name": "a", "type": "integer", "min": true}]"#,
        "/0/min",
    ),
    (
        r#"[{"name": "a", "type": "integer", "min": 2, "max": 1}]"#,
        "/0/max",
    ),
    (
        r#"[{"name": "a", "type": "date", "max": "2023-02-29"}]"#,
        "/0/max",
    ),
    (r#"[{"name": "a", "type": "boolean", "min": 1}]"#, "/0/min"),
    (r#"[{"name": "a", "type": "enum"}]"#, "/0/values"),
    (
        r#"[{"name": "a", "type": "enum", "values": []}]"#,
        "/0/values",
    ),
    (
        r#"[{"name": "a", "type": "enum", "values": [1]}]"#,
        "/0/values/0",
    ),
    (
        r#"[{"name": "a", "type": "enum", "values": ["x", "x"]}]"#,
        "/0/values/1",
    ),
    (
        r#"[{"name": "a", "type": "integer", "values": ["1"]}]"#,
        "/0/values",
    ),
    (
        r#"[{"name": "a", "type": "string", "pattern": "["}]"#,
        "/0/pattern",
    ),
    (
        r#"[{"name": "a", "type": "string", "pattern": "((a{99}){99}){99}"}]"#,
        "/0/pattern",
    ),
    (
        r#"[{"name": "a", "type": "integer", "pattern": "1"}]"#,
        "/0/pattern",
    ),
    (
        r#"[{"name": "a", "type": "string", "description": 5}]"#,
        "/0/description",
    ),
    (
        r#"[{"name": "a", "type": "string", "secret": "yes"}]"#,
        "/0/secret",
    ),
    (
        r#"[{"name": "a", "type": "integer", "secret": true}]"#,
        "/0/secret",
    ),
    (
        r#"[{"name": "a", "type": "string", "secret": true, "default": "x"}]"#,
        "/0/default",
    ),
    (r#"[{"name": "date", "type": "integer"}]"#, "/0/type"),
];

fn definitions() -> Vec<Row> {
    let mut rows = Vec::new();
    for (defs, at) in WRONG {
        let defs = serde_json::from_str(defs).unwrap();
        let at = format!("/param_defs{at}");
        rows.extend(saves(&defs, &json!({}), "invalid-field", &at));
    }
    let mistyped = json!([{"name": "a", "type": "string", "requierd": true}]);
    rows.extend(saves(
        &mistyped,
        &json!({}),
        "unknown-field",
        "/param_defs/0/requierd",
    ));
    let name = |index: i32| json!({"name": index.to_string(), "type": "string"});
    let many: Vec<_> = (0..257).map(name).collect();
    rows.extend(saves(
        &json!(many),
        &json!({}),
        "params-too-large",
        "/param_defs",
    ));
    rows
}

/// Returns rows of one pattern more than a pipeline may have.
fn patterns() -> Vec<Row> {
    let def = |index: usize| json!({"name": format!("p{index}"), "type": "string", "pattern": "a"});
    let defs = (0..9).map(def).collect();
    saves(&defs, &json!({}), "invalid-field", "/param_defs/8/pattern")
}

fn params_of_definitions() -> Vec<Row> {
    let defs = json!([
        {"name": "rows", "type": "integer", "max": 9},
        {"name": "table", "type": "string", "required": true}
    ]);
    let mut rows = Vec::new();
    for (params, at) in [
        (json!({"rows": 10}), "/params/rows"),
        (json!({"rows": "x"}), "/params/rows"),
        (json!({"row": 1}), "/params/row"),
        (json!({"date": "soon"}), "/params/date"),
    ] {
        let slug = if at == "/params/date" {
            "invalid-field"
        } else {
            "param-invalid"
        };
        rows.extend(saves(&defs, &params, slug, at));
    }
    let secret = json!([{"name": "code", "type": "string", "secret": true}]);
    rows.extend(saves(
        &secret,
        &json!({"code": "x"}),
        "invalid-field",
        "/params/code",
    ));
    let mut keyed = graph(&["a"], &[]);
    keyed["param_defs"] = secret;
    keyed["concurrency"] = json!({"key": "${param.code}"});
    let bad = create_and_replace(&keyed).map(|bad| bad.at("/concurrency/key"));
    rows.extend(all(422, "invalid-field", bad));
    let mut scheduled = graph(&["a"], &[]);
    scheduled["schedule"] = json!("@daily");
    scheduled["param_defs"] = defs;
    let bad = create_and_replace(&scheduled).map(|bad| bad.at("/param_defs/1"));
    rows.extend(all(422, "param-invalid", bad));
    rows
}

/// Runs, dry runs and backfills of the pipeline `typed` of the fixture.
fn starts() -> Vec<Row> {
    let mut rows = Vec::new();
    let long = "a".repeat(257);
    for (params, at, detail) in [
        (json!({}), "/params/table", "is missing"),
        (
            json!({"table": long}),
            "/params/table",
            "with a pattern, it has at most 256 bytes",
        ),
        (
            json!({"table": "A"}),
            "/params/table",
            "that matches [a-z]+ as a whole",
        ),
        (
            json!({"table": "a", "rows": 10}),
            "/params/rows",
            "9 or less, received \"10\"",
        ),
        (
            json!({"table": "a", "rows": "1.0"}),
            "/params/rows",
            "a whole number",
        ),
        (
            json!({"table": "a", "region": "nrth"}),
            "/params/region",
            "did you mean \"north\"?",
        ),
        (
            json!({"table": "a", "reigon": "north"}),
            "/params/reigon",
            "did you mean \"region\"?",
        ),
    ] {
        let given = json!({"params": params});
        let days = json!({"start_date": "2024-01-01", "end_date": "2024-01-02", "params": params});
        let mut preview = days.clone();
        preview["preview"] = json!(true);
        let actions = [("run", &given), ("dry-run", &given), ("backfill", &days)];
        let actions = actions.into_iter().chain([("backfill", &preview)]);
        let bad = actions.map(|(action, body)| {
            let path = format!("/api/pipelines/typed/{action}");
            post(path, body.to_string()).at(at).with_detail(detail)
        });
        rows.extend(all(422, "param-invalid", bad));
    }
    let resume = post("/api/runs/{untyped}/resume", r#"{"definition":"current"}"#);
    let resume = resume.at("/definition").with_detail("received \"many\"");
    rows.extend(all(422, "param-invalid", [resume]));
    rows
}
