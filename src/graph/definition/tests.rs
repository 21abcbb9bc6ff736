//! Definitions from JSON and from code: what is read, kept and refused.

use std::time::Duration;

use proptest::prelude::{Strategy, any, prop};
use serde_json::json;

use super::*;
use crate::error::{ErrorKind, IssueLocation};
use crate::model::Concurrency;

fn parsed(value: Value) -> Result<Pipeline> {
    parse(value, || "made".to_owned(), &Limits::default())
}

/// Returns the slug and every pointer with its detail.
fn refused(value: Value) -> (&'static str, Vec<(String, String)>) {
    let error = parsed(value).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let issues = error.issues().iter().map(|issue| match &issue.location {
        IssueLocation::Pointer(pointer) => (pointer.clone(), issue.detail.clone()),
        IssueLocation::Parameter(name) => panic!("{name} is not a pointer"),
    });
    (error.slug(), issues.collect())
}

fn pointers(value: Value) -> Vec<String> {
    let (slug, issues) = refused(value);
    assert_eq!(slug, "invalid-field", "{issues:?}");
    issues.into_iter().map(|(pointer, _)| pointer).collect()
}

/// Returns a definition of one node with one field set, or without the field for `None`.
fn with(field: &str, value: Option<Value>) -> Value {
    let mut definition = json!({"name": "p", "nodes": [{"id": "a", "type": "x"}]});
    let fields = definition.as_object_mut().unwrap();
    match value {
        Some(value) => fields.insert(field.to_owned(), value),
        None => fields.remove(field),
    };
    definition
}

#[test]
fn an_omitted_field_has_its_default() {
    let pipeline = parsed(with("description", None)).unwrap();
    let expected = Pipeline::new("made").name("p").node("a", "x");
    assert_eq!(pipeline, expected);
    assert!(pipeline.enabled);
}

#[test]
fn every_field_is_read_and_unknown_fields_are_kept() {
    let definition = json!({
        "id": "daily", "pipeline_id": "Daily.Load", "name": "Tägliches Laden", "description": "a\nb",
        "nodes": [
            {"id": "load", "type": "source", "name": "Load it", "config": {"path": "in.csv"}, "x": 1},
            {"id": "sum", "type": "sql"}
        ],
        "edges": [{"from": "load", "to": "sum", "condition": true, "label": "rows"}],
        "params": {"date": "2024-01-15", "limit": 10}, "tags": ["etl"], "enabled": false,
        "timeout": 1.5, "max_concurrent_runs": 2, "concurrency": {"key": "${param.limit}", "max": 3},
        "schedule": "0 6 * * *", "schedule_timezone": "Europe/Berlin",
        "catch_up": true, "overlap": "skip", "owner": {"team": ["data"]}
    });
    let load = Node::new("load", "source").name("Load it");
    let expected = Pipeline::new("daily")
        .name("Tägliches Laden")
        .with(load.config("path", "in.csv").extra("x", 1))
        .node("sum", "sql")
        .with_edge(
            Edge::new("load", "sum")
                .condition(true)
                .extra("label", "rows"),
        )
        .param("date", "2024-01-15")
        .param("limit", "10")
        .timeout(Duration::from_millis(1_500))
        .max_concurrent_runs(2)
        .concurrency(Concurrency::new("${param.limit}").max(3))
        .schedule("0 6 * * *")
        .schedule_timezone("Europe/Berlin")
        .catch_up()
        .overlap(Overlap::Skip)
        .slug("Daily.Load")
        .description("a\nb")
        .tag("etl")
        .disabled()
        .extra("owner", json!({"team": ["data"]}));
    assert_eq!(parsed(definition.clone()).unwrap(), expected);
    let mut written = serde_json::to_value(&expected).unwrap();
    written["params"]["limit"] = json!(10);
    written["nodes"][1]
        .as_object_mut()
        .unwrap()
        .retain(|key, _| key == "id" || key == "type");
    assert_eq!(written, definition, "every field is written as it was read");
}

#[test]
fn a_body_that_is_not_an_object_is_reported_at_the_root() {
    for (value, received) in [
        (json!([]), "an array"),
        (json!(5), "5"),
        (json!(null), "null"),
    ] {
        let issues = format!("a pipeline must be an object, received {received}");
        assert_eq!(
            refused(value),
            ("invalid-field", vec![(String::new(), issues)])
        );
    }
}

