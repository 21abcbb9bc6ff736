//! The cursors of notifiers and their parked events.
//!
//! `purge` keeps the runs whose events are not yet delivered, and `parked` lists and changes parked
//! events for callers.

use async_trait::async_trait;
use rusqlite::types::ValueRef;
use rusqlite::{Row, params};

use super::SqliteStorage;
use super::parked::{find_delivery, read_parked};
use super::store_error::StoreError;
use super::tx::Tx;
use super::values::{NUMBERS_END, id, millis, nearest_time, to_i64, to_u64};
use crate::error::Result;
use crate::model::{DeliveryId, Page, PageRequest, Scope};
use crate::storage::{
    ChangeDeadLetter, ClaimCursors, CursorClaimKind, Cursors, Deliveries, DeliveryFilter,
    ExpiredCursor, NotifierCursor, ParkedDelivery, ParkedEvent, PutDeliveries,
};

const FIND_NOTIFIER: &str = "SELECT key FROM notifiers WHERE name = ?";

#[async_trait]
impl Deliveries for SqliteStorage {
    async fn claim_cursors(&self, claim: ClaimCursors) -> Result<Cursors> {
        self.step(move |tx| tx.claim_cursors(&claim)).await
    }

    async fn put_deliveries(&self, put: PutDeliveries) -> Result<()> {
        self.step(move |tx| tx.put_deliveries(&put)).await
    }

    async fn list_deliveries(
        &self,
        filter: DeliveryFilter,
        page: PageRequest,
    ) -> Result<Page<ParkedDelivery>> {
        self.read(move |reader| reader.snapshot(|reader| reader.deliveries(&filter, &page)))
            .await
    }

    async fn find_delivery(
        &self,
        id: &DeliveryId,
        scope: &Scope,
    ) -> Result<Option<ParkedDelivery>> {
        let (id, scope) = (id.clone(), scope.clone());
        self.read(move |reader| {
            let found = find_delivery(&reader.conn, &id, &scope)?;
            Ok(found.map(|(_, found)| found))
        })
        .await
    }

    async fn change_dead_letter(&self, change: ChangeDeadLetter) -> Result<ParkedDelivery> {
        self.step(move |tx| tx.change_dead_letter(&change)).await
    }
}

impl Tx {
    fn claim_cursors(&mut self, claim: &ClaimCursors) -> Result<Cursors, StoreError> {
        let expired = self.expire_cursors(claim)?;
        let mut cursors = Vec::new();
        let begun = self.begun(&claim.dormant)?;
        for name in claim.names.iter().chain(begun) {
            let newest = self.newest_seq();
            let key = self.record_notifier(name, newest, millis(claim.now))?;
            // A cursor beyond all numbers is damage, and would never deliver anything.
            self.write(
                "UPDATE notifiers SET seq = ? WHERE key = ? AND seq >= ?",
                [to_i64(newest), key, NUMBERS_END],
            )?;
            let seq = self.row("SELECT seq FROM notifiers WHERE key = ?", [key], |row| {
                Ok(to_u64(row.get(0)?))
            })?;
            let mut cursor = NotifierCursor::new(name.clone(), seq.unwrap_or(newest));
            if claim.kind == CursorClaimKind::Start {
                cursor.parked = self.parked(key)?;
            }
            cursors.push(cursor);
        }
        Ok(Cursors { cursors, expired })
    }

