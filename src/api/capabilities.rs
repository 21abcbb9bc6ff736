//! The handler that lists what this server can execute, so that a client can check a pipeline
//! early.
//!
//! The engine knows the registered node types.

use std::collections::BTreeMap;

use http::{Response, StatusCode};
use serde::Serialize;
use serde_json::Value;

use super::body::Body;
use super::call::Call;
use super::guarantees::{GUARANTEES, Guarantee};
use super::response;
use crate::engine::Engine;
use crate::error::Result;
use crate::model::Scope;

/// The supported versions of the pipeline format.
const IR_VERSIONS: &[&str] = &["1.0", "2.0"];

/// What a server can execute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Capabilities {
    /// The version of Floret.
    pub version: &'static str,
    /// The supported versions of the pipeline format.
    pub supported_ir_versions: &'static [&'static str],
    /// The supported features of the execution.
    pub supported_execution_features: &'static [&'static str],
    /// Every node type that the caller can use. No type has a named capability.
    pub node_type_capabilities: BTreeMap<String, &'static [&'static str]>,
    /// The node types that are registered and disabled. There are none.
    pub disabled_node_types: &'static [&'static str],
    /// The JSON Schema of the config of each type that declares one.
    pub node_type_config: BTreeMap<String, Value>,
    /// What the server promises.
    pub guarantees: &'static [Guarantee],
}

impl Capabilities {
    /// Returns what the server can execute for a caller of this scope.
    pub(crate) fn of(engine: &Engine, scope: &Scope) -> Self {
        let tenant = scope.tenant();
        let types = engine.node_types(tenant);
        let schemas = engine.config_schemas(tenant);
        Self {
            version: env!("CARGO_PKG_VERSION"),
            supported_ir_versions: IR_VERSIONS,
            supported_execution_features: &["conditional-routing"],
            node_type_capabilities: types.map(|kind| (kind.to_owned(), [].as_slice())).collect(),
            disabled_node_types: &[],
            node_type_config: schemas
                .map(|(kind, schema)| (kind.to_owned(), schema))
                .collect(),
            guarantees: GUARANTEES,
        }
    }
}

/// `GET /capabilities`
pub(super) async fn find(call: Call) -> Result<Response<Body>> {
    call.query()?;
    let capabilities = Capabilities::of(call.engine(), &call.scope);
    Ok(response::json(StatusCode::OK, &capabilities))
}