#[test]
fn all_issues_are_reported_at_once_each_with_its_pointer() {
    let definition = json!({
        "id": "a b", "name": 5, "description": null, "enabled": "yes", "timeout": -1,
        "max_concurrent_runs": 0, "tags": ["ok", 7, "\u{7}"], "params": {"ok": 1, "bad": []},
        "nodes": [
            {"type": "x", "config": {"max_retries": 101, "timeout": "5s"}},
            "node",
            {"id": "b", "type": "", "name": "", "config": []}
        ],
        "edges": [{"from": 1, "condition": "yes"}]
    });
    let mut issues = pointers(definition);
    issues.sort();
    assert_eq!(
        issues,
        [
            "/description",
            "/edges/0/condition",
            "/edges/0/from",
            "/edges/0/to",
            "/enabled",
            "/id",
            "/max_concurrent_runs",
            "/name",
            "/nodes/0/config/max_retries",
            "/nodes/0/config/timeout",
            "/nodes/0/id",
            "/nodes/1",
            "/nodes/2/config",
            "/nodes/2/name",
            "/nodes/2/type",
            "/params/bad",
            "/tags/1",
            "/tags/2",
            "/timeout",
        ]
    );
}

#[test]
fn at_most_twenty_issues_are_reported() {
    let nodes: Vec<_> = (0..100).map(|_| json!({})).collect();
    assert_eq!(pointers(with("nodes", Some(json!(nodes)))).len(), 20);
}

#[test]
fn strings_and_numbers_have_bounds() {
    let letters = |count: usize| Some(json!("ä".repeat(count)));
    for (field, good, bad) in [
        ("name", letters(255), letters(256)),
        ("name", letters(1), letters(0)),
        ("name", Some(json!("a b")), Some(json!("a\tb"))),
        ("description", letters(2_000), letters(2_001)),
        (
            "id",
            Some(json!("a".repeat(128))),
            Some(json!("a".repeat(129))),
        ),
        ("pipeline_id", Some(json!("A.b")), Some(json!("a/b"))),
        ("slug", Some(json!("A.b")), Some(json!("a/b"))),
        ("timeout", Some(json!(0.5)), Some(json!(0))),
        ("timeout", Some(json!(31_536_000)), Some(json!(31_536_001))),
        ("timeout", None, Some(json!("60"))),
        ("timeout", None, Some(json!(null))),
        (
            "max_concurrent_runs",
            Some(json!(1)),
            Some(json!(4_294_967_296_u64)),
        ),
        (
            "max_concurrent_runs",
            Some(json!(u32::MAX)),
            Some(json!(1.5)),
        ),
        ("enabled", Some(json!(false)), Some(json!(0))),
        ("schedule", Some(json!("@daily")), Some(json!(5))),
        ("schedule_timezone", Some(json!("UTC")), Some(json!(null))),
        ("overlap", Some(json!("queue")), Some(json!("Queue"))),
        ("overlap", Some(json!("skip")), Some(json!(true))),
        ("catch_up", Some(json!(true)), Some(json!("true"))),
        ("catch_up_all", Some(json!(true)), Some(json!(1))),
        ("catch_up_max", Some(json!(1)), Some(json!(0))),
        ("catch_up_max", Some(json!(100)), Some(json!(101))),
        ("edges", Some(json!([])), Some(json!({}))),
        ("params", Some(json!({})), Some(json!([]))),
    ] {
        assert!(
            parsed(with(field, good.clone())).is_ok(),
            "{field}: {good:?}"
        );
        assert_eq!(pointers(with(field, bad)), [format!("/{field}")]);
    }
    let params = |name: &str| with("params", Some(json!({ name: "x" })));
    assert!(parsed(params("a b")).is_ok());
    assert_eq!(pointers(params("a}/b")), ["/params/a}~1b"]);
}

#[test]
fn a_concurrency_key_has_bounds_and_known_fields() {
    for good in [
        json!({"key": "a"}),
        json!({"key": "a".repeat(255), "max": 1_000, "on_conflict": "queue"}),
        json!({"key": "${run.date}", "max": 1.0}),
    ] {
        assert!(
            parsed(with("concurrency", Some(good.clone()))).is_ok(),
            "{good}"
        );
    }
    for (bad, at) in [
        (json!("a"), ""),
        (json!(null), ""),
        (json!({"max": 1}), "/key"),
        (json!({"key": 1}), "/key"),
        (json!({"key": ""}), "/key"),
        (json!({"key": "a".repeat(256)}), "/key"),
        (json!({"key": "a\tb"}), "/key"),
        (json!({"key": "a", "max": 0}), "/max"),
        (json!({"key": "a", "max": 1_001}), "/max"),
        (json!({"key": "a", "max": 1.5}), "/max"),
        (json!({"key": "a", "on_conflict": "wait"}), "/on_conflict"),
    ] {
        let expected = [format!("/concurrency{at}")];
        assert_eq!(pointers(with("concurrency", Some(bad))), expected);
    }
    let (slug, issues) = refused(with("concurrency", Some(json!({"key": "a", "limit": 2}))));
    assert_eq!(
        (slug, &*issues[0].0),
        ("unknown-field", "/concurrency/limit")
    );
}

