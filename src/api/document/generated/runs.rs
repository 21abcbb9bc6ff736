//! The operations on runs, their logs and the outputs of their nodes.

use serde_json::{Value, json};

use super::answer::Answer;
use super::bodies;
use super::operation::Operation;
use super::parameters::{idempotency_key, if_none_match, trace_parent};
use super::problems::{IDEMPOTENCY, START};
use super::schemas::Schemas;
use crate::api::logs::LogPage;
use crate::api::route::{Route, Verb};
use crate::api::runs::{Accepted, CancelState};
use crate::engine::BulkOutcome;
use crate::error::Problem;
use crate::model::{DryRun, ResumePreview, Run};
use crate::storage::RunDetail;
use crate::views::{CalendarDay, LogLine, NodeAttempt, NodePreview, NodeProfile};

pub(super) const RUN_ID: &str = "018d0c5e-7a00-7000-8000-000000000001";

/// Describes the operation of a route, if it is one of these.
pub(super) fn describe(route: &Route, schemas: &mut Schemas) -> Option<Operation> {
    let operation = |id| Operation::new("runs", id);
    Some(match (route.method, route.path) {
        (Verb::Post, "/pipelines/{id}/run") => {
            let finished = finished(schemas);
            start(operation("startRun"), schemas).answer(finished)
        }
        (Verb::Post, "/pipelines/{id}/webhook") => start(operation("startRunByWebhook"), schemas),
        (Verb::Post, "/pipelines/{id}/dry-run") => {
            let body = schemas.define("DryRunRequest", bodies::dry_run());
            let answer = Answer::json(200, "The first rows of each node.", schemas.of::<DryRun>());
            operation("dryRun")
                .body(body, json!({}))
                .answer(answer)
                .problems(&START)
        }
        (Verb::Get, "/pipelines/{id}/runs") => operation("listPipelineRuns").answer(list(schemas)),
        (Verb::Get, "/runs") => operation("listRuns").answer(list(schemas)),
        (Verb::Get, "/runs/calendar") => {
            let days = schemas.of::<Vec<CalendarDay>>();
            operation("countRunsByDay").answer(Answer::json(
                200,
                "Every day, the oldest first.",
                days,
            ))
        }
        (Verb::Get, "/runs/{run_id}") => operation("getRun")
            .header(if_none_match())
            .answer(found(schemas))
            .answer(Answer::empty(304, "The caller has this answer.").always("ETag", "The tag.")),
        (Verb::Patch, "/runs/{run_id}") => {
            let body = schemas.define("RunPatch", bodies::edit());
            let about = "The run after the change.";
            let answer = Answer::json(200, about, schemas.of::<RunDetail>())
                .always("ETag", "Changes with every byte of the answer.");
            operation("editRun")
                .body(body, json!({"labels": {"team": "data", "draft": null}}))
                .answer(answer)
        }
        (Verb::Post, "/runs/{run_id}/cancel") => {
            let body = schemas.define("CancelRequest", bodies::cancel());
            let state = schemas.of::<CancelState>();
            let answer = Answer::json(200, "The run is cancelled, or will be.", state)
                .link("getRun", "run_id", "/id");
            operation("cancelRun")
                .body(body, json!({}))
                .answer(answer)
                .problems(&[Problem::RunFinished])
        }
        _ => {
            let others = repeated(route, schemas).or_else(|| bulk(route, schemas));
            return others.or_else(|| output(route, schemas));
        }
    })
}

/// Describes an operation that starts a run of a pipeline.
fn start(operation: Operation, schemas: &mut Schemas) -> Operation {
    let body = schemas.define("RunRequest", bodies::run());
    let example = json!({"params": {"date": "2024-01-15"}, "labels": {"team": "data"}});
    operation
        .header(idempotency_key())
        .header(trace_parent())
        .body(body, example)
        .answer(accepted(schemas, "The run is stored and waits."))
        .problems(&IDEMPOTENCY)
        .problems(&START)
        .problems(&[Problem::ConcurrencyKeyTaken])
}

