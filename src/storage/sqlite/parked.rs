//! Parked events as callers see them: pages of all notifiers, and dead letters that are retried or
//! dropped.
//!
//! `deliveries` stores them.

use std::cmp::Reverse;

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params, params_from_iter};

use super::pages::{Conditions, Window, cursor, wants_total};
use super::query::row;
use super::reader::Reader;
use super::rules;
use super::store_error::StoreError;
use super::system::DEAD_LETTERS;
use super::tx::Tx;
use super::values::{millis, nearest_time, pipeline_id, run_id, tenant, to_i64, to_u32, to_u64};
use crate::error::Error;
use crate::model::{DeliveryId, DeliveryState, Page, PageRequest, Scope};
use crate::storage::{
    ChangeDeadLetter, DeadLetterAction, DeliveryFilter, ParkedDelivery, ParkedEvent,
};

/// The columns of [`read_delivery`], after those of a parked event.
const DELIVERY: &str = "r.id, p.seq, p.tries, p.next_at, p.is_dead, p.error, d.id, r.tenant";

/// The tables of [`DELIVERY`], outermost first: the planner would begin with the pipelines.
const FROM: &str =
    "parked p CROSS JOIN runs r ON r.key = p.run CROSS JOIN pipelines d ON d.key = r.pipeline";

/// Returns the tables of parked events to be counted, with their runs.
const fn counted(state: Option<DeliveryState>) -> &'static str {
    match state {
        Some(DeliveryState::Dead) => DEAD_LETTERS,
        Some(DeliveryState::Waiting) | None => "parked p CROSS JOIN runs r ON r.key = p.run",
    }
}

/// Reads the columns of a parked event: the id of its run, its number, and the rest of its row.
pub(super) fn read_parked(row: &Row<'_>) -> Result<ParkedEvent, StoreError> {
    let run = run_id(&row.get::<_, Vec<u8>>(0)?)?;
    Ok(ParkedEvent {
        tries: to_u32(row.get(2)?),
        is_dead: row.get(4)?,
        error: row.get(5)?,
        ..ParkedEvent::new(run, to_u64(row.get(1)?), nearest_time(row.get(3)?))
    })
}

fn read_delivery(notifier: &str, row: &Row<'_>) -> Result<ParkedDelivery, StoreError> {
    let pipeline = pipeline_id(row.get_ref(6)?.as_str().map_err(rusqlite::Error::from)?)?;
    Ok(ParkedDelivery {
        tenant: tenant(row.get(7)?)?,
        ..ParkedDelivery::new(notifier.to_owned(), pipeline, read_parked(row)?)
    })
}

fn conditions(filter: &DeliveryFilter) -> Conditions {
    let DeliveryFilter { scope, state } = filter;
    let mut conditions = Conditions::default();
    match state {
        Some(DeliveryState::Dead) => conditions.add("p.is_dead = 1", []),
        Some(DeliveryState::Waiting) => conditions.add("p.is_dead = 0", []),
        None => {}
    }
    conditions.add_scope("r.tenant", scope);
    conditions
}

/// Returns a parked event in scope, with the key of its notifier.
pub(super) fn find_delivery(
    conn: &Connection,
    id: &DeliveryId,
    scope: &Scope,
) -> Result<Option<(i64, ParkedDelivery)>, StoreError> {
    let sql = format!(
        "SELECT {DELIVERY}, p.notifier FROM notifiers n CROSS JOIN {FROM} \
         WHERE n.name = ? AND p.notifier = n.key AND p.seq = ?"
    );
    let read = |row: &Row<'_>| Ok((row.get(8)?, read_delivery(&id.notifier, row)?));
    let found = row(conn, &sql, params![id.notifier, to_i64(id.seq)], read)?;
    Ok(found.filter(|(_, found)| scope.admits(found.tenant.as_ref())))
}

