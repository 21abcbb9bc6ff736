//! Handlers that trigger, show, list, edit, cancel and resume runs.
//!
//! The engine carries out the commands, and `views` defines the JSON of a run.

use http::{Response, StatusCode};
use serde::Serialize;

use super::body::Body;
use super::call::Call;
use super::input::BodyFields;
use super::permission::Permission;
use super::query::Query;
use super::wait::StartWait;
use super::{idempotency, paging, precondition, response, trace, wait};
use crate::engine::{
    Annotations, EditRun, QueuePlace, ResumeDefinition, ResumeRequest, RunRequest, StartedRun,
};
use crate::error::{Error, Problem, Result, quote};
use crate::model::{
    LABEL_SEPARATOR, PageRequest, PipelineId, Priority, RunId, RunStatus, Scope, TenantId, Trigger,
};
use crate::views::{RunFilter, check_filter};

/// The words for the statuses of runs.
pub(super) fn statuses() -> [(&'static str, RunStatus); RunStatus::ALL.len()] {
    RunStatus::ALL.map(|status| (status.as_str(), status))
}

/// The words for the triggers of runs.
pub(super) fn triggers() -> [(&'static str, Trigger); Trigger::ALL.len()] {
    Trigger::ALL.map(|trigger| (trigger.as_str(), trigger))
}

pub(super) const DEFINITIONS: &[(&str, ResumeDefinition)] = &[
    ("recorded", ResumeDefinition::Recorded),
    ("current", ResumeDefinition::Current),
];

/// The fields of the body that triggers a run.
const RUN_FIELDS: &[&str] = &[
    "params",
    "labels",
    "note",
    "definition",
    "priority",
    "run_after",
];

/// The fields of the body that resumes a run.
const RESUME_FIELDS: &[&str] = &[
    "from_node",
    "skip_nodes",
    "params",
    "definition",
    "reason",
    "preview",
];

/// The words for the priorities of runs.
fn priorities() -> [(&'static str, Priority); Priority::ALL.len()] {
    Priority::ALL.map(|priority| (priority.as_str(), priority))
}

/// The response to a created run.
///
/// It shows the run at its creation, so that a repeated request with the same key gets the same
/// response.
#[derive(Serialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(rename = "AcceptedRun", description = "A run at its creation.")
)]
pub(super) struct Accepted<'a> {
    id: RunId,
    pipeline_id: &'a PipelineId,
    status: RunStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    resumed_from: Option<RunId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<&'a TenantId>,
}

/// The state of a run after a cancel request.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct CancelState {
    id: RunId,
    status: RunStatus,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cancelling: bool,
}

/// `POST /pipelines/{id}/run`
pub(super) async fn trigger(mut call: Call) -> Result<Response<Body>> {
    let (request, wait) = call
        .read(|call| {
            let wait = wait::read(&call.query()?)?;
            Ok((read_request(call)?, wait))
        })
        .await?;
    let wait = StartWait::new(&call, wait)?;
    let started = call.engine().trigger(request).await?;
    started_response(&call, &started, None, wait).await
}

/// Reads the run that a request asks for: its body and its idempotency key.
///
/// # Errors
/// `Malformed` or `Invalid` when they are not acceptable.
pub(super) fn read_request(call: &mut Call) -> Result<RunRequest> {
    let (bytes, body) = call.json()?;
    let mut fields = BodyFields::of(&body, RUN_FIELDS)?;
    let params = fields.params(&bytes);
    let annotations = Annotations {
        labels: fields.labels(),
        note: fields.text("note").map(str::to_owned),
    };
    let definition = fields.number("definition", 1..=u32::MAX);
    let place = QueuePlace {
        priority: fields.choice("priority", &priorities()).unwrap_or_default(),
        run_after: fields.instant("run_after"),
    };
    fields.finish()?;
    Ok(RunRequest {
        pipeline: call.pipeline_key().to_owned(),
        params,
        definition,
        annotations,
        place,
        key: idempotency::key(&call.parts.headers, &body)?,
        author: call.author(),
        traceparent: trace::parent(&call.parts.headers),
        webhook: None,
    })
}

/// `POST /runs/{run_id}/resume`
pub(super) async fn resume(mut call: Call) -> Result<Response<Body>> {
    let run = call.run_id()?;
    let (request, is_preview, wait) = call
        .read(|call| {
            let wait = wait::read(&call.query()?)?;
            let (bytes, body) = call.json()?;
            let mut fields = BodyFields::of(&body, RESUME_FIELDS)?;
            let skip_nodes = fields.texts("skip_nodes").unwrap_or_default();
            let params = fields.params(&bytes);
            let from_node = fields.text("from_node").map(str::to_owned);
            let definition = fields.choice("definition", DEFINITIONS);
            let reason = fields.text("reason").map(str::to_owned);
            let is_preview = fields.flag("preview").unwrap_or(false);
            fields.finish()?;
            let request = ResumeRequest {
                run,
                from_node,
                skip_nodes: skip_nodes.into_iter().map(str::to_owned).collect(),
                params,
                definition: definition.unwrap_or_default(),
                key: idempotency::key(&call.parts.headers, &body)?,
                reason,
                author: call.author(),
                traceparent: trace::parent(&call.parts.headers),
            };
            Ok((request, is_preview, wait))
        })
        .await?;
    if is_preview {
        return preview_resume(&call, request).await;
    }
    let wait = StartWait::new(&call, wait)?;
    let started = call.engine().resume(request).await?;
    started_response(&call, &started, Some(run), wait).await
}

