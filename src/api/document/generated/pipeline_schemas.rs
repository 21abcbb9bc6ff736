//! The schemas of a definition, as a body has it and as an answer shows it.
//!
//! `views/pipelines` writes an answer field by field, and `graph/definition` reads a body by hand.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde_json::{Value, json};

use super::bodies::params;
use super::parameters::{ID, number, with_default, words};
use crate::graph::concurrency::CONCURRENCY_FIELDS;
use crate::graph::dependencies::DEPENDENCY_FIELDS;
use crate::graph::hooks::{HOOK_FIELDS, HOOKS_FIELDS};
use crate::graph::param_defs::PARAM_DEF_FIELDS;
use crate::graph::rules::{EDGE_FIELDS, NODE_FIELDS, PIPELINE_FIELDS};
use crate::model::engine_keys::{CONFIG_KEYS, DELAY_MS_MAX, RETRIES_MAX};
use crate::model::{
    CATCH_UP_MAX, Concurrency, DependencyMode, DependencyRule, DependencyState, Edge, Hook,
    HookKind, Hooks, Managed, Node, OnConflict, Overlap, ParamDef, ParamKind, Pause, PipelineId,
    Slug, StoredPipeline, TenantId,
};

/// A text of people: one line, not empty.
const LINE: &str = r"^[^\x00-\x1f\x7f-\x9f]*$";

/// A pipeline with its whole definition. Fields that Floret does not know are kept.
#[derive(JsonSchema)]
#[schemars(rename = "Pipeline", extend("additionalProperties" = true))]
#[expect(dead_code, reason = "only its schema is used")]
struct PipelineFields {
    /// The id.
    id: PipelineId,
    /// The slug.
    slug: Slug,
    /// The old name of the slug.
    pipeline_id: Slug,
    /// The display name.
    name: String,
    /// The description.
    description: String,
    /// The nodes.
    nodes: Vec<Node>,
    /// The edges.
    edges: Vec<Edge>,
    /// The parameters with their defaults.
    params: BTreeMap<String, String>,
    /// The definitions of the parameters.
    #[schemars(skip_serializing_if = "Option::is_none")]
    param_defs: Option<Vec<ParamDef>>,
    /// The tags.
    tags: Vec<String>,
    /// Whether the schedule starts runs.
    enabled: bool,
    /// The timeout of a run in seconds.
    #[schemars(skip_serializing_if = "Option::is_none")]
    timeout: Option<f64>,
    /// The most runs of the pipeline that may execute at the same time.
    #[schemars(skip_serializing_if = "Option::is_none")]
    max_concurrent_runs: Option<u32>,
    /// How many runs with the same key may execute at the same time.
    #[schemars(skip_serializing_if = "Option::is_none")]
    concurrency: Option<Concurrency>,
    /// The schedule.
    #[schemars(skip_serializing_if = "Option::is_none")]
    schedule: Option<String>,
    /// The time zone of the schedule.
    #[schemars(skip_serializing_if = "Option::is_none")]
    schedule_timezone: Option<String>,
    /// Whether the latest missed tick gets a run.
    #[schemars(skip_serializing_if = "Option::is_none")]
    catch_up: Option<bool>,
    /// Whether every missed tick gets a run.
    #[schemars(skip_serializing_if = "Option::is_none")]
    catch_up_all: Option<bool>,
    /// How many missed ticks get a run.
    #[schemars(skip_serializing_if = "Option::is_none")]
    catch_up_max: Option<u32>,
    /// What a tick does while a run of the schedule is unfinished.
    #[schemars(skip_serializing_if = "Option::is_none")]
    overlap: Option<Overlap>,
    /// The ids of pipelines that must have succeeded.
    #[schemars(skip_serializing_if = "Option::is_none")]
    depends_on: Option<Vec<String>>,
    /// The dependencies on other pipelines.
    #[schemars(skip_serializing_if = "Option::is_none")]
    dependency_rules: Option<Vec<DependencyRule>>,
    /// The requests that Floret sends when a run starts, succeeds or fails.
    #[schemars(skip_serializing_if = "Option::is_none")]
    hooks: Option<Hooks>,
    /// `********` if a token is stored. The answer of the save that has made one has the token.
    #[schemars(skip_serializing_if = "Option::is_none")]
    webhook_token: Option<String>,
    /// Grows with each change.
    version: u32,
    /// When the pipeline was created.
    created_at: DateTime<Utc>,
    /// When the pipeline was changed last.
    updated_at: DateTime<Utc>,
    /// Who decides what the pipeline is.
    managed: Managed,
    /// Since when the pipeline is paused, if it is.
    #[schemars(skip_serializing_if = "Option::is_none")]
    paused: Option<Pause>,
    /// The tenant of the pipeline, if any.
    #[schemars(skip_serializing_if = "Option::is_none")]
    tenant: Option<TenantId>,
}

