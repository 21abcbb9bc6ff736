//! The arguments of an executor: the node, its inputs, the log, the cancel token and more.
//!
//! Converting inputs to an executor's own types is left to `function`.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::{Connections, ExecutorError, NodeLog, param_types};
use crate::compute::Compute;
use crate::limits::DatasetLimits;
use crate::model::{Dataset, Node, NodeId, Params, PipelineId, RunId, TenantId, TraceParent};
use crate::secret::Connection;

/// One attempt at a node.
#[derive(Debug)]
#[non_exhaustive]
pub struct NodeCall {
    /// The context of the attempt.
    pub ctx: Ctx,
    /// The outputs of its upstreams, in the order of its edges.
    pub inputs: Vec<Input>,
}

impl NodeCall {
    /// Creates a call.
    #[must_use]
    pub const fn new(ctx: Ctx, inputs: Vec<Input>) -> Self {
        Self { ctx, inputs }
    }

    /// Returns the tenant whose run this is, as [`Ctx::tenant`] does.
    #[must_use]
    pub const fn tenant(&self) -> Option<&TenantId> {
        self.ctx.tenant.as_ref()
    }

    /// Returns the connection of this id, as [`Ctx::connection`] does.
    ///
    /// # Errors
    /// Returns the same errors as [`Ctx::connection`].
    pub async fn connection(&self, id: &str) -> Result<Connection, ExecutorError> {
        self.ctx.connection(id).await
    }
}

/// The output of one upstream.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Input {
    /// The upstream node.
    pub node_id: NodeId,
    /// Its rows, shared. `None` if it returned no dataset.
    pub dataset: Option<Dataset>,
}

impl Input {
    /// Creates an input.
    #[must_use]
    pub const fn new(node_id: NodeId, dataset: Option<Dataset>) -> Self {
        Self { node_id, dataset }
    }
}

/// The context of one attempt.
///
/// Its `Debug` output hides the node's config, which may contain secrets.
#[derive(Clone)]
#[non_exhaustive]
pub struct Ctx {
    /// The id of the run.
    pub run_id: RunId,
    /// The id of the run's pipeline.
    pub pipeline_id: PipelineId,
    /// The tenant of the run, or `None` for a run of a pipeline that belongs to no tenant.
    ///
    /// An executor that serves several tenants decides by this field whose data it touches, and
    /// never by the node's config, which the tenant writes.
    pub tenant: Option<TenantId>,
    /// The run's date, `${run.date}`.
    pub date: NaiveDate,
    /// The instant that the run is for, `${run.scheduled_at}`
    /// ([`Run::instant`](crate::Run::instant)).
    pub scheduled_at: DateTime<Utc>,
    /// The run's parameters.
    pub params: Params,
    /// The node, with the templates in its config resolved.
    pub node: Node,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// A key by which a sink recognizes a repeated attempt: `{first run}.{node}.{generation}`, of
    /// the first run of the chain of resumes.
    ///
    /// It stays the same over crashes, retries and resumes that finish what was left. The
    /// generation grows when a resume re-executes the node on purpose, from a named node or on a
    /// changed definition. Such a re-execution must write.
    pub attempt_key: String,
    /// The number of rows after which a source may stop. Set in a dry run only.
    pub row_limit: Option<usize>,
    /// The limits of the dataset that the node outputs. A larger one fails the node.
    pub dataset_limits: DatasetLimits,
    /// Writes lines to the run's log.
    pub log: NodeLog,
    /// Tripped when the attempt should stop: on its timeout, the run's timeout or a forced cancel.
    pub cancel: CancellationToken,
    pub(crate) traceparent: Option<TraceParent>,
    pub(crate) connections: Connections,
    pub(crate) compute: Compute,
    /// Held until the attempt's code ends, also by its blocking threads.
    pub(crate) dry_run_permit: Option<Arc<OwnedSemaphorePermit>>,
}

impl fmt::Debug for Ctx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ctx")
            .field("run_id", &self.run_id)
            .field("pipeline_id", &self.pipeline_id)
            .field("tenant", &self.tenant)
            .field("node", &self.node.id)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}

impl Ctx {
    /// Creates the context of a first attempt at `node`, without a tenant and without a log, for
    /// tests of executors. Its instant is the beginning of the date in UTC.
    #[must_use]
    pub fn new(run_id: RunId, pipeline_id: PipelineId, date: NaiveDate, node: Node) -> Self {
        Self {
            attempt_key: format!("{run_id}.{}.1", node.id),
            run_id,
            pipeline_id,
            tenant: None,
            date,
            scheduled_at: date.and_time(NaiveTime::MIN).and_utc(),
            params: Params::new(),
            node,
            attempt: 1,
            row_limit: None,
            dataset_limits: DatasetLimits::default(),
            log: NodeLog::discard(),
            cancel: CancellationToken::new(),
            traceparent: None,
            connections: Connections::default(),
            compute: Compute::default(),
            dry_run_permit: None,
        }
    }

