//! What a node did in the newest runs of its pipeline, from the host's own code.

use futures_core::future::BoxFuture;

use super::paging::within;
use super::{Client, Pipelines};
use crate::error::Result;
use crate::views::{HISTORY_RUNS, NEWEST_RUNS_MAX, NodeHistory};

/// The history of a node, from [`Pipelines::node_history`].
///
/// Awaiting it returns what the node did in the newest runs.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use floret::{Pipeline, executor::Ctx, testing::memory};
/// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
/// # let daily = Pipeline::new("daily").node("load", "load");
/// # let floret = memory().node("load", load).pipeline(daily).start().await?;
/// let run = floret.run("daily").await?;
/// run.finished().await?;
/// let history = floret.pipelines().node_history("daily", "load").runs(10).await?;
/// assert_eq!(history[0].run_id, run.id());
/// assert!(history[0].duration_ms.is_some());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is read before it is awaited"]
pub struct NodeHistoryQuery {
    client: Client,
    pipeline: String,
    node: String,
    runs: u32,
}

impl Pipelines {
    /// Prepares the history of a node in the newest 20 runs of the pipeline with this id or slug.
    /// Awaiting the result reads it.
    pub fn node_history(
        &self,
        key: impl Into<String>,
        node: impl Into<String>,
    ) -> NodeHistoryQuery {
        NodeHistoryQuery {
            client: self.client().clone(),
            pipeline: key.into(),
            node: node.into(),
            runs: HISTORY_RUNS,
        }
    }
}

impl NodeHistoryQuery {
    /// Sets the number of runs, from 1 to 100.
    pub const fn runs(mut self, runs: u32) -> Self {
        self.runs = runs;
        self
    }
}

impl IntoFuture for NodeHistoryQuery {
    /// What the node did in these runs, the newest first. Runs whose version does not have the node
    /// are left out.
    ///
    /// # Errors
    /// - `NotFound` if there is no such pipeline, or if neither its newest version nor one of these
    ///   runs has the node.
    /// - `Conflict` (`tenant-required`) if several tenants have such a pipeline.
    /// - `Malformed` if the number of runs is out of range.
    /// - `Unavailable`.
    type Output = Result<Vec<NodeHistory>>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let runs = within("runs", self.runs, 1..=NEWEST_RUNS_MAX)?;
            let (views, scope) = (self.client.views(), self.client.scope());
            views
                .node_history(&self.pipeline, &self.node, scope, runs)
                .await
        })
    }
}
