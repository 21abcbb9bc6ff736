//! The log of a run from the host's own code.

use futures_core::future::BoxFuture;

use super::paging::within;
use super::{Client, RunHandle};
use crate::error::Result;
use crate::model::{Level, NodeId, RunId, SearchText};
use crate::views::{LogBounds, LogFilter, LogPage, LogRange, LogReader, search_text};

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
    text: Option<String>,
    after: Option<u64>,
    before: Option<u64>,
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
            text: None,
            after: None,
            before: None,
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

    /// Reads only lines whose message contains this text of 1 to 200 characters, in any case.
    ///
    /// A page examines at most [`Limits::log_searched_max`](crate::Limits) lines. It may have few
    /// lines, or none, while [`LogPage::has_next`] says that the log goes on.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use floret::{Pipeline, executor::Ctx, testing::memory};
    /// # use std::io::Error;
    /// # async fn load(_: Ctx) -> Result<(), Error> { Err(Error::other("Timeout")) }
    /// # let daily = Pipeline::new("daily").node("load", "load");
    /// # let floret = memory().node("load", load).pipeline(daily).start().await?;
    /// # let run = floret.run("daily").await?;
    /// # run.finished().await?;
    /// let found = run.logs().search("TIMEOUT").await?;
    /// assert_eq!(found.lines[0].message, "Node failed: Timeout");
    /// # Ok(())
    /// # }
    /// ```
    pub fn search(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// Reads only lines after this sequence number, the [`LogPage::cursor`] of the page before.
    pub const fn after(mut self, seq: u64) -> Self {
        self.after = Some(seq);
        self
    }

    /// Reads only lines before this sequence number, the newest of them: the [`LogPage::cursor`] of
    /// the page that comes after it, or `u64::MAX` for the end of the log.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use floret::{Pipeline, executor::Ctx, testing::memory};
    /// # use std::io::Error;
    /// # async fn load(_: Ctx) -> Result<(), Error> { Err(Error::other("Timeout")) }
    /// # let daily = Pipeline::new("daily").node("load", "load");
    /// # let floret = memory().node("load", load).pipeline(daily).start().await?;
    /// # let run = floret.run("daily").await?;
    /// # run.finished().await?;
    /// let newest = run.logs().before(u64::MAX).limit(1).await?;
    /// assert_eq!(newest.lines[0].message, "Node failed: Timeout");
    /// let earlier = run.logs().before(newest.cursor).await?;
    /// assert_eq!(earlier.lines[0].message, "Starting node: load (load)");
    /// assert!(!earlier.has_next);
    /// # Ok(())
    /// # }
    /// ```
    pub const fn before(mut self, seq: u64) -> Self {
        self.before = Some(seq);
        self
    }

    /// Sets the most lines of a page, from 1 to [`Limits::log_page_max`](crate::Limits).
    pub const fn limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Opens the whole log for reading page by page, from its oldest line up to its newest, or to
    /// the last one [before](Logs::before) a number.
    ///
    /// # Errors
    /// - `NotFound` if there is no such run.
    /// - `Malformed` if the text is blank or too long, or if it is both after and before a number.
    /// - `Unavailable`.
    pub async fn stream(self) -> Result<LogReader> {
        let filter = self.filter()?;
        self.client.views().open_log(filter).await
    }

    fn filter(&self) -> Result<LogFilter> {
        let text = self.text.as_deref().map(|text| search_text(Some(text)));
        Ok(LogFilter {
            run: self.run,
            scope: self.client.scope().clone(),
            node: self.node.clone(),
            level: self.level,
            text: text.transpose()?.map(|text| SearchText::new(&text)),
            range: LogRange::new(self.after, self.before)?,
        })
    }
}

impl IntoFuture for Logs {
    /// A page of lines, in order.
    ///
    /// # Errors
    /// - `NotFound` if there is no such run.
    /// - `Malformed` if the limit is out of range, if the text is blank or too long, or if it is
    ///   both after and before a number.
    /// - `Unavailable`.
    type Output = Result<LogPage>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let limits = self.client.engine().limits();
            let max = limits.log_page_max;
            let limit = match self.limit {
                Some(limit) => within("limit", limit as usize, 1..=max)?,
                None => max,
            };
            let (filter, bounds) = (self.filter()?, LogBounds::new(limits, limit));
            self.client.views().logs(filter, bounds).await
        })
    }
}
