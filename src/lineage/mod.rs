//! Lineage: what pipelines read and write, as one graph. Pipelines that touch the same object meet
//! in it.
//!
//! Pure. `views/lineage` selects the pipelines that a caller may see. Executors declare what a node
//! touches besides its SQL.
//!
//! Edges follow the data: from what is read to its reader, and from a writer to what it writes.
//! - A pipeline points to its first nodes.
//! - A variable points to the nodes that name it.
//! - A connection points to the nodes that use it; a sink points to its connection.
//!
//! A table that is reached through a connection belongs to it: tables of one name in two databases
//! are two.

mod names;
mod references;
#[cfg(feature = "lineage-sql")]
mod sql;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

/// The bytes of stack that a thread needs to add a pipeline.
#[cfg(feature = "lineage-sql")]
pub(crate) use self::sql::STACK;
/// The bytes of stack that a thread needs to add a pipeline.
#[cfg(not(feature = "lineage-sql"))]
pub(crate) const STACK: usize = 2 * 1024 * 1024;

use self::names::redact_asset_name;
use self::references::References;
use crate::error::log;
use crate::executor::{Asset, Effect};
use crate::limits::{Room, json_size};
use crate::model::{Node, PipelineId, StoredPipeline, TenantId};

/// The kind of a node in the lineage graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum LineageKind {
    /// A pipeline.
    Pipeline,
    /// A node of a pipeline.
    Processing,
    /// A connection that a node's config names.
    Connection,
    /// A table.
    Table,
    /// A file.
    File,
    /// A network address.
    Api,
    /// A variable that a node's config names.
    Variable,
}

/// A node of the graph. Fields are in the order of the wire contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct LineageNode {
    /// The id, unique within the graph.
    pub id: String,
    /// The kind. JSON calls it `type`.
    #[serde(rename = "type")]
    pub kind: LineageKind,
    /// The name, without credentials.
    pub name: String,
    /// The pipeline of a `Pipeline` or `Processing` node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipeline_id: Option<PipelineId>,
    /// The tenant of that pipeline, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
}

/// An edge and the pipeline that it comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct LineageEdge {
    /// The id of the node that the data comes from.
    pub from: String,
    /// The id of the node that the data goes to.
    pub to: String,
    /// The pipeline that moves the data.
    pub pipeline_id: PipelineId,
    /// The name of that pipeline.
    pub pipeline: String,
    /// The tenant of that pipeline, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
}

/// The kinds of objects that a caller may see besides pipelines and their assets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct VisibleKinds {
    pub(crate) connections: bool,
    pub(crate) variables: bool,
}

/// What an executor declares about a node.
#[derive(Debug, Clone)]
pub(crate) struct NodeDeclaration {
    pub(crate) assets: Vec<Asset>,
    /// `None` if no executor is registered for the node's type.
    pub(crate) effect: Option<Effect>,
}

/// The graph while pipelines are added to it.
#[derive(Debug)]
pub(crate) struct Lineage {
    visible_kinds: VisibleKinds,
    /// Whether pipelines of several tenants, which may share ids, are added.
    has_tenants: bool,
    nodes: BTreeMap<String, LineageNode>,
    edges: BTreeSet<LineageEdge>,
    /// The number of pipeline nodes that were added.
    node_count: usize,
    /// Nodes whose SQL could not be parsed, as `pipeline/node`.
    unreadable: Vec<String>,
}

/// The bytes of a graph without nodes and edges.
const FRAME_BYTES: usize = r#"{"nodes":[],"edges":[]}"#.len();

/// What pipelines read and write, as one graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct LineageGraph {
    /// The nodes, by id.
    pub nodes: Vec<LineageNode>,
    /// The edges, which follow the data.
    pub edges: Vec<LineageEdge>,
}

/// The pipeline that is being added.
struct PipelineContext<'a> {
    stored: &'a StoredPipeline,
    /// Stands before every id of the pipeline's tenant.
    prefix: String,
}

