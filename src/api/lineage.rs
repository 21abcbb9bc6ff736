//! The lineage graph.
//!
//! What is in it is decided by `views`; a kind that the caller may not see is left out.

use http::{Response, StatusCode};

use super::body::Body;
use super::call::Call;
use super::permission::Permission;
use super::response;
use crate::error::Result;
use crate::views::{LineageFilter, VisibleKinds};

/// `GET /lineage`
pub(super) async fn show(call: Call) -> Result<Response<Body>> {
    call.query()?;
    let filter = LineageFilter {
        scope: call.scope.clone(),
        visible_kinds: VisibleKinds {
            connections: call.also(Permission::ConnectionsView).is_some(),
            variables: call.also(Permission::VariablesView).is_some(),
        },
        nodes_max: call.engine().limits().lineage_nodes_max,
    };
    let lineage = call.views().lineage(filter).await?;
    Ok(response::json(StatusCode::OK, &lineage))
}
