//! What a resume would do with each node, without a run.
//!
//! `engine/resume` decides it.

use serde::Serialize;

use super::NodeId;

/// What a resume would do, as storage knows the outputs of the chain.
///
/// The bytes of the outputs are checked when the run starts. A node whose output turns out to be
/// damaged executes again, too.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use floret::{Pipeline, executor::Ctx, testing::memory};
/// # async fn fetch(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
/// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Err(std::io::Error::other("busy")) }
/// # let daily = Pipeline::new("daily").node("fetch", "fetch").node("load", "load").after("fetch");
/// # let memory = memory().node("fetch", fetch).node("load", load);
/// # let floret = memory.pipeline(daily).start().await?;
/// use floret::ResumeAction;
///
/// let run = floret.run("daily").await?;
/// run.finished().await?;
/// let preview = run.resume().preview().await?;
/// let actions: Vec<_> = preview.nodes.iter().map(|node| node.action).collect();
/// assert_eq!(actions, [ResumeAction::Reuse, ResumeAction::Execute]);
/// assert_eq!(preview.nodes[1].reason, "it has not succeeded");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ResumePreview {
    /// Every node of the definition that the resume would execute, in topological order.
    pub nodes: Vec<ResumeNode>,
}

impl ResumePreview {
    /// Creates a preview.
    pub(crate) const fn new(nodes: Vec<ResumeNode>) -> Self {
        Self { nodes }
    }
}

/// What a resume would do with one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ResumeNode {
    /// The id of the node.
    pub node_id: NodeId,
    /// What the resume would do with it.
    pub action: ResumeAction,
    /// Why, in English.
    pub reason: String,
}

impl ResumeNode {
    /// Creates the part of a preview for one node.
    pub(crate) const fn new(node_id: NodeId, action: ResumeAction, reason: String) -> Self {
        Self {
            node_id,
            action,
            reason,
        }
    }
}

/// What a resume does with a node.
///
/// On the wire it is the name in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ResumeAction {
    /// It skips the node and reuses its output.
    Reuse,
    /// It executes the node, unless a node above fails or takes another branch.
    Execute,
    /// It skips the node: no edge to the node is taken, a node above it cannot execute, or a resume
    /// was asked to skip it.
    Skip,
    /// It leaves the sink as it is: a sink that has succeeded is not repeated.
    Never,
}
