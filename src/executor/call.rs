//! What an executor is given: the node, its inputs and the means to log, stop and tell repeats.
//!
//! How inputs become an executor's own types is left to `function`.

use std::collections::BTreeMap;
use std::fmt;

use chrono::NaiveDate;
use tokio_util::sync::CancellationToken;

use super::{Connections, ExecutorError, NodeLog};
use crate::model::{Dataset, Node, NodeId, PipelineId, RunId};
use crate::secret::Connection;

/// One attempt at a node.
#[derive(Debug)]
#[non_exhaustive]
pub struct NodeCall {
    /// The node and its surroundings.
    pub ctx: Ctx,
    /// What its upstreams handed on, in the order of its edges.
    pub inputs: Vec<Input>,
}

impl NodeCall {
    /// A call with these inputs.
    #[must_use]
    pub const fn new(ctx: Ctx, inputs: Vec<Input>) -> Self {
        Self { ctx, inputs }
    }

    /// The connection of this id, as [`Ctx::connection`] finds it.
    ///
    /// # Errors
    /// As [`Ctx::connection`].
    pub async fn connection(&self, id: &str) -> Result<Connection, ExecutorError> {
        self.ctx.connection(id).await
    }
}

/// What one upstream handed on.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Input {
    /// The upstream node.
    pub node_id: NodeId,
    /// Its rows, shared; none where it handed on nothing.
    pub dataset: Option<Dataset>,
}

impl Input {
    /// What the upstream handed on.
    #[must_use]
    pub const fn new(node_id: NodeId, dataset: Option<Dataset>) -> Self {
        Self { node_id, dataset }
    }
}

/// The surroundings of one attempt. Of the node it shows no config: secret variables may stand in it.
#[derive(Clone)]
#[non_exhaustive]
pub struct Ctx {
    /// The run.
    pub run_id: RunId,
    /// Its pipeline.
    pub pipeline_id: PipelineId,
    /// The run's date, `${run.date}`.
    pub date: NaiveDate,
    /// The run's parameters.
    pub params: BTreeMap<String, String>,
    /// The node, the templates in its config resolved.
    pub node: Node,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// The same over crash, retry and resume, so that a sink can tell a repeat: first run of the chain and node.
    pub attempt_key: String,
    /// Rows after which a source may stop; set in a dry run.
    pub row_limit: Option<usize>,
    /// Writes lines to the run's log.
    pub log: NodeLog,
    /// Tripped when the attempt should stop: time-out, forced cancel, end of the run's time.
    pub cancel: CancellationToken,
    pub(crate) connections: Connections,
}

impl fmt::Debug for Ctx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ctx")
            .field("run_id", &self.run_id)
            .field("pipeline_id", &self.pipeline_id)
            .field("node", &self.node.id)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}

impl Ctx {
    /// The surroundings of a first attempt at `node` that logs nowhere, for tests of executors.
    #[must_use]
    pub fn new(run_id: RunId, pipeline_id: PipelineId, date: NaiveDate, node: Node) -> Self {
        Self {
            attempt_key: format!("{run_id}.{}", node.id),
            run_id,
            pipeline_id,
            date,
            params: BTreeMap::new(),
            node,
            attempt: 1,
            row_limit: None,
            log: NodeLog::discard(),
            cancel: CancellationToken::new(),
            connections: Connections::default(),
        }
    }

    /// Finds a connection among those of the run's tenant, its secrets opened. From then on they are masked in the run's log,
    /// errors and previews.
    ///
    /// ```
    /// # use floret::executor::{Ctx, ExecutorError};
    /// async fn load(ctx: Ctx) -> Result<(), ExecutorError> {
    ///     let warehouse = ctx.connection("warehouse").await?;
    ///     let password = warehouse.password.as_ref().map(|password| password.expose());
    ///     // … log in at warehouse.host with it …
    ///     # drop(password.cloned());
    ///     Ok(())
    /// }
    /// # let node = floret::Node::new("load", "load");
    /// # let (run, pipeline) = (floret::RunId::from_uuid(uuid::Uuid::nil()), floret::PipelineId::new("daily").unwrap());
    /// # let ctx = Ctx::new(run, pipeline, chrono::NaiveDate::MIN, node);
    /// # let warehouse = floret::Connection::new(floret::ConnectionId::new("warehouse").unwrap(), "postgres".to_owned());
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(load(ctx.with_connection(warehouse))).unwrap();
    /// ```
    ///
    /// # Errors
    /// A permanent error that names the connection when there is none, or its secrets cannot be opened; a retryable one while
    /// storage cannot answer.
    pub async fn connection(&self, id: &str) -> Result<Connection, ExecutorError> {
        self.connections.find(id).await
    }

    /// Adds a connection that [`Ctx::connection`] finds, for tests of executors.
    #[must_use]
    pub fn with_connection(mut self, connection: Connection) -> Self {
        self.connections.give(connection);
        self
    }

    /// A parameter of the run.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.get(name).map(String::as_str)
    }
}
