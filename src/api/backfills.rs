//! Handlers that start, preview, repeat, show, list and cancel backfills.
//!
//! The engine carries out the commands; `views` decides what a backfill looks like.

use std::ops::RangeInclusive;

use http::{Response, StatusCode};

use super::body::Body;
use super::call::Call;
use super::input::{BodyFields, DATE};
use super::{idempotency, paging, response, trace};
use crate::engine::{
    BackfillDates, BackfillRequest, BackfillRerun, RepeatedDates, StartedBackfill,
};
use crate::error::Result;
use crate::graph::params::parse_date;
use crate::model::{BackfillOrder, BackfillUnit};
use crate::views::BackfillFilter;

/// The fields of a body that starts a backfill.
const FIELDS: &[&str] = &[
    "start_date",
    "end_date",
    "dates",
    "unit",
    "params",
    "max_parallel",
    "order",
    "skip_existing",
    "max_failures",
    "preview",
];

const UNITS: &[(&str, BackfillUnit)] = &[
    ("day", BackfillUnit::Day),
    ("hour", BackfillUnit::Hour),
    ("week", BackfillUnit::Week),
    ("month", BackfillUnit::Month),
    ("tick", BackfillUnit::Tick),
];

const ORDERS: &[(&str, BackfillOrder)] = &[
    ("asc", BackfillOrder::Ascending),
    ("desc", BackfillOrder::Descending),
];

const REPEATED: &[(&str, RepeatedDates)] = &[
    ("failed", RepeatedDates::Failed),
    ("all", RepeatedDates::All),
];

/// The engine checks the upper bounds.
const COUNTS: RangeInclusive<u32> = 1..=u32::MAX;

/// `POST /pipelines/{id}/backfill`
pub(super) async fn start(mut call: Call) -> Result<Response<Body>> {
    let (start, is_preview) = call
        .read(|call| {
            call.query()?;
            let (bytes, body) = call.json()?;
            let mut fields = BodyFields::of(&body, FIELDS)?;
            let start = BackfillRequest {
                pipeline: call.pipeline_key().to_owned(),
                dates: dates(&mut fields),
                unit: fields.choice("unit", UNITS).unwrap_or_default(),
                params: fields.params(&bytes).into(),
                order: fields.choice("order", ORDERS).unwrap_or_default(),
                max_parallel: fields.number("max_parallel", COUNTS).unwrap_or(1),
                max_failures: fields.number("max_failures", COUNTS),
                skip_existing: fields.flag("skip_existing").unwrap_or(false),
                repeats: None,
                key: idempotency::key(&call.parts.headers, &body)?,
                author: call.author(),
                traceparent: trace::parent(&call.parts.headers),
            };
            let is_preview = fields.flag("preview").unwrap_or(false);
            fields.finish().map(|()| (start, is_preview))
        })
        .await?;
    if is_preview {
        return preview(&call, start).await;
    }
    let started = call.engine().backfill(start).await?;
    accepted(&call, &started)
}

/// Returns the answer to a backfill that was created.
fn accepted(call: &Call, started: &StartedBackfill) -> Result<Response<Body>> {
    let mut response = response::json(StatusCode::ACCEPTED, &started.run_ids);
    if let Some(id) = started.id {
        response::set_location(&mut response, call.link(&format!("/backfills/{id}")))?;
    }
    idempotency::mark(&mut response, started.replayed);
    Ok(response)
}

/// `POST /backfills/{backfill_id}/rerun`
pub(super) async fn rerun(mut call: Call) -> Result<Response<Body>> {
    let backfill = call.backfill_id()?;
    let (rerun, is_preview) = call
        .read(|call| {
            call.query()?;
            let (_, body) = call.json()?;
            let mut fields = BodyFields::of(&body, &["only", "reason", "preview"])?;
            let only = fields.choice("only", REPEATED);
            let reason = fields.text("reason").map(str::to_owned);
            let is_preview = fields.flag("preview").unwrap_or(false);
            fields.finish()?;
            let rerun = BackfillRerun {
                backfill,
                only: only.unwrap_or_default(),
                key: idempotency::key(&call.parts.headers, &body)?,
                reason,
                author: call.author(),
                traceparent: trace::parent(&call.parts.headers),
            };
            Ok((rerun, is_preview))
        })
        .await?;
    if is_preview {
        let preview = call.engine().preview_backfill_rerun(rerun).await?;
        return Ok(response::json(StatusCode::OK, &preview));
    }
    let started = call.engine().rerun_backfill(rerun).await?;
    accepted(&call, &started)
}

/// Reads a range or a list of dates.
fn dates(fields: &mut BodyFields<'_>) -> BackfillDates {
    if !fields.has("dates") {
        return BackfillDates::Range(fields.date("start_date")..=fields.date("end_date"));
    }
    fields.refuse_beside("dates", &["start_date", "end_date"]);
    let listed = fields.all_parsed("dates", DATE, parse_date);
    BackfillDates::Listed(listed.unwrap_or_default())
}

async fn preview(call: &Call, start: BackfillRequest) -> Result<Response<Body>> {
    let preview = call.engine().preview_backfill(start).await?;
    Ok(response::json(StatusCode::OK, &preview))
}

/// `GET /pipelines/{id}/backfills`
pub(super) async fn list(mut call: Call) -> Result<Response<Body>> {
    let (query, page) = call
        .read(|call| {
            let query = call.query()?;
            let page = paging::read(&query)?;
            Ok((query, page))
        })
        .await?;
    let views = call.views();
    let pipeline = views.pipeline(call.pipeline_key(), &call.scope).await?;
    let scope = pipeline.qualified_id().scope();
    let query = call.pages_in(&scope, query);
    let filter = BackfillFilter {
        scope,
        backfill: None,
        pipeline: Some(pipeline.id),
    };
    let part = views.list_backfills(filter, page.clone()).await?;
    paging::to_response(&call, &page, &part, &query)
}

/// `GET /backfills/{backfill_id}`
pub(super) async fn find(mut call: Call) -> Result<Response<Body>> {
    call.read(|call| call.query().map(drop)).await?;
    let id = call.backfill_id()?;
    let backfill = call.views().backfill(id, &call.scope).await?;
    Ok(response::json(StatusCode::OK, &backfill))
}

/// `POST /backfills/{backfill_id}/cancel`
pub(super) async fn cancel(mut call: Call) -> Result<Response<Body>> {
    let cancel = call.read(Call::cancel).await?;
    let id = call.backfill_id()?;
    let detail = call.engine().cancel_backfill(id, cancel).await?;
    Ok(response::json(StatusCode::OK, &detail))
}
