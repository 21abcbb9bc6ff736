//! The handler that searches pipelines, connections and variables, except kinds hidden from the
//! caller.
//!
//! `views` decides what matches.

use http::Response;

use super::body::Body;
use super::call::Call;
use super::permission::Permission;
use super::response;
use crate::error::Result;
use crate::views::{SEARCH_LIMIT, SEARCH_LIMIT_MAX, SearchFilter, search_text};

/// `GET /search`
pub(super) async fn search(call: Call) -> Result<Response<Body>> {
    let query = call.query()?;
    let text = search_text(query.get("q"))?;
    let limit = query.number("limit", 1..=SEARCH_LIMIT_MAX as u64)?;
    let limit = limit.and_then(|limit| usize::try_from(limit).ok());
    let filter = SearchFilter {
        text,
        limit: limit.unwrap_or(SEARCH_LIMIT),
        bytes_max: call.engine().limits().page_bytes_max,
        pipelines: call.scope.clone(),
        connections: call.scope_for(Permission::ConnectionsView),
        variables: call.scope_for(Permission::VariablesView),
    };
    let hits = call.views().search(filter).await?;
    Ok(response::cut(&hits))
}
