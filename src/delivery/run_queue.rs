//! The events of one run that a notifier has not received, in order.
//!
//! `ledger` decides when each queue proceeds, and which deliveries have a queue of their own.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::model::{Event, RunId};

/// Which deliveries a queue has: those of a run, or one of them that waits for its retry alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct QueueKey {
    pub(super) run: RunId,
    alone: Option<u64>,
}

impl QueueKey {
    /// The queue of a run.
    pub(super) const fn of_run(run: RunId) -> Self {
        Self { run, alone: None }
    }

    /// The queue of one delivery of a run.
    pub(super) const fn of_one(run: RunId, seq: u64) -> Self {
        let alone = Some(seq);
        Self { run, alone }
    }
}

/// The deliveries of a queue, by sequence number. All deliveries behind a parked one are
/// parked.
#[derive(Debug, Default)]
pub(super) struct RunQueue {
    pub(super) deliveries: VecDeque<QueuedDelivery>,
    /// When the first delivery may be attempted, if it is parked.
    pub(super) retry_at: Duration,
    /// Whether an attempt of the first delivery is in flight.
    pub(super) is_in_flight: bool,
    /// Dead letters to be delivered again, once the attempt in flight has finished.
    pub(super) requested: BTreeSet<u64>,
}

/// An event that the notifier has not received.
#[derive(Debug)]
pub(super) struct QueuedDelivery {
    pub(super) seq: u64,
    pub(super) state: DeliveryState,
}

/// Where the event of a queued delivery is.
#[derive(Debug)]
pub(super) enum DeliveryState {
    /// In memory: the notifier's cursor is before it.
    InMemory(Arc<Event>),
    /// In a stored row: the cursor may pass it.
    Parked { tries: u32 },
}

impl QueuedDelivery {
    pub(super) const fn is_parked(&self) -> bool {
        match self.state {
            DeliveryState::InMemory(_) => false,
            DeliveryState::Parked { tries: _ } => true,
        }
    }

    pub(super) const fn tries(&self) -> u32 {
        match self.state {
            DeliveryState::InMemory(_) => 0,
            DeliveryState::Parked { tries } => tries,
        }
    }
}

impl RunQueue {
    /// Returns the index at which this number belongs, or `None` if it is queued already.
    pub(super) fn insertion_index(&self, seq: u64) -> Option<usize> {
        self.deliveries
            .binary_search_by_key(&seq, |delivery| delivery.seq)
            .err()
    }

    /// Returns whether a delivery is queued, or will be once the attempt in flight has finished.
    pub(super) fn contains(&self, seq: u64) -> bool {
        self.insertion_index(seq).is_none() || self.requested.contains(&seq)
    }

    /// Counts the deliveries in memory behind the first one.
    pub(super) fn in_memory_behind_first(&self) -> usize {
        let behind = self.deliveries.iter().skip(1);
        behind.filter(|delivery| !delivery.is_parked()).count()
    }
}
