//! The log of a run, read from its events from the beginning on.
//!
//! `line` turns an event into a line, and `log_page` reads a page.

use std::sync::Arc;

use super::{LogLine, Views};
use crate::error::{Error, Result};
use crate::model::{Event, EventKind, Level, NodeId, Pipeline, RunId, Scope, SearchText};
use crate::storage::{EventFilter, EventPage, Storage};

/// The number of events that one query reads.
pub(super) const EVENTS_PAGE: u32 = 500;

/// The log lines that a reader wants. All conditions must hold.
#[derive(Debug, Clone)]
pub(crate) struct LogFilter {
    pub(crate) run: RunId,
    pub(crate) scope: Scope,
    pub(crate) node: Option<NodeId>,
    /// The lowest level to include.
    pub(crate) level: Level,
    /// Only lines whose message contains this text.
    pub(crate) text: Option<SearchText>,
    pub(crate) range: LogRange,
}

/// The part of a log that a reader wants, by sequence numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogRange {
    /// Lines with a greater number, from the oldest on.
    After(u64),
    /// Lines with a smaller number, from the newest back.
    Before(u64),
}

impl LogRange {
    /// Returns the range between the numbers that a caller has given.
    ///
    /// # Errors
    /// `Malformed` (`invalid-parameter`) if there are both.
    pub(crate) fn new(after: Option<u64>, before: Option<u64>) -> Result<Self> {
        match (after, before) {
            (Some(_), Some(_)) => Err(Error::invalid_parameter(
                "before",
                "cannot be combined with after; a log is read in one direction",
            )),
            (after, None) => Ok(Self::After(after.unwrap_or(0))),
            (None, Some(before)) => Ok(Self::Before(before)),
        }
    }
}

impl LogFilter {
    /// Returns the line of an event if it is wanted, whatever its number.
    pub(super) fn line(&self, event: Event, definition: &Pipeline) -> Option<LogLine> {
        if self.node.is_some() && event.node_id != self.node {
            return None;
        }
        let line = LogLine::from_event(event, definition)?;
        let has_text = |text: &SearchText| text.is_in(&line.message);
        (line.level >= self.level && self.text.as_ref().is_none_or(has_text)).then_some(line)
    }

    /// Returns a filter for the kinds of events that can have a line of this level.
    pub(super) fn events(&self) -> EventFilter {
        let mut kinds = vec![EventKind::Log, EventKind::NodeFailed];
        if self.level <= Level::Warning {
            kinds.extend([EventKind::NodeRetrying, EventKind::NodeRecovered]);
        }
        if self.level <= Level::Info {
            kinds.extend([EventKind::NodeStarted, EventKind::NodeCompleted]);
        }
        EventFilter {
            scope: self.scope.clone(),
            run: Some(self.run),
            pipeline: None,
            kinds,
        }
    }
}

/// Reads a log page by page, up to the line that was the newest when it was opened.
///
/// It holds at most one page, and no transaction outlives a page.
#[derive(Debug)]
pub struct LogReader {
    storage: Arc<dyn Storage>,
    definition: Arc<Pipeline>,
    filter: LogFilter,
    /// All events up to this number have been read.
    pub(super) after: u64,
    /// The last sequence number to read, so that reading a growing log terminates.
    until: u64,
    pub(super) page: u32,
    progress: Progress,
    /// The number of events that were read.
    pub(super) examined: usize,
    /// The bytes of their messages.
    pub(super) examined_bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Opened,
    Reading,
    Finished,
}

impl Views {
    /// Opens the log of a run up to its newest event, or to the end of the range.
    ///
    /// # Errors
    /// `NotFound` (`run-not-found`); `Unavailable`.
    pub(crate) async fn open_log(&self, filter: LogFilter) -> Result<LogReader> {
        let detail = self.detail(filter.run, &filter.scope).await?;
        let newest = self.storage.newest_seq().await?;
        let (after, until) = match filter.range {
            LogRange::After(after) => (after, newest),
            LogRange::Before(before) => (0, newest.min(before.saturating_sub(1))),
        };
        Ok(LogReader {
            storage: Arc::clone(&self.storage),
            definition: detail.definition,
            filter,
            after,
            until,
            page: EVENTS_PAGE,
            progress: Progress::Opened,
            examined: 0,
            examined_bytes: 0,
        })
    }
}

impl LogReader {
    /// Returns the matching lines of the next page of events, which may be none, or `None` at the
    /// end.
    ///
    /// # Errors
    /// `NotFound` (`run-not-found`) if the run was purged meanwhile; `Unavailable`.
    pub async fn next(&mut self) -> Result<Option<Vec<LogLine>>> {
        if self.is_finished() {
            return Ok(None);
        }
        let EventPage { events, up_to, .. } = self
            .storage
            .events(self.filter.events(), self.after, self.page)
            .await?;
        let is_last = up_to >= self.until;
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
            self.after = event.seq;
            self.examined = self.examined.saturating_add(1);
            let bytes = message_bytes(&event);
            self.examined_bytes = self.examined_bytes.saturating_add(bytes);
            lines.extend(self.filter.line(event, &self.definition));
        }
        if !is_last {
            self.after = up_to;
        }
        Ok(Some(lines))
    }

    pub(super) fn is_finished(&self) -> bool {
        self.progress == Progress::Finished
    }

    /// Refuses a log whose run was purged midway, since it would pass for a complete one.
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

/// Returns the bytes of an event that a search looks through.
pub(super) fn message_bytes(event: &Event) -> usize {
    let texts = [&event.message, &event.error];
    texts.into_iter().flatten().map(String::len).sum()
}