/// Describes the operations that start a run from an earlier one.
fn repeated(route: &Route, schemas: &mut Schemas) -> Option<Operation> {
    let operation = |id| Operation::new("runs", id);
    Some(match (route.method, route.path) {
        (Verb::Post, "/runs/{run_id}/resume") => {
            let body = schemas.define("ResumeRequest", bodies::resume());
            operation("resumeRun")
                .header(idempotency_key())
                .header(trace_parent())
                .body(body, json!({"definition": "current"}))
                .answer(resumed(schemas))
                .answer(accepted(schemas, "The new run is stored and waits."))
                .problems(&IDEMPOTENCY)
                .problems(&START)
                .problems(&[Problem::RunNotResumable, Problem::ConcurrencyKeyTaken])
        }
        (Verb::Post, "/runs/{run_id}/rerun") => {
            let body = schemas.define("RerunRequest", bodies::rerun());
            operation("rerunRun")
                .header(idempotency_key())
                .header(trace_parent())
                .body(body, json!({"params": {"date": "2024-01-15"}}))
                .answer(finished(schemas))
                .answer(accepted(schemas, "The new run is stored and waits."))
                .problems(&IDEMPOTENCY)
                .problems(&START)
                .problems(&[Problem::RunNotFinished, Problem::PipelineNotFound])
                .problems(&[Problem::ConcurrencyKeyTaken])
        }
        _ => return None,
    })
}

/// Describes the operations on many runs.
fn bulk(route: &Route, schemas: &mut Schemas) -> Option<Operation> {
    let operation = |id| Operation::new("runs", id);
    let about = "What was done, and what was left.";
    let example = json!({"filter": {"status": ["failed"], "trigger": "schedule"}});
    let list = [
        Problem::PipelineNotFound,
        Problem::BackfillNotFound,
        Problem::TenantRequired,
        Problem::InvalidParameter,
    ];
    Some(match (route.method, route.path) {
        (Verb::Post, "/runs/cancel") => {
            let body = schemas.define("BulkCancelRequest", bodies::bulk_cancel());
            let answer = Answer::json(200, about, schemas.of::<BulkOutcome>());
            let example = json!({"filter": {"label": ["team:data"]}, "reason": "the wrong region"});
            operation("cancelRuns")
                .body(body, example)
                .answer(answer)
                .problems(&list)
        }
        (Verb::Post, "/runs/rerun") => {
            let body = schemas.define("BulkRerunRequest", bodies::bulk_rerun());
            let answer = Answer::json(200, about, schemas.of::<BulkOutcome>());
            operation("rerunRuns")
                .header(idempotency_key())
                .header(trace_parent())
                .body(body, example)
                .answer(answer)
                .problems(&list)
                .problems(&[Problem::InvalidIdempotencyKey])
        }
        _ => return None,
    })
}

/// Describes the operations on logs and outputs.
fn output(route: &Route, schemas: &mut Schemas) -> Option<Operation> {
    let operation = |id| Operation::new("runs", id);
    let missing = |problem| [problem];
    Some(match (route.method, route.path) {
        (Verb::Get, "/runs/{run_id}/logs") => {
            let (lines, page) = (
                schemas.of::<Vec<LogLine>>(),
                schemas.of::<LogPage<'static>>(),
            );
            let schema = schemas.define("LogLines", log_lines(&lines, &page));
            let answer = Answer::json(200, "The lines, in order.", schema)
                .may_have("Link", "The next part, if there is one.");
            operation("listLogLines").answer(answer)
        }
        (Verb::Get, "/runs/{run_id}/logs/export") => {
            let text = || json!({"type": "string"});
            let answer = Answer::empty(200, "The log as a file.")
                .content("text/plain", text())
                .content("application/x-ndjson", text())
                .content("text/csv", text())
                .always("Content-Disposition", "The name of the file.");
            operation("exportLog").answer(answer)
        }
        (Verb::Get, "/runs/{run_id}/nodes/{node_id}/preview") => {
            let preview = schemas.of::<NodePreview>();
            operation("getPreview")
                .answer(Answer::json(200, "The first rows of the output.", preview))
                .problems(&missing(Problem::PreviewNotFound))
        }
        (Verb::Get, "/runs/{run_id}/nodes/{node_id}/profile") => {
            let profile = schemas.of::<NodeProfile>();
            operation("getProfile")
                .answer(Answer::json(200, "Statistics about the output.", profile))
                .problems(&missing(Problem::ProfileNotFound))
        }
        (Verb::Get, "/runs/{run_id}/nodes/{node_id}/attempts") => {
            let attempts = schemas.of::<Vec<NodeAttempt>>();
            let answer = Answer::json(200, "The attempts, the oldest first.", attempts)
                .may_have("Floret-Truncated", "`true` if older attempts are left out.");
            operation("listAttempts").answer(answer)
        }
        _ => return None,
    })
}

