//! Stored events, ordered by their number.
//!
//! What an event tells is decided by `rules` where the change is made.

use std::collections::BTreeMap;
use std::ops::Bound;

use async_trait::async_trait;

use super::MemoryStorage;
use super::state::State;
use crate::error::Result;
use crate::model::Event;
use crate::storage::{EventFilter, Events};

/// All events that were not purged, by number.
#[derive(Default)]
pub(super) struct EventLog {
    by_seq: BTreeMap<u64, Event>,
    /// The number given last; a purge leaves it, so that none is given twice.
    newest: u64,
    /// The greatest number that purge has taken.
    purged: u64,
}

impl EventLog {
    /// Gives the event its number and keeps it.
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
}

impl State {
    fn events(&self, filter: &EventFilter, after: u64, limit: usize) -> Vec<Event> {
        let is_asked = |event: &&Event| self.is_asked(filter, event);
        let Some(run) = filter.run else {
            let later = (Bound::Excluded(after), Bound::Unbounded);
            let events = self.events.by_seq.range(later).map(|(_, event)| event);
            return events.filter(is_asked).take(limit).cloned().collect();
        };
        let seqs = self.runs.get(&run).map_or(&[][..], |row| &row.seqs);
        let later = &seqs[seqs.partition_point(|seq| *seq <= after)..];
        let events = later.iter().filter_map(|seq| self.events.by_seq.get(seq));
        events.filter(is_asked).take(limit).cloned().collect()
    }

    fn is_asked(&self, filter: &EventFilter, event: &Event) -> bool {
        let EventFilter {
            scope,
            run,
            pipeline,
            kinds,
        } = filter;
        run.is_none_or(|run| run == event.run_id)
            && pipeline
                .as_ref()
                .is_none_or(|own| *own == event.pipeline_id)
            && (kinds.is_empty() || kinds.contains(&event.kind))
            && self.run(event.run_id, scope).is_some()
    }
}

#[async_trait]
impl Events for MemoryStorage {
    async fn events(&self, filter: EventFilter, after: u64, limit: u32) -> Result<Vec<Event>> {
        Ok(self.read().events(&filter, after, limit as usize))
    }

    async fn newest_seq(&self) -> Result<u64> {
        Ok(self.read().events.newest())
    }
}
