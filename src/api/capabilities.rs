//! The handler that lists what this server can execute, so that a client can check a pipeline
//! early.
//!
//! The engine knows the registered node types.

use std::collections::BTreeMap;

use http::{Response, StatusCode};
use serde::Serialize;

use super::body::Body;
use super::call::Call;
use super::response;
use crate::error::Result;

/// The supported versions of the pipeline format.
const IR_VERSIONS: &[&str] = &["1.0", "2.0"];

#[derive(Serialize)]
struct Capabilities<'a> {
    version: &'static str,
    supported_ir_versions: &'static [&'static str],
    supported_execution_features: &'static [&'static str],
    /// Lists every node type that the caller can use; no type has a named capability.
    node_type_capabilities: BTreeMap<&'a str, &'static [&'static str]>,
    disabled_node_types: &'static [&'static str],
}

/// `GET /capabilities`
pub(super) async fn find(call: Call) -> Result<Response<Body>> {
    call.query()?;
    let types = call.engine().node_types(call.scope.tenant());
    let capabilities = Capabilities {
        version: env!("CARGO_PKG_VERSION"),
        supported_ir_versions: IR_VERSIONS,
        supported_execution_features: &[],
        node_type_capabilities: types.map(|kind| (kind, [].as_slice())).collect(),
        disabled_node_types: &[],
    };
    Ok(response::json(StatusCode::OK, &capabilities))
}
