//! Reads stored events in order, after a given number.
//!
//! `body` decodes a row, and `earlier_events` reads backwards. The module `events` of the crate
//! delivers live events.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Row, params};

use super::SqliteStorage;
use super::body::{Shared, unpack};
use super::reader::Reader;
use super::store_error::StoreError;
use super::unreadable::UnreadableRows;
use super::values::{
    NUMBERS_END, optional_time, pipeline_id, run_id, tenant, to_i64, to_u64, trace_parent,
};
use crate::error::Result;
use crate::model::{Event, RunId, Scope, TenantId, TraceParent};
use crate::storage::{EarlierEvents, EventFilter, EventPage, Events, rules};

#[async_trait]
impl Events for SqliteStorage {
    async fn events(&self, filter: EventFilter, after: u64, limit: u32) -> Result<EventPage> {
        // The number is read before the page, so that the page covers all events up to it.
        let newest = self.0.published.newest_seq();
        self.read(move |reader| reader.events(&filter, after, limit as usize, newest))
            .await
    }

    async fn events_before(
        &self,
        filter: EventFilter,
        before: u64,
        limit: u32,
    ) -> Result<EarlierEvents> {
        self.read(move |reader| reader.events_before(&filter, before, limit as usize))
            .await
    }

    async fn newest_seq(&self) -> Result<u64> {
        let (published, file) = (Arc::clone(&self.0.published), Arc::clone(&self.0.file));
        self.read(move |reader| {
            published.check_writer()?;
            file.check()?;
            reader.row("SELECT 1 FROM meta LIMIT 1", [], |_| Ok(()))?;
            Ok(published.newest_seq())
        })
        .await
    }
}

/// The maximum number of rows of one query, which keeps its read transaction short.
const ROWS_MAX: i64 = 512;

/// What a row of the journal holds, for the log.
const EVENTS: &str = "events";

/// The columns that [`read_numbered`] reads, with their tables.
pub(super) const JOURNAL: &str = "SELECT j.seq, j.n, j.body, r.id, p.id, r.tenant, r.started_at, r.definition, r.traceparent \
     FROM journal j CROSS JOIN runs r ON r.key = j.run CROSS JOIN pipelines p ON p.key = r.pipeline";

/// A row of the journal, with columns of its run.
pub(super) struct JournalRow {
    seq: u64,
    count: u64,
    body: String,
    run: RunId,
    pipeline: String,
    tenant: Option<TenantId>,
    started_at: Option<chrono::DateTime<chrono::Utc>>,
    definition: i64,
    traceparent: Option<TraceParent>,
}

impl Reader {
    /// Returns a page. `newest` is a number up to which all events are visible.
    fn events(
        &self,
        filter: &EventFilter,
        after: u64,
        limit: usize,
        newest: u64,
    ) -> Result<EventPage, StoreError> {
        let end = after.max(newest);
        let run = match filter.run {
            None => None,
            Some(run) => match self.run_key(run, &filter.scope)? {
                None => return Ok(EventPage::new(Vec::new(), end)),
                Some(key) => Some(key),
            },
        };
        let mut page = EventPage::new(Vec::new(), after);
        let mut examined = 0;
        while page.events.len() < limit && examined < rules::EVENTS_EXAMINED_MAX {
            let rows = self.journal(run, page.up_to, rows_max(filter, limit))?;
            let Some(&(last, _)) = rows.last() else {
                page.up_to = end.max(page.up_to);
                break;
            };
            examined += rows.len();
            for row in rows.iter().filter_map(|(_, row)| row.as_ref()) {
                if page.events.len() >= limit {
                    break;
                }
                self.add_events(filter, after, row, &mut page.events)?;
            }
            page.up_to = last;
        }
        if page.events.len() >= limit {
            page.events.truncate(limit);
            page.up_to = page.events.last().map_or(after, |event| event.seq);
        }
        Ok(page)
    }

