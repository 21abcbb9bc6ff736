//! The profile of a node's output as callers see it, with a schema derived from it.
//!
//! The engine computes a profile after its node has succeeded. `drift` compares it with the
//! previous one.

use serde::{Serialize, Serializer};

use super::Views;
use super::drift::{self, Drift};
use crate::error::{Problem, Result};
use crate::model::{ColumnProfile, NodeId, Profile, RunId, Scope};

/// The profile of a node's output, and how it differs from the previous one.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct NodeProfile {
    /// The node.
    pub node_id: NodeId,
    /// The profile.
    pub profile: Profile,
    /// The differences from the node's previous successful run, or `None` if there is none.
    pub drift: Option<Vec<Drift>>,
}

/// The fields of a profile, in the order of the wire contract.
#[derive(Serialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(
        rename = "NodeProfile",
        description = "Statistics about the output of a node."
    )
)]
struct ProfileFields<'a> {
    node_id: &'a NodeId,
    profile: &'a Profile,
    schema: Schema<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drift: Option<&'a [Drift]>,
}

#[cfg(test)]
schema_of! { NodeProfile => ProfileFields<'static> }

#[derive(Serialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(rename = "OutputSchema", description = "The columns of an output.")
)]
struct Schema<'a> {
    columns: Vec<SchemaColumn<'a>>,
}

#[derive(Serialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(rename = "OutputColumn", description = "A column of an output.")
)]
struct SchemaColumn<'a> {
    name: &'a str,
    #[cfg_attr(test, schemars(extend("enum" = ["integer", "float", "boolean", "string", "json", "null"])))]
    #[serde(rename = "type")]
    kind: &'a str,
    null_pct: f64,
}

impl Serialize for NodeProfile {
    /// Writes the profile as the API shows it, with a schema derived from it.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let columns = self.profile.columns.iter().map(SchemaColumn::from);
        let schema = Schema {
            columns: columns.collect(),
        };
        let fields = ProfileFields {
            node_id: &self.node_id,
            profile: &self.profile,
            schema,
            drift: self.drift.as_deref(),
        };
        fields.serialize(serializer)
    }
}

impl<'a> From<&'a ColumnProfile> for SchemaColumn<'a> {
    fn from(column: &'a ColumnProfile) -> Self {
        Self {
            name: &column.name,
            kind: &column.kind,
            null_pct: column.null_pct,
        }
    }
}

impl Views {
    /// Returns the profile of a node's output.
    ///
    /// # Errors
    /// - `NotFound` with `run-not-found` or `node-not-found`.
    /// - `NotFound` with `profile-not-found` if the node has not succeeded, if it has no output, or
    ///   if its profile has not been computed yet.
    /// - `Unavailable`.
    pub(crate) async fn profile(
        &self,
        run: RunId,
        node: NodeId,
        scope: &Scope,
    ) -> Result<NodeProfile> {
        match self.storage.find_profile(run, &node, scope).await? {
            Some(found) => Ok(NodeProfile {
                node_id: node,
                drift: found
                    .previous
                    .map(|previous| drift::find_drift(&previous, &found.profile)),
                profile: found.profile,
            }),
            None => Err(self
                .explain_missing(run, &node, scope, Problem::ProfileNotFound)
                .await),
        }
    }
}
