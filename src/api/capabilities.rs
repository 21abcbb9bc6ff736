//! The handler that lists what this server can execute and what the caller may do, so that a client
//! can check early.
//!
//! The engine knows the registered node types.

use std::collections::BTreeMap;

use http::{Response, StatusCode};
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::body::Body;
use super::call::Call;
use super::guarantees::{GUARANTEES, Guarantee};
use super::permission::Permission;
use super::response;
use crate::engine::Engine;
use crate::error::Result;
use crate::model::{CallerName, Scope, TenantId};

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
    /// Who asks, and what it may do.
    pub caller: Caller,
}

/// A caller as the host's access policy sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Caller {
    /// Its name, if the host knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<CallerName>,
    /// The tenant whose objects it sees, or `None` if it sees those of every tenant or of none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// Its permissions. A client of Rust has all of them.
    #[serde(serialize_with = "names")]
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub permissions: Vec<Permission>,
}

fn names<S: Serializer>(permissions: &[Permission], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(permissions.iter().map(|permission| permission.as_str()))
}

impl Capabilities {
    /// Returns what the server can execute for a caller of this scope.
    pub(crate) fn of(
        engine: &Engine,
        scope: &Scope,
        name: Option<CallerName>,
        permissions: Vec<Permission>,
    ) -> Self {
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
            caller: Caller {
                name,
                tenant: tenant.cloned(),
                permissions,
            },
        }
    }
}

/// `GET /capabilities`
pub(super) async fn find(call: Call) -> Result<Response<Body>> {
    call.query()?;
    let mut permissions = Permission::ALL.to_vec();
    permissions.retain(|permission| call.scope_for(*permission).is_some());
    let name = call.by.clone();
    let capabilities = Capabilities::of(call.engine(), &call.scope, name, permissions);
    Ok(response::json(StatusCode::OK, &capabilities))
}
