//! The handle of a run: every call about one run that exists.
//!
//! `cancel` and `resume` have the commands.

use serde::de::DeserializeOwned;

use super::Client;
use crate::error::{Error, Problem, Result, quote};
use crate::model::{Dataset, NodeId, RunId};
use crate::storage::RunDetail;
use crate::views::{NodeAttempt, NodePreview, NodeProfile};

/// A handle to a run, from [`RunBuilder::start`](crate::RunBuilder::start) or
/// [`Client::run_by_id`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use floret::{Pipeline, executor::Ctx, testing::memory};
/// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
/// # let daily = Pipeline::new("daily").node("load", "load");
/// # let floret = memory().node("load", load).pipeline(daily).start().await?;
/// let run = floret.run("daily").start().await?;
/// println!("started {}", run.id());
/// let detail = run.finished().await?;
/// assert!(detail.run.status.is_terminal());
/// assert_eq!(detail.nodes.len(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct RunHandle {
    client: Client,
    id: RunId,
}

impl RunHandle {
    pub(super) const fn new(client: Client, id: RunId) -> Self {
        Self { client, id }
    }

    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    /// Returns the run's id.
    #[must_use]
    pub const fn id(&self) -> RunId {
        self.id
    }

    /// Returns the run with its nodes, as it is now, and why it waits if it is pending.
    ///
    /// # Errors
    /// `NotFound` if there is no such run; `Unavailable`.
    pub async fn get(&self) -> Result<RunDetail> {
        let (views, scope) = (self.client.views(), self.client.scope());
        views.run_detail(self.id, scope).await
    }

    /// Waits until the run has finished and returns the run with its nodes.
    ///
    /// To wait for a while only, drop the future, for example by `tokio::time::timeout`. The run
    /// goes on.
    ///
    /// # Errors
    /// - `NotFound` if there is no such run, or it was purged meanwhile.
    /// - `ShuttingDown` if Floret stops first.
    /// - `Unavailable`.
    pub async fn finished(&self) -> Result<RunDetail> {
        let finished = || async {
            let (views, scope) = (self.client.views(), self.client.scope());
            let detail = views.detail(self.id, scope).await?;
            Ok(detail.run.status.is_terminal().then_some(detail))
        };
        let events = self.client.engine().events();
        let finished = events.until_finished(self.id, finished).await?;
        finished.ok_or_else(|| {
            Error::new(
                Problem::ShuttingDown,
                "Floret stopped before the run finished",
            )
        })
    }

    /// Returns the first 50 rows of a node's output.
    ///
    /// # Errors
    /// - `NotFound` if the run does not exist or has no such node.
    /// - `NotFound` (`preview-not-found`) if the node has not succeeded or has no output.
    /// - `Unavailable`.
    pub async fn preview(&self, node: &str) -> Result<NodePreview> {
        let (views, scope) = (self.client.views(), self.client.scope());
        views.preview(self.id, node_id(node)?, scope).await
    }

    /// Returns statistics about a node's output, and how they differ from those of its previous
    /// successful run.
    ///
    /// # Errors
    /// - `NotFound` if the run does not exist or has no such node.
    /// - `NotFound` (`profile-not-found`) if the node has not succeeded, has no output, or its
    ///   profile is not computed yet.
    /// - `Unavailable`.
    pub async fn profile(&self, node: &str) -> Result<NodeProfile> {
        let (views, scope) = (self.client.views(), self.client.scope());
        views.profile(self.id, node_id(node)?, scope).await
    }

    /// Returns the attempts at a node, oldest first: the newest 1,000.
    ///
    /// An attempt that a crash or a shutdown interrupted is one of them, and so is the one that
    /// repeats it. A node that has not started has none, and neither has one whose earlier output
    /// the run reuses.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use floret::{Pipeline, executor::Ctx, testing::memory};
    /// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
    /// # let daily = Pipeline::new("daily").node("load", "load");
    /// # let floret = memory().node("load", load).pipeline(daily).start().await?;
    /// use floret::query::AttemptStatus;
    ///
    /// let run = floret.run("daily").start().await?;
    /// run.finished().await?;
    /// let attempts = run.attempts("load").await?;
    /// assert_eq!((attempts[0].attempt, attempts[0].status), (1, AttemptStatus::Success));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// - `NotFound` if the run does not exist or has no such node.
    /// - `Unavailable`.
    pub async fn attempts(&self, node: &str) -> Result<Vec<NodeAttempt>> {
        let (views, scope) = (self.client.views(), self.client.scope());
        let attempts = views.attempts(self.id, &node_id(node)?, scope).await?;
        Ok(attempts.value)
    }

    /// Returns the output of a node as rows.
    ///
    /// A succeeded run keeps the outputs of its last nodes, up to 1 MiB each, and those of nodes
    /// with [`Node::keep_output`](crate::Node::keep_output). In a test, `testing::memory` keeps
    /// them all.
    ///
    /// # Errors
    /// - `NotFound` if the run does not exist or has no such node.
    /// - `OutputDropped` if there is no output, or if it was not stored or was dropped. The message
    ///   says why.
    /// - `Invalid` if a row cannot be deserialized as `T`.
    /// - `Unavailable`.
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use floret::{Floret, Pipeline, executor::Ctx, storage::MemoryStorage};
    ///
    /// async fn load(_: Ctx) -> Result<Vec<serde_json::Value>, std::io::Error> {
    ///     Ok(vec![serde_json::json!({"id": 7})])
    /// }
    /// let floret = Floret::builder(MemoryStorage::default())
    ///     .node("load", load)
    ///     .pipeline(Pipeline::new("daily").node("load", "load"))
    ///     .start()
    ///     .await?;
    /// let run = floret.run("daily").start().await?;
    /// run.finished().await?;
    /// let rows: Vec<serde_json::Value> = run.output("load").await?;
    /// assert_eq!(rows[0]["id"], 7);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn output<T: DeserializeOwned>(&self, node: &str) -> Result<Vec<T>> {
        self.dataset(node).await?.deserialize()
    }

    /// Returns the output of a node as a dataset.
    ///
    /// # Errors
    /// The same as [`RunHandle::output`], except for `Invalid`.
    pub async fn dataset(&self, node: &str) -> Result<Dataset> {
        let (views, scope) = (self.client.views(), self.client.scope());
        views.output(self.id, node, scope).await
    }
}

fn node_id(node: &str) -> Result<NodeId> {
    NodeId::new(node)
        .map_err(|_| Error::new(Problem::NodeNotFound, format!("no node {}", quote(node))))
}
