//! Warnings about a definition: keys that nothing reads, and parameters that no run has or needs.
//!
//! `graph/definition` finds errors. A node type declares its keys with `Executor::config_keys`.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::input_warnings;
use crate::error::{Issue, IssueLocation, quote, reference_token};
use crate::executor::{Executor, Registry};
use crate::graph::issues::Issues;
use crate::graph::rules::{EDGE_FIELDS, NODE_FIELDS, PIPELINE_FIELDS};
use crate::model::engine_keys::CONFIG_KEYS;
use crate::model::{DATE_PARAM, Node, Pipeline, TenantId};
use crate::suggestion::{did_you_mean, nearest};
use crate::template;

/// Words of other systems for fields of a pipeline.
const PIPELINE_WORDS: &[(&str, &str)] = &[
    ("cron", "schedule"),
    ("schedule_interval", "schedule"),
    ("interval", "schedule"),
    ("timezone", "schedule_timezone"),
    ("time_zone", "schedule_timezone"),
    ("tz", "schedule_timezone"),
    ("max_active_runs", "max_concurrent_runs"),
    ("disabled", "enabled"),
    ("active", "enabled"),
    ("tasks", "nodes"),
    ("steps", "nodes"),
    ("dependencies", "edges"),
    ("labels", "tags"),
    ("title", "name"),
    ("timeout_seconds", "timeout"),
    ("backfill", "catch_up"),
    ("upstream", "depends_on"),
    ("upstreams", "depends_on"),
    ("triggers", "dependency_rules"),
    ("on_start", "hooks"),
    ("on_success", "hooks"),
    ("on_failure", "hooks"),
    ("callbacks", "hooks"),
    ("notifications", "hooks"),
];

/// Words of other systems for the keys that the engine reads.
const ENGINE_WORDS: &[(&str, &str)] = &[
    ("retries", "max_retries"),
    ("retry", "max_retries"),
    ("retry_count", "max_retries"),
    ("max_retry", "max_retries"),
    ("maxretries", "max_retries"),
    ("retrydelay", "retry_delay"),
    ("retry_delay_ms", "retry_delay"),
    ("retry_delay_seconds", "retry_delay"),
    ("timeout_seconds", "timeout"),
    ("timeout_secs", "timeout"),
    ("timeout_ms", "timeout"),
    ("execution_timeout", "timeout"),
];

/// Words of other systems for the upstreams of a node.
const UPSTREAM_WORDS: &[&str] = &[
    "depends_on",
    "dependencies",
    "upstream",
    "upstreams",
    "after",
    "needs",
    "inputs",
    "parents",
];

/// Returns the warnings about a definition, at most as many as an error has issues.
pub(super) fn find(
    pipeline: &Pipeline,
    registry: &Registry,
    tenant: Option<&TenantId>,
) -> Vec<Issue> {
    let mut issues = Issues::default();
    unknown_fields("", "the pipeline", &pipeline.extra, &mut issues, |key| {
        hint(key, PIPELINE_WORDS, &PIPELINE_FIELDS).map(did_you_mean)
    });
    for (index, node) in pipeline.nodes.iter().enumerate() {
        let executor = registry.get(&node.kind, tenant);
        node_warnings(&format!("/nodes/{index}"), node, executor, &mut issues);
    }
    for (index, edge) in pipeline.edges.iter().enumerate() {
        let at = format!("/edges/{index}");
        unknown_fields(&at, "an edge", &edge.extra, &mut issues, |key| {
            hint(key, &[], &EDGE_FIELDS).map(did_you_mean)
        });
    }
    unread_in_key(pipeline, &mut issues);
    undeclared_params(pipeline, &mut issues);
    input_warnings::find(pipeline, registry, tenant, &mut issues);
    unused_params(pipeline, &mut issues);
    issues.into_vec()
}

/// Returns the JSON pointer of an issue of a config, whose pointer is `at`.
pub(super) fn absolute_pointer(at: &str, location: &IssueLocation) -> String {
    match location {
        IssueLocation::Pointer(pointer) => format!("{at}{pointer}"),
        IssueLocation::Parameter(name) => format!("{at}/{}", reference_token(name)),
    }
}

fn node_warnings(at: &str, node: &Node, executor: Option<&Arc<dyn Executor>>, issues: &mut Issues) {
    let keys = executor.and_then(|executor| executor.config_keys());
    unknown_fields(at, "a node", &node.extra, issues, |key| {
        node_hint(key, keys)
    });
    let config_at = format!("{at}/config");
    for key in node.config.keys() {
        if issues.is_full() {
            return;
        }
        let Some(detail) = config_warning(key, &node.kind, keys) else {
            continue;
        };
        issues.push(&format!("{config_at}/{}", reference_token(key)), || detail);
    }
    for (pointer, warning) in template::unread(&node.config) {
        issues.push(&format!("{config_at}{pointer}"), || warning);
    }
    let own = executor.map(|executor| executor.warnings(&node.config));
    for warning in own.unwrap_or_default() {
        let pointer = absolute_pointer(&config_at, &warning.location);
        issues.push(&pointer, || warning.detail);
    }
}

/// Adds a warning for each text of the concurrency key that looks like a template and is none: all
/// runs would have the same key.
fn unread_in_key(pipeline: &Pipeline, issues: &mut Issues) {
    let key = pipeline.concurrency.iter().map(|own| own.key.clone());
    let key = key.map(|key| ("key".to_owned(), Value::String(key)));
    for (pointer, warning) in template::unread(&key.collect()) {
        issues.push(&format!("/concurrency{pointer}"), || warning);
    }
}

