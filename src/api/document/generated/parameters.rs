//! The parameters of paths and queries, and the headers that routes read.
//!
//! The names of query parameters come from the route table. A parameter that has no schema here
//! fails the test of the document.

use serde_json::{Value, json};

use crate::api::query::{Parameter, TENANT};
use crate::api::route::Route;
use crate::api::subject::Subject;
use crate::api::wait::{WAIT, WAIT_SECONDS_MAX};
use crate::model::{AuditAction, PageRequest};
use crate::views::{
    CALENDAR_DAYS, CALENDAR_DAYS_MAX, GRID_RUNS, HISTORY_RUNS, NEWEST_RUNS_MAX, SEARCH_LIMIT,
    SEARCH_LIMIT_MAX,
};

/// The pattern of an id, of a slug and of the id of a tenant.
pub(super) const ID: &str = "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$";
/// The pattern of the key of a variable.
pub(super) const KEY: &str = "^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$";
/// The cursor of a list of objects with ids: the id, after its tenant if it has one.
const CURSOR: &str = "^([A-Za-z0-9][A-Za-z0-9._-]{0,127}/)?[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$";
/// The object of a command: its kind and its id.
const SUBJECT: &str = "^(system|(pipeline|connection):[A-Za-z0-9][A-Za-z0-9._-]{0,127}\
    |variable:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\
    |(run|backfill):[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\
    |delivery:.*[.](0|[1-9][0-9]{0,18}))$";
/// The id of a delivery: the name of a notifier, which may be any text, and a number.
const DELIVERY: &str = r"^.*\.(0|[1-9][0-9]{0,19})$";
const TENANT_OR_NONE: &str = "^([A-Za-z0-9][A-Za-z0-9._-]{0,127})?$";
/// `*`, or a list of entity tags.
const TAGS: &str = r#"^(\*|(W/)?"[!#-~]*"( *, *(W/)?"[!#-~]*")*)$"#;

/// Returns the parameters of a route, those of its path first.
pub(super) fn of(route: &Route) -> impl Iterator<Item = Value> {
    let query = route
        .query
        .iter()
        .map(|parameter| of_query(route, *parameter));
    let tenant = json!({"$ref": "#/components/parameters/tenant"});
    of_path(route.subject)
        .into_iter()
        .chain(query)
        .chain([tenant])
}

/// Returns the parameter that every route takes.
pub(super) fn tenant() -> Value {
    json!({
        "name": TENANT,
        "in": "query",
        "description": "The tenant whose objects are meant; empty for the objects without one.",
        "schema": {"type": "string", "pattern": TENANT_OR_NONE},
    })
}

fn of_path(subject: Subject) -> Vec<Value> {
    let uuid = || json!({"type": "string", "format": "uuid"});
    let id = |pattern: &str| json!({"type": "string", "pattern": pattern});
    let pipeline = || in_path("id", "The id or the slug of the pipeline.", id(ID));
    let version = |name: &str, about: &str| in_path(name, about, number(1, u64::from(u32::MAX)));
    let run = || in_path("run_id", "The id of the run.", uuid());
    let node = || in_path("node_id", "The id of the node in its pipeline.", id(ID));
    match subject {
        Subject::Nothing => Vec::new(),
        Subject::Pipeline => vec![pipeline()],
        Subject::Version => vec![pipeline(), version("version", "The number of the version.")],
        Subject::Versions => vec![
            pipeline(),
            version("version", "The number of the version before."),
            version("to", "The number of the version after."),
        ],
        Subject::PipelineNode => vec![pipeline(), node()],
        Subject::Run => vec![run()],
        Subject::Node => vec![run(), node()],
        Subject::Backfill => vec![in_path("backfill_id", "The id of the backfill.", uuid())],
        Subject::Connection => vec![in_path("conn_id", "The id of the connection.", id(ID))],
        Subject::Delivery => vec![in_path(
            "delivery_id",
            "The id of the delivery: the notifier and the number of the event.",
            id(DELIVERY),
        )],
        Subject::Variable => vec![in_path("key", "The key of the variable.", id(KEY))],
    }
}

fn in_path(name: &str, about: &str, schema: Value) -> Value {
    let mut shown = json!({"name": name, "in": "path", "required": true, "description": about});
    shown["schema"] = schema;
    shown
}

