//! Executors: the trait that executes nodes of one type, and the adapters for functions and tower
//! services.
//!
//! When a node executes, how often and within what limits is decided by `engine`.

mod arguments;
mod branch;
mod call;
mod config;
mod connections;
mod conversion;
mod declarations;
mod failure;
mod function;
mod input;
mod log;
mod output;
mod param_schema;
mod param_types;
mod readiness;
mod registry;
mod state;
mod tower;

pub use arguments::{NodeArgument, NodeArguments};
pub use branch::Branch;
pub use call::{Ctx, Input, NodeCall};
pub use config::Config;
pub(crate) use connections::{ConnectionSource, Connections, unknown_connection};
pub(crate) use declarations::{assets, config_schema, input_count, is_sink};
pub use failure::ExecutorError;
pub(crate) use function::FunctionExecutor;
pub use function::{NodeError, NodeFunction, NodeResult};
pub use input::FromInput;
pub use log::NodeLog;
pub(crate) use log::{LogLine, LogSink};
pub use output::{IntoOutput, Output};
pub(crate) use readiness::Readiness;
pub use registry::Registry;
pub use state::State;
pub(crate) use state::States;
pub(crate) use tower::ServiceExecutor;

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::error::Issue;
use crate::model::Node;

/// The effect of a node outside its pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Effect {
    /// Reads from outside the pipeline.
    Source,
    /// Computes on its inputs only.
    Transform,
    /// Writes outside the pipeline. A dry run skips it, and a resume never repeats its success.
    Sink,
}

/// Something outside the pipeline that a node reads or writes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Asset {
    /// `table`, `file` or `api`.
    pub kind: String,
    /// Its name in the system that holds it, without credentials.
    pub name: String,
    /// Whether the node writes the asset. Otherwise the node reads it.
    pub is_written: bool,
    /// Whether the node replaces the whole asset, so that the result of any other node that writes
    /// it is lost. A pipeline with two nodes that write such an asset is refused.
    pub is_replaced: bool,
}

impl Asset {
    /// Creates an asset that a node writes (`is_written`) or reads.
    #[must_use]
    pub fn new(kind: impl Into<String>, name: impl Into<String>, is_written: bool) -> Self {
        Self {
            kind: kind.into(),
            name: name.into(),
            is_written,
            is_replaced: false,
        }
    }

    /// Declares that the node replaces the whole asset instead of adding to it.
    ///
    /// ```
    /// use floret::executor::Asset;
    ///
    /// let report = Asset::new("file", "out/report.csv", true).replaced();
    /// assert!(report.is_written && report.is_replaced);
    /// ```
    #[must_use]
    pub fn replaced(mut self) -> Self {
        self.is_written = true;
        self.is_replaced = true;
        self
    }
}

/// Executes the nodes of one type.
///
/// Most hosts register an async function instead ([`NodeFunction`]).
#[async_trait]
pub trait Executor: Send + Sync + 'static {
    /// Executes one attempt at a node.
    ///
    /// It MAY be called again with the same [`Ctx::attempt_key`] after a crash, after a failed
    /// attempt or in a resumed run that finishes what was left. A call with another key was asked
    /// for on purpose and MUST write again. It SHOULD return soon after [`Ctx::cancel`] is tripped;
    /// otherwise its future is dropped.
    ///
    /// # Errors
    /// Returns a retryable or permanent [`ExecutorError`]. A panic counts as a retryable error.
    async fn execute(&self, call: NodeCall) -> Result<Output, ExecutorError>;

    /// Returns the node's effect outside its pipeline.
    fn effect(&self, node: &Node) -> Effect;

    /// Returns every problem of a node's config, with pointers relative to the config.
    ///
    /// Floret calls it when a pipeline is saved or validated. Templates are not resolved yet.
    fn validate(&self, config: &Map<String, Value>) -> Vec<Issue>;

    /// Returns what the node reads and writes outside its pipeline, for the lineage.
    ///
    /// A pipeline is refused if one of its sinks replaces an asset ([`Asset::is_replaced`]) that
    /// another sink writes.
    fn assets(&self, node: &Node) -> Vec<Asset>;

    /// Returns the keys of a config that this executor reads, or `None` if it may read any key.
    ///
    /// Floret warns of every other key of a config when a pipeline is saved or validated. The keys
    /// that the engine reads, such as `max_retries`, are not part of the list.
    fn config_keys(&self) -> Option<&[&str]> {
        None
    }

    /// Returns how many inputs a node of this type takes, or `None` if it takes any number: 1
    /// stands for the rows of all upstreams, 2 for those of exactly two.
    ///
    /// Floret warns of a node without upstreams whose type takes an input.
    fn input_count(&self) -> Option<usize> {
        None
    }

    /// Returns the JSON Schema of a node's config, which `GET /capabilities` shows, or `None` if
    /// there is none.
    fn config_schema(&self) -> Option<Value> {
        None
    }

    /// Returns what is odd about a node's config although it is valid, with pointers relative to
    /// the config.
    ///
    /// Floret calls it when a pipeline is saved or validated. Templates are not resolved yet.
    fn warnings(&self, _config: &Map<String, Value>) -> Vec<Issue> {
        Vec::new()
    }
}