schema_of! { StoredPipeline => PipelineFields }
inline_schema! { ParamDef => schemars::Schema::try_from(param_def()).unwrap() }

/// Returns the schema of a definition in a body.
pub(super) fn request() -> Value {
    let mut enabled = with_default(json!({"type": "boolean"}), true);
    enabled["description"] = "Whether the schedule starts runs.".into();
    let flag = || json!({"type": "boolean", "default": false});
    let timeout = json!({"type": "number", "minimum": 0.001, "maximum": 31_536_000});
    open(
        "The definition of a pipeline. Fields that Floret does not know are kept and have no \
         effect.",
        &["name", "nodes"],
        json!({
            "id": {"type": "string", "pattern": ID, "description": "Made by the server if absent."},
            "slug": {"type": "string", "pattern": ID},
            "pipeline_id": {
                "type": "string", "pattern": ID,
                "description": "The old name of the slug.",
            },
            "name": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": LINE},
            "description": {"type": "string", "maxLength": 2_000},
            "nodes": {"type": "array", "minItems": 1, "maxItems": 1_000, "items": node()},
            "edges": {"type": "array", "maxItems": 20_000, "items": edge()},
            "params": declared_params(),
            "param_defs": {"type": "array", "maxItems": 256, "items": param_def()},
            "tags": {
                "type": "array", "maxItems": 100,
                "items": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": LINE},
            },
            "enabled": enabled,
            "timeout": timeout,
            "max_concurrent_runs": number(1, u64::from(u32::MAX)),
            "concurrency": concurrency(),
            "schedule": {
                "type": "string", "maxLength": 256,
                "description": "Five fields as in cron(8), or a macro such as `@daily`.",
            },
            "schedule_timezone": {"type": "string", "description": "The IANA name."},
            "catch_up": flag(),
            "catchup": flag(),
            "catch_up_all": flag(),
            "catch_up_max": number(1, CATCH_UP_MAX.into()),
            "overlap": words(&["queue", "skip", "cancel_running"]),
            "depends_on": {
                "type": "array", "maxItems": 100, "items": {"type": "string", "pattern": ID},
                "description": "The ids of pipelines that must have succeeded.",
            },
            "dependency_rules": {"type": "array", "maxItems": 100, "items": dependency()},
            "hooks": hooks(),
            "webhook_token": {
                "type": "string", "pattern": "^(|\\*{8}|[!-~]{16,255})$",
                "description": "The token with which a webhook starts runs. Without one, no \
                    webhook does. An empty one asks for a new token, which only this answer shows; \
                    `********` leaves the stored one.",
            },
            "tenant": {"type": ["string", "null"], "description": "It changes nothing."},
        }),
    )
}

/// Returns the schema of the parameters of a definition. Templates name them.
fn declared_params() -> Value {
    let mut schema = params("The parameters with their defaults. `date` is a date or empty.");
    schema["propertyNames"] =
        json!({"minLength": 1, "maxLength": 128, "pattern": r"^[^\x00-\x1f\x7f-\x9f}]*$"});
    schema["properties"]["date"] =
        json!({"type": "string", "pattern": "^([0-9]{4}-[0-9]{2}-[0-9]{2})?$"});
    schema
}

/// Returns the schema of the definition of a parameter.
fn param_def() -> Value {
    let kinds = ParamKind::ALL.map(ParamKind::as_str);
    json!({
        "type": "object",
        "description": "The definition of a parameter. A value that does not fit is refused.",
        "required": ["name", "type"],
        "additionalProperties": false,
        "properties": {
            "name": {
                "type": "string", "minLength": 1, "maxLength": 128,
                "pattern": r"^[^\x00-\x1f\x7f-\x9f}]*$",
            },
            "type": words(&kinds),
            "required": {"type": "boolean", "default": false},
            "default": {"type": ["string", "number", "boolean"]},
            "values": {"type": "array", "items": {"type": "string"}},
            "min": {"type": ["string", "number"]},
            "max": {"type": ["string", "number"]},
            "pattern": {
                "type": "string", "maxLength": 256,
                "description": "The regular expression that the whole text must match.",
            },
            "description": {"type": "string", "maxLength": 2_000},
            "secret": {
                "type": "boolean",
                "description": "Whether the values are stored encrypted and masked in answers.",
            },
        },
    })
}

/// Returns the schema of a concurrency key.
fn concurrency() -> Value {
    let conflicts = OnConflict::ALL.map(OnConflict::as_str);
    json!({
        "type": "object",
        "description": "How many runs with the same key may execute at the same time.",
        "required": ["key"],
        "additionalProperties": false,
        "properties": {
            "key": {
                "type": "string", "minLength": 1, "maxLength": Concurrency::KEY_CHARS_MAX,
                "pattern": LINE,
                "description": "A text in which `${param.NAME}` and `${run.date}` stand for values of the run.",
            },
            "max": with_default(number(1, Concurrency::RUNS_MAX.into()), 1),
            "on_conflict": with_default(words(&conflicts), "queue"),
        },
    })
}