/// Adds a warning for each field that Floret keeps and does not read.
fn unknown_fields(
    at: &str,
    what: &str,
    extra: &Map<String, Value>,
    issues: &mut Issues,
    hint: impl Fn(&str) -> Option<String>,
) {
    for key in extra.keys() {
        if issues.is_full() {
            return;
        }
        issues.push(&format!("{at}/{}", reference_token(key)), || {
            let hint = hint(key).unwrap_or_default();
            let key = quote(key);
            format!("{key} is not a field of {what} that Floret reads, and has no effect{hint}")
        });
    }
}

fn node_hint(key: &str, keys: Option<&[&str]>) -> Option<String> {
    let is_read =
        |key: &str| CONFIG_KEYS.contains(&key) || keys.is_some_and(|keys| keys.contains(&key));
    if is_read(key) {
        return Some(format!("; {} belongs in the node's config", quote(key)));
    }
    if UPSTREAM_WORDS.contains(&key) {
        return Some("; the edges of the pipeline connect nodes".to_owned());
    }
    if let Some(near) = nearest(key, NODE_FIELDS) {
        return Some(did_you_mean(near));
    }
    let meant = hint(key, ENGINE_WORDS, &CONFIG_KEYS)?;
    Some(format!(
        "; did you mean {} in the node's config?",
        quote(meant)
    ))
}

/// Returns the warning about a key of a config, or `None` if the key is read or may be read.
fn config_warning(key: &str, kind: &str, keys: Option<&[&str]>) -> Option<String> {
    if CONFIG_KEYS.contains(&key) {
        return None;
    }
    let kind = quote(kind);
    let Some(keys) = keys else {
        // The executor may read any key, so only the words for what the engine reads are odd.
        let meant = alias(key, ENGINE_WORDS)?;
        let (key, question) = (quote(key), did_you_mean(meant));
        return Some(format!(
            "the engine does not read the key {key}{question} (correct if nodes of type {kind} read it)"
        ));
    };
    if keys.contains(&key) {
        return None;
    }
    let known: Vec<_> = keys.iter().chain(&CONFIG_KEYS).copied().collect();
    let question = match hint(key, ENGINE_WORDS, &known) {
        Some(meant) => did_you_mean(meant),
        None => format!("; known are {}", known.join(", ")),
    };
    let key = quote(key);
    Some(format!(
        "nodes of type {kind} do not read the key {key}, and it has no effect{question}"
    ))
}

/// Returns the known name that a word most likely means.
fn hint<'a>(word: &str, aliases: &[(&str, &'a str)], known: &[&'a str]) -> Option<&'a str> {
    alias(word, aliases).or_else(|| nearest(word, known.iter().copied()))
}

fn alias<'a>(word: &str, aliases: &[(&str, &'a str)]) -> Option<&'a str> {
    let found = aliases
        .iter()
        .find(|(alias, _)| alias.eq_ignore_ascii_case(word));
    found.map(|(_, meant)| *meant)
}

/// Warns of each parameter that a config names and the pipeline neither declares nor defines.
fn undeclared_params(pipeline: &Pipeline, issues: &mut Issues) {
    let key = pipeline.concurrency.iter();
    for name in key.flat_map(|own| template::parameters_of_key(&own.key)) {
        undeclared_param(pipeline, name, "/concurrency/key", issues);
    }
    for (index, node) in pipeline.nodes.iter().enumerate() {
        for (pointer, name) in template::parameters_with_pointers(&node.config) {
            let at = format!("/nodes/{index}/config{pointer}");
            undeclared_param(pipeline, &name, &at, issues);
        }
    }
}

fn undeclared_param(pipeline: &Pipeline, name: &str, at: &str, issues: &mut Issues) {
    let is_defined = pipeline.param_defs.iter().any(|def| def.name == name);
    if name == DATE_PARAM || is_defined || pipeline.params.contains_key(name) {
        return;
    }
    issues.push(at, || {
        // Every run has a date, also if its pipeline does not declare it.
        let known = pipeline
            .params
            .keys()
            .map(String::as_str)
            .chain(pipeline.param_defs.iter().map(|def| def.name.as_str()))
            .chain([DATE_PARAM]);
        let question = nearest(name, known).map(did_you_mean).unwrap_or_default();
        let name = quote(name);
        if pipeline.param_defs.is_empty() {
            format!("the pipeline has no parameter {name}, so each run must be given it{question}")
        } else {
            format!("the pipeline defines no parameter {name}, so no run has it{question}")
        }
    });
}

/// Warns of each parameter that no config names. Most of them are typing errors. A parameter with a
/// definition is none, and a function may read it.
fn unused_params(pipeline: &Pipeline, issues: &mut Issues) {
    let configs = pipeline.nodes.iter().map(|node| &node.config);
    let named: BTreeSet<_> = configs.clone().flat_map(template::parameters).collect();
    if named.is_empty() {
        return;
    }
    let texts: String = configs
        .map(|config| Value::Object(config.clone()).to_string())
        .collect();
    // A program reads a parameter as a variable of its environment.
    let is_in_environment =
        |name: &str| texts.contains(&format!("FLORET_PARAM_{}", name.to_ascii_uppercase()));
    let key = pipeline.concurrency.iter();
    let of_key: BTreeSet<_> = key
        .flat_map(|own| template::parameters_of_key(&own.key))
        .collect();
    let defined: BTreeSet<_> = pipeline.param_defs.iter().map(|def| &def.name).collect();
    for name in pipeline.params.keys() {
        if name == DATE_PARAM
            || defined.contains(name)
            || named.contains(name)
            || of_key.contains(name.as_str())
            || is_in_environment(name)
        {
            continue;
        }
        issues.push(&format!("/params/{}", reference_token(name)), || {
            format!("no node's config names the parameter {}", quote(name))
        });
    }
}
