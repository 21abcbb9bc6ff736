//! A ring buffer of the newest events, each serialized once for all streams.
//!
//! `live` fills it; `feed` holds each reader's position in it.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::error::log;
use crate::limits::Limits;
use crate::model::{Event, EventKind, PipelineId, RunId, TenantId};
use crate::storage::EventFilter;

/// How often per turnover of the ring readers check whether they are about to be overrun.
const OVERRUN_CHECKS: usize = 8;

/// A contiguous range of events.
#[derive(Debug)]
pub(super) struct Ring {
    entries: VecDeque<RingEntry>,
    /// Every event after `floor` and up to `head` is in the ring.
    floor: u64,
    head: u64,
    /// Totals of all events that were ever pushed.
    pushed_bytes: u64,
    pushed: u64,
    /// The totals (events, bytes) at which the next overrun check is due.
    next_check: (u64, u64),
    count_max: usize,
    bytes_max: usize,
}

/// An event: the fields that filters match, and its JSON.
#[derive(Debug)]
pub(super) struct RingEntry {
    seq: u64,
    kind: EventKind,
    run: RunId,
    pipeline: PipelineId,
    tenant: Option<TenantId>,
    json: Bytes,
    /// The bytes that were pushed before it.
    bytes_before: u64,
}

/// The position of a reader relative to the ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RingPosition {
    /// Events after its number have left the ring, up to this number.
    Behind(u64),
    /// The ring has events after its number.
    Within,
    /// It has read all events.
    AtHead,
}

impl RingEntry {
    pub(super) fn new(event: &Event) -> Self {
        Self {
            seq: event.seq,
            kind: event.kind,
            run: event.run_id,
            pipeline: event.pipeline_id.clone(),
            tenant: event.tenant.clone(),
            json: to_json(event),
            bytes_before: 0,
        }
    }

    fn matches(&self, filter: &EventFilter) -> bool {
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

/// Serializes an event as streams send it.
pub(super) fn to_json(event: &Event) -> Bytes {
    match serde_json::to_vec(event) {
        Ok(json) => json.into(),
        // An event has only string keys, and writing to memory does not fail.
        Err(error) => {
            debug_assert!(false, "an event could not be serialized: {error}");
            log::error!(%error, seq = event.seq, "could not serialize an event");
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
            next_check: (0, 0),
            count_max: limits.events_ring_max,
            bytes_max: limits.events_ring_bytes_max,
        }
    }

    /// Clears the ring and continues after this number.
    pub(super) fn reset(&mut self, at: u64) {
        self.entries = VecDeque::new();
        (self.floor, self.head) = (at, at);
    }

    /// Appends the events up to `head`. Returns whether blocked readers should check for an
    /// overrun.
    pub(super) fn push(&mut self, entries: Vec<RingEntry>, head: u64) -> bool {
        for mut entry in entries {
            entry.bytes_before = self.pushed_bytes;
            self.pushed_bytes = self.pushed_bytes.saturating_add(entry.json.len() as u64);
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
        let is_check_due =
            self.pushed >= self.next_check.0 || self.pushed_bytes >= self.next_check.1;
        if is_check_due {
            let part = |whole: usize| (whole / OVERRUN_CHECKS).max(1) as u64;
            self.next_check = (
                self.pushed.saturating_add(part(self.count_max)),
                self.pushed_bytes.saturating_add(part(self.bytes_max)),
            );
        }
        is_check_due
    }

    pub(super) const fn head(&self) -> u64 {
        self.head
    }

    pub(super) const fn position(&self, after: u64) -> RingPosition {
        if after < self.floor {
            RingPosition::Behind(self.floor)
        } else if after < self.head {
            RingPosition::Within
        } else {
            RingPosition::AtHead
        }
    }

    /// Returns the first matching event after a number.
    pub(super) fn next(&self, after: u64, filter: &EventFilter) -> Option<(u64, Bytes)> {
        let mut later = self.entries.range(self.index_after(after)..);
        let entry = later.find(|entry| entry.matches(filter))?;
        Some((entry.seq, entry.json.clone()))
    }

    /// Counts the matching events after a number.
    pub(super) fn count(&self, after: u64, filter: &EventFilter) -> u64 {
        let later = self.entries.range(self.index_after(after)..);
        later.filter(|entry| entry.matches(filter)).count() as u64
    }

    /// Returns whether a reader at this number is about to be overrun.
    pub(super) fn is_near_overrun(&self, after: u64) -> bool {
        let is_large_part = |part: u64, whole: usize| part > whole as u64 / 4 * 3;
        let index = self.index_after(after);
        let count = self.entries.len().saturating_sub(index) as u64;
        is_large_part(count, self.count_max)
            || is_large_part(self.bytes_after(index), self.bytes_max)
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
        ring.reset(10);
        ring
    }

    fn push(ring: &mut Ring, seqs: std::ops::RangeInclusive<u64>) -> bool {
        let head = *seqs.end();
        let entries = seqs.map(|seq| RingEntry::new(&event(seq, u128::from(seq % 2), None)));
        ring.push(entries.collect(), head)
    }

    #[test]
    fn a_reader_gets_each_event_once_in_order() {
        let mut ring = ring(8);
        push(&mut ring, 11..=14);
        let (mut after, mut seen) = (10, Vec::new());
        while let Some((seq, json)) = ring.next(after, &EventFilter::default()) {
            let event: serde_json::Value = serde_json::from_slice(&json).unwrap();
            assert_eq!(event["seq"], seq);
            seen.push(seq);
            after = seq;
        }
        assert_eq!(seen, [11, 12, 13, 14]);
        assert_eq!(ring.position(after), RingPosition::AtHead);
        assert_eq!(ring.position(13), RingPosition::Within);
        assert_eq!(ring.position(9), RingPosition::Behind(10));
    }

    #[test]
    fn the_oldest_events_leave_and_a_reader_before_them_is_behind() {
        let mut ring = ring(4);
        push(&mut ring, 11..=20);
        assert_eq!(ring.position(15), RingPosition::Behind(16));
        assert_eq!(ring.position(16), RingPosition::Within);
        assert_eq!(ring.next(16, &EventFilter::default()).unwrap().0, 17);
        assert!(ring.is_near_overrun(16));
        assert!(!ring.is_near_overrun(17));
    }

    #[test]
    fn bytes_limit_the_ring_as_the_count_does() {
        let mut ring = ring(1_000);
        let one = to_json(&event(11, 1, None)).len();
        ring.bytes_max = one * 3;
        push(&mut ring, 11..=20);
        assert_eq!(ring.position(17), RingPosition::Within);
        assert_eq!(ring.position(16), RingPosition::Behind(17));
        assert!(ring.is_near_overrun(17));
    }

    #[test]
    fn filters_select_what_is_returned_and_counted() {
        let mut ring = ring(8);
        let events = [
            event(11, 1, Some("ann")),
            event(12, 2, Some("ben")),
            event(13, 1, None),
        ];
        ring.push(events.iter().map(RingEntry::new).collect(), 13);
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
    fn overrun_checks_are_due_a_few_times_per_turnover() {
        let mut ring = ring(80);
        let checks = (11..=410).filter(|seq| push(&mut ring, *seq..=*seq));
        assert_eq!(checks.count(), 40);
    }
}
