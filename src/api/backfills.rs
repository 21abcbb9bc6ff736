//! Backfills: started, previewed, shown, listed, cancelled.
//!
//! What these acts mean is the engine's, what a backfill looks like is `views`'.

use std::ops::RangeInclusive;

use chrono::NaiveDate;
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Map, Value};

use super::body::Body;
use super::call::Call;
use super::{idempotency, input, paging, response};
use crate::engine::StartBackfill;
use crate::error::{Error, Issue, Result, shown};
use crate::model::{BackfillOrder, Cancel};
use crate::views::BackfillView;

/// The fields of a body that starts a backfill.
const FIELDS: &[&str] = &[
    "start_date",
    "end_date",
    "params",
    "max_parallel",
    "order",
    "skip_existing",
    "max_failures",
    "preview",
];

/// `POST /pipelines/{id}/backfill`
pub(super) async fn start(mut call: Call) -> Result<Response<Body>> {
    let (start, is_preview) = call
        .read(|call| {
            call.query()?;
            let (bytes, body) = call.json()?;
            let fields = input::object(&body, FIELDS)?;
            let params = input::params(fields, &bytes)?;
            let key = idempotency::key(&call.parts.headers, &body)?;
            let mut fields = Fields::of(fields);
            let start = StartBackfill {
                pipeline: call.pipeline_key().to_owned(),
                dates: fields.dates(),
                params,
                order: fields.order(),
                max_parallel: fields.count("max_parallel").unwrap_or(1),
                max_failures: fields.count("max_failures"),
                skip_existing: fields.flag("skip_existing"),
                key,
                scope: call.scope.clone(),
            };
            let is_preview = fields.flag("preview");
            fields.finish().map(|()| (start, is_preview))
        })
        .await?;
    if is_preview {
        return preview(&call, start).await;
    }
    let made = call.engine().backfill(start).await?;
    let mut answer = response::json(StatusCode::ACCEPTED, &made.run_ids);
    if let Some(id) = made.id {
        response::locate(&mut answer, call.link(&format!("/backfills/{id}")))?;
    }
    if made.replayed {
        let replayed = HeaderValue::from_static("true");
        answer.headers_mut().insert(idempotency::REPLAYED, replayed);
    }
    Ok(answer)
}

async fn preview(call: &Call, start: StartBackfill) -> Result<Response<Body>> {
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
    let key = call.pipeline_key();
    let part = call
        .views()
        .list_backfills(key, page.clone(), &call.scope)
        .await?;
    paging::answer(&page, &part, &query, |query| call.link_here(query))
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
    let is_forced = call
        .read(|call| {
            let is_forced = call.query()?.flag("force")?;
            let (_, body) = call.json()?;
            input::object(&body, &[]).map(|_| is_forced)
        })
        .await?;
    let how = match is_forced {
        Some(true) => Cancel::Forced,
        Some(false) | None => Cancel::Plain,
    };
    let id = call.backfill_id()?;
    let detail = call.engine().cancel_backfill(id, how, &call.scope).await?;
    Ok(response::json(StatusCode::OK, &BackfillView::from(detail)))
}

/// The plain fields of a body, with every problem that is found.
struct Fields<'a> {
    given: &'a Map<String, Value>,
    issues: Vec<Issue>,
}

impl<'a> Fields<'a> {
    const fn of(given: &'a Map<String, Value>) -> Self {
        Self {
            given,
            issues: Vec::new(),
        }
    }

    fn refuse(&mut self, name: &str, allowed: &str) {
        let received = match self.given.get(name) {
            None => "nothing".to_owned(),
            Some(Value::String(text)) => shown(text),
            Some(other) => shown(&other.to_string()),
        };
        let detail = format!("{name} must be {allowed}, received {received}");
        self.issues.push(Issue::pointer(format!("/{name}"), detail));
    }

    /// The dates; what is missing or none is noted.
    fn dates(&mut self) -> RangeInclusive<NaiveDate> {
        let [first, last] = ["start_date", "end_date"].map(|name| {
            let date = self.given.get(name).and_then(Value::as_str).and_then(date);
            if date.is_none() {
                self.refuse(name, "a date like 2024-01-31");
            }
            date.unwrap_or_default()
        });
        first..=last
    }

    fn order(&mut self) -> BackfillOrder {
        match self.given.get("order").map(Value::as_str) {
            None | Some(Some("asc")) => BackfillOrder::Ascending,
            Some(Some("desc")) => BackfillOrder::Descending,
            Some(_) => {
                self.refuse("order", "asc or desc");
                BackfillOrder::Ascending
            }
        }
    }

    /// A whole number where it is given; its range is checked by the engine.
    fn count(&mut self, name: &str) -> Option<u32> {
        let value = self.given.get(name)?;
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        if number.is_none() {
            self.refuse(name, "a whole number, 1 or more");
        }
        number
    }

    /// True or false; false where it is not given.
    fn flag(&mut self, name: &str) -> bool {
        let Some(value) = self.given.get(name) else {
            return false;
        };
        if !value.is_boolean() {
            self.refuse(name, "true or false");
        }
        value.as_bool().unwrap_or(false)
    }

    fn finish(self) -> Result<()> {
        if self.issues.is_empty() {
            Ok(())
        } else {
            Err(Error::invalid("invalid-field", self.issues))
        }
    }
}

/// A date as RFC 3339 writes it, and no other way.
fn date(text: &str) -> Option<NaiveDate> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    (date.to_string() == text).then_some(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_written_in_one_way() {
        assert_eq!(date("2024-02-29").unwrap().to_string(), "2024-02-29");
        for bad in [
            "",
            "2023-02-29",
            "2024-2-29",
            "24-02-29",
            "+2024-02-29",
            "2024-02-29T00:00:00Z",
            "2024/02/29",
            " 2024-02-29",
            "99999-01-01",
        ] {
            assert_eq!(date(bad), None, "{bad:?}");
        }
    }
}
