//! The handler that returns everything that a start page shows.
//!
//! `views` decides what is counted.

use http::Response;

use super::body::Body;
use super::call::Call;
use super::permission::Permission;
use super::response;
use crate::error::Result;
use crate::views::DashboardFilter;

/// `GET /dashboard`
pub(super) async fn show(call: Call) -> Result<Response<Body>> {
    call.query()?;
    let filter = DashboardFilter {
        scope: call.scope.clone(),
        pipelines: call.scope_for(Permission::PipelinesView),
        now: call.engine().clock().now(),
        pipelines_max: call.engine().limits().dashboard_pipelines_max,
        bytes_max: call.engine().limits().page_bytes_max,
    };
    let dashboard = call.views().dashboard(filter).await?;
    Ok(response::cut(&dashboard))
}