fn of_query(route: &Route, parameter: Parameter) -> Value {
    let name = parameter.name();
    let (about, schema) = of_list(route.path, name)
        .or_else(|| of_audit(route.path, name))
        .or_else(|| of_filter(name))
        .or_else(|| of_answer(name))
        .unwrap_or_else(|| panic!("the parameter {name} of {route:?} has no schema"));
    let is_list = schema["type"] == "array";
    let schema = match parameter {
        Parameter::Single(_) => schema,
        Parameter::Repeatable(_) => json!({"type": "array", "items": schema}),
    };
    let mut shown = json!({"name": name, "in": "query", "description": about, "schema": schema});
    if is_list {
        // One value with commas.
        (shown["style"], shown["explode"]) = ("form".into(), false.into());
    }
    if (route.path, name) == ("/search", "q") {
        shown["required"] = true.into();
    }
    shown
}

/// Returns the meaning and the schema of a parameter that selects a part of a list.
fn of_list(path: &str, name: &str) -> Option<(&'static str, Value)> {
    let page = || number(1, u64::from(PageRequest::SIZE_MAX));
    let is_log = path.starts_with("/runs/{run_id}/logs");
    Some(match (name, path) {
        ("page", _) => (
            "The number of the page, from 1.",
            number(1, u64::from(u32::MAX)),
        ),
        ("per_page", _) => (
            "The number of items of a numbered page, 20 if absent.",
            page(),
        ),
        ("limit", "/search") => (
            "The most hits.",
            with_default(number(1, SEARCH_LIMIT_MAX as u64), SEARCH_LIMIT),
        ),
        ("limit", _) if is_log => ("The most lines of the part.", number(1, 10_000)),
        // No default: a generated client would send it, although it excludes the other kind.
        ("limit", _) => (
            "The most items of the part after the cursor, 50 if absent.",
            page(),
        ),
        ("after", _) if is_log => (
            "Only lines after the one with this sequence number.",
            number(0, u64::MAX),
        ),
        ("before", _) => (
            "Only lines before the one with this sequence number, the newest of them. Excludes `after`.",
            number(0, u64::MAX),
        ),
        ("q", _) if is_log => (
            "Only lines whose message contains this text, in any case.",
            text(),
        ),
        ("after", _) => ("Only items after the one with this cursor.", cursor(path)),
        ("runs", "/pipelines/{id}/grid") => (
            "The number of runs.",
            with_default(number(1, u64::from(NEWEST_RUNS_MAX)), GRID_RUNS),
        ),
        ("runs", _) => (
            "The number of runs to look at.",
            with_default(number(1, u64::from(NEWEST_RUNS_MAX)), HISTORY_RUNS),
        ),
        ("days", _) => (
            "The number of days, up to today.",
            with_default(number(1, u64::from(CALENDAR_DAYS_MAX)), CALENDAR_DAYS),
        ),
        _ => return None,
    })
}

/// Returns the meaning and the schema of a parameter that filters the audit.
fn of_audit(path: &str, name: &str) -> Option<(&'static str, Value)> {
    let names = || AuditAction::ALL.iter().map(|action| action.as_str());
    Some(match (path, name) {
        ("/audit", "action") => (
            "Only commands that do this.",
            words(&names().collect::<Vec<_>>()),
        ),
        ("/audit", "by") => (
            "Only commands of the caller with this name.",
            json!({"type": "string"}),
        ),
        ("/audit", "subject") => (
            "Only commands that name this object, by its kind and its id.",
            json!({"type": "string", "pattern": SUBJECT}),
        ),
        ("/audit", "from") => ("Only commands that were given then or later.", instant()),
        ("/audit", "to") => ("Only commands that were given before.", instant()),
        _ => return None,
    })
}

