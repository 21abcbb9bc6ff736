//! The dashboard from the host's own code.

use super::Client;
use crate::error::Result;
use crate::views::{Dashboard, DashboardFilter};

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
}
