//! Reads pipeline definitions strictly from JSON, and checks pipelines that were built in code.
//!
//! Both report every issue. `fields` reads types, `rules` checks ranges, and `validate` and `order`
//! check the graph. `engine/pipelines` checks that an id or slug is free and that node types are
//! registered.

#[cfg(test)]
mod tests;

use serde_json::Value;

use super::fields::{Fields, seconds, whole_number};
use super::issues::Issues;
use super::rules::{CATCH_UP_RANGE, CATCHUP, CONCURRENT_RUNS_RANGE, is_catch_up_in_range};
use super::{
    Graph, concurrency, dependencies, hooks, param_defs, params, rules, sizes, slug, validate,
};
use crate::error::{Problem, Result};
use crate::json;
use crate::limits::Limits;
use crate::model::engine_keys::TIMEOUT_RANGE;
use crate::model::{Edge, Node, Overlap, Pipeline, WebhookToken, condition};

/// Reads a definition. Calls `default_id` if the definition has no id. Keeps fields that Floret
/// does not know.
///
/// # Errors
/// `Invalid` with every issue. The slug is `invalid-field` for types and ranges, otherwise a slug
/// of [`Graph::new`].
pub(crate) fn parse(
    value: Value,
    default_id: impl FnOnce() -> String,
    limits: &Limits,
) -> Result<Pipeline> {
    let count = |field: &str| {
        value
            .get(field)
            .and_then(Value::as_array)
            .map_or(0, Vec::len)
    };
    validate::check_counts(count("nodes"), count("edges"), limits.into())?;
    let slug_field = slug::given_name(&value);
    let mut issues = Issues::default();
    let pipeline = read(value, default_id, &mut issues);
    rules::check(&pipeline, slug_field, &mut issues);
    sizes::check(&pipeline, limits, &mut issues);
    param_defs::check_definitions(&pipeline, limits, &mut issues);
    concurrency::check(&pipeline, &mut issues);
    dependencies::check(&pipeline, limits, &mut issues);
    hooks::check(&pipeline, &mut issues);
    issues.into_result(Problem::InvalidField)?;
    Graph::with_limits(&pipeline, limits).map(|_| pipeline)
}

/// Checks a pipeline by the same rules as [`parse`] and returns its graph.
///
/// # Errors
/// The same as [`parse`].
pub(crate) fn check(pipeline: &Pipeline, limits: &Limits) -> Result<Graph> {
    let mut issues = Issues::default();
    rules::check(pipeline, slug::SLUG, &mut issues);
    sizes::check(pipeline, limits, &mut issues);
    param_defs::check_definitions(pipeline, limits, &mut issues);
    concurrency::check(pipeline, &mut issues);
    dependencies::check(pipeline, limits, &mut issues);
    hooks::check(pipeline, &mut issues);
    issues.into_result(Problem::InvalidField)?;
    Graph::with_limits(pipeline, limits)
}

impl Pipeline {
    /// Reads a definition in the JSON format of the Runs API. If it has no `id`, its id is the slug
    /// that its name implies.
    ///
    /// ```
    /// let text = r#"{"name": "Daily load", "nodes": [{"id": "load", "type": "load"}]}"#;
    /// let daily = floret::Pipeline::from_json(text)?;
    /// assert_eq!(daily.id, "daily-load");
    /// # Ok::<(), floret::Error>(())
    /// ```
    ///
    /// # Errors
    /// - `Malformed` if the text is not JSON, has a duplicate key, or is nested deeper than 128
    ///   levels.
    /// - `Invalid` with every issue if the JSON is not a valid definition.
    pub fn from_json(text: &str) -> Result<Self> {
        let value = json::read(text.as_bytes())?;
        let derived = value
            .get("name")
            .and_then(Value::as_str)
            .and_then(slug::implied_by);
        let default_id = || derived.map(String::from).unwrap_or_default();
        parse(value, default_id, &Limits::default())
    }
}

