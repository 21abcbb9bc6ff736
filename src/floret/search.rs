//! Search from the host's own code.

use futures_core::future::BoxFuture;

use super::Client;
use super::paging::within;
use crate::error::Result;
use crate::views::{SEARCH_LIMIT, SEARCH_LIMIT_MAX, SearchFilter, SearchHit, search_text};

/// A search, from [`Client::search`].
///
/// Awaiting it returns the pipelines, connections and variables that contain the text, in any case.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use floret::{Pipeline, executor::Ctx, testing::memory};
/// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
/// # let daily = Pipeline::new("daily").node("load", "load");
/// # let floret = memory().node("load", load).pipeline(daily).start().await?;
/// let hits = floret.search("DAIL").limit(10).await?;
/// assert_eq!((hits[0].kind, hits[0].id.as_str()), ("pipeline", "daily"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is searched before it is awaited"]
pub struct Search {
    client: Client,
    text: String,
    limit: usize,
}

impl Client {
    /// Prepares a search for a text of 1 to 200 characters in names, ids and descriptions. Awaiting
    /// the result searches.
    pub fn search(&self, text: impl Into<String>) -> Search {
        Search {
            client: self.clone(),
            text: text.into(),
            limit: SEARCH_LIMIT,
        }
    }
}

impl Search {
    /// Sets the most hits, from 1 to 100. Without it, there are at most 30.
    pub const fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }
}

impl IntoFuture for Search {
    /// The hits: pipelines, then connections, then variables. Values and secrets are not searched.
    ///
    /// # Errors
    /// - `Malformed` if the text is blank or too long, or the limit is out of range.
    /// - `Unavailable`.
    type Output = Result<Vec<SearchHit>>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let scope = self.client.scope();
            let filter = SearchFilter {
                text: search_text(Some(&self.text))?,
                limit: within("limit", self.limit, 1..=SEARCH_LIMIT_MAX)?,
                bytes_max: usize::MAX,
                pipelines: scope.clone(),
                connections: Some(scope.clone()),
                variables: Some(scope.clone()),
            };
            Ok(self.client.views().search(filter).await?.value)
        })
    }
}
