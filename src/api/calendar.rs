//! The handler that counts runs by day.
//!
//! `views` decides what is counted.

use http::{Response, StatusCode};

use super::body::Body;
use super::call::Call;
use super::response;
use crate::error::Result;
use crate::views::{CALENDAR_DAYS, CALENDAR_DAYS_MAX, CalendarFilter};

/// `GET /runs/calendar`
pub(super) async fn show(call: Call) -> Result<Response<Body>> {
    let query = call.query()?;
    let days = query.number("days", 1..=u64::from(CALENDAR_DAYS_MAX))?;
    let days = days.and_then(|days| u32::try_from(days).ok());
    let (scope, pipeline) = call.pipeline_filter(&query).await?;
    let filter = CalendarFilter {
        scope,
        pipeline,
        today: call.engine().clock().now().date_naive(),
        days: days.unwrap_or(CALENDAR_DAYS),
    };
    let calendar = call.views().calendar(filter).await?;
    Ok(response::json(StatusCode::OK, &calendar))
}
