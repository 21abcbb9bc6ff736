//! The newest events in memory, each serialised once for all streams.
//!
//! Filling it is left to `live`, a reader's place in it to `feed`.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::limits::Limits;
use crate::model::{Event, EventKind, PipelineId, RunId, TenantId};
use crate::storage::EventFilter;

/// Signals to readers that cannot take what is new come once each so many parts of the ring.
const LAPS: usize = 8;

/// Events without a gap from one number to another.
#[derive(Debug)]
pub(super) struct Ring {
    entries: VecDeque<Entry>,
    /// Every event after this number and up to `head` is in the ring.
    floor: u64,
    head: u64,
    /// Bytes and events that were ever pushed.
    pushed_bytes: u64,
    pushed: u64,
    next_lap: (u64, u64),
    count_max: usize,
    bytes_max: usize,
}

/// An event: what filters ask for, and its text.
#[derive(Debug)]
pub(super) struct Entry {
    seq: u64,
    kind: EventKind,
    run: RunId,
    pipeline: PipelineId,
    tenant: Option<TenantId>,
    text: Bytes,
    /// Bytes that were pushed before it.
    bytes_before: u64,
}

/// Where a reader stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stand {
    /// What follows its number has left the ring, up to the number here.
    Behind(u64),
    /// There are events after its number.
    Within,
    /// It has seen all.
    AtHead,
}

impl Entry {
    pub(super) fn new(event: &Event) -> Self {
        Self {
            seq: event.seq,
            kind: event.kind,
            run: event.run_id,
            pipeline: event.pipeline_id.clone(),
            tenant: event.tenant.clone(),
            text: text(event),
            bytes_before: 0,
        }
    }

    fn fits(&self, filter: &EventFilter) -> bool {
        let EventFilter {
            scope,
            run,
            pipeline,
            kinds,
        } = filter;
        run.is_none_or(|run| run == self.run)
            && pipeline.as_ref().is_none_or(|own| *own == self.pipeline)
            && (kinds.is_empty() || kinds.contains(&self.kind))
            && scope.admits(self.tenant.as_ref())
    }
}

/// The event as it is sent.
pub(super) fn text(event: &Event) -> Bytes {
    match serde_json::to_vec(event) {
        Ok(text) => text.into(),
        // An event has text keys only, and writing into memory does not fail.
        Err(error) => {
            debug_assert!(false, "an event could not be written: {error}");
            tracing::error!(%error, seq = event.seq, "an event could not be written");
            Bytes::from_static(b"{}")
        }
    }
}

