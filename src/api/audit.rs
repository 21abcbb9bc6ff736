//! The handler that lists the audit.

use http::Response;

use super::body::Body;
use super::call::Call;
use super::paging;
use crate::error::Result;
use crate::model::{AuditAction, AuditSubject};
use crate::views::AuditFilter;

/// `GET /audit`
pub(super) async fn list(call: Call) -> Result<Response<Body>> {
    let query = call.query()?;
    let page = paging::read(&query)?;
    let filter = AuditFilter {
        scope: call.scope.clone(),
        action: query.parse::<AuditAction>("action")?,
        by: query.get("by").map(Into::into),
        subject: query.parse::<AuditSubject>("subject")?,
        from: query.instant("from")?,
        to: query.instant("to")?,
    };
    let part = call.views().list_audit(filter, page.clone()).await?;
    paging::to_response(&call, &page, &part, &query)
}
