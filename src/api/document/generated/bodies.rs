//! The schemas of the bodies that the handlers read by hand.
//!
//! `tests/it/openapi` compares their fields with those that the service knows.

use serde_json::{Value, json};

use super::parameters::{ID, KEY, number, with_default, words};
use crate::engine::{PURGE_DAYS, PURGE_DAYS_MAX};

/// A text without colons and control characters.
const LABEL_NAME: &str = r"^[^:\x00-\x1f\x7f-\x9f]+$";
/// A text without control characters.
const LABEL_VALUE: &str = r"^[^\x00-\x1f\x7f-\x9f]*$";

/// Returns the schema of an object that has these fields only.
pub(super) fn closed(about: &str, required: &[&str], properties: Value) -> Value {
    let mut schema = json!({
        "type": "object",
        "description": about,
        "additionalProperties": false,
    });
    schema["properties"] = properties;
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

/// Returns the schema of parameters. Their values are texts, or are taken as their texts.
pub(super) fn params(about: &str) -> Value {
    json!({
        "type": "object",
        "description": about,
        "additionalProperties": {"type": ["string", "number", "boolean"]},
    })
}

pub(super) fn run() -> Value {
    let mut definition = number(1, u64::from(u32::MAX));
    definition["description"] =
        "The version of the pipeline that the run executes. The newest one if absent.".into();
    let mut priority = with_default(words(&["high", "normal", "low"]), "normal");
    priority["description"] = "Which of the runs that callers trigger start first.".into();
    let fields = json!({
        "params": params("The parameters of the run, over those of the pipeline."),
        "labels": labels("The labels of the run.", &json!("string")),
        "note": note(&json!("string")),
        "definition": definition,
        "priority": priority,
        "run_after": run_after(),
    });
    closed("What a run starts with.", &[], fields)
}

fn run_after() -> Value {
    json!({
        "type": "string",
        "format": "date-time",
        "description": "The run stays pending until then, at most a year.",
    })
}

pub(super) fn dry_run() -> Value {
    let params = params("The parameters of the dry run, over those of the pipeline.");
    closed(
        "What a dry run starts with.",
        &[],
        json!({"params": params}),
    )
}

pub(super) fn edit() -> Value {
    let fields = json!({
        "labels": labels(
            "The labels to set, and those to remove, with `null`. All others stay.",
            &json!(["string", "null"]),
        ),
        "note": note(&json!(["string", "null"])),
    });
    closed("What changes. An absent field stays as it is.", &[], fields)
}

/// Returns the schema of labels whose values have this type.
fn labels(about: &str, value: &Value) -> Value {
    json!({
        "type": "object",
        "description": about,
        "maxProperties": 16,
        "propertyNames": {"minLength": 1, "maxLength": 128, "pattern": LABEL_NAME},
        "additionalProperties": {"type": value, "maxLength": 128, "pattern": LABEL_VALUE},
    })
}

/// A text without control characters but line breaks and tabs, and without those that turn its
/// direction around.
const TEXT: &str = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]*$";

fn note(kind: &Value) -> Value {
    json!({
        "type": kind, "maxLength": 2_000, "pattern": TEXT,
        "description": "What people have noted about the run.",
    })
}

pub(super) fn rollback() -> Value {
    let mut version = number(1, u64::from(u32::MAX));
    version["description"] = "The number of the version to save again.".into();
    closed(
        "Where a pipeline goes back to.",
        &["version"],
        json!({"version": version}),
    )
}

pub(super) fn rerun() -> Value {
    let mut definition = with_default(words(&["recorded", "current"]), "recorded");
    definition["description"] = "The definition of the earlier run, or the newest one.".into();
    let fields = json!({
        "definition": definition,
        "from_node": {
            "type": "string",
            "description": "Only this node and all downstream of it execute.",
        },
        "params": params("The parameters of the run, over those of the earlier one."),
        "note": note(&json!("string")),
        "reason": reason("Why. The audit shows it."),
    });
    closed("How a run is repeated.", &[], fields)
}

