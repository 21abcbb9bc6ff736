//! The log of events, by number.
//!
//! `rules` decides what an event contains. `events` decides which events a caller receives.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::model::Event;

/// All events that were not purged, by number.
#[derive(Default)]
pub(super) struct EventLog {
    by_seq: BTreeMap<u64, Event>,
    /// The newest number. A purge does not change it, so no number is used twice.
    newest: u64,
    /// The greatest purged number.
    purged: u64,
}

impl EventLog {
    /// Numbers an event and stores it.
    pub(super) fn push(&mut self, mut event: Event) -> u64 {
        self.newest += 1;
        event.seq = self.newest;
        self.by_seq.insert(event.seq, event);
        self.newest
    }

    pub(super) fn purge(&mut self, seqs: &[u64]) {
        for seq in seqs {
            self.by_seq.remove(seq);
            self.purged = self.purged.max(*seq);
        }
    }

    pub(super) const fn newest(&self) -> u64 {
        self.newest
    }

    pub(super) const fn purged(&self) -> u64 {
        self.purged
    }

    pub(super) fn len(&self) -> usize {
        self.by_seq.len()
    }

    /// Returns the events after a number, in order.
    pub(super) fn after(&self, seq: u64) -> impl Iterator<Item = &Event> {
        let later = (Bound::Excluded(seq), Bound::Unbounded);
        self.by_seq.range(later).map(|(_, event)| event)
    }

    /// Returns the events before a number, the newest first.
    pub(super) fn before(&self, seq: u64) -> impl Iterator<Item = &Event> {
        self.by_seq.range(..seq).rev().map(|(_, event)| event)
    }

    pub(super) fn get(&self, seq: u64) -> Option<&Event> {
        self.by_seq.get(&seq)
    }
}
