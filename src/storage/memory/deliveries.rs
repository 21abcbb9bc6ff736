//! Places of notifiers and what is parked for them.
//!
//! That purge spares what was not delivered is carried out in `purge`.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::MemoryStorage;
use super::state::{RunRow, State};
use crate::error::Result;
use crate::model::{RunId, Scope};
use crate::storage::{
    ClaimCursors, CursorClaimKind, Cursors, Deliveries, ExpiredCursor, NotifierCursor, ParkedEvent,
    PutDeliveries,
};

/// The places of all names.
#[derive(Default)]
pub(super) struct NotifierCursors(BTreeMap<String, StoredCursor>);

struct StoredCursor {
    seq: u64,
    seen_at: DateTime<Utc>,
    parked: BTreeMap<u64, ParkedEvent>,
}

/// What purge must spare.
pub(super) struct Undelivered {
    /// The least place; none without a notifier.
    seq: Option<u64>,
    runs: BTreeSet<RunId>,
}

impl Undelivered {
    pub(super) fn spares(&self, row: &RunRow) -> bool {
        let newest = row.seqs.last();
        let is_unseen = self
            .seq
            .is_some_and(|seq| newest.is_some_and(|newest| *newest > seq));
        is_unseen || self.runs.contains(&row.run.id)
    }
}

impl StoredCursor {
    const fn new(seq: u64, seen_at: DateTime<Utc>) -> Self {
        Self {
            seq,
            seen_at,
            parked: BTreeMap::new(),
        }
    }

    fn alive(&self) -> impl Iterator<Item = &ParkedEvent> {
        self.parked.values().filter(|parked| !parked.is_dead)
    }

    fn expired(&self, name: &str) -> ExpiredCursor {
        ExpiredCursor {
            parked_count: self.alive().count() as u64,
            ..ExpiredCursor::new(name.to_owned(), self.seq, self.seen_at)
        }
    }
}

impl NotifierCursors {
    fn claim(&mut self, claim: &ClaimCursors, newest: u64) -> Cursors {
        let ClaimCursors {
            names,
            kind,
            absent_before,
            now,
        } = claim;
        let may_expire = |name: &String| match kind {
            CursorClaimKind::Start => true,
            CursorClaimKind::Renewal => !names.contains(name),
        };
        let is_expired = |name: &String, stored: &mut StoredCursor| {
            stored.seen_at < *absent_before && may_expire(name)
        };
        let expired: Vec<_> = self.0.extract_if(.., is_expired).collect();
        let mut cursors = Vec::new();
        for name in names {
            let stored = self.0.entry(name.clone());
            let stored = stored.or_insert_with(|| StoredCursor::new(newest, *now));
            stored.seen_at = *now;
            let mut cursor = NotifierCursor::new(name.clone(), stored.seq);
            if *kind == CursorClaimKind::Start {
                let parked = stored.parked.values();
                let parked = parked.filter(|parked| !parked.is_dead || parked.seq > stored.seq);
                cursor.parked = parked.copied().collect();
            }
            cursors.push(cursor);
        }
        let expired = expired
            .iter()
            .map(|(name, stored)| stored.expired(name))
            .collect();
        Cursors { cursors, expired }
    }

    pub(super) fn undelivered(&self) -> Undelivered {
        let parked = self.0.values().flat_map(StoredCursor::alive);
        Undelivered {
            seq: self.0.values().map(|stored| stored.seq).min(),
            runs: parked.map(|parked| parked.run).collect(),
        }
    }

    /// Forgets what is parked of a run that is purged.
    pub(super) fn purge(&mut self, seqs: &[u64]) {
        for stored in self
            .0
            .values_mut()
            .filter(|stored| !stored.parked.is_empty())
        {
            for seq in seqs {
                stored.parked.remove(seq);
            }
        }
    }

    fn dead(&self) -> impl Iterator<Item = &ParkedEvent> {
        let parked = self.0.values().flat_map(|stored| stored.parked.values());
        parked.filter(|parked| parked.is_dead)
    }
}

impl State {
    fn put_deliveries(&mut self, put: PutDeliveries) {
        let PutDeliveries {
            notifier,
            seq,
            delivered,
            parked,
            now,
        } = put;
        let stored = self.cursors.0.entry(notifier);
        let stored = stored.or_insert_with(|| StoredCursor::new(seq, now));
        stored.seq = stored.seq.max(seq);
        stored.seen_at = now;
        for seq in delivered {
            stored.parked.remove(&seq);
        }
        let is_there = |parked: &ParkedEvent| self.runs.contains_key(&parked.run);
        let parked = parked.into_iter().filter(is_there);
        stored
            .parked
            .extend(parked.map(|parked| (parked.seq, parked)));
    }

    /// Dead letters of runs in scope.
    pub(super) fn dead_letter_count(&self, scope: &Scope) -> u64 {
        let dead = self.cursors.dead();
        dead.filter(|dead| self.run(dead.run, scope).is_some())
            .count() as u64
    }
}

#[async_trait]
impl Deliveries for MemoryStorage {
    async fn claim_cursors(&self, claim: ClaimCursors) -> Result<Cursors> {
        let mut state = self.write()?;
        let newest = state.events.newest();
        Ok(state.cursors.claim(&claim, newest))
    }

    async fn put_deliveries(&self, put: PutDeliveries) -> Result<()> {
        self.write()?.put_deliveries(put);
        Ok(())
    }
}