async fn preview_resume(call: &Call, mut request: ResumeRequest) -> Result<Response<Body>> {
    request.author.scope = call.scope_for(Permission::RunsView).ok_or_else(|| {
        let detail = "the preview shows the run, which needs the permission runs.view";
        Error::new(Problem::Forbidden, detail)
    })?;
    let preview = call.engine().preview_resume(request).await?;
    Ok(response::json(StatusCode::OK, &preview))
}

/// Returns the started run as it was created, or, after a wait, as it has finished.
pub(super) async fn started_response(
    call: &Call,
    started: &StartedRun,
    resumed_from: Option<RunId>,
    wait: Option<StartWait>,
) -> Result<Response<Body>> {
    let finished = match wait {
        Some(wait) => wait.finished_run(call, started.run_id).await,
        None => None,
    };
    let mut response = match finished {
        Some(run) => precondition::whole(run)?,
        None => accepted(started, resumed_from),
    };
    let location = call.link(&format!("/runs/{}", started.run_id));
    response::set_location(&mut response, location)?;
    idempotency::mark(&mut response, started.replayed);
    Ok(response)
}

fn accepted(started: &StartedRun, resumed_from: Option<RunId>) -> Response<Body> {
    let accepted = Accepted {
        id: started.run_id,
        pipeline_id: &started.pipeline.id,
        status: RunStatus::Pending,
        resumed_from,
        tenant: started.pipeline.tenant.as_ref(),
    };
    response::json(StatusCode::ACCEPTED, &accepted)
}

/// `PATCH /runs/{run_id}`
pub(super) async fn edit(mut call: Call) -> Result<Response<Body>> {
    let (labels, note) = call
        .read(|call| {
            call.query()?;
            let (_, body) = call.json()?;
            let mut fields = BodyFields::of(&body, &["labels", "note"])?;
            let labels = fields.label_changes();
            let note = fields.text_or_null("note");
            fields.finish()?;
            Ok((labels, note.map(str::to_owned)))
        })
        .await?;
    let id = call.run_id()?;
    let mut edit = EditRun::new(id);
    (edit.scope, edit.labels, edit.note) = (call.scope.clone(), labels, note);
    call.engine().edit_run(edit, call.by.clone()).await?;
    precondition::whole(call.views().run(id, &call.scope).await?)
}

/// `POST /runs/{run_id}/cancel`
pub(super) async fn cancel(mut call: Call) -> Result<Response<Body>> {
    let cancel = call.read(Call::cancel).await?;
    let id = call.run_id()?;
    let cancelled = call.engine().cancel(id, cancel).await?;
    let state = CancelState {
        id,
        status: cancelled.status,
        cancelling: !cancelled.status.is_terminal(),
    };
    Ok(response::json(StatusCode::OK, &state))
}

/// `GET /runs/{run_id}`
pub(super) async fn find(mut call: Call) -> Result<Response<Body>> {
    let wait = call.read(|call| wait::read(&call.query()?)).await?;
    let id = call.run_id()?;
    if let Some(wait) = wait {
        wait::until_finished(&call, id, &call.scope, wait).await?;
    }
    let run = call.views().run(id, &call.scope).await?;
    precondition::if_changed(&call.parts.headers, run)
}

/// `GET /runs`
pub(super) async fn list(call: Call) -> Result<Response<Body>> {
    let query = call.query()?;
    let (mut filter, page) = filter(&call, &query)?;
    filter.backfill = query.parse("backfill_id")?;
    (filter.scope, filter.pipeline) = call.pipeline_filter(&query).await?;
    call.views().check_backfill_of(&filter, &call.scope).await?;
    list_response(&call, query, filter, page).await
}

/// `GET /pipelines/{id}/runs`
pub(super) async fn list_by_pipeline(mut call: Call) -> Result<Response<Body>> {
    let (query, (mut filter, page)) = call
        .read(|call| {
            let query = call.query()?;
            let filter = filter(call, &query)?;
            Ok((query, filter))
        })
        .await?;
    let pipeline = call
        .views()
        .pipeline(call.pipeline_key(), &call.scope)
        .await?;
    filter.scope = Scope::of(pipeline.tenant.as_ref());
    filter.pipeline = Some(pipeline.id);
    list_response(&call, query, filter, page).await
}

fn filter(call: &Call, query: &Query) -> Result<(RunFilter, PageRequest)> {
    let filter = RunFilter {
        scope: call.scope.clone(),
        run: None,
        pipeline: None,
        backfill: None,
        statuses: query.choices("status", &statuses())?,
        triggers: query.choice("trigger", &triggers())?.into_iter().collect(),
        from: query.instant("from")?,
        to: query.instant("to")?,
        labels: labels(query)?,
    };
    check_filter(&filter)?;
    Ok((filter, paging::read(query)?))
}

/// Reads the labels of a filter, such as `team:data`.
fn labels(query: &Query) -> Result<Vec<(String, String)>> {
    let read = |text: &str| {
        label(text).ok_or_else(|| {
            let detail = format!("must be a label like team:data, received {}", quote(text));
            Error::invalid_parameter("label", detail)
        })
    };
    query.all("label").map(read).collect()
}

/// Reads a label of a filter: a name and a value.
pub(super) fn label(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once(LABEL_SEPARATOR)?;
    Some((name.to_owned(), value.to_owned()))
}

async fn list_response(
    call: &Call,
    query: Query,
    mut filter: RunFilter,
    page: PageRequest,
) -> Result<Response<Body>> {
    if let Some(key) = idempotency::wanted_key(&query)? {
        call.views().narrow_to_key(&mut filter, key).await?;
    }
    let query = match filter.pipeline {
        Some(_) => call.pages_in(&filter.scope, query),
        None => query,
    };
    let runs = call.views().list_runs(filter, page.clone()).await?;
    paging::to_response(call, &page, &runs, &query)
}