#[test]
fn a_condition_may_be_a_text_that_is_empty_if_there_is_none() {
    for (given, expected) in [
        (json!(true), Some(true)),
        (json!("true"), Some(true)),
        (json!(false), Some(false)),
        (json!("false"), Some(false)),
        (json!(""), None),
    ] {
        let nodes = json!([{"id": "a", "type": "x"}, {"id": "b", "type": "x"}]);
        let edges = json!([{"from": "a", "to": "b", "condition": given}]);
        let pipeline = parsed(json!({"name": "p", "nodes": nodes, "edges": edges})).unwrap();
        assert_eq!(pipeline.edges[0].condition, expected, "{given}");
    }
}

#[test]
fn an_empty_schedule_counts_as_no_schedule() {
    let pipeline = parsed(with("schedule", Some(json!("")))).unwrap();
    assert_eq!(pipeline.schedule, None);
}

#[test]
fn an_invalid_schedule_has_its_own_slug_and_pointer() {
    for (field, value, slug) in [
        ("schedule", "61 * * * *", "cron-invalid"),
        ("schedule", " ", "cron-invalid"),
        ("schedule", &" ".repeat(257), "cron-too-long"),
        ("schedule", "0 0 30 2 *", "cron-never-fires"),
        ("schedule_timezone", "Europe/Berln", "timezone-unknown"),
    ] {
        let (actual_slug, issues) = refused(with(field, Some(json!(value))));
        assert_eq!((actual_slug, issues.len()), (slug, 1), "{issues:?}");
        assert_eq!(issues[0].0, format!("/{field}"));
    }
    let mut both = with("schedule", Some(json!("61 * * * *")));
    both["schedule_timezone"] = json!("Nowhere");
    both["overlap"] = json!("replace");
    both["catch_up"] = json!("yes");
    let all = ["/catch_up", "/overlap", "/schedule", "/schedule_timezone"];
    assert_eq!(pointers(both), all);
}

#[test]
fn catch_up_has_an_alias_and_is_refused_under_both_names() {
    for given in [true, false] {
        for name in ["catch_up", "catchup"] {
            let pipeline = parsed(with(name, Some(json!(given)))).unwrap();
            assert_eq!((pipeline.catch_up, pipeline.extra.len()), (given, 0));
        }
    }
    let mut both = with("catch_up", Some(json!(true)));
    both["catchup"] = json!(true);
    assert_eq!(pointers(both), ["/catchup"]);
}

#[test]
fn a_missing_required_field_is_reported() {
    let cases = [("name", "a string"), ("nodes", "an array of nodes")];
    for (field, expects) in cases {
        let issues = format!("{field} is missing; it must be {expects}");
        let expected = ("invalid-field", vec![(format!("/{field}"), issues)]);
        assert_eq!(refused(with(field, None)), expected);
    }
}

#[test]
fn problems_of_the_graph_are_reported_once_the_fields_are_valid() {
    let node = |id: &str| json!({"id": id, "type": "x"});
    let edge = |from: &str, to: &str| json!({"from": from, "to": to});
    for (nodes, edges, slug) in [
        (vec![], vec![], "graph-empty"),
        (vec![node("a"), node("a")], vec![], "graph-invalid"),
        (vec![node("a")], vec![edge("a", "b")], "graph-invalid"),
        (
            vec![node("a"), node("b")],
            vec![edge("a", "b"), edge("b", "a")],
            "graph-cycle",
        ),
        (vec![json!(1); 1_001], vec![], "graph-too-large"),
        (vec![node("a")], vec![json!(1); 20_001], "graph-too-large"),
    ] {
        let definition = json!({"name": "p", "nodes": nodes, "edges": edges});
        assert_eq!(refused(definition).0, slug);
    }
    let both = json!({"name": 1, "nodes": []});
    assert_eq!(pointers(both), ["/name"]);
}

#[test]
fn the_configured_limits_apply() {
    let limits = Limits {
        nodes_max: 1,
        ..Limits::default()
    };
    let pipeline = Pipeline::new("p").node("a", "x").node("b", "x");
    let error = check(&pipeline, &limits).unwrap_err();
    assert_eq!(error.problem(), Problem::GraphTooLarge);
    let value = serde_json::to_value(&pipeline).unwrap();
    let error = parse(value, String::new, &limits).unwrap_err();
    assert_eq!(error.problem(), Problem::GraphTooLarge);
}

