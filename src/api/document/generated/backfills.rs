//! The operations on backfills.

use serde_json::json;

use super::answer::Answer;
use super::bodies;
use super::operation::Operation;
use super::parameters::{idempotency_key, trace_parent};
use super::problems::{IDEMPOTENCY, START};
use super::schemas::Schemas;
use crate::api::route::{Route, Verb};
use crate::error::Problem;
use crate::model::{BackfillPreview, RunId};
use crate::storage::BackfillDetail;

/// Describes the operation of a route, if it is one of these.
pub(super) fn describe(route: &Route, schemas: &mut Schemas) -> Option<Operation> {
    let operation = |id| Operation::new("backfills", id);
    Some(match (route.method, route.path) {
        (Verb::Post, "/pipelines/{id}/backfill") => start(schemas),
        (Verb::Get, "/pipelines/{id}/backfills") => {
            let answer = Answer::json(
                200,
                "Backfills, the newest first.",
                schemas.list::<BackfillDetail>(),
            )
            .may_have("Link", "The adjacent pages, if there are any.")
            .link("getBackfill", "backfill_id", "/0/id")
            .link("cancelBackfill", "backfill_id", "/0/id")
            .link("pauseBackfill", "backfill_id", "/0/id");
            operation("listBackfills").answer(answer)
        }
        (Verb::Get, "/backfills/{backfill_id}") => {
            let answer = Answer::json(200, "The backfill.", schemas.of::<BackfillDetail>()).link(
                "getRun",
                "run_id",
                "/run_ids/0",
            );
            operation("getBackfill").answer(answer)
        }
        (Verb::Post, "/backfills/{backfill_id}/cancel") => {
            let body = schemas.define("CancelBackfillRequest", bodies::cancel());
            let answer = Answer::json(
                200,
                "The backfill, whose unfinished runs are cancelled or will be.",
                schemas.of::<BackfillDetail>(),
            )
            .link("getBackfill", "backfill_id", "/id");
            operation("cancelBackfill")
                .body(body, json!({}))
                .answer(answer)
                .problems(&[Problem::RunFinished])
        }
        (Verb::Post, "/backfills/{backfill_id}/pause") => {
            let body = schemas.define("BackfillPauseRequest", bodies::backfill_pause());
            let about = "The backfill, none of whose pending runs starts.";
            operation("pauseBackfill")
                .body(body, json!({"reason": "the source is slow"}))
                .answer(paused(about, schemas).link("unpauseBackfill", "backfill_id", "/id"))
                .problems(&[Problem::RunFinished])
        }
        (Verb::Post, "/backfills/{backfill_id}/unpause") => {
            let body = schemas.define("BackfillUnpauseRequest", bodies::unpause());
            let about = "The backfill without a pause.";
            operation("unpauseBackfill")
                .body(body, json!({"reason": "the source is fast again"}))
                .answer(paused(about, schemas))
                .problems(&[Problem::RunFinished])
        }
        (Verb::Post, "/backfills/{backfill_id}/rerun") => {
            let body = schemas.define("BackfillRerunRequest", bodies::backfill_rerun());
            operation("rerunBackfill")
                .header(idempotency_key())
                .header(trace_parent())
                .body(body, json!({"only": "failed"}))
                .answer(preview(schemas))
                .answer(accepted(schemas))
                .problems(&[Problem::RunNotFinished, Problem::PipelineNotFound])
                .problems(&IDEMPOTENCY)
                .problems(&START)
        }
        _ => return None,
    })
}

fn paused(about: &str, schemas: &mut Schemas) -> Answer {
    let backfill = schemas.of::<BackfillDetail>();
    Answer::json(200, about, backfill).link("getBackfill", "backfill_id", "/id")
}

fn preview(schemas: &mut Schemas) -> Answer {
    let dates = schemas.of::<BackfillPreview>();
    Answer::json(200, "The dates, if the body asks for a preview.", dates)
}

/// Describes the answer to a backfill that was created.
fn accepted(schemas: &mut Schemas) -> Answer {
    Answer::json(
        202,
        "The ids of the runs, the oldest date first.",
        schemas.of::<Vec<RunId>>(),
    )
    .may_have(
        "Location",
        "The path of the backfill, unless all dates are skipped.",
    )
    .may_have(
        "Idempotent-Replayed",
        "`true` if the answer repeats an earlier one.",
    )
    .link("getRun", "run_id", "/0")
    .link("cancelRun", "run_id", "/0")
}

fn start(schemas: &mut Schemas) -> Operation {
    let body = schemas.define("BackfillRequest", bodies::backfill());
    let example = json!({"start_date": "2024-01-01", "end_date": "2024-01-03", "order": "desc"});
    let runs = accepted(schemas);
    let preview = preview(schemas);
    Operation::new("backfills", "startBackfill")
        .header(idempotency_key())
        .header(trace_parent())
        .body(body, example)
        .answer(preview)
        .answer(runs)
        .problems(&IDEMPOTENCY)
        .problems(&START)
        .problems(&[Problem::BackfillTooLarge, Problem::RangeInvalid])
}
