//! The handler that searches pipelines, connections and variables, except kinds hidden from the
//! caller.
//!
//! `views` decides what matches.

use http::Response;

use super::body::Body;
use super::call::Call;
use super::permission::Permission;
use super::{query, response};
use crate::error::{Result, quote};
use crate::views::SearchFilter;

const LIMIT: u64 = 30;
const LIMIT_MAX: u64 = 100;
const LENGTH_MAX: usize = 200;

/// `GET /search`
pub(super) async fn search(call: Call) -> Result<Response<Body>> {
    let query = call.query()?;
    let Some(text) = query.get("q") else {
        let detail = format!("is missing; it must be 1 to {LENGTH_MAX} characters and not blank");
        return Err(query::invalid("q", detail));
    };
    if text.trim().is_empty() || text.chars().count() > LENGTH_MAX {
        let detail = format!(
            "must be 1 to {LENGTH_MAX} characters and not blank, received {}",
            quote(text)
        );
        return Err(query::invalid("q", detail));
    }
    let limit = query.number("limit", 1..=LIMIT_MAX)?.unwrap_or(LIMIT);
    let filter = SearchFilter {
        text: text.to_owned(),
        limit: usize::try_from(limit).unwrap_or(usize::MAX),
        bytes_max: call.engine().limits().page_bytes_max,
        pipelines: call.scope.clone(),
        connections: call.scope_for(Permission::ConnectionsView),
        variables: call.scope_for(Permission::VariablesView),
    };
    let hits = call.views().search(filter).await?;
    Ok(response::cut(&hits))
}
