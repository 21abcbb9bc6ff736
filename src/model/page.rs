//! Pages of a list: the request for a page and the page.
//!
//! `api` parses the query parameters.

/// A request for a part of a list. Lists are sorted, newest item first.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use floret::{Pipeline, executor::Ctx, testing::memory};
/// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
/// # let daily = Pipeline::new("daily").node("load", "load");
/// # let floret = memory().node("load", load).pipeline(daily).start().await?;
/// let first = floret.backfills().page(20).number(1).await?;
/// assert_eq!(first.total, Some(0));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PageRequest {
    /// Requests the newest `limit` items.
    Newest {
        /// The most items to return, from 1 to 100.
        limit: u32,
    },
    /// Requests the page `page` of pages of `per_page` items each. The answer has the total.
    Numbered {
        /// The number of the page, from 1.
        page: u32,
        /// The items per page, from 1 to 100.
        per_page: u32,
    },
    /// Requests the `limit` items after the item that `cursor` names, or the first `limit` items
    /// without a cursor.
    ///
    /// The item of the cursor need not exist any more.
    After {
        /// The value of [`Page::next`] in the previous answer.
        cursor: Option<String>,
        /// The most items to return, from 1 to 100.
        limit: u32,
    },
}

/// A part of a list.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use floret::{Pipeline, executor::Ctx, testing::memory};
/// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
/// # let daily = Pipeline::new("daily").node("load", "load");
/// # let floret = memory().node("load", load).pipeline(daily).start().await?;
/// let mut page = floret.backfills().page(100).await?;
/// let mut count = page.items.len();
/// while let Some(cursor) = page.next {
///     page = floret.backfills().page(100).after(cursor).await?;
///     count += page.items.len();
/// }
/// assert_eq!(count, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page<T> {
    /// The items, newest first.
    pub items: Vec<T>,
    /// The number of items in the whole list. Only an answer to [`PageRequest::Numbered`] has it.
    pub total: Option<u64>,
    /// The cursor of the last item, or `None` if no items follow.
    pub next: Option<String>,
}

impl PageRequest {
    /// The number of items of a page, if the caller names none. A numbered page over HTTP has its
    /// own.
    pub(crate) const SIZE: u32 = 50;
    /// The most items of a page.
    pub(crate) const SIZE_MAX: u32 = 100;
}

impl<T> Page<T> {
    /// Creates a page.
    #[must_use]
    pub const fn new(items: Vec<T>, total: Option<u64>, next: Option<String>) -> Self {
        Self { items, total, next }
    }
}
