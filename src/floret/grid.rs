//! The newest runs of a pipeline as a grid, from the host's own code.

use futures_core::future::BoxFuture;

use super::paging::within;
use super::{Client, Pipelines};
use crate::error::Result;
use crate::views::{GRID_RUNS, Grid, NEWEST_RUNS_MAX};

/// The grid of a pipeline, from [`Pipelines::grid`].
///
/// Awaiting it returns the newest runs with a letter for each node.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use floret::{Pipeline, executor::Ctx, testing::memory};
/// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
/// # async fn save(_: Ctx) -> Result<(), std::io::Error> { Err(std::io::Error::other("full")) }
/// # let daily = Pipeline::new("daily").node("load", "load").node("save", "save").after("load");
/// # let floret = memory().node("load", load).node("save", save).pipeline(daily).start().await?;
/// floret.run("daily").await?.finished().await?;
/// let grid = floret.pipelines().grid("daily").runs(10).await?;
/// assert_eq!(grid.nodes[1].as_str(), "save");
/// assert_eq!(grid.runs[0].cells, "sf");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is read before it is awaited"]
pub struct GridQuery {
    client: Client,
    pipeline: String,
    runs: u32,
}

impl Pipelines {
    /// Prepares a grid of the newest 25 runs of the pipeline with this id or slug. Awaiting the
    /// result reads it.
    pub fn grid(&self, key: impl Into<String>) -> GridQuery {
        GridQuery {
            client: self.client().clone(),
            pipeline: key.into(),
            runs: GRID_RUNS,
        }
    }
}

impl GridQuery {
    /// Sets the number of runs, from 1 to 100.
    pub const fn runs(mut self, runs: u32) -> Self {
        self.runs = runs;
        self
    }
}

impl IntoFuture for GridQuery {
    /// The newest runs, the newest first.
    ///
    /// # Errors
    /// - `NotFound` if there is no such pipeline.
    /// - `Conflict` (`tenant-required`) if several tenants have such a pipeline.
    /// - `Malformed` if the number of runs is out of range.
    /// - `Unavailable`.
    type Output = Result<Grid>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let runs = within("runs", self.runs, 1..=NEWEST_RUNS_MAX)?;
            let (views, scope) = (self.client.views(), self.client.scope());
            let grid = views
                .grid(&self.pipeline, scope, (runs, usize::MAX))
                .await?;
            Ok(grid.value)
        })
    }
}
