//! The log of a run, read from its events page by page.
//!
//! How an event becomes a line is left to `line`.

use std::sync::Arc;

use super::{LogLine, Views};
use crate::error::{Error, Result};
use crate::model::{EventKind, Level, NodeId, Pipeline, RunId, Scope};
use crate::storage::{EventFilter, Storage};

/// Events that are read from storage at once.
const EVENTS_PAGE: u32 = 500;

/// Which lines of a log a reader wants; all conditions together.
#[derive(Debug, Clone)]
pub(crate) struct LogFilter {
    pub(crate) run: RunId,
    pub(crate) scope: Scope,
    pub(crate) node: Option<NodeId>,
    /// That level and above.
    pub(crate) level: Level,
    /// Only lines with a greater number.
    pub(crate) after: u64,
}

/// A part of a log.
#[derive(Debug)]
pub(crate) struct LogPage {
    pub(crate) lines: Vec<LogLine>,
    pub(crate) has_next: bool,
    /// Where to go on, now or once the run has written more.
    pub(crate) cursor: u64,
}

/// Reads a log from one place on. No more than a page of it is held at a time, and no transaction outlives a page.
#[derive(Debug)]
pub(crate) struct LogReader {
    storage: Arc<dyn Storage>,
    definition: Arc<Pipeline>,
    events: EventFilter,
    filter: LogFilter,
    /// The last number that is read; a log that grows meanwhile has an end so.
    until: u64,
    page: u32,
    progress: Progress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Opened,
    Reading,
    Finished,
}

impl Views {
    /// Opens the log of a run as it stands now.
    ///
    /// # Errors
    /// `NotFound` (`run-not-found`); `Unavailable`.
    pub(crate) async fn open_log(&self, filter: LogFilter) -> Result<LogReader> {
        let detail = self.detail(filter.run, &filter.scope).await?;
        let until = self.storage.newest_seq().await?;
        Ok(LogReader {
            storage: Arc::clone(&self.storage),
            definition: detail.definition,
            events: event_filter(&filter),
            filter,
            until,
            page: EVENTS_PAGE,
            progress: Progress::Opened,
        })
    }

    /// Up to `limit` lines of a log.
    ///
    /// # Errors
    /// `NotFound` (`run-not-found`); `Unavailable`.
    pub(crate) async fn logs(&self, filter: LogFilter, limit: usize) -> Result<LogPage> {
        let mut reader = self.open_log(filter).await?;
        if reader.filter.node.is_none() {
            reader.page = u32::try_from(limit.saturating_add(1))
                .unwrap_or(EVENTS_PAGE)
                .min(EVENTS_PAGE);
        }
        let mut lines = Vec::new();
        while lines.len() <= limit
            && let Some(mut more) = reader.next().await?
        {
            lines.append(&mut more);
        }
        let has_next = lines.len() > limit;
        lines.truncate(limit);
        // Where nothing follows, the events behind the last line were looked at too.
        let last = lines.last().and_then(|line| line.seq);
        let cursor = if has_next {
            last.unwrap_or(reader.filter.after)
        } else {
            reader.filter.after
        };
        Ok(LogPage {
            lines,
            has_next,
            cursor,
        })
    }
}

impl LogReader {
    /// The lines of the next page of events: none of them may be a line that is wanted. `None` at the end.
    ///
    /// # Errors
    /// `NotFound` (`run-not-found`) when the run was purged meanwhile; `Unavailable`.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<LogLine>>> {
        if self.progress == Progress::Finished {
            return Ok(None);
        }
        let events = self
            .storage
            .events(self.events.clone(), self.filter.after, self.page)
            .await?;
        let is_last = events.len() < self.page as usize
            || events.last().is_some_and(|event| event.seq >= self.until);
        if is_last && self.progress == Progress::Reading {
            self.refuse_purged().await?;
        }
        self.progress = if is_last {
            Progress::Finished
        } else {
            Progress::Reading
        };
        let until = self.until;
        let mut lines = Vec::with_capacity(events.len());
        for event in events.into_iter().take_while(|event| event.seq <= until) {
            self.filter.after = event.seq;
            let is_wanted = self.filter.node.is_none() || event.node_id == self.filter.node;
            let line = is_wanted.then(|| LogLine::from_event(event, &self.definition));
            lines.extend(
                line.flatten()
                    .filter(|line| line.level >= self.filter.level),
            );
        }
        Ok(Some(lines))
    }

    /// A log that ends since its run was purged in between must not pass for a whole one.
    async fn refuse_purged(&self) -> Result<()> {
        let found = self
            .storage
            .find_run(self.filter.run, &self.filter.scope)
            .await?;
        match found {
            Some(_) => Ok(()),
            None => Err(Error::run_not_found(self.filter.run)),
        }
    }
}

/// The kinds of events that can make a line of this level.
fn event_filter(filter: &LogFilter) -> EventFilter {
    let mut kinds = vec![EventKind::Log, EventKind::NodeFailed];
    if filter.level <= Level::Warning {
        kinds.push(EventKind::NodeRetrying);
    }
    if filter.level <= Level::Info {
        kinds.extend([EventKind::NodeStarted, EventKind::NodeCompleted]);
    }
    EventFilter {
        scope: filter.scope.clone(),
        run: Some(filter.run),
        pipeline: None,
        kinds,
    }
}
