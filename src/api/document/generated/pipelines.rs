//! The operations on the definitions of pipelines.

use serde_json::{Value, json};

use super::answer::Answer;
use super::bodies;
use super::operation::Operation;
use super::parameters::{if_match, if_none_match};
use super::pipeline_schemas;
use super::schemas::Schemas;
use crate::api::pipelines::{Checked, Saved};
use crate::api::route::{Route, Verb};
use crate::error::Problem;
use crate::model::{PipelineVersion, StoredPipeline};
use crate::views::{Grid, NodeHistory, PipelineSummary};

/// What a save can find wrong with a definition.
const DEFINITION: [Problem; 16] = [
    Problem::GraphCycle,
    Problem::DependencyCycle,
    Problem::GraphInvalid,
    Problem::GraphEmpty,
    Problem::GraphTooLarge,
    Problem::DefinitionTooLarge,
    Problem::ParamsTooLarge,
    Problem::ParamInvalid,
    Problem::NodeTypeClosed,
    Problem::CronInvalid,
    Problem::CronTooLong,
    Problem::CronNeverFires,
    Problem::TimezoneUnknown,
    Problem::AlreadyExists,
    Problem::IdMismatch,
    Problem::EncryptionKeyMissing,
];

/// Describes the operation of a route, if it is one of these.
pub(super) fn describe(route: &Route, schemas: &mut Schemas) -> Option<Operation> {
    let operation = |id| Operation::new("pipelines", id);
    let has_id = Problem::PreconditionFailed;
    Some(match (route.method, route.path) {
        (Verb::Get, "/pipelines") => {
            let list = schemas.list::<PipelineSummary>();
            let answer = Answer::json(200, "Pipelines, the newest first.", list)
                .may_have("Link", "The adjacent pages, if there are any.");
            operation("listPipelines").answer(answer)
        }
        (Verb::Post, "/pipelines") => {
            let answer = linked(saved(201, "The pipeline is created.", schemas))
                .always("Location", "The path of the pipeline.");
            operation("createPipeline")
                .body(body(schemas), example())
                .answer(answer)
                .problems(&DEFINITION)
        }
        (Verb::Get, "/pipelines/{id}") => {
            let answer = Answer::json(200, "The pipeline.", schemas.of::<StoredPipeline>());
            let answer = answer.always("ETag", "Changes with every version of the pipeline.");
            operation("getPipeline")
                .header(if_none_match())
                .answer(answer)
                .answer(
                    Answer::empty(304, "The caller has this answer.").always("ETag", "The tag."),
                )
        }
        (Verb::Put, "/pipelines/{id}") => operation("replacePipeline")
            .header(if_match())
            .body(body(schemas), example())
            .answer(saved(200, "The pipeline is replaced.", schemas))
            .problems(&DEFINITION)
            .problems(&[has_id, Problem::ManagedByCode]),
        (Verb::Delete, "/pipelines/{id}") => operation("deletePipeline")
            .header(if_match())
            .answer(Answer::empty(
                204,
                "The pipeline is deleted. Its runs stay.",
            ))
            .problems(&[has_id, Problem::ManagedByCode, Problem::PipelineActive]),
        (Verb::Get, "/pipelines/{id}/validate") => {
            let checked = schemas.of::<Checked<'static>>();
            operation("validatePipeline").answer(Answer::json(
                200,
                "What the check has found.",
                checked,
            ))
        }
        _ => {
            let others = version(route, schemas).or_else(|| pause(route, schemas));
            return others.or_else(|| newest(route, schemas));
        }
    })
}

/// Describes the operations on the newest runs.
fn newest(route: &Route, schemas: &mut Schemas) -> Option<Operation> {
    let operation = |id| Operation::new("pipelines", id);
    Some(match (route.method, route.path) {
        (Verb::Get, "/pipelines/{id}/grid") => {
            let about = "The newest runs, with a letter for each node.";
            let answer = Answer::json(200, about, schemas.of::<Grid>())
                .may_have("Floret-Truncated", "`true` if older runs are left out.");
            operation("getGrid").answer(answer)
        }
        (Verb::Get, "/pipelines/{id}/nodes/{node_id}/history") => {
            let about = "What the node did in each run, the newest first.";
            let history = schemas.of::<Vec<NodeHistory>>();
            operation("getNodeHistory").answer(Answer::json(200, about, history))
        }
        _ => return None,
    })
}

