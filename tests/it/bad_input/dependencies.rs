//! Dependencies that name no upstream, or one as no rule can.
//!
//! Circles of several pipelines are left to `dependencies`.

use serde_json::{Value, json};

use super::definitions::{create_and_replace, graph};
use super::row::{Row, TestRequest, put};

pub(super) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (value, at, detail) in ids().into_iter().chain(rules()) {
        rows.extend(refused(&value, at, detail).map(|bad| (bad, 422, "invalid-field")));
    }
    let mistyped = json!({"dependency_rules": [{"pipeline_id": "load", "within": 5}]});
    let bad = refused(&mistyped, "/dependency_rules/0/within", "within_seconds");
    rows.extend(bad.map(|bad| (bad, 422, "unknown-field")));
    let many: Vec<_> = (0..101).map(|n| format!("p{n}")).collect();
    let bad = refused(&json!({"depends_on": many}), "/depends_on", "at most 100");
    rows.extend(bad.map(|bad| (bad, 422, "definition-too-large")));
    let itself = definition(&json!({"depends_on": ["daily"]})).to_string();
    let itself = put("/api/pipelines/daily", itself).at("/depends_on/0");
    rows.push((itself, 422, "dependency-cycle"));
    rows
}

fn definition(members: &Value) -> Value {
    let mut definition = graph(&["a"], &[]);
    for (name, value) in members.as_object().unwrap() {
        definition[name] = value.clone();
    }
    definition
}

fn refused(members: &Value, at: &str, detail: &'static str) -> [TestRequest; 2] {
    create_and_replace(&definition(members)).map(|bad| bad.at(at).with_detail(detail))
}

fn ids() -> Vec<(Value, &'static str, &'static str)> {
    let ids = |value: Value| json!({"depends_on": value});
    vec![
        (ids(json!("load")), "/depends_on", "an array"),
        (ids(json!([1])), "/depends_on/0", "a string"),
        (ids(json!(["a/b"])), "/depends_on/0", "a/b"),
        (ids(json!(["a", "a"])), "/depends_on/1", "once as a gate"),
    ]
}

fn rules() -> Vec<(Value, &'static str, &'static str)> {
    let rules = |value: Value| json!({"dependency_rules": value});
    let with = |field: &str, value: Value| {
        let mut rule = json!({"pipeline_id": "load"});
        rule[field] = value;
        rules(json!([rule]))
    };
    let twice = json!([
        {"pipeline_id": "load", "mode": "any"},
        {"pipeline_id": "load", "mode": "all"},
    ]);
    let at = "/dependency_rules/0";
    let (mode, state) = ("/dependency_rules/0/mode", "/dependency_rules/0/state");
    let within = "/dependency_rules/0/within_seconds";
    let upstream = [
        "/dependency_rules/0/pipeline_id",
        "/dependency_rules/1/pipeline_id",
    ];
    vec![
        (
            rules(json!({"pipeline_id": "load"})),
            "/dependency_rules",
            "an array",
        ),
        (rules(json!(["load"])), at, "an object"),
        (rules(json!([{}])), upstream[0], "missing"),
        (with("mode", json!("soon")), mode, "gate, any or all"),
        (with("state", json!("success")), state, "succeeded, failed"),
        (with("within_seconds", json!(-1)), within, "0.001"),
        (with("within_seconds", json!("1h")), within, "1h"),
        (
            with("within_seconds", json!(31_536_001)),
            within,
            "31536000",
        ),
        (rules(twice), upstream[1], "any or all"),
    ]
}