pub(super) fn backfill_rerun() -> Value {
    let mut only = with_default(words(&["failed", "all"]), "failed");
    only["description"] = "The dates whose run has not succeeded, nor a resume or a rerun of it \
        since, or every date."
        .into();
    let preview = json!({
        "type": "boolean",
        "default": false,
        "description": "Shows the dates, and creates nothing.",
    });
    let reason = reason("Why. The audit shows it.");
    let fields = json!({"only": only, "reason": reason, "preview": preview});
    closed("Which dates are repeated.", &[], fields)
}

/// Returns the fields that choose the runs of a call.
fn chosen_runs() -> Value {
    let one_of = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    let time = || json!({"type": "string", "format": "date-time"});
    let filter = json!({
        "status": {"type": "array", "minItems": 1, "items": one_of("RunStatus")},
        "trigger": one_of("Trigger"),
        "pipeline_id": {"type": "string", "pattern": ID},
        "backfill_id": {"type": "string", "format": "uuid"},
        "from": time(),
        "to": time(),
        "label": {"type": "array", "minItems": 1, "items": {"type": "string", "pattern": "^[^:]*:"}},
    });
    let mut filter = closed(
        "The conditions of the list of runs, at least one.",
        &[],
        filter,
    );
    filter["minProperties"] = json!(1);
    json!({
        "run_ids": {
            "type": "array",
            "maxItems": 1_000,
            "items": {"type": "string", "format": "uuid"},
            "description": "The runs, instead of a filter.",
        },
        "filter": filter,
        "after": {
            "type": "string", "format": "uuid",
            "description": "`next` of the call before, to go on in the filter.",
        },
        "preview": {
            "type": "boolean", "default": false, "description": "Only says what would be done.",
        },
    })
}

pub(super) fn bulk_cancel() -> Value {
    let mut fields = chosen_runs();
    fields["force"] = json!({
        "type": "boolean", "default": false,
        "description": "Whether executing nodes are stopped and, after 30 s, abandoned.",
    });
    fields["reason"] = reason("Why. The cancelled runs show it.");
    closed("Which runs to cancel.", &[], fields)
}

pub(super) fn bulk_rerun() -> Value {
    let mut fields = chosen_runs();
    let mut definition = with_default(words(&["recorded", "current"]), "recorded");
    definition["description"] = "The definition of each earlier run, or the newest one.".into();
    fields["definition"] = definition;
    fields["reason"] = reason("Why. The audit shows it.");
    closed("Which runs to repeat.", &[], fields)
}

pub(super) fn resume() -> Value {
    let from_node = json!({
        "type": "string",
        "description": "This node and all downstream of it execute again.",
    });
    let mut definition = with_default(words(&["recorded", "current"]), "recorded");
    definition["description"] = "The definition of the failed run, or the newest one.".into();
    let fields = json!({
        "from_node": from_node,
        "skip_nodes": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Nodes that do not execute, as if they had succeeded without an output.",
        },
        "params": params("Parameters over those of the failed run. It keeps its date."),
        "definition": definition,
        "reason": reason("Why. The audit shows it."),
        "preview": {
            "type": "boolean",
            "default": false,
            "description": "Shows what the resume would do with each node, and creates nothing.",
        },
    });
    closed("How a failed run continues.", &[], fields)
}

pub(super) fn cancel() -> Value {
    let reason = reason("Why. The cancelled runs show it.");
    closed("Why to cancel.", &[], json!({"reason": reason}))
}

pub(super) fn pause() -> Value {
    let reason = reason("Why. The paused pipeline shows it.");
    closed("Why to pause.", &[], json!({"reason": reason}))
}

pub(super) fn backfill_pause() -> Value {
    let reason = reason("Why. The paused backfill shows it.");
    closed("Why to pause.", &[], json!({"reason": reason}))
}

pub(super) fn unpause() -> Value {
    let reason = reason("Why. The audit shows it.");
    closed("Why the pause ends.", &[], json!({"reason": reason}))
}

fn reason(about: &str) -> Value {
    json!({"type": "string", "maxLength": 500, "pattern": TEXT, "description": about})
}