fn log_lines(lines: &Value, page: &Value) -> Value {
    json!({
        "description": "All lines, or with `after`, `before` or `limit` a part of them, whose \
            lines have their `seq`.",
        "oneOf": [lines, page],
    })
}

fn list(schemas: &mut Schemas) -> Answer {
    Answer::json(200, "Runs, the newest first.", schemas.list::<Run>())
        .may_have("Link", "The adjacent pages, if there are any.")
        .link("getRun", "run_id", "/0/id")
}

/// The answer to a created run, with links to what can be done with it.
fn accepted(schemas: &mut Schemas, about: &'static str) -> Answer {
    let example = json!({"id": RUN_ID, "pipeline_id": "daily", "status": "pending"});
    let answer = Answer::json(202, about, schemas.of::<Accepted<'static>>())
        .example(example)
        .always("Location", "The path of the run.")
        .may_have(
            "Idempotent-Replayed",
            "`true` if the answer repeats an earlier one.",
        )
        .link("getPipeline", "id", "/pipeline_id");
    let operations = [
        "getRun",
        "cancelRun",
        "resumeRun",
        "editRun",
        "listLogLines",
        "exportLog",
    ];
    answer.links(&operations, "run_id", "/id")
}

/// The answer to a request that has waited for the run that it started.
fn finished(schemas: &mut Schemas) -> Answer {
    let about = "With `wait`: the run has finished.";
    Answer::json(200, about, schemas.of::<RunDetail>())
        .always("Location", "The path of the run.")
        .always("ETag", "Changes with every byte of the answer.")
        .may_have(
            "Idempotent-Replayed",
            "`true` if the run was started by an earlier request.",
        )
        .link("getRun", "run_id", "/id")
}

fn resumed(schemas: &mut Schemas) -> Answer {
    let about = "With `wait`: the new run has finished. With `preview`: what it would do.";
    let schema = json!({"anyOf": [schemas.of::<RunDetail>(), schemas.of::<ResumePreview>()]});
    Answer::json(200, about, schema)
        .may_have("Location", "The path of the new run.")
        .may_have("ETag", "Changes with every byte of the run.")
        .may_have(
            "Idempotent-Replayed",
            "`true` if the run was started by an earlier request.",
        )
}

fn found(schemas: &mut Schemas) -> Answer {
    let node = [("run_id", "/id"), ("node_id", "/node_runs/0/node_id")];
    Answer::json(200, "The run with its nodes.", schemas.of::<RunDetail>())
        .example(example())
        .always("ETag", "Changes with every byte of the answer.")
        .link("resumeRun", "run_id", "/id")
        .link_with("getPreview", &node)
        .link_with("getProfile", &node)
        .link_with("listAttempts", &node)
}

fn example() -> Value {
    json!({
        "id": RUN_ID,
        "pipeline_id": "daily",
        "pipeline_version": 1,
        "status": "success",
        "trigger": "manual",
        "params": {"date": "2024-01-15"},
        "created_at": "2024-01-15T06:00:00Z",
        "started_at": "2024-01-15T06:00:00.002Z",
        "finished_at": "2024-01-15T06:01:23Z",
        "node_runs": [{
            "id": format!("{RUN_ID}.0"),
            "node_id": "load",
            "status": "success",
            "attempt": 1,
            "row_count": 1_500,
            "duration_ms": 2_340,
            "queue_ms": 0,
            "started_at": "2024-01-15T06:00:00.002Z",
            "finished_at": "2024-01-15T06:00:02.342Z",
        }],
    })
}
