//! The handler that returns the lineage graph, without the kinds of objects that the caller cannot
//! see.
//!
//! `views` builds the graph.

use http::Response;

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
            connections: call.scope_for(Permission::ConnectionsView).is_some(),
            variables: call.scope_for(Permission::VariablesView).is_some(),
        },
        nodes_max: call.engine().limits().lineage_nodes_max,
        bytes_max: call.engine().limits().page_bytes_max,
    };
    let lineage = call.views().lineage(filter).await?;
    Ok(response::cut(&lineage))
}