/// Returns the meaning and the schema of a parameter that filters, or of one of its values.
fn of_filter(name: &str) -> Option<(&'static str, Value)> {
    let boolean = || json!({"type": "boolean"});
    let id = || json!({"type": "string", "pattern": ID});
    Some(match name {
        "status" => ("Only runs with one of these statuses.", one_of("RunStatus")),
        "state" => ("Only deliveries in this state.", one_of("DeliveryState")),
        "trigger" => (
            "Only runs that were started in this way.",
            one_of("Trigger"),
        ),
        "label" => (
            "Only runs with this label, its name and its value. A run must have all that are given.",
            json!({"type": "string", "pattern": "^[^:]*:"}),
        ),
        "idempotency_key" => (
            "Only the run that a trigger with this key has created. It needs the pipeline.",
            json!({"type": "string", "pattern": "^[!-~]+$", "maxLength": 255}),
        ),
        "from" => ("Only runs that were created then or later.", instant()),
        "to" => ("Only runs that were created before.", instant()),
        "pipeline_id" => ("Only what belongs to the pipeline with this id.", id()),
        "backfill_id" => (
            "Only the runs of this backfill.",
            json!({"type": "string", "format": "uuid"}),
        ),
        "run_id" => (
            "Only what belongs to this run.",
            json!({"type": "string", "format": "uuid"}),
        ),
        "node_id" => ("Only lines of this node.", id()),
        "level" => ("Only lines of this level and above.", one_of("Level")),
        "types" => (
            "Only events of these types.",
            json!({"type": "array", "minItems": 1, "items": one_of("EventKind")}),
        ),
        "q" => (
            "The text to find in names, ids and descriptions, in upper or lower case.",
            text(),
        ),
        "tag" => ("Only pipelines with this tag.", json!({"type": "string"})),
        "enabled" => ("Only pipelines that are enabled, or not.", boolean()),
        "managed" => ("Only pipelines that are managed so.", one_of("Managed")),
        _ => return None,
    })
}

/// Returns the meaning and the schema of a parameter that decides what the service does.
fn of_answer(name: &str) -> Option<(&'static str, Value)> {
    Some(match name {
        "format" => (
            "The format of the file.",
            with_default(words(&["text", "ndjson", "csv"]), "text"),
        ),
        "force" => (
            "Whether executing nodes are stopped and, after 30 s, abandoned.",
            with_default(json!({"type": "boolean"}), false),
        ),
        WAIT => (
            "The most seconds that the answer waits for the end of the run.",
            number(1, WAIT_SECONDS_MAX),
        ),
        "since" => (
            "The number of an event. The stream begins with the stored events after it. Without it, only \
             new events come.",
            json!({"type": "integer", "minimum": 0}),
        ),
        _ => return None,
    })
}

/// Returns a reference to the words of a type.
fn one_of(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn cursor(path: &str) -> Value {
    match path {
        "/pipelines" | "/connections" | "/variables" => {
            json!({"type": "string", "pattern": CURSOR})
        }
        "/pipelines/{id}/versions" => number(0, u64::from(u32::MAX)),
        "/audit" => number(0, u64::MAX),
        "/deliveries" => json!({"type": "string", "pattern": DELIVERY}),
        _ => json!({"type": "string", "format": "uuid"}),
    }
}

/// Returns the header that makes a repeated request harmless.
pub(super) fn idempotency_key() -> Value {
    json!({
        "name": "Idempotency-Key",
        "in": "header",
        "description": "A repeat with the same key and body gets the first answer and starts \
            nothing.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]{1,255}$"},
    })
}

/// Returns the header that continues a distributed trace. An invalid one counts as absent.
pub(super) fn trace_parent() -> Value {
    json!({
        "name": "traceparent",
        "in": "header",
        "description": "The place of the request in a distributed trace (W3C Trace Context), which \
            the new runs continue. An invalid one is ignored.",
        "example": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "schema": {"type": "string"},
    })
}

/// Returns the header that makes a change conditional.
pub(super) fn if_match() -> Value {
    tags(
        "If-Match",
        "Refuses the change unless the pipeline has one of these entity tags.",
    )
}

/// Returns the header that saves an answer which the caller has.
pub(super) fn if_none_match() -> Value {
    tags(
        "If-None-Match",
        "Asks for 304 if the answer has one of these entity tags.",
    )
}

pub(super) fn last_event_id() -> Value {
    json!({
        "name": "Last-Event-ID",
        "in": "header",
        "description": "The number of the last event that the client has. The stream continues \
                        after it, whatever `since` says.",
        "schema": {"type": "integer", "minimum": 0},
    })
}

fn tags(name: &str, about: &str) -> Value {
    let schema = json!({"type": "string", "minLength": 1, "pattern": TAGS});
    json!({"name": name, "in": "header", "description": about, "schema": schema})
}

pub(super) fn number(min: u64, max: u64) -> Value {
    json!({"type": "integer", "minimum": min, "maximum": max})
}

pub(super) fn words(words: &[&str]) -> Value {
    json!({"type": "string", "enum": words})
}

pub(super) fn with_default(mut schema: Value, default: impl Into<Value>) -> Value {
    schema["default"] = default.into();
    schema
}

/// Returns the schema of a text to search for.
fn text() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": 200, "pattern": r"\S"})
}

fn instant() -> Value {
    json!({"type": "string", "format": "date-time"})
}
