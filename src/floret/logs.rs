//! The log of a run from the host's own code.

use futures_core::future::BoxFuture;

use super::paging::within;
use super::{Client, RunHandle};
use crate::error::Result;
use crate::model::{Level, NodeId, RunId};
use crate::views::{LogFilter, LogPage, LogReader};

/// The log of a run, from [`RunHandle::logs`].
///
/// Awaiting it returns a page of lines. [`Logs::stream`] reads the whole log page by page.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use floret::{Pipeline, testing::memory};
/// use floret::{Level, executor::Ctx};
///
/// async fn load(ctx: Ctx) -> Result<(), std::io::Error> {
///     ctx.log.warning("the source is slow").await;
///     Ok(())
/// }
/// # let daily = Pipeline::new("daily").node("load", "load");
/// # let floret = memory().node("load", load).pipeline(daily).start().await?;
/// let run = floret.run("daily").await?;
/// run.finished().await?;
/// let page = run.logs().level(Level::Warning).await?;
/// assert_eq!(page.lines[0].message, "the source is slow");
///
/// let mut log = run.logs().stream().await?;
/// while let Some(lines) = log.next().await? {
///     for line in lines {
///         println!("{} {}", line.timestamp, line.message);
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is read before it is awaited"]
pub struct Logs {
    client: Client,
    run: RunId,
    node: Option<NodeId>,
    level: Level,
    after: u64,
    limit: Option<u32>,
}

impl RunHandle {
    /// Returns the log of the run, to be read.
    pub fn logs(&self) -> Logs {
        Logs {
            client: self.client().clone(),
            run: self.id(),
            node: None,
            level: Level::Debug,
            after: 0,
            limit: None,
        }
    }
}

impl Logs {
    /// Reads only the lines of this node.
    pub fn node(mut self, node: NodeId) -> Self {
        self.node = Some(node);
        self
    }

    /// Reads only lines of this level and above.
    pub const fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// Reads only lines after this sequence number, the [`LogPage::cursor`] of the page before.
    pub const fn after(mut self, seq: u64) -> Self {
        self.after = seq;
        self
    }

    /// Sets the most lines of a page, from 1 to [`Limits::log_page_max`](crate::Limits).
    pub const fn limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Opens the whole log for reading page by page, up to its newest line.
    ///
    /// # Errors
    /// `NotFound` if there is no such run; `Unavailable`.
    pub async fn stream(self) -> Result<LogReader> {
        let filter = self.filter();
        self.client.views().open_log(filter).await
    }

    fn filter(&self) -> LogFilter {
        LogFilter {
            run: self.run,
            scope: self.client.scope().clone(),
            node: self.node.clone(),
            level: self.level,
            after: self.after,
        }
    }
}

impl IntoFuture for Logs {
    /// A page of lines, in order.
    ///
    /// # Errors
    /// - `NotFound` if there is no such run.
    /// - `Malformed` if the limit is out of range.
    /// - `Unavailable`.
    type Output = Result<LogPage>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let limits = self.client.engine().limits();
            let (max, bytes_max) = (limits.log_page_max, limits.page_bytes_max);
            let limit = match self.limit {
                Some(limit) => within("limit", limit as usize, 1..=max)?,
                None => max,
            };
            let filter = self.filter();
            self.client.views().logs(filter, limit, bytes_max).await
        })
    }
}
