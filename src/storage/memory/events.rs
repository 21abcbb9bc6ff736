//! Events: read in the order of their numbers, if a filter admits them.
//!
//! The log itself is left to `event_log`.

use async_trait::async_trait;

use super::MemoryStorage;
use super::state::State;
use crate::error::Result;
use crate::model::Event;
use crate::storage::{EventFilter, Events};

impl State {
    fn events(&self, filter: &EventFilter, after: u64, limit: usize) -> Vec<Event> {
        let is_match = |event: &&Event| self.is_match(filter, event);
        let Some(run) = filter.run else {
            let events = self.events.after(after);
            return events.filter(is_match).take(limit).cloned().collect();
        };
        let seqs = self.runs.get(&run).map_or(&[][..], |row| &row.seqs);
        let later = &seqs[seqs.partition_point(|seq| *seq <= after)..];
        let events = later.iter().filter_map(|seq| self.events.get(*seq));
        events.filter(is_match).take(limit).cloned().collect()
    }

    fn is_match(&self, filter: &EventFilter, event: &Event) -> bool {
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
