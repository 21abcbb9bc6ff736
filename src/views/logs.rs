//! The log of a run, read from its events page by page.
//!
//! `line` turns an event into a line.

use std::sync::Arc;

use super::{LogLine, Views};
use crate::error::{Error, Result};
use crate::limits::Room;
use crate::model::{EventKind, Level, NodeId, Pipeline, RunId, Scope};
use crate::storage::{EventFilter, EventPage, Storage};

/// The number of events that one query reads.
const EVENTS_PAGE: u32 = 500;

/// The log lines that a reader wants. All conditions must hold.
#[derive(Debug, Clone)]
pub(crate) struct LogFilter {
    pub(crate) run: RunId,
    pub(crate) scope: Scope,
    pub(crate) node: Option<NodeId>,
    /// The lowest level to include.
    pub(crate) level: Level,
    /// Only lines with a greater sequence number.
    pub(crate) after: u64,
}

/// A page of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogPage {
    /// The lines, in order.
    pub lines: Vec<LogLine>,
    /// Whether more lines are stored.
    pub has_next: bool,
    /// The sequence number after which the next page begins. It also finds lines that the run
    /// writes later.
    pub cursor: u64,
}

/// Reads a log page by page, up to the line that was the newest when it was opened.
///
/// It holds at most one page, and no transaction outlives a page.
#[derive(Debug)]
pub struct LogReader {
    storage: Arc<dyn Storage>,
    definition: Arc<Pipeline>,
    events: EventFilter,
    filter: LogFilter,
    /// The last sequence number to read, so that reading a growing log terminates.
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
    /// Opens the log of a run up to its newest event.
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

    /// Returns up to `limit` lines of a log, and no line beyond `bytes_max` bytes but the first.
    ///
    /// # Errors
    /// `NotFound` (`run-not-found`); `Unavailable`.
    pub(crate) async fn logs(
        &self,
        filter: LogFilter,
        limit: usize,
        bytes_max: usize,
    ) -> Result<LogPage> {
        let mut reader = self.open_log(filter).await?;
        if reader.filter.node.is_none() {
            reader.page = u32::try_from(limit.saturating_add(1))
                .unwrap_or(EVENTS_PAGE)
                .min(EVENTS_PAGE);
        }
        let mut lines = Vec::new();
        let (mut room, mut has_next) = (Room(bytes_max), false);
        while !has_next && let Some(more) = reader.next().await? {
            for line in more {
                let is_fitting = room.take(&line) || lines.is_empty();
                has_next = lines.len() >= limit || !is_fitting;
                if has_next {
                    break;
                }
                lines.push(line);
            }
        }
        // On the last page, the cursor also passes events that have no line.
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
    /// Returns the matching lines of the next page of events, which may be none, or `None` at the
    /// end.
    ///
    /// # Errors
    /// `NotFound` (`run-not-found`) if the run was purged meanwhile; `Unavailable`.
    pub async fn next(&mut self) -> Result<Option<Vec<LogLine>>> {
        if self.progress == Progress::Finished {
            return Ok(None);
        }
        let EventPage { events, up_to, .. } = self
            .storage
            .events(self.events.clone(), self.filter.after, self.page)
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
            self.filter.after = event.seq;
            let is_wanted = self.filter.node.is_none() || event.node_id == self.filter.node;
            let line = is_wanted.then(|| LogLine::from_event(event, &self.definition));
            lines.extend(
                line.flatten()
                    .filter(|line| line.level >= self.filter.level),
            );
        }
        if !is_last {
            self.filter.after = up_to;
        }
        Ok(Some(lines))
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

/// Returns a filter for the kinds of events that can have a line of this level.
fn event_filter(filter: &LogFilter) -> EventFilter {
    let mut kinds = vec![EventKind::Log, EventKind::NodeFailed];
    if filter.level <= Level::Warning {
        kinds.extend([EventKind::NodeRetrying, EventKind::NodeRecovered]);
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