impl Lineage {
    pub(crate) const fn new(visible_kinds: VisibleKinds, has_tenants: bool) -> Self {
        Self {
            visible_kinds,
            has_tenants,
            nodes: BTreeMap::new(),
            edges: BTreeSet::new(),
            node_count: 0,
            unreadable: Vec::new(),
        }
    }

    /// The number of pipeline nodes that were added.
    pub(crate) const fn node_count(&self) -> usize {
        self.node_count
    }

    /// Returns the nodes whose SQL could not be parsed and adds no tables, as `pipeline/node`.
    pub(crate) fn unreadable(&self) -> &[String] {
        &self.unreadable
    }

    /// Adds a pipeline with everything that its nodes touch.
    pub(crate) fn add(
        &mut self,
        stored: &StoredPipeline,
        declared: impl Fn(&Node) -> NodeDeclaration,
    ) {
        let tenant = stored.tenant.as_ref().filter(|_| self.has_tenants);
        let prefix = tenant.map_or_else(String::new, |tenant| format!("{tenant}/"));
        let pipeline = PipelineContext { stored, prefix };
        let definition = &stored.definition;
        let root = self.add_node(
            LineageKind::Pipeline,
            format!("pipeline:{}{}", pipeline.prefix, stored.id),
            &definition.name,
        );
        self.set_pipeline(&root, &pipeline);
        let downstream: BTreeSet<_> = definition.edges.iter().map(|edge| &edge.to).collect();
        for node in &definition.nodes {
            let id = pipeline.processing(&node.id);
            let id = self.add_node(LineageKind::Processing, id, &node.name);
            self.set_pipeline(&id, &pipeline);
            if !downstream.contains(&node.id) {
                self.add_edge(&root, &id, &pipeline);
            }
            self.add_references(&id, node, &declared(node), &pipeline);
        }
        for edge in &definition.edges {
            self.add_edge(
                &pipeline.processing(&edge.from),
                &pipeline.processing(&edge.to),
                &pipeline,
            );
        }
        self.node_count += definition.nodes.len();
    }

    fn add_references(
        &mut self,
        id: &str,
        node: &Node,
        declared: &NodeDeclaration,
        pipeline: &PipelineContext<'_>,
    ) {
        let references = References::from_config(&node.config);
        if self.visible_kinds.variables {
            for key in &references.variables {
                let variable = format!("variable:{}{key}", pipeline.prefix);
                let variable = self.add_node(LineageKind::Variable, variable, key);
                self.add_edge(&variable, id, pipeline);
            }
        }
        if self.visible_kinds.connections {
            for name in &references.connections {
                let connection = format!("connection:{}{name}", pipeline.prefix);
                let connection = self.add_node(LineageKind::Connection, connection, name);
                match declared.effect {
                    Some(Effect::Sink) => self.add_edge(id, &connection, pipeline),
                    Some(Effect::Source | Effect::Transform) | None => {
                        self.add_edge(&connection, id, pipeline);
                    }
                }
            }
        }
        let via = match references.connections.first() {
            Some(only) if self.visible_kinds.connections && references.connections.len() == 1 => {
                Some(only)
            }
            Some(_) | None => None,
        };
        let sql_assets = self.sql_assets(node, pipeline);
        for asset in declared.assets.iter().chain(&sql_assets) {
            self.add_asset(id, asset, via.map(String::as_str), pipeline);
        }
    }

    fn add_asset(
        &mut self,
        id: &str,
        asset: &Asset,
        via: Option<&str>,
        pipeline: &PipelineContext<'_>,
    ) {
        let Some(kind) = LineageKind::from_asset_kind(&asset.kind) else {
            log::debug!(
                kind = asset.kind,
                "the lineage does not support this kind of asset"
            );
            return;
        };
        let name = redact_asset_name(&asset.name);
        let prefix = &asset.kind;
        let asset_id = match via {
            Some(connection) if kind == LineageKind::Table => {
                format!("{prefix}:{name}@{}{connection}", pipeline.prefix)
            }
            Some(_) | None => format!("{prefix}:{name}"),
        };
        let asset_id = self.add_node(kind, asset_id, &name);
        if asset.is_written {
            self.add_edge(id, &asset_id, pipeline);
        } else {
            self.add_edge(&asset_id, id, pipeline);
        }
    }

