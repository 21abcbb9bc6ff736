//! Checks the values of a definition's fields, whether it was read from JSON or built in code.
//!
//! `fields` checks types. `validate` checks how nodes and edges fit together.

use serde_json::{Map, Value};

use super::issues::Issues;
use super::params::parse_run_date;
use super::policy::{self, RetryPolicy, is_timeout_in_range};
use super::slug::{PIPELINE_ID, SLUG};
use crate::cron::{self, Schedule};
use crate::error::{quote, reference_token};
use crate::json;
use crate::model::engine_keys::TIMEOUT_RANGE;
use crate::model::{
    CATCH_UP_MAX, DATE_PARAM, Edge, Node, NodeId, Overlap, ParamDef, Pipeline, PipelineId, Slug,
    WebhookToken,
};

const NAME_CHARS_MAX: usize = 255;
const DESCRIPTION_CHARS_MAX: usize = 2_000;

/// The most characters of a node type or a parameter name. 128, the same as for an id.
const WORD_CHARS_MAX: usize = 128;

/// The alias of `catch_up`.
pub(super) const CATCHUP: &str = "catchup";

/// The values that `max_concurrent_runs` accepts.
pub(super) const CONCURRENT_RUNS_RANGE: &str = "a whole number from 1 to 4294967295";

/// The values that `catch_up_max` accepts.
pub(super) const CATCH_UP_RANGE: &str = "a whole number from 1 to 100";

pub(super) const fn is_catch_up_in_range(max: u32) -> bool {
    0 < max && max <= CATCH_UP_MAX
}

/// The fields of a pipeline that Floret knows.
pub(crate) const PIPELINE_FIELDS: [&str; 25] = [
    "id",
    SLUG,
    PIPELINE_ID,
    "name",
    "description",
    "nodes",
    "edges",
    "params",
    "param_defs",
    "tags",
    "enabled",
    "timeout",
    "max_concurrent_runs",
    "concurrency",
    "schedule",
    "schedule_timezone",
    "catch_up",
    CATCHUP,
    "catch_up_all",
    "catch_up_max",
    "overlap",
    "depends_on",
    "dependency_rules",
    "hooks",
    "webhook_token",
];
/// The fields of a node that Floret knows.
pub(crate) const NODE_FIELDS: [&str; 4] = ["id", "type", "name", "config"];
/// The fields of an edge that Floret knows.
pub(crate) const EDGE_FIELDS: [&str; 3] = ["from", "to", "condition"];

/// Adds an issue for every field that is out of its range. `slug_field` has the slug.
pub(super) fn check(pipeline: &Pipeline, slug_field: &str, issues: &mut Issues) {
    let Pipeline {
        id,
        slug,
        name,
        description,
        nodes,
        edges,
        params,
        param_defs,
        tags,
        enabled: _,
        timeout,
        max_concurrent_runs,
        // `concurrency` checks it.
        concurrency: _,
        schedule,
        schedule_timezone,
        catch_up: _,
        catch_up_all,
        catch_up_max,
        overlap,
        // `dependencies` checks them.
        depends_on: _,
        dependency_rules: _,
        // `hooks` checks them.
        hooks: _,
        webhook_token,
        tenant: _,
        extra,
    } = pipeline;
    let mut rules = Rules { issues };
    rules.id("/id", "id", id, PipelineId::new(id).err());
    if let Some(slug) = slug {
        let pointer = format!("/{slug_field}");
        rules.id(&pointer, slug_field, slug, Slug::new(slug).err());
    }
    rules.word("/name", "name", name, NAME_CHARS_MAX);
    rules.length("/description", "description", description);
    nodes.iter().enumerate().for_each(|node| rules.node(node));
    edges.iter().enumerate().for_each(|edge| rules.edge(edge));
    for (name, value) in params {
        rules.param(name, value);
    }
    for (index, def) in param_defs.iter().enumerate() {
        rules.param_def(index, def);
    }
    for (index, tag) in tags.iter().enumerate() {
        rules.tag(&format!("/tags/{index}"), tag);
    }
    if let Some(timeout) = timeout.filter(|timeout| !is_timeout_in_range(*timeout)) {
        rules.issues.push("/timeout", || {
            let received = timeout.as_secs_f64();
            format!("timeout must be {TIMEOUT_RANGE}, received {received}")
        });
    }
    if *max_concurrent_runs == Some(0) {
        rules.issues.push("/max_concurrent_runs", || {
            format!("max_concurrent_runs must be {CONCURRENT_RUNS_RANGE}, received 0")
        });
    }
    rules.catch_up(*catch_up_all, *catch_up_max, *overlap);
    if let Some(token) = webhook_token {
        rules.webhook_token(token);
    }
    rules.schedule(schedule.as_deref(), schedule_timezone.as_deref());
    rules.extra("", extra, &PIPELINE_FIELDS, 1);
}

