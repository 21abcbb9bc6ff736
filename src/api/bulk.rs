//! Handlers that cancel or rerun many runs: those of a list or of a filter.

use std::collections::BTreeSet;

use http::{Response, StatusCode};
use serde_json::Value;

use super::body::Body;
use super::call::Call;
use super::input::BodyFields;
use super::runs::{DEFINITIONS, label, statuses, triggers};
use super::{idempotency, response, trace};
use crate::engine::{BULK_MAX, BulkAction, BulkRerun, BulkRuns, CancelCommand};
use crate::error::{Error, Issue, IssueLocation, Problem, Result, quote};
use crate::model::{Cancel, PipelineId, RunId};
use crate::views::{RunFilter, check_filter};

/// The fields that choose runs.
const CHOICE: [&str; 4] = ["run_ids", "filter", "after", "preview"];

/// The fields of a filter, which are the parameters of a list.
const FILTER: [&str; 7] = [
    "status",
    "trigger",
    "pipeline_id",
    "backfill_id",
    "from",
    "to",
    "label",
];

/// Why a filter without a condition is refused.
const NO_CONDITION: &str =
    "a filter has at least one condition, so that no call means all runs by accident";

/// The runs that a body chooses, and whether the call only looks at them.
struct Choice {
    runs: BulkRuns,
    pipeline: Option<PipelineId>,
    is_preview: bool,
}

/// `POST /runs/cancel`
pub(super) async fn cancel(mut call: Call) -> Result<Response<Body>> {
    call.query()?;
    let (_, body) = call.json()?;
    let known = [&CHOICE[..], &["force", "reason"]].concat();
    let mut fields = BodyFields::of(&body, &known)?;
    let is_forced = fields.flag("force").unwrap_or_default();
    let reason = fields.text("reason").map(str::to_owned);
    let choice = read_choice(fields)?;
    let cancel = if is_forced {
        Cancel::Forced
    } else {
        Cancel::Plain
    };
    let action = BulkAction::Cancel(CancelCommand {
        cancel,
        reason,
        author: call.author(),
    });
    carry_out(&call, choice, action).await
}

/// `POST /runs/rerun`
pub(super) async fn rerun(mut call: Call) -> Result<Response<Body>> {
    call.query()?;
    let (_, body) = call.json()?;
    let known = [&CHOICE[..], &["definition", "reason"]].concat();
    let mut fields = BodyFields::of(&body, &known)?;
    let definition = fields.choice("definition", DEFINITIONS);
    let reason = fields.text("reason").map(str::to_owned);
    let choice = read_choice(fields)?;
    let key = idempotency::key(&call.parts.headers, &body)?;
    let action = BulkAction::Rerun(BulkRerun {
        definition: definition.unwrap_or_default(),
        key: key.map(|key| key.key),
        reason,
        author: call.author(),
        traceparent: trace::parent(&call.parts.headers),
    });
    carry_out(&call, choice, action).await
}

async fn carry_out(call: &Call, choice: Choice, action: BulkAction) -> Result<Response<Body>> {
    let Choice {
        mut runs,
        pipeline,
        is_preview,
    } = choice;
    if let BulkRuns::Filtered { filter, .. } = &mut runs {
        filter.scope = match &pipeline {
            Some(pipeline) => call.views().scope_of_filter(pipeline, &call.scope).await?,
            None => call.scope.clone(),
        };
        filter.pipeline = pipeline;
        call.views().check_backfill_of(filter, &call.scope).await?;
    }
    let outcome = call.engine().bulk(runs, action, is_preview).await;
    let outcome = outcome.map_err(|error| match error.problem() {
        Problem::InvalidParameter => at_body(&error, ""),
        _ => error,
    })?;
    Ok(response::json(StatusCode::OK, &outcome))
}

