//! A subscription: one reader's stream of events, read page by page from storage.
//!
//! It holds only one page in memory, so a slow reader costs no more. `feed` serves streams over the
//! network.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::error::{ErrorKind, Result};
use crate::model::Event;
use crate::storage::{EventFilter, Storage};

type FetchedPage = Pin<Box<dyn Future<Output = (Source, Result<Vec<Event>>)> + Send>>;

/// A stream of events in the order of their numbers, without a gap. It ends when Floret shuts down.
///
/// Each failed read yields one error. The next poll continues reading at the same event.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use floret::{Pipeline, executor::Ctx, testing::memory};
/// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
/// # let daily = Pipeline::new("daily").node("load", "load");
/// # let floret = memory().node("load", load).pipeline(daily).start().await?;
/// let mut events = floret.events();
/// floret.run("daily").start().await?;
/// while let Some(event) = events.next().await.transpose()? {
///     println!("{} {:?} {}", event.seq, event.kind, event.run_id);
///     if event.kind.is_terminal() {
///         break;
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub struct Subscription {
    page: VecDeque<Event>,
    reading: Option<FetchedPage>,
    source: Option<Source>,
}

/// The source of the next page.
struct Source {
    storage: Arc<dyn Storage>,
    filter: EventFilter,
    // Every event up to this number was returned or does not match the filter.
    after: u64,
    page_max: u32,
    newest: watch::Receiver<u64>,
    closed: CancellationToken,
    is_closed: bool,
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("buffered", &self.page.len())
            .finish_non_exhaustive()
    }
}

impl Subscription {
    pub(super) fn new(
        storage: Arc<dyn Storage>,
        filter: EventFilter,
        after: u64,
        page_max: u32,
        newest: watch::Receiver<u64>,
        closed: CancellationToken,
    ) -> Self {
        let source = Source {
            storage,
            filter,
            after,
            page_max,
            newest,
            closed,
            is_closed: false,
        };
        Self {
            page: VecDeque::new(),
            reading: None,
            source: Some(source),
        }
    }

    /// Returns the next event, or `None` after the end of the stream.
    pub async fn next(&mut self) -> Option<Result<Event>> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

impl Stream for Subscription {
    type Item = Result<Event>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(event) = self.page.pop_front() {
                return Poll::Ready(Some(Ok(event)));
            }
            if let Some(reading) = &mut self.reading {
                let (source, page) = ready!(reading.as_mut().poll(context));
                self.reading = None;
                self.source = Some(source);
                match page {
                    Ok(events) => self.page = events.into(),
                    // Storage was closed before a slow reader had read all events.
                    Err(error) if error.kind() == ErrorKind::ShuttingDown => {
                        self.source = None;
                    }
                    Err(error) => return Poll::Ready(Some(Err(error))),
                }
            } else {
                let Some(source) = self.source.take_if(|source| !source.is_closed) else {
                    return Poll::Ready(None);
                };
                self.reading = Some(Box::pin(source.read()));
            }
        }
    }
}

impl Source {
    /// Waits until there may be more events, then reads a page. An empty page does not end the
    /// stream.
    async fn read(mut self) -> (Self, Result<Vec<Event>>) {
        tokio::select! {
            biased;
            more = self.newest.wait_for(|newest| *newest > self.after) => self.is_closed = more.is_err(),
            () = self.closed.cancelled() => self.is_closed = true,
        }
        let newest = *self.newest.borrow_and_update();
        let page = self
            .storage
            .events(self.filter.clone(), self.after, self.page_max)
            .await;
        let events = page.map(|page| {
            self.after = self.after.max(page.up_to);
            self.is_closed &= page.events.is_empty() && self.after >= newest;
            page.events
        });
        (self, events)
    }
}
