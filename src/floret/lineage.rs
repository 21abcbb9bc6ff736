//! The lineage of the pipelines from the host's own code.

use super::Client;
use crate::error::Result;
use crate::views::{LineageFilter, LineageGraph, VisibleKinds};

impl Client {
    /// Returns the assets that the pipelines read and write, as a graph.
    ///
    /// # Errors
    /// `Unavailable`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use floret::{Pipeline, executor::Ctx, testing::memory};
    /// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
    /// # let daily = Pipeline::new("daily").node("load", "load");
    /// # let floret = memory().node("load", load).pipeline(daily).start().await?;
    /// let graph = floret.lineage().await?;
    /// assert!(graph.nodes.iter().any(|node| node.name == "daily"));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn lineage(&self) -> Result<LineageGraph> {
        let filter = LineageFilter {
            scope: self.scope().clone(),
            visible_kinds: VisibleKinds {
                connections: true,
                variables: true,
            },
            nodes_max: self.engine().limits().lineage_nodes_max,
            bytes_max: usize::MAX,
        };
        Ok(self.views().lineage(filter).await?.value)
    }
}
