//! Events: read in the order of their numbers, if a filter admits them.
//!
//! The log itself is left to `event_log`.

use async_trait::async_trait;

use super::state::State;
use super::{MemoryStorage, rules};
use crate::error::Result;
use crate::model::Event;
use crate::storage::{EarlierEvents, EventFilter, EventPage, Events};

impl State {
    fn events(&self, filter: &EventFilter, after: u64, limit: usize) -> EventPage {
        match filter.run {
            None => self.page(filter, after, limit, self.events.after(after)),
            Some(run) => {
                let seqs = self.runs.get(&run).map_or(&[][..], |row| &row.seqs);
                let later = &seqs[seqs.partition_point(|seq| *seq <= after)..];
                let events = later.iter().filter_map(|seq| self.events.get(*seq));
                self.page(filter, after, limit, events)
            }
        }
    }

    fn page<'a>(
        &self,
        filter: &EventFilter,
        after: u64,
        limit: usize,
        later: impl Iterator<Item = &'a Event>,
    ) -> EventPage {
        let mut page = EventPage::new(Vec::new(), after);
        for (examined, event) in later.enumerate() {
            if page.events.len() == limit || examined == rules::EVENTS_EXAMINED_MAX {
                return page;
            }
            page.up_to = event.seq;
            if self.is_match(filter, event) {
                page.events.push(event.clone());
            }
        }
        if page.events.len() < limit {
            page.up_to = after.max(self.events.newest());
        }
        page
    }

    fn events_before(&self, filter: &EventFilter, before: u64, limit: usize) -> EarlierEvents {
        match filter.run {
            None => self.page_before(filter, limit, self.events.before(before)),
            Some(run) => {
                let seqs = self.runs.get(&run).map_or(&[][..], |row| &row.seqs);
                let earlier = &seqs[..seqs.partition_point(|seq| *seq < before)];
                let events = earlier.iter().rev().filter_map(|seq| self.events.get(*seq));
                self.page_before(filter, limit, events)
            }
        }
    }

    /// Returns a page of earlier events, which come newest first.
    fn page_before<'a>(
        &self,
        filter: &EventFilter,
        limit: usize,
        earlier: impl Iterator<Item = &'a Event>,
    ) -> EarlierEvents {
        let mut page = EarlierEvents::default();
        for (examined, event) in earlier.enumerate() {
            if examined == rules::EVENTS_EXAMINED_MAX {
                page.from = event.seq.saturating_add(1);
                break;
            }
            if self.is_match(filter, event) {
                page.events.push(event.clone());
            }
            if page.events.len() == limit {
                page.from = event.seq;
                break;
            }
        }
        page.events.reverse();
        page
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
    async fn events(&self, filter: EventFilter, after: u64, limit: u32) -> Result<EventPage> {
        Ok(self.state()?.events(&filter, after, limit as usize))
    }

    async fn events_before(
        &self,
        filter: EventFilter,
        before: u64,
        limit: u32,
    ) -> Result<EarlierEvents> {
        let state = self.state()?;
        Ok(state.events_before(&filter, before, limit as usize))
    }

    async fn newest_seq(&self) -> Result<u64> {
        Ok(self.state()?.events.newest())
    }
}