#[test]
fn a_pipeline_built_in_code_is_checked_by_the_same_rules() {
    let mut pipeline = Pipeline::new("a b")
        .name("")
        .node("a", "")
        .timeout(Duration::ZERO);
    pipeline.nodes[0]
        .extra
        .insert("type".to_owned(), json!("y"));
    let deep = (0..124).fold(json!(1), |inner, _| json!([inner]));
    pipeline = pipeline.with(Node::new("b", "x").config("fits", deep.clone()));
    pipeline = pipeline.with(Node::new("c", "x").config("deep", json!([deep])));
    let error = check(&pipeline, &Limits::default()).unwrap_err();
    assert_eq!(error.problem(), Problem::InvalidField);
    let issues: Vec<_> = error
        .issues()
        .iter()
        .map(|issue| issue.location.clone())
        .collect();
    let expected = [
        "/id",
        "/name",
        "/nodes/0/type",
        "/nodes/2/config/deep",
        "/timeout",
    ];
    assert_eq!(
        issues,
        expected.map(|at| IssueLocation::Pointer(at.to_owned()))
    );
    assert_eq!(
        check(&Pipeline::new("p").node("a", "x"), &Limits::default())
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn a_definition_of_128_levels_is_read_written_and_read_again() {
    let deep = format!("{}{}", "[".repeat(124), "]".repeat(124));
    let text =
        format!(r#"{{"name":"p","nodes":[{{"id":"a","type":"x","config":{{"deep":{deep}}}}}]}}"#);
    let pipeline = Pipeline::from_json(&text).unwrap();
    let written = serde_json::to_vec(&pipeline).unwrap();
    assert_eq!(json::decode::<Pipeline>(&written).unwrap(), pipeline);
}

#[test]
fn a_definition_without_an_id_has_the_slug_of_its_name_as_id() {
    let text = |name: &str| with("name", Some(json!(name))).to_string();
    assert_eq!(
        Pipeline::from_json(&text("Daily load")).unwrap().id,
        "daily-load"
    );
    let error = Pipeline::from_json(&text("日本")).unwrap_err();
    assert_eq!(
        error.issues()[0].location,
        IssueLocation::Pointer("/id".to_owned())
    );
    let error = Pipeline::from_json("{").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
}

fn any_json() -> impl Strategy<Value = Value> {
    let number = prop::num::f64::NORMAL | prop::num::f64::ZERO | prop::num::f64::SUBNORMAL;
    let leaf = proptest::prop_oneof![
        proptest::prelude::Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        number.prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        proptest::prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            any_map(inner).prop_map(Value::Object),
        ]
    })
}

fn any_map(
    value: impl Strategy<Value = Value>,
) -> impl Strategy<Value = serde_json::Map<String, Value>> {
    // Floret's own fields and the keys that the engine reads have at least three letters.
    prop::collection::btree_map("[^a-z]{0,2}[A-Z$/~]", value, 0..4)
        .prop_map(|map| map.into_iter().collect())
}

proptest::proptest! {
    #[test]
    fn a_definition_written_and_read_again_is_the_same(
        extra in any_map(any_json()),
        config in any_map(any_json()),
        node_extra in any_map(any_json()),
        edge_extra in any_map(any_json()),
        timeout_ms in prop::option::of(1..=31_536_000_000_u64),
        runs in prop::option::of(1_u32..),
        enabled in any::<bool>(),
        zone in prop::option::of(prop::sample::select(vec!["UTC", "Europe/Berlin"])),
        (catch_up, catch_up_max, daily) in any::<(bool, Option<u32>, bool)>(),
        overlap in 0..3_usize,
        name in "\\PC{1,255}",
        description in ".{0,200}",
    ) {
        let mut pipeline = Pipeline::new("p").node("a", "x").node("b", "y").after("a").name(name);
        pipeline.description = description;
        pipeline.enabled = enabled;
        pipeline.timeout = timeout_ms.map(Duration::from_millis);
        pipeline.max_concurrent_runs = runs;
        pipeline.schedule = daily.then(|| "@daily".to_owned());
        pipeline.schedule_timezone = zone.map(str::to_owned);
        pipeline.catch_up = catch_up;
        pipeline.catch_up_all = daily && overlap == 0;
        pipeline.catch_up_max = catch_up_max.map(|max| 1 + max % 100);
        pipeline.overlap = Overlap::ALL[overlap];
        pipeline.extra = extra;
        pipeline.nodes[0].config = config;
        pipeline.nodes[1].extra = node_extra;
        pipeline.edges[0].extra = edge_extra;
        let text = serde_json::to_string(&pipeline).unwrap();
        assert_eq!(&Pipeline::from_json(&text).unwrap(), &pipeline);
        let stored: Pipeline = json::decode(text.as_bytes()).unwrap();
        assert_eq!(&stored, &pipeline);
        assert_eq!(serde_json::to_string(&stored).unwrap(), text);
    }
}
