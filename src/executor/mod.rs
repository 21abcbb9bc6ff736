//! What executes a node: the trait that a host implements, and the functions that it may register instead.
//!
//! When a node runs, how often and with what limits is left to `engine`.

mod call;
mod connections;
mod failure;
mod function;
mod log;
mod output;
mod registry;
mod tower;
mod turn;

pub use call::{Ctx, Input, NodeCall};
pub(crate) use connections::{ConnectionSource, Connections, unknown_connection};
pub use failure::ExecutorError;
pub(crate) use function::FunctionExecutor;
pub use function::{FromInput, NodeFunction};
pub use log::NodeLog;
pub(crate) use log::{LogLine, LogSink};
pub use output::{IntoOutput, Output};
pub use registry::Registry;
pub(crate) use tower::ServiceExecutor;
pub(crate) use turn::Turns;

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::error::Issue;
use crate::model::Node;

/// What a node does to the world outside its pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Effect {
    /// Reads from outside.
    Source,
    /// Computes.
    Transform,
    /// Writes to outside: a dry run leaves it out, a resume never repeats it once it succeeded.
    Sink,
}

/// Something outside that a node reads or writes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Asset {
    /// `table`, `file` or `api`.
    pub kind: String,
    /// What it is called there; never with credentials.
    pub name: String,
    /// Whether the node writes it; otherwise it reads it.
    pub is_written: bool,
}

impl Asset {
    /// Something that a node reads (`is_written` false) or writes.
    #[must_use]
    pub fn new(kind: impl Into<String>, name: impl Into<String>, is_written: bool) -> Self {
        Self {
            kind: kind.into(),
            name: name.into(),
            is_written,
        }
    }
}

/// Executes the nodes of one type.
///
/// Most hosts register an async function instead ([`NodeFunction`]).
#[async_trait]
pub trait Executor: Send + Sync + 'static {
    /// Executes one attempt at a node.
    ///
    /// It MAY be called again with the same [`Ctx::attempt_key`] after a crash, a retry or in a resumed run.
    /// It SHOULD end soon after [`Ctx::cancel`] is tripped; it is dropped when it does not.
    ///
    /// # Errors
    /// An [`ExecutorError`], retryable or permanent; a panic counts as a retryable one.
    async fn execute(&self, call: NodeCall) -> Result<Output, ExecutorError>;

    /// What the node does to the world outside.
    fn effect(&self, node: &Node) -> Effect;

    /// Every problem of a node's config, with pointers relative to it. Asked when a pipeline is saved or validated; templates are not resolved yet.
    fn validate(&self, config: &Map<String, Value>) -> Vec<Issue>;

    /// What the node reads and writes outside, for the lineage.
    fn assets(&self, node: &Node) -> Vec<Asset>;
}
