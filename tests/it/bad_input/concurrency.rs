//! Concurrency keys that are wrong, or that no run can have.
//!
//! `concurrency` tests runs that are refused for want of their key.

use serde_json::{Value, json};

use super::definitions::{create_and_replace, graph};
use super::row::{Row, all};

pub(super) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (key, at, detail) in wrong() {
        rows.extend(refused(
            &json!({"concurrency": key}),
            "invalid-field",
            at,
            detail,
        ));
    }
    let mistyped = json!({"concurrency": {"key": "a", "limit": 2}});
    rows.extend(refused(
        &mistyped,
        "unknown-field",
        "/concurrency/limit",
        "key, max",
    ));
    for started in [
        json!({"schedule": "@daily"}),
        json!({"dependency_rules": [{"pipeline_id": "load", "mode": "any"}]}),
    ] {
        let mut given = started;
        given["concurrency"] = json!({"key": "${param.customer}"});
        rows.extend(refused(&given, "invalid-field", AT_KEY, "is missing"));
    }
    let long = json!({
        "schedule": "@daily",
        "params": {"customer": "x".repeat(256)},
        "concurrency": {"key": "${param.customer}"},
    });
    rows.extend(refused(
        &long,
        "invalid-field",
        AT_KEY,
        "at most 255 characters",
    ));
    rows
}

const AT: &str = "/concurrency";
const AT_KEY: &str = "/concurrency/key";

fn refused(members: &Value, slug: &'static str, at: &str, detail: &'static str) -> Vec<Row> {
    let mut definition = graph(&["a"], &[]);
    for (name, value) in members.as_object().unwrap() {
        definition[name] = value.clone();
    }
    let bad = create_and_replace(&definition).map(|bad| bad.at(at).with_detail(detail));
    all(422, slug, bad)
}

fn wrong() -> Vec<(Value, &'static str, &'static str)> {
    let with = |field: &str, value: Value| {
        let mut key = json!({"key": "a"});
        key[field] = value;
        key
    };
    vec![
        (json!("${param.customer}"), AT, "an object"),
        (Value::Null, AT, "an object"),
        (json!({}), AT_KEY, "missing"),
        (with("key", json!(5)), AT_KEY, "a string"),
        (with("key", json!("")), AT_KEY, "1 to 255 characters"),
        (with("key", json!("a".repeat(256))), AT_KEY, "received 256"),
        (with("key", json!("${run.id}")), AT_KEY, "${run.id}"),
        (with("key", json!("${var.BUCKET}")), AT_KEY, "${var.BUCKET}"),
        (with("key", json!("${params.a}")), AT_KEY, "${params.a}"),
        (with("max", json!(0)), "/concurrency/max", "1 to 1000"),
        (with("max", json!(1_001)), "/concurrency/max", "1001"),
        (with("max", json!("2")), "/concurrency/max", "whole number"),
        (
            with("on_conflict", json!("wait")),
            "/concurrency/on_conflict",
            "queue",
        ),
    ]
}