impl Reader {
    /// Returns a page of parked events. The key of the table orders those of one notifier, and
    /// there are few notifiers: their pages are merged.
    pub(super) fn deliveries(
        &self,
        filter: &DeliveryFilter,
        page: &PageRequest,
    ) -> Result<Page<ParkedDelivery>, StoreError> {
        let after: Option<DeliveryId> = match cursor(page) {
            None => None,
            Some(text) => Some(text.parse().map_err(|_| rules::bad_cursor(text))?),
        };
        let total = wants_total(page)
            .then(|| self.count(counted(filter.state), &conditions(filter)))
            .transpose()?;
        let Window { skip, limit } = Window::new(page);
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        let wanted = skip.saturating_add(limit);
        let mut found = Vec::new();
        for (key, notifier) in self.notifiers()? {
            let end = after.as_ref().map(|after| after.bound(&notifier));
            found.extend(self.deliveries_of(key, &notifier, filter, end, wanted)?);
        }
        found.sort_unstable_by_key(|it: &ParkedDelivery| Reverse(it.id()));
        let has_more = found.len() > wanted;
        let items: Vec<_> = found.into_iter().take(wanted).skip(skip).collect();
        let last = items.last().filter(|_| has_more);
        let next = last.map(|it| it.id().to_string());
        Ok(Page::new(items, total, next))
    }

    fn notifiers(&self) -> Result<Vec<(i64, String)>, StoreError> {
        let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let sql = "SELECT n.key, n.name FROM notifiers n ORDER BY n.name";
        self.readable_rows("a notifier", sql, [], read)
    }

    /// Returns the newest parked events of a notifier before a number: one more than wanted, to
    /// learn whether more follow.
    fn deliveries_of(
        &self,
        key: i64,
        notifier: &str,
        filter: &DeliveryFilter,
        end: Option<u64>,
        wanted: usize,
    ) -> Result<Vec<ParkedDelivery>, StoreError> {
        let mut conditions = conditions(filter);
        conditions.add("p.notifier = ?", [Value::Integer(key)]);
        if let Some(end) = end {
            conditions.add("p.seq < ?", [Value::Integer(to_i64(end))]);
        }
        let limit = i64::try_from(wanted).unwrap_or(i64::MAX).saturating_add(1);
        let sql = format!(
            "SELECT {DELIVERY} FROM {FROM}{} ORDER BY p.seq DESC LIMIT {limit}",
            conditions.sql()
        );
        let values = params_from_iter(conditions.values());
        let read = |row: &Row<'_>| read_delivery(notifier, row);
        self.readable_rows("a parked event", &sql, values, read)
    }
}

impl DeliveryId {
    /// Returns the number before which the deliveries of a notifier follow this one.
    fn bound(&self, notifier: &str) -> u64 {
        let follows_with_the_same_number = notifier < self.notifier.as_str();
        self.seq
            .saturating_add(u64::from(follows_with_the_same_number))
    }
}

impl Tx {
    pub(super) fn change_dead_letter(
        &mut self,
        change: &ChangeDeadLetter,
    ) -> Result<ParkedDelivery, StoreError> {
        let ChangeDeadLetter {
            id,
            action,
            scope,
            now,
            audit,
        } = change;
        let found = find_delivery(&self.conn, id, scope)?;
        let (key, mut found) = found.ok_or_else(|| Error::delivery_not_found(id))?;
        if !found.event.is_dead {
            return Err(Error::delivery_waiting(id).into());
        }
        match action {
            DeadLetterAction::Retry => {
                found.event = ParkedEvent::new(found.event.run, id.seq, *now);
                self.write(
                    "UPDATE parked SET tries = 0, next_at = ?, is_dead = 0, error = NULL WHERE notifier = ? AND seq = ?",
                    [millis(*now), key, to_i64(id.seq)],
                )?;
            }
            DeadLetterAction::Drop => {
                self.write(
                    "DELETE FROM parked WHERE notifier = ? AND seq = ?",
                    [key, to_i64(id.seq)],
                )?;
            }
        }
        self.audit(audit.as_ref(), found.tenant.as_ref())?;
        Ok(found)
    }
}
