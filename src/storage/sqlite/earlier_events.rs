//! Reads stored events backwards, before a given number.
//!
//! `events` reads forwards, and has the rows.

use rusqlite::params;

use super::events::{JOURNAL, JournalRow, read_numbered, rows_max};
use super::reader::Reader;
use super::store_error::StoreError;
use super::values::{NUMBERS_END, to_i64};
use crate::model::Event;
use crate::storage::{EarlierEvents, EventFilter, rules};

/// How many rows a page reads first, and then twice as many each time. A row has some tens of
/// lines of a log.
const ROWS_FIRST: i64 = 32;

impl Reader {
    pub(super) fn events_before(
        &self,
        filter: &EventFilter,
        before: u64,
        limit: usize,
    ) -> Result<EarlierEvents, StoreError> {
        let run = match filter.run {
            None => None,
            Some(run) => match self.run_key(run, &filter.scope)? {
                None => return Ok(EarlierEvents::default()),
                Some(key) => Some(key),
            },
        };
        let (mut newest_first, mut from, mut examined) = (Vec::new(), before, 0);
        let mut count = ROWS_FIRST;
        while from > 0 && newest_first.len() < limit && examined < rules::EVENTS_EXAMINED_MAX {
            count = count.min(rows_max(filter, limit));
            // One more, whose number says where the next page continues.
            let mut rows = self.journal_before(run, from, count.saturating_add(1))?;
            let rest = rows.split_off(rows.len().min(usize::try_from(count).unwrap_or(usize::MAX)));
            examined += rows.len();
            for row in rows.iter().filter_map(|(_, row)| row.as_ref()) {
                newest_first.extend(self.wanted_before(filter, before, row)?);
            }
            count = count.saturating_mul(2);
            from = rest.first().map_or(0, |(seq, _)| seq.saturating_add(1));
        }
        if newest_first.len() >= limit {
            newest_first.truncate(limit);
            from = newest_first.last().map_or(before, |event| event.seq);
        }
        newest_first.reverse();
        Ok(EarlierEvents::new(newest_first, from))
    }

    /// Returns the wanted events of a row before a number, the newest first.
    fn wanted_before(
        &self,
        filter: &EventFilter,
        before: u64,
        row: &JournalRow,
    ) -> Result<impl Iterator<Item = Event> + use<>, StoreError> {
        let mut events = Vec::new();
        self.add_events(filter, 0, row, &mut events)?;
        let earlier = events.into_iter().rev();
        Ok(earlier.filter(move |event| event.seq < before))
    }

    /// Returns the rows with an event before a number, the newest first. One that cannot be read
    /// is absent, but its number counts.
    fn journal_before(
        &self,
        run: Option<i64>,
        before: u64,
        rows_max: i64,
    ) -> Result<Vec<(u64, Option<JournalRow>)>, StoreError> {
        // The number of a row is that of its last event, which may come later.
        let last = to_i64(before.saturating_sub(1)).min(NUMBERS_END - 1);
        match run {
            Some(run) => self.rows(
                &format!(
                    "{JOURNAL} WHERE j.run = ?1 AND j.seq > 0 AND j.seq <= ifnull((SELECT s.seq FROM journal s \
                     WHERE s.run = ?1 AND s.seq >= ?2 AND s.seq < ?3 ORDER BY s.seq LIMIT 1), ?2) ORDER BY j.seq DESC LIMIT ?4"
                ),
                params![run, last, NUMBERS_END, rows_max],
                |row| read_numbered(row, &self.unreadable),
            ),
            None => self.rows(
                &format!(
                    "{JOURNAL} WHERE j.seq > 0 AND j.seq <= ifnull((SELECT s.seq FROM journal s \
                     WHERE s.seq >= ?1 AND s.seq < ?2 ORDER BY s.seq LIMIT 1), ?1) ORDER BY j.seq DESC LIMIT ?3"
                ),
                params![last, NUMBERS_END, rows_max],
                |row| read_numbered(row, &self.unreadable),
            ),
        }
    }
}