struct Rules<'a> {
    issues: &'a mut Issues,
}

impl Rules<'_> {
    fn node(&mut self, (index, node): (usize, &Node)) {
        let Node {
            id,
            kind,
            name,
            config,
            extra,
        } = node;
        let at = format!("/nodes/{index}");
        self.id(&format!("{at}/id"), "id", id, NodeId::new(id).err());
        self.word(&format!("{at}/type"), "type", kind, WORD_CHARS_MAX);
        // The default name is the id, and an invalid id has an issue already.
        if name != id {
            self.word(&format!("{at}/name"), "name", name, NAME_CHARS_MAX);
        }
        let config_at = format!("{at}/config");
        RetryPolicy::read(config, &config_at, self.issues);
        policy::check_keep_output(config, &config_at, self.issues);
        self.depth(&config_at, config, 4);
        self.extra(&at, extra, &NODE_FIELDS, 3);
    }

    /// Checks a token. The empty text and the mask have meanings of their own. No message shows it.
    fn webhook_token(&mut self, token: &WebhookToken) {
        let is_special = token.is_request() || token.is_mask();
        if !is_special && !token.is_well_formed() {
            self.issues.push("/webhook_token", || {
                let (min, max) = (WebhookToken::BYTES.start(), WebhookToken::BYTES.end());
                let count = token.as_str().chars().count();
                format!("webhook_token must be {min} to {max} visible ASCII characters, or empty to get one, received {count} characters")
            });
        }
    }

    fn edge(&mut self, (index, edge): (usize, &Edge)) {
        if !edge.extra.is_empty() {
            self.extra(&format!("/edges/{index}"), &edge.extra, &EDGE_FIELDS, 3);
        }
    }

    fn id(&mut self, at: &str, what: &str, text: &str, error: Option<impl std::fmt::Display>) {
        if let Some(error) = error {
            self.issues
                .push(at, || format!("{what} {error}; received {}", quote(text)));
        }
    }

    fn catch_up(&mut self, all: bool, max: Option<u32>, overlap: Overlap) {
        if all && overlap != Overlap::Queue {
            self.issues.push("/catch_up_all", || {
                let overlap = overlap.as_str();
                format!("catch_up_all runs every missed tick, so that overlap must be queue, received {overlap}")
            });
        }
        if let Some(max) = max.filter(|max| !is_catch_up_in_range(*max)) {
            self.issues.push("/catch_up_max", || {
                format!("catch_up_max must be {CATCH_UP_RANGE}, received {max}")
            });
        }
    }

    /// Checks the expression and the time zone independently, so that both faults are reported.
    fn schedule(&mut self, expression: Option<&str>, zone: Option<&str>) {
        let expression = expression.map_or(Ok(()), |text| Schedule::new(text, None).map(drop));
        let zone = zone.map_or(Ok(()), |name| cron::zone(name).map(drop));
        for (at, refused) in [("/schedule", expression), ("/schedule_timezone", zone)] {
            if let Err(refusal) = refused {
                self.issues
                    .push_with_problem(refusal.problem, at, refusal.detail);
            }
        }
    }

    /// Checks the texts of a definition. `param_defs` checks what it expects of values.
    fn param_def(&mut self, index: usize, def: &ParamDef) {
        // A field of a Rust type without a definition has an issue of its own.
        if def.fault.is_some() || self.issues.is_full() {
            return;
        }
        self.param_name(&format!("/param_defs/{index}/name"), &def.name);
        if let Some(description) = &def.description {
            let at = format!("/param_defs/{index}/description");
            self.length(&at, "description", description);
        }
    }

    fn param_name(&mut self, at: &str, name: &str) {
        self.word(at, "the name of a parameter", name, WORD_CHARS_MAX);
        if name.contains('}') {
            self.issues.push(at, || {
                let name = quote(name);
                format!("the name of a parameter must not contain }}, received {name}")
            });
        }
    }

    fn param(&mut self, name: &str, value: &str) {
        let at = format!("/params/{}", reference_token(name));
        self.param_name(&at, name);
        if name == DATE_PARAM && !value.is_empty() && parse_run_date(value).is_none() {
            self.issues.push(&at, || {
                let value = quote(value);
                format!(
                    "params.date is the date of the run and must be empty or a date such as \
                     2024-01-15, received {value}"
                )
            });
        }
    }

    /// Checks a nonempty line of text that people read.
    fn word(&mut self, at: &str, what: &str, text: &str, max: usize) {
        let count = text.chars().count();
        let is_fine = (1..=max).contains(&count) && !text.chars().any(char::is_control);
        if !is_fine {
            self.issues.push(at, || {
                let received = quote(text);
                format!(
                    "{what} must be 1 to {max} characters without control characters, received {count}: {received}"
                )
            });
        }
    }

    /// Checks a tag, whose length is left to `sizes`.
    fn tag(&mut self, at: &str, tag: &str) {
        if tag.is_empty() || tag.chars().any(char::is_control) {
            self.issues.push(at, || {
                let received = quote(tag);
                format!(
                    "a tag must have no control characters and not be empty, received {received}"
                )
            });
        }
    }

    fn length(&mut self, at: &str, what: &str, text: &str) {
        let count = text.chars().count();
        if count > DESCRIPTION_CHARS_MAX {
            self.issues.push(at, || {
                format!(
                    "{what} must be at most {DESCRIPTION_CHARS_MAX} characters, received {count}"
                )
            });
        }
    }

    /// Checks fields that Floret does not know. They must not have the names of Floret's own
    /// fields, and they must not exceed the nesting limit of a definition.
    fn extra(&mut self, at: &str, extra: &Map<String, Value>, own: &[&str], level: usize) {
        for key in extra.keys().filter(|key| own.contains(&key.as_str())) {
            self.issues.push(&format!("{at}/{key}"), || {
                format!("{key} is a field of Floret and cannot be an extra field")
            });
        }
        self.depth(at, extra, level);
    }

    /// Checks the nesting of an object. `level` is the level of the object itself. The pipeline has
    /// level 1.
    fn depth(&mut self, at: &str, object: &Map<String, Value>, level: usize) {
        for (key, value) in object {
            if json::is_deeper_than(value, json::DEPTH_MAX.saturating_sub(level)) {
                self.issues
                    .push(&format!("{at}/{}", reference_token(key)), || {
                        let max = json::DEPTH_MAX;
                        format!("a definition must not be nested deeper than {max} levels")
                    });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::engine_keys::TIMEOUT_MAX;
    use crate::model::{Concurrency, DependencyRule, Hook};

    #[test]
    fn the_lists_of_fields_match_the_serialized_fields() {
        let full = Pipeline::new("p")
            .node("a", "x")
            .node("b", "x")
            .after_if("a", true)
            .param_def(ParamDef::string("region"))
            .timeout(TIMEOUT_MAX)
            .max_concurrent_runs(1)
            .concurrency(Concurrency::new("${run.date}"))
            .schedule("@daily")
            .schedule_timezone("UTC")
            .catch_up()
            .catch_up_all()
            .catch_up_max(7)
            .overlap(crate::model::Overlap::Skip)
            .depends_on("load")
            .dependency(DependencyRule::gate("clean"))
            .on_start(Hook::webhook("https://example.com"))
            .webhook_token("");
        let written = |value: &Value| -> BTreeSet<String> {
            value.as_object().unwrap().keys().cloned().collect()
        };
        let listed = |fields: &[&str]| fields.iter().map(|field| (*field).to_owned()).collect();
        let mut value = serde_json::to_value(&full).unwrap();
        value[SLUG] = Value::Null;
        value[PIPELINE_ID] = Value::Null;
        value[CATCHUP] = Value::Null;
        assert_eq!(written(&value), listed(&PIPELINE_FIELDS));
        assert_eq!(written(&value["nodes"][0]), listed(&NODE_FIELDS));
        assert_eq!(written(&value["edges"][0]), listed(&EDGE_FIELDS));
    }
}