    /// Adds the wanted events of a row.
    pub(super) fn add_events(
        &self,
        filter: &EventFilter,
        after: u64,
        row: &JournalRow,
        events: &mut Vec<Event>,
    ) -> Result<(), StoreError> {
        if !is_wanted_row(row, filter) {
            return Ok(());
        }
        let unpacked = self.unpack(row);
        let unpacked = self.unreadable.skip(EVENTS, row.seq, unpacked)?;
        let is_wanted = |event: &Event| {
            event.seq > after && (filter.kinds.is_empty() || filter.kinds.contains(&event.kind))
        };
        events.extend(unpacked.into_iter().flatten().filter(is_wanted));
        Ok(())
    }

    /// Returns the next rows by number. One that cannot be read is absent, but its number counts.
    fn journal(
        &self,
        run: Option<i64>,
        after: u64,
        rows_max: i64,
    ) -> Result<Vec<(u64, Option<JournalRow>)>, StoreError> {
        match run {
            Some(run) => self.rows(
                &format!(
                    "{JOURNAL} WHERE j.run = ? AND j.seq > ? AND j.seq < ? ORDER BY j.seq LIMIT ?"
                ),
                params![run, to_i64(after), NUMBERS_END, rows_max],
                |row| read_numbered(row, &self.unreadable),
            ),
            None => self.rows(
                &format!("{JOURNAL} WHERE j.seq > ? AND j.seq < ? ORDER BY j.seq LIMIT ?"),
                params![to_i64(after), NUMBERS_END, rows_max],
                |row| read_numbered(row, &self.unreadable),
            ),
        }
    }

    fn unpack(&self, row: &JournalRow) -> Result<Vec<Event>, StoreError> {
        let definition = self.definitions.find(&self.conn, row.definition)?;
        let shared = Shared {
            first_seq: (row.seq + 1).saturating_sub(row.count),
            run: row.run,
            pipeline: pipeline_id(&row.pipeline)?,
            tenant: row.tenant.as_ref(),
            started_at: row.started_at,
            definition: &definition,
            traceparent: row.traceparent,
        };
        let events = unpack(&row.body, &shared)?;
        if events.len() as u64 != row.count {
            return Err(StoreError::unreadable(EVENTS, "their number is wrong"));
        }
        Ok(events)
    }
}

/// Returns how many rows to read for a page.
///
/// Each row has at least one event, so that `limit` rows fill a page without a filter. More rows
/// would be read in vain.
pub(super) fn rows_max(filter: &EventFilter, limit: usize) -> i64 {
    let EventFilter {
        scope,
        run: _,
        pipeline,
        kinds,
    } = filter;
    if *scope != Scope::All || pipeline.is_some() || !kinds.is_empty() {
        return ROWS_MAX;
    }
    i64::try_from(limit).unwrap_or(i64::MAX).min(ROWS_MAX)
}

/// Reads the number of a row, and the row if it can be read.
pub(super) fn read_numbered(
    row: &Row<'_>,
    unreadable: &UnreadableRows,
) -> Result<(u64, Option<JournalRow>), StoreError> {
    let seq = to_u64(row.get(0)?);
    Ok((seq, unreadable.skip(EVENTS, seq, read_row(row))?))
}

fn read_row(row: &Row<'_>) -> Result<JournalRow, StoreError> {
    Ok(JournalRow {
        seq: to_u64(row.get(0)?),
        count: to_u64(row.get(1)?),
        body: row.get(2)?,
        run: run_id(&row.get::<_, Vec<u8>>(3)?)?,
        pipeline: row.get(4)?,
        tenant: tenant(row.get(5)?)?,
        started_at: optional_time(row.get(6)?)?,
        definition: row.get(7)?,
        traceparent: trace_parent(row, 8),
    })
}

fn is_wanted_row(row: &JournalRow, filter: &EventFilter) -> bool {
    let EventFilter {
        scope,
        run: _,
        pipeline,
        kinds: _,
    } = filter;
    let is_of_pipeline = pipeline
        .as_ref()
        .is_none_or(|wanted| wanted.as_str() == row.pipeline);
    is_of_pipeline && scope.admits(row.tenant.as_ref())
}
