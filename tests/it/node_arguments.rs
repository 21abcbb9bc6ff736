//! The state of a host and the config of a node as arguments of functions.
//!
//! Inputs are left to `dataflow`, the wire format of refusals to `bad_input`.

use std::collections::HashMap;
use std::sync::Arc;

use floret::executor::{Config, Ctx, ExecutorError, NodeCall, State};
use floret::testing::{memory, run_to_end};
use floret::{Builder, Dataset, Node, Pipeline, Problem, RunStatus};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::wire::{Backend, Host};

#[derive(Clone)]
struct Geo {
    country: &'static str,
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
struct Fetch {
    table: String,
    rows: u64,
    #[serde(default, alias = "dry")]
    is_dry: bool,
    #[serde(default)]
    mode: Mode,
    filter: Option<Filter>,
    #[serde(default)]
    shares: Vec<f64>,
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
struct Filter {
    column: String,
    at_least: Option<i64>,
}

#[derive(Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Mode {
    #[default]
    Full,
    Newest(u32),
}

async fn fetch(
    rows: Vec<Value>,
    Config(own): Config<Fetch>,
    ctx: Ctx,
    State(geo): State<Geo>,
) -> Result<Value, ExecutorError> {
    Ok(json!({
        "node": ctx.node.id,
        "country": geo.country,
        "config": format!("{own:?}"),
        "inputs": rows.len(),
    }))
}

async fn ones(_: Ctx) -> Result<Vec<Value>, ExecutorError> {
    Ok(vec![json!({"n": 1}); 3])
}

fn builder(builder: Builder) -> Builder {
    builder
        .node("ones", ones)
        .node("fetch", fetch)
        .state(Geo { country: "NZ" })
}

fn definition(config: &Value) -> Value {
    let node = json!({"id": "fetch", "type": "fetch", "config": config});
    json!({"id": "fetched", "name": "fetched", "nodes": [node]})
}

/// Saves a pipeline with this config over HTTP. Returns the pointers and details of its refusal.
async fn problems(host: &Host, config: &Value) -> Vec<(String, String)> {
    let response = host.post("/api/pipelines", Some(&definition(config))).await;
    response.assert_problem(422, "invalid-field");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let body = response.json();
    let errors = body["errors"].as_array().unwrap().iter();
    errors
        .map(|error| (text(&error["pointer"]), text(&error["detail"])))
        .collect()
}

#[tokio::test]
async fn a_function_gets_state_config_context_and_rows_in_any_order() {
    let config = json!({
        "table": "t_${param.table}",
        "rows": "${param.rows}",
        "is_dry": "${param.dry}",
        "mode": {"newest": "${param.rows}"},
        "filter": {"column": "id", "at_least": "${param.rows}"},
        "shares": ["${param.rows}", 0.5],
        "max_retries": 1,
        "timeout": 60,
    });
    let mut node = Node::new("fetch", "fetch");
    node.config = config.as_object().unwrap().clone();
    let pipeline = Pipeline::new("daily")
        .param("rows", "5")
        .param("table", "7")
        .param("dry", "true")
        .node("ones", "ones")
        .with(node)
        .after("ones");
    let finished = run_to_end(builder(memory()), pipeline).await.unwrap();
    assert_eq!(finished.detail.run.error, None);
    let expected = Fetch {
        table: "t_7".to_owned(),
        rows: 5,
        is_dry: true,
        mode: Mode::Newest(5),
        filter: Some(Filter {
            column: "id".to_owned(),
            at_least: Some(5),
        }),
        shares: vec![5.0, 0.5],
    };
    let rows: Vec<Value> = finished.handle.output("fetch").await.unwrap();
    let expected = json!({
        "node": "fetch",
        "country": "NZ",
        "config": format!("{expected:?}"),
        "inputs": 3,
    });
    assert_eq!(rows, [expected]);
}

#[tokio::test]
async fn a_value_that_does_not_fit_once_it_is_resolved_fails_the_node_at_once() {
    let node = Node::new("fetch", "fetch")
        .config("table", "orders")
        .config("rows", "${param.rows}")
        .config("max_retries", 3);
    let pipeline = Pipeline::new("daily").param("rows", "many").with(node);
    let finished = run_to_end(builder(memory()), pipeline).await.unwrap();
    assert_eq!(finished.status(), RunStatus::Failed);
    assert_eq!(finished.detail.nodes[0].attempt, Some(1));
    assert_eq!(
        finished.detail.run.error.as_deref(),
        Some(
            "node fetch: the node's config does not fit at /rows: expected u64, not string \"many\""
        )
    );
}

#[tokio::test]
async fn unknown_keys_and_values_of_the_wrong_type_are_refused_when_a_pipeline_is_saved() {
    let host = Host::build(Backend::Memory, builder).await;
    let config = json!({
        "tabel": "orders",
        "rows": "5",
        "filter": {"column": 7, "at_last": 1},
        "mode": "newer",
        "shares": [0.5, "half", "${param.share}"],
        "retry_delay": 10,
        "is_dry": "${param.dry}",
    });
    let pairs = [
        ("filter/column", "expected a string, not integer `7`"),
        (
            "mode",
            "unknown variant `newer`, expected `full` or `newest`",
        ),
        ("rows", "expected u64, not string \"5\""),
        ("shares/1", "expected f64, not string \"half\""),
        ("table", "the key \"table\" is missing"),
        (
            "filter/at_last",
            "this node reads no key \"at_last\"; did you mean \"at_least\"?",
        ),
        (
            "tabel",
            "this node reads no key \"tabel\"; did you mean \"table\"?",
        ),
    ];
    let expected = pairs.map(|(at, detail)| (format!("/nodes/0/config/{at}"), detail.to_owned()));
    assert_eq!(problems(&host, &config).await, expected);
}

#[tokio::test]
async fn a_config_whose_values_have_templates_is_saved() {
    let host = Host::build(Backend::Memory, builder).await;
    let config = json!({
        "table": "orders",
        "rows": "${param.rows}",
        "dry": "${var.DRY}",
        "mode": "${param.mode}",
        "filter": "${param.filter}",
        "shares": ["1${param.share}"],
        "max_retries": 3,
    });
    let created = host
        .post("/api/pipelines", Some(&definition(&config)))
        .await;
    assert_eq!(created.status, 201, "{created:?}");
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its check is tested")]
struct Strict {
    table: String,
    timeout: u32,
}

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only its check is tested")]
struct Flat {
    table: String,
    #[serde(flatten)]
    page: FlatPage,
}

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only its check is tested")]
struct FlatPage {
    size: u32,
}

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only its check is tested")]
struct Owner {
    owner: String,
}

async fn strict(_: Config<Strict>) -> Result<(), ExecutorError> {
    Ok(())
}

async fn flat(_: Config<Flat>) -> Result<(), ExecutorError> {
    Ok(())
}

async fn any_numbers(_: Config<HashMap<String, u32>>) -> Result<(), ExecutorError> {
    Ok(())
}

async fn two_configs(_: Config<Fetch>, _: Config<Owner>) -> Result<(), ExecutorError> {
    Ok(())
}

#[tokio::test]
async fn the_keys_of_the_type_alone_are_known_besides_those_of_the_engine() {
    let host = Host::build(Backend::Memory, |builder| {
        builder
            .node("strict", strict)
            .node("flat", flat)
            .node("any_numbers", any_numbers)
            .node("two_configs", two_configs)
    })
    .await;
    let check = async |kind: &str, config: Value| {
        let node = json!({"id": "a", "type": kind, "config": config});
        let pipeline = json!({"id": kind, "name": kind, "nodes": [node]});
        let response = host.post("/api/pipelines", Some(&pipeline)).await.json();
        let errors = response["errors"].as_array().cloned().unwrap_or_default();
        let pointer = |error: &Value| error["pointer"].as_str().unwrap().to_owned();
        errors.iter().map(pointer).collect::<Vec<_>>()
    };
    let none: [&str; 0] = [];
    let at = |key: &str| vec![format!("/nodes/0/config/{key}")];
    let strict = json!({"table": "t", "timeout": 5, "max_retries": 1});
    assert_eq!(check("strict", strict).await, none);
    let strict = json!({"table": "t", "timeout": 5, "tables": 1});
    assert_eq!(check("strict", strict).await, at("tables"));
    let flat = json!({"table": "t", "size": 5, "max_retries": 1});
    assert_eq!(check("flat", flat).await, none);
    let flat = json!({"table": "t", "size": 5, "sise": 1});
    assert_eq!(check("flat", flat).await, at("sise"));
    let numbers = json!({"a": 1, "b": 2, "timeout": 0.5});
    assert_eq!(check("any_numbers", numbers).await, none);
    let numbers = json!({"a": 1, "b": "x"});
    assert_eq!(check("any_numbers", numbers).await, at("b"));
    let both = json!({"table": "t", "rows": 1, "owner": "me"});
    assert_eq!(check("two_configs", both).await, none);
    let both = json!({"table": "t", "rows": 1, "owner": "me", "own": 1});
    assert_eq!(check("two_configs", both).await, at("own"));
}

#[tokio::test]
async fn capabilities_show_the_schema_of_a_config() {
    let host = Host::build(Backend::Memory, builder).await;
    let found = host.get("/api/capabilities").await.json();
    let schemas = found["node_type_config"].as_object().unwrap();
    assert_eq!(schemas.keys().collect::<Vec<_>>(), ["fetch"]);
    let schema = &schemas["fetch"];
    assert_eq!(schema["properties"]["table"], json!({"type": "string"}));
    assert_eq!(schema["required"], json!(["table", "rows"]));
}

#[tokio::test]
async fn a_state_that_was_not_given_is_reported_at_the_start() {
    let refused = memory()
        .node("ones", ones)
        .node("fetch", fetch)
        .start()
        .await;
    let error = refused.unwrap_err();
    assert_eq!(error.problem(), Problem::StateMissing);
    let name = std::any::type_name::<Geo>();
    let detail = &error.issues()[0].detail;
    assert!(detail.contains("node type fetch"), "{detail}");
    assert!(detail.contains(name), "{detail}");
}

#[tokio::test]
async fn two_states_of_one_type_are_refused() {
    let twice = builder(memory()).state(Geo { country: "DE" });
    let error = twice.start().await.unwrap_err();
    assert_eq!(error.problem(), Problem::StateTwice);
    let others = builder(memory()).state(Arc::new(Geo { country: "DE" }));
    assert!(others.start().await.is_ok());
}

async fn count(call: NodeCall, State(geo): State<Geo>) -> Result<Value, ExecutorError> {
    Ok(json!({"inputs": call.inputs.len(), "country": geo.country}))
}

async fn join(a: Dataset, ctx: Ctx, b: Vec<Value>, again: Ctx) -> Result<Value, ExecutorError> {
    assert_eq!(ctx.run_id, again.run_id);
    Ok(json!({"a": a.row_count(), "b": b.len()}))
}

#[tokio::test]
async fn a_call_and_two_inputs_may_stand_anywhere() {
    let builder = builder(memory()).node("count", count).node("join", join);
    let pipeline = Pipeline::new("daily")
        .node("one", "ones")
        .node("other", "ones")
        .node("join", "join")
        .edge("one", "join")
        .edge("other", "join")
        .node("count", "count")
        .edge("one", "count")
        .edge("other", "count");
    let finished = run_to_end(builder, pipeline).await.unwrap();
    let joined: Vec<Value> = finished.handle.output("join").await.unwrap();
    assert_eq!(joined, [json!({"a": 3, "b": 3})]);
    let counted: Vec<Value> = finished.handle.output("count").await.unwrap();
    assert_eq!(counted, [json!({"inputs": 2, "country": "NZ"})]);
}