/// Returns the schema of a dependency.
fn dependency() -> Value {
    let states = DependencyState::ALL.map(DependencyState::as_str);
    let modes = DependencyMode::ALL.map(DependencyMode::as_str);
    json!({
        "type": "object",
        "description": "A dependency on another pipeline. The mode `trigger` is an old name of `any`.",
        "required": ["pipeline_id"],
        "additionalProperties": false,
        "properties": {
            "pipeline_id": {"type": "string", "pattern": ID},
            "state": with_default(words(&states), "succeeded"),
            "mode": with_default(words(&[&modes[..], &["trigger"]].concat()), "gate"),
            "within_seconds": {
                "type": "number", "minimum": 0, "maximum": 31_536_000,
                "description": "How long the end of a run counts, at least 0.001. 0 is no limit.",
            },
        },
    })
}

/// Returns the schema of the hooks of a pipeline.
fn hooks() -> Value {
    json!({
        "type": "object",
        "description": "The requests that Floret sends when a run starts, succeeds or fails. Needs \
            a host with the feature `webhook`.",
        "additionalProperties": false,
        "properties": {"on_start": hook(), "on_success": hook(), "on_failure": hook()},
    })
}

fn hook() -> Value {
    json!({
        "type": "object",
        "required": ["type", "url"],
        "additionalProperties": false,
        "properties": {
            "type": words(&HookKind::ALL.map(HookKind::as_str)),
            "url": {
                "type": "string", "maxLength": Hook::URL_CHARS_MAX,
                "description": "Begins with `https://` and leads to a public address, unless the \
                    host allows others.",
            },
            "secret": {
                "type": "string", "pattern": "^(\\*{8}|(whsec_)?[A-Za-z0-9+/]{32,88}=*)$",
                "description": "`whsec_` and base64 of 24 to 64 bytes, which signs the requests. \
                    `********` leaves the stored one.",
            },
        },
    })
}

fn node() -> Value {
    let line =
        |max: u32| json!({"type": "string", "minLength": 1, "maxLength": max, "pattern": LINE});
    let config = open(
        "What the executor reads. Its strings may contain templates such as `${param.x}`.",
        &[],
        json!({
            "max_retries": number(0, u64::from(RETRIES_MAX)),
            "retry_delay": number(0, u64::from(DELAY_MS_MAX)),
            "timeout": {"type": "number", "minimum": 0.001, "maximum": 31_536_000},
            "keep_output": {"type": "boolean"},
        }),
    );
    let fields = json!({
        "id": {"type": "string", "pattern": ID},
        "type": line(128),
        "name": line(255),
        "config": config,
    });
    open("A node.", &["id", "type"], fields)
}

fn edge() -> Value {
    let id = || json!({"type": "string", "pattern": ID});
    open(
        "An edge.",
        &["from", "to"],
        json!({
            "from": id(),
            "to": id(),
            "condition": {
                "type": ["boolean", "string"],
                "description": "The branch that `from` must take for this edge. A text is `true`, `false`, or empty for no condition.",
            },
        }),
    )
}

/// Returns the schema of an object that keeps other fields.
fn open(about: &str, required: &[&str], properties: Value) -> Value {
    let mut schema = json!({
        "type": "object",
        "description": about,
        "required": required,
        "additionalProperties": true,
    });
    schema["properties"] = properties;
    schema
}

#[test]
fn a_definition_has_the_fields_that_floret_knows() {
    let known = |schema: &Value| -> Vec<String> {
        schema["properties"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect()
    };
    let sorted = |fields: &[&str]| {
        let mut sorted: Vec<_> = fields.iter().map(|field| (*field).to_owned()).collect();
        sorted.sort_unstable();
        sorted
    };
    // A save compares the tenant, and does not keep it.
    assert_eq!(
        known(&request()),
        sorted(&[&PIPELINE_FIELDS[..], &["tenant"]].concat())
    );
    assert_eq!(known(&param_def()), sorted(&PARAM_DEF_FIELDS));
    assert_eq!(known(&concurrency()), sorted(&CONCURRENCY_FIELDS));
    assert_eq!(known(&dependency()), sorted(&DEPENDENCY_FIELDS));
    assert_eq!(known(&hooks()), sorted(&HOOKS_FIELDS));
    assert_eq!(known(&hook()), sorted(&HOOK_FIELDS));
    assert_eq!(known(&node()), sorted(&NODE_FIELDS));
    assert_eq!(known(&edge()), sorted(&EDGE_FIELDS));
    assert_eq!(known(&node()["properties"]["config"]), sorted(&CONFIG_KEYS));
}
