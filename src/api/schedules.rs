//! The handler that reports the next ticks of all schedules.
//!
//! `pipelines` saves a schedule with its pipeline.

use http::Response;

use super::body::Body;
use super::call::Call;
use super::response;
use crate::error::Result;

/// `GET /scheduler/status`
pub(super) async fn status(call: Call) -> Result<Response<Body>> {
    call.query()?;
    let now = call.engine().clock().now();
    let bytes_max = call.engine().limits().page_bytes_max;
    let schedules = call.views().schedules(&call.scope, now, bytes_max);
    let schedules = schedules.await?;
    Ok(response::cut(&schedules))
}