/// Reads which runs a body means.
fn read_choice(mut fields: BodyFields<'_>) -> Result<Choice> {
    let is_preview = fields.flag("preview").unwrap_or_default();
    let run_ids = fields.texts("run_ids");
    let after = fields.text("after").map(str::to_owned);
    let filter = fields.object("filter");
    fields.finish()?;
    let (runs, pipeline) = match (run_ids, filter) {
        (Some(ids), None) if after.is_none() => (BulkRuns::Listed(listed(&ids)?), None),
        (None, Some(filter)) => {
            let (filter, pipeline) = read_filter(filter)?;
            (BulkRuns::Filtered { filter, after }, pipeline)
        }
        (Some(_), None) => {
            return Err(refusal(
                "/after",
                "after goes on in a filter, not in run_ids",
            ));
        }
        (Some(_), Some(_)) => {
            return Err(refusal(
                "/filter",
                "a call has either run_ids or a filter, not both",
            ));
        }
        (None, None) => {
            return Err(refusal(
                "",
                "run_ids or filter is missing, which say which runs are meant",
            ));
        }
    };
    Ok(Choice {
        runs,
        pipeline,
        is_preview,
    })
}

/// Parses the ids of runs. An id that is given twice counts once.
fn listed(ids: &[&str]) -> Result<Vec<RunId>> {
    let max = BULK_MAX as usize;
    if ids.len() > max {
        let detail = format!("run_ids has at most {max} ids, these are {}", ids.len());
        return Err(refusal("/run_ids", detail));
    }
    let mut runs: Vec<RunId> = Vec::with_capacity(ids.len());
    for (index, id) in ids.iter().enumerate() {
        let run = id.parse().map_err(|_| {
            let detail = format!("the id of a run is a UUID, received {}", quote(id));
            refusal(&format!("/run_ids/{index}"), detail)
        })?;
        runs.push(run);
    }
    let mut seen = BTreeSet::new();
    runs.retain(|run| seen.insert(*run));
    Ok(runs)
}

/// Reads a filter, and the pipeline that it names.
fn read_filter(filter: &Value) -> Result<(RunFilter, Option<PipelineId>)> {
    let mut fields = BodyFields::within("/filter", filter, &FILTER)?;
    let chosen = fields.choices("status", &statuses());
    let trigger = fields.choice("trigger", &triggers());
    let pipeline = fields.parsed("pipeline_id", "the id of a pipeline", |text| {
        PipelineId::new(text).ok()
    });
    let backfill = fields.parsed("backfill_id", "the id of a backfill", |text| {
        text.parse().ok()
    });
    let from = fields.instant("from");
    let to = fields.instant("to");
    let labels = fields.all_parsed("label", "a label like team:data", label);
    for (name, is_empty) in [
        ("status", chosen.as_ref().is_some_and(Vec::is_empty)),
        ("label", labels.as_ref().is_some_and(Vec::is_empty)),
    ] {
        if is_empty {
            fields.refuse(name, NO_CONDITION);
        }
    }
    fields.finish()?;
    if filter.as_object().is_none_or(serde_json::Map::is_empty) {
        return Err(refusal("/filter", NO_CONDITION));
    }
    // A repeated status means nothing more.
    let mut statuses = chosen.unwrap_or_default();
    statuses.sort_unstable();
    statuses.dedup();
    let filter = RunFilter {
        backfill,
        statuses,
        triggers: trigger.into_iter().collect(),
        from,
        to,
        labels: labels.unwrap_or_default(),
        ..RunFilter::default()
    };
    check_filter(&filter).map_err(|error| at_body(&error, "/filter"))?;
    Ok((filter, pipeline))
}

/// Returns the refusal of a parameter of a list as that of a field of the body.
fn at_body(error: &Error, at: &str) -> Error {
    let issues = error.issues().iter().map(|issue| match &issue.location {
        IssueLocation::Parameter(name) => {
            Issue::pointer(format!("{at}/{name}"), format!("{name} {}", issue.detail))
        }
        IssueLocation::Pointer(_) => issue.clone(),
    });
    Error::invalid(Problem::InvalidField, issues.collect())
}

fn refusal(pointer: &str, detail: impl Into<String>) -> Error {
    Error::invalid(
        Problem::InvalidField,
        vec![Issue::pointer(pointer, detail.into())],
    )
}
