//! The handler that counts runs by day.
//!
//! `views` decides what is counted.

use http::{Response, StatusCode};

use super::body::Body;
use super::call::Call;
use super::response;
use crate::error::Result;
use crate::views::CalendarFilter;

const DAYS: u64 = 90;
const DAYS_MAX: u64 = 365;

/// `GET /runs/calendar`
pub(super) async fn show(call: Call) -> Result<Response<Body>> {
    let query = call.query()?;
    let days = query.number("days", 1..=DAYS_MAX)?.unwrap_or(DAYS);
    let (scope, pipeline) = call.pipeline_filter(&query).await?;
    let filter = CalendarFilter {
        scope,
        pipeline,
        today: call.engine().clock().now().date_naive(),
        days: u32::try_from(days).unwrap_or(u32::MAX),
    };
    let calendar = call.views().calendar(filter).await?;
    Ok(response::json(StatusCode::OK, &calendar))
}