    /// Returns a connection of the run's tenant with its secrets opened.
    ///
    /// From then on these secrets are masked in the run's log, errors and previews.
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
    /// # let run = floret::RunId::from_uuid(uuid::Uuid::nil());
    /// # let pipeline = floret::PipelineId::new("daily").unwrap();
    /// # let ctx = Ctx::new(run, pipeline, chrono::NaiveDate::MIN, node);
    /// # let id = floret::ConnectionId::new("warehouse").unwrap();
    /// # let ctx = ctx.with_connection(floret::Connection::new(id, "postgres".to_owned()));
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # runtime.block_on(load(ctx)).unwrap();
    /// ```
    ///
    /// # Errors
    /// Returns a permanent error if the connection does not exist or its secrets cannot be opened.
    /// Returns a retryable error while storage is unavailable.
    pub async fn connection(&self, id: &str) -> Result<Connection, ExecutorError> {
        self.connections.find(id).await
    }

    /// Adds a connection that [`Ctx::connection`] finds, for tests of executors.
    #[must_use]
    pub fn with_connection(mut self, connection: Connection) -> Self {
        self.connections.add(connection);
        self
    }

    /// Returns the place of the attempt in the distributed trace of the run, if its request named
    /// one.
    ///
    /// Send it as the header `traceparent` of the requests that the executor makes. Its trace is
    /// that of the [`Run::traceparent`](crate::Run::traceparent), its span that of this attempt,
    /// whose `tracing` span has it as the field `traceparent`.
    ///
    /// ```
    /// use floret::executor::Ctx;
    ///
    /// async fn call(ctx: Ctx) -> Result<Option<String>, std::io::Error> {
    ///     Ok(ctx.traceparent().map(|parent| parent.to_string()))
    /// }
    /// # let node = floret::Node::new("call", "call");
    /// # let run = floret::RunId::from_uuid(uuid::Uuid::nil());
    /// # let pipeline = floret::PipelineId::new("daily").unwrap();
    /// # let ctx = Ctx::new(run, pipeline, chrono::NaiveDate::MIN, node);
    /// let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    /// let ctx = ctx.with_traceparent(text.parse()?);
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    /// # let header = runtime.block_on(call(ctx))?;
    /// assert_eq!(header.as_deref(), Some(text));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn traceparent(&self) -> Option<TraceParent> {
        self.traceparent
    }

    /// Sets what [`Ctx::traceparent`] returns, for tests of executors.
    #[must_use]
    pub const fn with_traceparent(mut self, parent: TraceParent) -> Self {
        self.traceparent = Some(parent);
        self
    }

    /// Returns a parameter of the run.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.get(name)
    }

    /// Returns the parameters of the run as a struct. A text is a number, a boolean, a date, a time
    /// or a variant of an enum where its field wants one.
    ///
    /// [`Pipeline::params_of`](crate::Pipeline::params_of) defines the parameters of the struct, so
    /// that no run has others. Parameters that are no fields are ignored.
    ///
    /// ```
    /// use floret::executor::{Ctx, ExecutorError};
    ///
    /// #[derive(serde::Deserialize, schemars::JsonSchema)]
    /// struct Daily { rows: u32, region: Option<String> }
    ///
    /// async fn load(ctx: Ctx) -> Result<(), ExecutorError> {
    ///     let daily = ctx.params::<Daily>()?;
    ///     ctx.log.info(format!("{} rows", daily.rows)).await;
    ///     Ok(())
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> floret::Result<()> {
    /// # use floret::{Pipeline, testing::{memory, run_to_end}};
    /// # let daily = || Pipeline::new("daily").node("load", "load");
    /// # let finished = run_to_end(memory().node("load", load), daily()).param("rows", "5").await?;
    /// # assert_eq!(finished.detail.run.error, None);
    /// # let finished = run_to_end(memory().node("load", load), daily()).param("rows", "x").await?;
    /// # let error = finished.detail.run.error.unwrap();
    /// # assert!(error.contains("\"rows\" of Daily must be a whole number"), "{error}");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns a permanent error that names the parameter, what it must be and what it is, if a
    /// parameter does not fit or is missing.
    pub fn params<T: DeserializeOwned + JsonSchema>(&self) -> Result<T, ExecutorError> {
        param_types::read(&self.params)
    }
}
