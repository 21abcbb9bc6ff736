//! A page of a log: the lines after a sequence number, or the newest lines before one.
//!
//! `logs` has the filter, and reads a log whole.

use super::logs::{EVENTS_PAGE, LogRange, message_bytes};
use super::{LogFilter, LogLine, Views};
use crate::error::Result;
use crate::limits::{Limits, Room};

/// A page of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogPage {
    /// The lines, in order.
    pub lines: Vec<LogLine>,
    /// Whether the log goes on beyond the page. A search examines a part of a long log at a time,
    /// so that further pages may have no line.
    pub has_next: bool,
    /// The sequence number after which the next page begins. It also finds lines that the run
    /// writes later. Of lines before a number, it is the number before which the next page ends,
    /// and 0 if there is none.
    pub cursor: u64,
}

/// What bounds a page of a log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogBounds {
    lines_max: usize,
    /// The size of the lines as JSON. The first line is exempt.
    bytes_max: usize,
    /// The number of events that a search examines.
    searched_max: usize,
}

impl LogBounds {
    /// Returns the bounds of a page with this number of lines.
    pub(crate) const fn new(limits: &Limits, lines_max: usize) -> Self {
        Self {
            lines_max,
            bytes_max: limits.page_bytes_max,
            searched_max: limits.log_searched_max,
        }
    }

    /// Returns how many events the next query reads, after others have read so many.
    fn events_page(&self, filter: &LogFilter, events: usize) -> u32 {
        let wanted = match (&filter.text, &filter.node) {
            (Some(_), _) => self.searched_max.saturating_sub(events).max(1),
            // One more than the lines, so that it is known whether there are more.
            (None, None) => self.lines_max.saturating_add(1),
            (None, Some(_)) => usize::MAX,
        };
        u32::try_from(wanted).unwrap_or(u32::MAX).min(EVENTS_PAGE)
    }

    /// Returns whether a page ends because its search has examined so much.
    const fn end_search(&self, filter: &LogFilter, events: usize, bytes: usize) -> bool {
        filter.text.is_some() && (events >= self.searched_max || bytes >= self.bytes_max)
    }
}

/// Collects the lines of a page.
struct Lines {
    lines: Vec<LogLine>,
    lines_max: usize,
    room: Room,
    /// Whether there was a line that did not fit.
    is_full: bool,
}

impl Lines {
    const fn new(bounds: &LogBounds) -> Self {
        Self {
            lines: Vec::new(),
            lines_max: bounds.lines_max,
            room: Room(bounds.bytes_max),
            is_full: false,
        }
    }

    /// Adds the lines that fit.
    fn add(&mut self, lines: impl IntoIterator<Item = LogLine>) {
        for line in lines {
            let is_fitting = self.room.take(&line) || self.lines.is_empty();
            if self.is_full || self.lines.len() >= self.lines_max || !is_fitting {
                self.is_full = true;
                return;
            }
            self.lines.push(line);
        }
    }

    /// Returns the page, whose log has been read up to a number, or back to it.
    fn into_page(self, read: u64, is_over: bool) -> LogPage {
        let last = self.lines.last().and_then(|line| line.seq);
        LogPage {
            has_next: self.is_full || !is_over,
            // Without a full page, the cursor also passes events that have no line.
            cursor: last.filter(|_| self.is_full).unwrap_or(read),
            lines: self.lines,
        }
    }
}

impl Views {
    /// Returns a page of a log.
    ///
    /// # Errors
    /// `NotFound` (`run-not-found`); `Unavailable`.
    pub(crate) async fn logs(&self, filter: LogFilter, bounds: LogBounds) -> Result<LogPage> {
        match filter.range {
            LogRange::After(_) => self.later_lines(filter, bounds).await,
            LogRange::Before(before) => self.earlier_lines(filter, before, bounds).await,
        }
    }

    async fn later_lines(&self, filter: LogFilter, bounds: LogBounds) -> Result<LogPage> {
        let mut reader = self.open_log(filter.clone()).await?;
        reader.page = bounds.events_page(&filter, 0);
        let mut lines = Lines::new(&bounds);
        let mut is_enough = false;
        while !is_enough && let Some(more) = reader.next().await? {
            lines.add(more);
            let (events, bytes) = (reader.examined, reader.examined_bytes);
            is_enough = lines.is_full || bounds.end_search(&filter, events, bytes);
            reader.page = bounds.events_page(&filter, events);
        }
        Ok(lines.into_page(reader.after, reader.is_finished()))
    }

    async fn earlier_lines(
        &self,
        filter: LogFilter,
        before: u64,
        bounds: LogBounds,
    ) -> Result<LogPage> {
        let definition = self.detail(filter.run, &filter.scope).await?.definition;
        let mut lines = Lines::new(&bounds);
        let (mut from, mut examined, mut bytes, mut is_enough) = (before, 0, 0, false);
        while from > 0 && !is_enough {
            let limit = bounds.events_page(&filter, examined);
            let page = self.storage.events_before(filter.events(), from, limit);
            let page = page.await?;
            examined += page.events.len();
            bytes += page.events.iter().map(message_bytes).sum::<usize>();
            let newest_first = page.events.into_iter().rev();
            lines.add(newest_first.filter_map(|event| filter.line(event, &definition)));
            from = page.from;
            is_enough = lines.is_full || bounds.end_search(&filter, examined, bytes);
        }
        // A log whose run was purged midway would pass for a complete one.
        self.check_run(filter.run, &filter.scope).await?;
        let mut page = lines.into_page(from, from == 0);
        page.lines.reverse();
        Ok(page)
    }
}
