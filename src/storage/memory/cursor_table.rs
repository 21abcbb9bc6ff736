//! The cursors of notifiers and the events that are parked for them.
//!
//! Purging what no notifier still needs is left to `purge`.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::rows::RunRow;
use crate::model::{DeliveryId, RunId};
use crate::storage::{
    ClaimCursors, CursorClaimKind, Cursors, ExpiredCursor, NotifierCursor, ParkedEvent,
    PutDeliveries,
};

/// Cursors by the name of their notifier.
#[derive(Default)]
pub(super) struct CursorTable(BTreeMap<String, CursorRow>);

/// The cursor of one notifier, and the events that are parked for it.
struct CursorRow {
    seq: u64,
    seen_at: DateTime<Utc>,
    parked: BTreeMap<u64, ParkedEvent>,
}

/// The runs that a purge retains, because a notifier still needs their events.
pub(super) struct Undelivered {
    /// The smallest cursor. `None` without a notifier.
    min_seq: Option<u64>,
    runs: BTreeSet<RunId>,
}

impl Undelivered {
    pub(super) fn contains(&self, row: &RunRow) -> bool {
        let newest = row.seqs.last();
        let is_unseen = self
            .min_seq
            .is_some_and(|seq| newest.is_some_and(|newest| *newest > seq));
        is_unseen || self.runs.contains(&row.run.id)
    }
}

impl CursorRow {
    const fn new(seq: u64, seen_at: DateTime<Utc>) -> Self {
        Self {
            seq,
            seen_at,
            parked: BTreeMap::new(),
        }
    }

    fn live(&self) -> impl Iterator<Item = &ParkedEvent> {
        self.parked.values().filter(|parked| !parked.is_dead)
    }

    fn expired(&self, name: &str) -> ExpiredCursor {
        ExpiredCursor {
            parked_count: self.live().count() as u64,
            ..ExpiredCursor::new(name.to_owned(), self.seq, self.seen_at)
        }
    }
}

impl CursorTable {
    pub(super) fn claim(&mut self, claim: &ClaimCursors, newest: u64) -> Cursors {
        let ClaimCursors {
            names,
            dormant,
            kind,
            absent_before,
            now,
        } = claim;
        let may_expire = |name: &String| match kind {
            CursorClaimKind::Start => true,
            CursorClaimKind::Renewal => !names.contains(name) && !dormant.contains(name),
        };
        let is_expired =
            |name: &String, row: &mut CursorRow| row.seen_at < *absent_before && may_expire(name);
        let expired: Vec<_> = self.0.extract_if(.., is_expired).collect();
        let mut cursors = Vec::new();
        let begun = dormant.iter().filter(|name| self.0.contains_key(*name));
        let begun: Vec<_> = begun.collect();
        for name in names.iter().chain(begun) {
            let row = self.0.entry(name.clone());
            let row = row.or_insert_with(|| CursorRow::new(newest, *now));
            row.seen_at = *now;
            let mut cursor = NotifierCursor::new(name.clone(), row.seq);
            if *kind == CursorClaimKind::Start {
                let parked = row.parked.values();
                let parked = parked.filter(|parked| !parked.is_dead || parked.seq > row.seq);
                cursor.parked = parked.cloned().collect();
            }
            cursors.push(cursor);
        }
        let expired = expired
            .iter()
            .map(|(name, row)| row.expired(name))
            .collect();
        Cursors { cursors, expired }
    }

    pub(super) fn put(&mut self, put: PutDeliveries, is_stored: impl Fn(RunId) -> bool) {
        let PutDeliveries {
            notifier,
            seq,
            delivered,
            parked,
            now,
        } = put;
        let row = self.0.entry(notifier);
        let row = row.or_insert_with(|| CursorRow::new(seq, now));
        row.seq = row.seq.max(seq);
        row.seen_at = now;
        for seq in delivered {
            row.parked.remove(&seq);
        }
        let parked = parked.into_iter().filter(|parked| is_stored(parked.run));
        row.parked.extend(parked.map(|parked| (parked.seq, parked)));
    }

    pub(super) fn undelivered(&self) -> Undelivered {
        let parked = self.0.values().flat_map(CursorRow::live);
        Undelivered {
            min_seq: self.0.values().map(|row| row.seq).min(),
            runs: parked.map(|parked| parked.run).collect(),
        }
    }

    /// Drops the parked events of a purged run.
    pub(super) fn purge(&mut self, seqs: &[u64]) {
        for row in self.0.values_mut().filter(|row| !row.parked.is_empty()) {
            for seq in seqs {
                row.parked.remove(seq);
            }
        }
    }

    /// Returns every parked event with the name of its notifier.
    pub(super) fn parked(&self) -> impl Iterator<Item = (&str, &ParkedEvent)> {
        let rows = self.0.iter();
        rows.flat_map(|(name, row)| row.parked.values().map(|parked| (name.as_str(), parked)))
    }

    /// Returns the event that is parked under an id.
    pub(super) fn find(&self, id: &DeliveryId) -> Option<ParkedEvent> {
        self.0.get(&id.notifier)?.parked.get(&id.seq).cloned()
    }

    /// Replaces the event that is parked under an id, or removes it.
    pub(super) fn change(&mut self, id: &DeliveryId, parked: Option<ParkedEvent>) {
        if let Some(row) = self.0.get_mut(&id.notifier) {
            match parked {
                Some(parked) => drop(row.parked.insert(id.seq, parked)),
                None => drop(row.parked.remove(&id.seq)),
            }
        }
    }

    pub(super) fn dead(&self) -> impl Iterator<Item = &ParkedEvent> {
        let parked = self.0.values().flat_map(|row| row.parked.values());
        parked.filter(|parked| parked.is_dead)
    }
}