/// Describes the operations on pauses.
fn pause(route: &Route, schemas: &mut Schemas) -> Option<Operation> {
    let operation = |id| Operation::new("pipelines", id);
    let answer = |about, schemas: &mut Schemas| {
        Answer::json(200, about, schemas.of::<StoredPipeline>()).always("ETag", "The tag.")
    };
    Some(match (route.method, route.path) {
        (Verb::Post, "/pipelines/{id}/pause") => {
            let body = schemas.define("PauseRequest", bodies::pause());
            operation("pausePipeline")
                .header(if_match())
                .problems(&[Problem::PreconditionFailed])
                .body(body, json!({"reason": "the source is being moved"}))
                .answer(answer("The pipeline with its pause.", schemas))
        }
        (Verb::Post, "/pipelines/{id}/unpause") => {
            let body = schemas.define("UnpauseRequest", bodies::unpause());
            operation("unpausePipeline")
                .header(if_match())
                .problems(&[Problem::PreconditionFailed])
                .body(body, json!({"reason": "the source has moved"}))
                .answer(answer("The pipeline without a pause.", schemas))
        }
        _ => return None,
    })
}

/// Describes the operations on versions.
fn version(route: &Route, schemas: &mut Schemas) -> Option<Operation> {
    let operation = |id| Operation::new("pipelines", id);
    Some(match (route.method, route.path) {
        (Verb::Get, "/pipelines/{id}/versions") => {
            let list = schemas.list::<PipelineVersion>();
            let answer = Answer::json(200, "Versions, the newest first.", list)
                .may_have("Link", "The adjacent pages, if there are any.");
            operation("listVersions").answer(answer)
        }
        (Verb::Get, "/pipelines/{id}/versions/{version}") => {
            let about = "The pipeline with the definition of the version.";
            let answer = Answer::json(200, about, schemas.of::<StoredPipeline>());
            operation("getVersion").answer(answer)
        }
        (Verb::Get, "/pipelines/{id}/versions/{version}/diff/{to}") => {
            let patch = schemas.define("JsonPatch", json_patch());
            operation("compareVersions").answer(Answer::json(
                200,
                "A JSON Patch (RFC 6902).",
                patch,
            ))
        }
        (Verb::Post, "/pipelines/{id}/rollback") => {
            let body = schemas.define("RollbackRequest", bodies::rollback());
            operation("rollBackPipeline")
                .header(if_match())
                .body(body, json!({"version": 1}))
                .answer(saved(200, "The pipeline with its new version.", schemas))
                .problems(&DEFINITION)
                .problems(&[Problem::PreconditionFailed, Problem::ManagedByCode])
        }
        _ => return None,
    })
}

fn json_patch() -> Value {
    json!({
        "type": "array",
        "description": "What turns one definition into another one.",
        "items": {
            "type": "object",
            "required": ["op", "path"],
            "properties": {
                "op": {"type": "string", "enum": ["add", "remove", "replace"]},
                "path": {"type": "string", "description": "A JSON Pointer."},
                "value": {"description": "The new value."},
            },
        },
    })
}

fn body(schemas: &mut Schemas) -> Value {
    schemas.define("PipelineRequest", pipeline_schemas::request())
}

fn saved(status: u16, about: &'static str, schemas: &mut Schemas) -> Answer {
    Answer::json(status, about, schemas.of::<Saved<'static>>())
        .always("ETag", "Changes with every version of the pipeline.")
}

/// Adds links to what can be done with a pipeline.
fn linked(answer: Answer) -> Answer {
    let operations = [
        "getPipeline",
        "replacePipeline",
        "deletePipeline",
        "validatePipeline",
        "startRun",
        "dryRun",
        "startBackfill",
        "listPipelineRuns",
        "listBackfills",
    ];
    answer.links(&operations, "id", "/id")
}

fn example() -> Value {
    json!({
        "name": "Daily orders",
        "nodes": [
            {"id": "read", "type": "source_file", "config": {"path": "orders.csv"}},
            {"id": "save", "type": "sink_file", "config": {"path": "out/orders.ndjson"}},
        ],
        "edges": [{"from": "read", "to": "save"}],
        "params": {"date": ""},
        "schedule": "0 6 * * mon-fri",
    })
}
