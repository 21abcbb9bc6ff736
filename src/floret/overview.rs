//! The dashboard, the lineage and the schedules from the host's own code.

use super::Client;
use crate::error::Result;
use crate::views::{
    Dashboard, DashboardFilter, LineageFilter, LineageGraph, ScheduleStatus, VisibleKinds,
};

impl Client {
    /// Returns the data for a start page: pipelines, recent runs and figures.
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
    /// floret.run("daily").await?.finished().await?;
    /// let dashboard = floret.dashboard().await?;
    /// assert_eq!((dashboard.pipelines.len(), dashboard.runs_today), (1, 1));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn dashboard(&self) -> Result<Dashboard> {
        let filter = DashboardFilter {
            scope: self.scope().clone(),
            pipelines: Some(self.scope().clone()),
            now: self.engine().clock().now(),
            pipelines_max: self.engine().limits().dashboard_pipelines_max,
            bytes_max: usize::MAX,
        };
        self.views().dashboard_of(filter).await
    }

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

    /// Returns the schedules with their next ticks.
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
    /// let hourly = Pipeline::new("hourly").node("load", "load").schedule("@hourly");
    /// floret.pipelines().create(hourly).await?;
    /// let schedules = floret.schedules().await?;
    /// assert_eq!(schedules[0].next_runs.len(), 5);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn schedules(&self) -> Result<Vec<ScheduleStatus>> {
        let now = self.engine().clock().now();
        let schedules = self.views().schedules(self.scope(), now, usize::MAX);
        Ok(schedules.await?.value)
    }
}