    /// Returns the names that have a cursor.
    fn begun<'a>(&mut self, names: &'a [String]) -> Result<Vec<&'a String>, StoreError> {
        let mut begun = Vec::new();
        for name in names {
            let found = self.row(FIND_NOTIFIER, [name], |row| Ok(row.get::<_, i64>(0)?))?;
            if found.is_some() {
                begun.push(name);
            }
        }
        Ok(begun)
    }

    fn expire_cursors(&mut self, claim: &ClaimCursors) -> Result<Vec<ExpiredCursor>, StoreError> {
        let absent = self.rows(
            "SELECT n.key, n.name, n.seq, n.seen_at, (SELECT count(*) FROM parked p WHERE p.notifier = n.key AND p.is_dead = 0) \
             FROM notifiers n WHERE n.seen_at < ?1 OR n.seen_at >= ?2 ORDER BY n.name",
            [millis(claim.absent_before), NUMBERS_END],
            read_absent,
        )?;
        let mut expired = Vec::new();
        for (key, seen_at, cursor) in absent {
            let is_damaged = !(0..NUMBERS_END).contains(&seen_at);
            let stays = (is_damaged || claim.kind == CursorClaimKind::Renewal)
                && (claim.names.contains(&cursor.name) || claim.dormant.contains(&cursor.name));
            if !stays {
                self.write("DELETE FROM parked WHERE notifier = ?", [key])?;
                self.write("DELETE FROM notifiers WHERE key = ?", [key])?;
                expired.push(cursor);
            }
        }
        Ok(expired)
    }

    /// Records that a notifier is present. Returns its key.
    ///
    /// A new notifier gets a cursor at `seq`.
    fn record_notifier(&mut self, name: &str, seq: u64, now: i64) -> Result<i64, StoreError> {
        if let Some(key) = self.row(FIND_NOTIFIER, [name], |row| Ok(row.get(0)?))? {
            self.write("UPDATE notifiers SET seen_at = ? WHERE key = ?", [now, key])?;
            return Ok(key);
        }
        self.write(
            "INSERT INTO notifiers (name, seq, seen_at) VALUES (?, ?, ?)",
            params![name, to_i64(seq), now],
        )?;
        Ok(self.conn.last_insert_rowid())
    }

    fn parked(&self, notifier: i64) -> Result<Vec<ParkedEvent>, StoreError> {
        self.readable_rows(
            "a parked event",
            "SELECT r.id, p.seq, p.tries, p.next_at, p.is_dead, p.error FROM parked p JOIN runs r ON r.key = p.run \
             JOIN notifiers n ON n.key = p.notifier WHERE n.key = ? AND (p.is_dead = 0 OR p.seq > n.seq) ORDER BY p.seq",
            [notifier],
            read_parked,
        )
    }

    fn put_deliveries(&mut self, put: &PutDeliveries) -> Result<(), StoreError> {
        let PutDeliveries {
            notifier,
            seq,
            delivered,
            parked,
            now,
        } = put;
        let key = self.record_notifier(notifier, *seq, millis(*now))?;
        self.write(
            "UPDATE notifiers SET seq = ?1 WHERE key = ?2 AND seq < ?1",
            [to_i64(*seq), key],
        )?;
        for seq in delivered {
            self.write(
                "DELETE FROM parked WHERE notifier = ? AND seq = ?",
                [key, to_i64(*seq)],
            )?;
        }
        for parked in parked {
            self.park(key, parked)?;
        }
        Ok(())
    }

    fn park(&mut self, notifier: i64, parked: &ParkedEvent) -> Result<(), StoreError> {
        let ParkedEvent {
            run,
            seq,
            tries,
            next_at,
            is_dead,
            error,
        } = parked;
        self.write(
            "INSERT OR REPLACE INTO parked (notifier, seq, run, tries, next_at, is_dead, error) \
             SELECT ?, ?, key, ?, ?, ?, ? FROM runs WHERE id = ?",
            params![
                notifier,
                to_i64(*seq),
                tries,
                millis(*next_at),
                is_dead,
                error,
                id(run)
            ],
        )?;
        Ok(())
    }
}

fn read_absent(row: &Row<'_>) -> Result<(i64, i64, ExpiredCursor), StoreError> {
    // An unreadable name belongs to no notifier. Its cursor must expire, or no purge passes it.
    let name = match row.get_ref(1)? {
        ValueRef::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Blob(_) => {
            String::new()
        }
    };
    let mut expired = ExpiredCursor::new(name, to_u64(row.get(2)?), nearest_time(row.get(3)?));
    expired.parked_count = to_u64(row.get(4)?);
    Ok((row.get(0)?, row.get(3)?, expired))
}
