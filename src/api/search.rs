//! The handler that searches pipelines, connections and variables, except kinds hidden from the
//! caller.
//!
//! `views` decides what matches.

use http::Response;

use super::body::Body;
use super::call::Call;
use super::permission::Permission;
use super::{query, response};
use crate::error::Result;
use crate::views::{SearchFilter, search_text};

const LIMIT: u64 = 30;
const LIMIT_MAX: u64 = 100;

/// `GET /search`
pub(super) async fn search(call: Call) -> Result<Response<Body>> {
    let query = call.query()?;
    let Some(text) = query.get("q") else {
        let detail = "is missing; it must be 1 to 200 characters and not blank";
        return Err(query::invalid("q", detail));
    };
    let limit = query.number("limit", 1..=LIMIT_MAX)?.unwrap_or(LIMIT);
    let filter = SearchFilter {
        text: search_text(text.to_owned())?,
        limit: usize::try_from(limit).unwrap_or(usize::MAX),
        bytes_max: call.engine().limits().page_bytes_max,
        pipelines: call.scope.clone(),
        connections: call.scope_for(Permission::ConnectionsView),
        variables: call.scope_for(Permission::VariablesView),
    };
    let hits = call.views().search(filter).await?;
    Ok(response::cut(&hits))
}