pub(super) fn backfill() -> Value {
    let count = |about| {
        let mut count = number(1, u64::from(u32::MAX));
        count["description"] = Value::from(about);
        count
    };
    let flag = |about: &str| json!({"type": "boolean", "default": false, "description": about});
    let date = |about: &str| json!({"type": "string", "format": "date", "description": about});
    let mut unit = with_default(words(&["day", "hour", "week", "month", "tick"]), "day");
    unit["description"] =
        "Which instants of the dates have a run: the beginning of each day, hour, \
        week or month, or each fire time of the schedule, in the zone of the schedule."
            .into();
    let fields = json!({
        "start_date": date("The first date."),
        "end_date": date("The last date, today at the latest."),
        "dates": {
            "type": "array", "minItems": 1, "uniqueItems": true,
            "items": {"type": "string", "format": "date"},
            "description": "The dates, in place of the first and the last.",
        },
        "unit": unit,
        "params": params("The parameters of each run. `date` is its date."),
        "max_parallel": with_default(count("How many runs may execute at the same time."), 1),
        "order": with_default(words(&["asc", "desc"]), "asc"),
        "skip_existing": flag("Leaves out dates that have run successfully, or instants if the unit is `hour` or `tick`."),
        "max_failures": count("Cancels the rest after so many failed runs."),
        "preview": flag("Lists the dates and creates nothing."),
    });
    let mut body = closed("The dates of a backfill.", &[], fields);
    body["oneOf"] = json!([
        {"required": ["start_date", "end_date"]},
        {"required": ["dates"]},
    ]);
    body
}

pub(super) fn purge() -> Value {
    let mut days = with_default(number(1, u64::from(PURGE_DAYS_MAX)), PURGE_DAYS);
    days["description"] = "Runs that finished at least so many days ago.".into();
    let preview = json!({
        "type": "boolean",
        "default": false,
        "description": "Counts the runs and deletes nothing.",
    });
    closed(
        "Which runs to delete.",
        &[],
        json!({"days": days, "reason": reason("Why. The audit shows it."), "preview": preview}),
    )
}

/// Returns the schema of a connection that is created, or of one that replaces another.
pub(super) fn connection(required: &[&str]) -> Value {
    let text = |max: u32, about: &str| json!({"type": ["string", "null"], "maxLength": max, "description": about});
    let mut fields = json!({
        "conn_id": {"type": "string", "pattern": ID, "description": "The id."},
        "type": {
            "type": "string", "minLength": 1, "maxLength": 64, "pattern": r"\S",
            "description": "What it connects to.",
        },
        "description": text(2_000, "The description."),
        "host": text(1_024, "The name of the host."),
        "port": {"type": ["integer", "null"], "minimum": 1, "maximum": 65_535},
        "schema": text(1_024, "The schema or the database."),
        "login": text(1_024, "The name of the user."),
        "password": text(16_384, "Stored encrypted. `********` keeps the stored one."),
        "extra": {
            "type": ["string", "object", "null"], "maxLength": 65_536,
            "description": "More settings. Stored encrypted. `********` keeps the stored ones.",
        },
    });
    ignored(&mut fields);
    closed("A connection with its secrets.", required, fields)
}

/// Returns the schema of a variable that is created, or of one that replaces another.
pub(super) fn variable(required: &[&str]) -> Value {
    let mut kind = with_default(words(&["string", "secret"]), "string");
    kind["description"] = "Whether the value is a secret.".into();
    let mut fields = json!({
        "key": {"type": "string", "pattern": KEY, "description": "The key."},
        "value": {
            "type": "string", "maxLength": 65_536,
            "description": "The value. `********` keeps the value of a stored secret.",
        },
        "type": kind,
        "description": {
            "type": ["string", "null"], "maxLength": 2_000, "description": "The description.",
        },
    });
    ignored(&mut fields);
    closed("A variable with its value.", required, fields)
}

/// Adds the fields of answers that a body may repeat.
fn ignored(fields: &mut Value) {
    for name in ["created_at", "updated_at"] {
        fields[name] = json!({"description": "Ignored, so that an answer can be sent back."});
    }
    fields["tenant"] = json!({
        "type": ["string", "null"],
        "description": "The tenant that the object has. It changes nothing.",
    });
}
