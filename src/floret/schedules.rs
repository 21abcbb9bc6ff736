//! The schedules from the host's own code.

use super::Client;
use crate::error::Result;
use crate::views::ScheduleStatus;

impl Client {
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