    /// Returns the tables that a node's SQL reads and writes.
    #[cfg(feature = "lineage-sql")]
    fn sql_assets(&mut self, node: &Node, pipeline: &PipelineContext<'_>) -> Vec<Asset> {
        let texts = ["sql", "query"].into_iter();
        let texts = texts.filter_map(|key| node.config.get(key)?.as_str());
        let mut assets = Vec::new();
        for text in texts {
            match sql::tables(text) {
                Ok(tables) => {
                    assets.extend(tables.read.iter().map(|name| table(name, false)));
                    assets.extend(tables.written.iter().map(|name| table(name, true)));
                }
                Err(sql::UnreadableSql) => {
                    self.unreadable
                        .push(format!("{}/{}", pipeline.stored.id, node.id));
                }
            }
        }
        assets
    }

    #[cfg(not(feature = "lineage-sql"))]
    #[expect(clippy::unused_self, reason = "the other build reads SQL here")]
    const fn sql_assets(&self, _node: &Node, _pipeline: &PipelineContext<'_>) -> Vec<Asset> {
        Vec::new()
    }

    /// Adds a node unless it exists, and returns its id.
    fn add_node(&mut self, kind: LineageKind, id: String, name: &str) -> String {
        self.nodes.entry(id.clone()).or_insert_with(|| LineageNode {
            id: id.clone(),
            kind,
            name: name.to_owned(),
            pipeline_id: None,
            tenant: None,
        });
        id
    }

    fn set_pipeline(&mut self, id: &str, pipeline: &PipelineContext<'_>) {
        if let Some(node) = self.nodes.get_mut(id) {
            node.pipeline_id = Some(pipeline.stored.id.clone());
            node.tenant.clone_from(&pipeline.stored.tenant);
        }
    }

    fn add_edge(&mut self, from: &str, to: &str, pipeline: &PipelineContext<'_>) {
        self.edges.insert(LineageEdge {
            from: from.to_owned(),
            to: to.to_owned(),
            pipeline_id: pipeline.stored.id.clone(),
            pipeline: pipeline.stored.definition.name.clone(),
            tenant: pipeline.stored.tenant.clone(),
        });
    }
}

impl PipelineContext<'_> {
    fn processing(&self, node: &str) -> String {
        // No part contains a slash, so the parts cannot be confused.
        format!("processing:{}{}/{node}", self.prefix, self.stored.id)
    }
}

impl LineageKind {
    fn from_asset_kind(kind: &str) -> Option<Self> {
        match kind {
            "table" => Some(Self::Table),
            "file" => Some(Self::File),
            "api" => Some(Self::Api),
            _ => None,
        }
    }
}

#[cfg(feature = "lineage-sql")]
fn table(name: &str, is_written: bool) -> Asset {
    Asset::new("table", name, is_written)
}

impl From<Lineage> for LineageGraph {
    fn from(lineage: Lineage) -> Self {
        Self {
            nodes: lineage.nodes.into_values().collect(),
            edges: lineage.edges.into_iter().collect(),
        }
    }
}

impl LineageGraph {
    /// Removes nodes, with their edges, and edges until the graph has at most `bytes_max` bytes as
    /// JSON. Returns whether it removed any.
    pub(crate) fn cut(&mut self, bytes_max: usize) -> bool {
        if json_size(self) <= bytes_max {
            return false;
        }
        let half = Room(bytes_max.saturating_sub(FRAME_BYTES) / 2);
        let (mut nodes_room, mut edges_room) = (half, half);
        nodes_room.cut(&mut self.nodes);
        let left: BTreeSet<_> = self.nodes.iter().map(|node| node.id.as_str()).collect();
        let has_both = |edge: &LineageEdge| {
            left.contains(edge.from.as_str()) && left.contains(edge.to.as_str())
        };
        self.edges.retain(has_both);
        edges_room.cut(&mut self.edges);
        true
    }
}

#[cfg(test)]
mod tests;
