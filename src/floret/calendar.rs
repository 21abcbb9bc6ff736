//! The calendar of runs from the host's own code.

use futures_core::future::BoxFuture;

use super::Client;
use super::paging::within;
use crate::error::Result;
use crate::views::{CALENDAR_DAYS, CALENDAR_DAYS_MAX, CalendarDay, CalendarFilter};

/// The days of a calendar, from [`Client::calendar`].
///
/// Awaiting it counts the runs of each day by their status.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use floret::{Pipeline, executor::Ctx, testing::memory};
/// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
/// # let daily = Pipeline::new("daily").node("load", "load");
/// # let floret = memory().node("load", load).pipeline(daily).start().await?;
/// floret.run("daily").await?.finished().await?;
/// let days = floret.calendar().of("daily").days(7).await?;
/// assert_eq!((days.len(), days[6].success), (7, 1));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is read before it is awaited"]
pub struct Calendar {
    client: Client,
    pipeline: Option<String>,
    days: u32,
}

impl Client {
    /// Prepares a calendar of the last 90 days. Awaiting the result reads it.
    pub fn calendar(&self) -> Calendar {
        Calendar {
            client: self.clone(),
            pipeline: None,
            days: CALENDAR_DAYS,
        }
    }
}

impl Calendar {
    /// Counts only the runs of the pipeline with this id or slug. A deleted pipeline has its id as
    /// long as runs of it are left.
    pub fn of(mut self, pipeline: impl Into<String>) -> Self {
        self.pipeline = Some(pipeline.into());
        self
    }

    /// Sets the number of days, from 1 to 365. The last one is today, in UTC.
    pub const fn days(mut self, days: u32) -> Self {
        self.days = days;
        self
    }
}

impl IntoFuture for Calendar {
    /// Every day, the oldest first, with days without runs.
    ///
    /// # Errors
    /// - `NotFound` if there is no such pipeline.
    /// - `Conflict` (`tenant-required`) if several tenants have such a pipeline.
    /// - `Malformed` if the number of days is out of range.
    /// - `Unavailable`.
    type Output = Result<Vec<CalendarDay>>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let days = within("days", self.days, 1..=CALENDAR_DAYS_MAX)?;
            let client = self.client;
            let (scope, pipeline) = client.named_pipeline(self.pipeline).await?;
            let filter = CalendarFilter {
                scope,
                pipeline,
                today: client.engine().clock().now().date_naive(),
                days,
            };
            client.views().calendar(filter).await
        })
    }
}