fn read(value: Value, default_id: impl FnOnce() -> String, issues: &mut Issues) -> Pipeline {
    let Some(mut fields) = Fields::new(value, "a pipeline", String::new(), issues) else {
        return Pipeline::default();
    };
    fields.require("nodes", "an array of nodes");
    let given = fields.object("params");
    let (params_at, issues) = fields.nested("params");
    let params = params::read(given, &params_at, issues);
    Pipeline {
        id: fields.text("id").unwrap_or_else(default_id),
        slug: slug::read(&mut fields),
        name: fields.required("name"),
        description: fields.text("description").unwrap_or_default(),
        nodes: fields.objects("nodes", "a node", read_node),
        edges: fields.objects("edges", "an edge", read_edge),
        params,
        param_defs: fields.objects(
            "param_defs",
            "the definition of a parameter",
            param_defs::read,
        ),
        tags: fields.texts("tags", "a tag"),
        enabled: fields
            .take("enabled", "true or false", Value::as_bool)
            .unwrap_or(true),
        timeout: fields.take("timeout", TIMEOUT_RANGE, seconds),
        max_concurrent_runs: fields.take(
            "max_concurrent_runs",
            CONCURRENT_RUNS_RANGE,
            whole_number,
        ),
        concurrency: fields.inner("concurrency", "a concurrency key", concurrency::read),
        // Some existing clients send an empty string instead of omitting the field.
        schedule: fields.text("schedule").filter(|text| !text.is_empty()),
        schedule_timezone: fields.text("schedule_timezone"),
        catch_up: read_catch_up(&mut fields),
        catch_up_all: fields
            .take("catch_up_all", "true or false", Value::as_bool)
            .unwrap_or_default(),
        catch_up_max: fields.take("catch_up_max", CATCH_UP_RANGE, |value| {
            whole_number(value).filter(|max| is_catch_up_in_range(*max))
        }),
        overlap: fields
            .take("overlap", OVERLAPS, read_overlap)
            .unwrap_or_default(),
        depends_on: fields.texts("depends_on", "a dependency"),
        dependency_rules: fields.objects("dependency_rules", "a dependency", dependencies::read),
        hooks: fields
            .inner("hooks", "the hooks of a pipeline", hooks::read)
            .unwrap_or_default(),
        webhook_token: fields.text("webhook_token").map(WebhookToken::from),
        // A tenant in a body is checked against that of the caller, and never read here.
        tenant: None,
        extra: fields.rest(),
    }
}

/// Reads `catch_up` or its alias `catchup`.
fn read_catch_up(fields: &mut Fields<'_>) -> bool {
    let own = fields.take("catch_up", "true or false", Value::as_bool);
    let expects = match own {
        Some(_) => "omitted because catch_up is given",
        None => "true or false",
    };
    let other = fields.take(CATCHUP, expects, |value| {
        value.as_bool().filter(|_| own.is_none())
    });
    own.or(other).unwrap_or_default()
}

const OVERLAPS: &str = "queue, skip or cancel_running";

fn read_overlap(value: &Value) -> Option<Overlap> {
    let text = value.as_str()?;
    Overlap::ALL
        .into_iter()
        .find(|overlap| overlap.as_str() == text)
}

const CONDITIONS: &str = "true or false";

fn read_node(mut fields: Fields<'_>) -> Node {
    let id = fields.required("id");
    Node {
        kind: fields.required("type"),
        name: fields.text("name").unwrap_or_else(|| id.clone()),
        id,
        config: fields.object("config"),
        extra: fields.rest(),
    }
}

fn read_edge(mut fields: Fields<'_>) -> Edge {
    Edge {
        from: fields.required("from"),
        to: fields.required("to"),
        condition: fields
            .take("condition", CONDITIONS, condition::read)
            .flatten(),
        extra: fields.rest(),
    }
}