impl Ring {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            entries: VecDeque::new(),
            floor: 0,
            head: 0,
            pushed_bytes: 0,
            pushed: 0,
            next_lap: (0, 0),
            count_max: limits.events_ring_max,
            bytes_max: limits.events_ring_bytes_max,
        }
    }

    /// Forgets everything and goes on after this number.
    pub(super) fn begin(&mut self, at: u64) {
        self.entries = VecDeque::new();
        (self.floor, self.head) = (at, at);
    }

    /// Adds what follows, up to `head`. Answers whether a reader that cannot take it should look how far it is behind.
    pub(super) fn push(&mut self, entries: Vec<Entry>, head: u64) -> bool {
        for mut entry in entries {
            entry.bytes_before = self.pushed_bytes;
            self.pushed_bytes = self.pushed_bytes.saturating_add(entry.text.len() as u64);
            self.pushed += 1;
            self.entries.push_back(entry);
        }
        self.head = self.head.max(head);
        while self.entries.len() > self.count_max || self.bytes_after(0) > self.bytes_max as u64 {
            let Some(oldest) = self.entries.pop_front() else {
                break;
            };
            self.floor = oldest.seq;
        }
        let is_lap = self.pushed >= self.next_lap.0 || self.pushed_bytes >= self.next_lap.1;
        if is_lap {
            let part = |whole: usize| (whole / LAPS).max(1) as u64;
            self.next_lap = (
                self.pushed.saturating_add(part(self.count_max)),
                self.pushed_bytes.saturating_add(part(self.bytes_max)),
            );
        }
        is_lap
    }

    pub(super) const fn head(&self) -> u64 {
        self.head
    }

    pub(super) const fn stand(&self, after: u64) -> Stand {
        if after < self.floor {
            Stand::Behind(self.floor)
        } else if after < self.head {
            Stand::Within
        } else {
            Stand::AtHead
        }
    }

    /// The first event after a number that fits.
    pub(super) fn next(&self, after: u64, filter: &EventFilter) -> Option<(u64, Bytes)> {
        let mut later = self.entries.range(self.index_after(after)..);
        let entry = later.find(|entry| entry.fits(filter))?;
        Some((entry.seq, entry.text.clone()))
    }

    /// How many events after a number fit.
    pub(super) fn count(&self, after: u64, filter: &EventFilter) -> u64 {
        let later = self.entries.range(self.index_after(after)..);
        later.filter(|entry| entry.fits(filter)).count() as u64
    }

    /// Whether a reader there is about to fall out of the ring.
    pub(super) fn is_far(&self, after: u64) -> bool {
        let is_most = |part: u64, whole: usize| part > whole as u64 / 4 * 3;
        let index = self.index_after(after);
        let count = self.entries.len().saturating_sub(index) as u64;
        is_most(count, self.count_max) || is_most(self.bytes_after(index), self.bytes_max)
    }

    fn index_after(&self, after: u64) -> usize {
        self.entries.partition_point(|entry| entry.seq <= after)
    }

    fn bytes_after(&self, index: usize) -> u64 {
        let first = self.entries.get(index);
        first.map_or(0, |first| {
            self.pushed_bytes.saturating_sub(first.bytes_before)
        })
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::model::Scope;

    fn event(seq: u64, run: u128, tenant: Option<&str>) -> Event {
        let run = RunId::from_uuid(Uuid::from_u128(run));
        let at = chrono::DateTime::UNIX_EPOCH;
        let pipeline = PipelineId::new("daily").unwrap();
        let mut event = Event::new(seq, EventKind::Log, run, pipeline, at);
        event.tenant = tenant.map(|name| TenantId::new(name).unwrap());
        event
    }

    fn ring(count_max: usize) -> Ring {
        let limits = Limits {
            events_ring_max: count_max,
            ..Limits::default()
        };
        let mut ring = Ring::new(&limits);
        ring.begin(10);
        ring
    }

    fn push(ring: &mut Ring, seqs: std::ops::RangeInclusive<u64>) -> bool {
        let head = *seqs.end();
        let entries = seqs.map(|seq| Entry::new(&event(seq, u128::from(seq % 2), None)));
        ring.push(entries.collect(), head)
    }

    #[test]
    fn a_reader_gets_each_event_once_in_order() {
        let mut ring = ring(8);
        push(&mut ring, 11..=14);
        let (mut after, mut seen) = (10, Vec::new());
        while let Some((seq, text)) = ring.next(after, &EventFilter::default()) {
            let told: serde_json::Value = serde_json::from_slice(&text).unwrap();
            assert_eq!(told["seq"], seq);
            seen.push(seq);
            after = seq;
        }
        assert_eq!(seen, [11, 12, 13, 14]);
        assert_eq!(ring.stand(after), Stand::AtHead);
        assert_eq!(ring.stand(13), Stand::Within);
        assert_eq!(ring.stand(9), Stand::Behind(10));
    }

    #[test]
    fn the_oldest_events_leave_and_whoever_needs_them_is_behind() {
        let mut ring = ring(4);
        push(&mut ring, 11..=20);
        assert_eq!(ring.stand(15), Stand::Behind(16));
        assert_eq!(ring.stand(16), Stand::Within);
        assert_eq!(ring.next(16, &EventFilter::default()).unwrap().0, 17);
        assert!(ring.is_far(16));
        assert!(!ring.is_far(17));
    }

    #[test]
    fn bytes_bound_the_ring_as_the_number_does() {
        let mut ring = ring(1_000);
        let one = text(&event(11, 1, None)).len();
        ring.bytes_max = one * 3;
        push(&mut ring, 11..=20);
        assert_eq!(ring.stand(17), Stand::Within);
        assert_eq!(ring.stand(16), Stand::Behind(17));
        assert!(ring.is_far(17));
    }

    #[test]
    fn filters_decide_what_is_found_and_counted() {
        let mut ring = ring(8);
        let events = [
            event(11, 1, Some("ann")),
            event(12, 2, Some("ben")),
            event(13, 1, None),
        ];
        ring.push(events.iter().map(Entry::new).collect(), 13);
        let mut filter = EventFilter {
            scope: Scope::Tenant(TenantId::new("ben").unwrap()),
            ..EventFilter::default()
        };
        assert_eq!(ring.next(10, &filter).unwrap().0, 12);
        assert_eq!(ring.count(10, &filter), 1);
        filter.run = Some(RunId::from_uuid(Uuid::from_u128(1)));
        assert_eq!(ring.count(10, &filter), 0);
        filter.scope = Scope::All;
        assert_eq!(ring.count(10, &filter), 2);
        assert_eq!(ring.count(11, &filter), 1);
    }

    #[test]
    fn laps_are_told_a_few_times_a_round() {
        let mut ring = ring(80);
        let laps = (11..=410).filter(|seq| push(&mut ring, *seq..=*seq));
        assert_eq!(laps.count(), 40);
    }
}
