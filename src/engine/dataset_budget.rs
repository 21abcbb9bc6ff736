//! The bytes of all datasets that an engine holds. A node waits to start while others exceed them.
//!
//! `execution_permit` waits for room, and `attempt` counts each output. A dataset counts as long as
//! a clone of it lives, also in the host's code.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::error::{Error, Problem, Result};
use crate::executor::Input;
use crate::metrics;
use crate::model::Dataset;

/// The budget of an engine. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct DatasetBudget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    bytes_max: u64,
    // A mutex, since a decision needs all figures at once. It is held for some instructions.
    state: Mutex<State>,
    // A notify, since every waiting node decides anew after any change.
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// The bytes of the datasets that live.
    held: u64,
    /// The number of nodes that execute. Each of them frees or holds more when it ends.
    executing: usize,
    /// The nodes that wait, those with the most bytes of inputs first, then the oldest.
    waiting: BTreeSet<(Reverse<u64>, u64)>,
    next_ticket: u64,
}

impl State {
    /// Returns whether the datasets of others are within the budget, for a node with inputs of
    /// `own` bytes.
    const fn has_room(&self, own: u64, bytes_max: u64) -> bool {
        self.held.saturating_sub(own) <= bytes_max
    }

    /// Returns whether a node with inputs of `own` bytes may start.
    ///
    /// One may start even beyond the budget: if nothing executes, nothing would free memory.
    const fn may_start(&self, own: u64, bytes_max: u64) -> bool {
        self.has_room(own, bytes_max) || self.executing == 0
    }
}

impl DatasetBudget {
    pub(super) fn new(bytes_max: u64) -> Self {
        Self(Arc::new(Shared {
            bytes_max,
            state: Mutex::default(),
            changed: Notify::new(),
        }))
    }

    /// Waits until a node with inputs of `own` bytes may start. It holds nothing meanwhile.
    ///
    /// Beyond the budget, the node whose end frees the most is the next to start.
    pub(super) async fn wait_for_room(&self, own: u64) {
        let ticket = Ticket::new(&self.0, own);
        loop {
            let mut changed = std::pin::pin!(self.0.changed.notified());
            changed.as_mut().enable();
            if ticket.may_leave() {
                return;
            }
            changed.await;
        }
    }

    /// Admits a node with inputs of `own` bytes, or returns `None` if it has to wait again.
    pub(super) fn try_admit(&self, own: u64) -> Option<Admission> {
        let mut state = self.0.state.lock();
        if !state.may_start(own, self.0.bytes_max) {
            return None;
        }
        state.executing = state.executing.saturating_add(1);
        Some(Admission(Arc::clone(&self.0)))
    }

    /// Checks what one node needs at once: its inputs, and its output once it has one.
    ///
    /// # Errors
    /// `Invalid` (`dataset-too-large`).
    pub(super) fn check(&self, bytes: u64) -> Result<()> {
        let max = self.0.bytes_max;
        if bytes <= max {
            return Ok(());
        }
        let message = format!(
            "the inputs and the output of a node have at most {max} bytes in total, these have {bytes}"
        );
        Err(Error::new(Problem::DatasetTooLarge, message))
    }

    /// Counts a dataset until its last clone is dropped. A dataset counts once.
    pub(super) fn hold(&self, dataset: &Dataset) {
        dataset.hold(|| {
            let bytes = dataset.memory_bytes();
            let mut state = self.0.state.lock();
            state.held = state.held.saturating_add(bytes);
            drop(state);
            metrics::dataset_held(bytes);
            Box::new(Held {
                shared: Arc::clone(&self.0),
                bytes,
            })
        });
    }
}

/// Returns the bytes of all inputs. A dataset that comes twice counts once.
pub(super) fn input_bytes(inputs: &[Input]) -> u64 {
    let mut seen = HashSet::new();
    let datasets = inputs.iter().filter_map(|input| input.dataset.as_ref());
    let datasets = datasets.filter(|dataset| seen.insert(dataset.address()));
    let bytes = datasets.map(Dataset::memory_bytes);
    bytes.fold(0, u64::saturating_add)
}

/// A node that executes. The drop ends that.
#[derive(Debug)]
pub(super) struct Admission(Arc<Shared>);

impl Drop for Admission {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.executing = state.executing.saturating_sub(1);
        drop(state);
        self.0.changed.notify_waiters();
    }
}

/// A dataset that lives.
struct Held {
    shared: Arc<Shared>,
    bytes: u64,
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").field("bytes", &self.bytes).finish()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        state.held = state.held.saturating_sub(self.bytes);
        drop(state);
        metrics::dataset_dropped(self.bytes);
        self.shared.changed.notify_waiters();
    }
}

/// A node that waits. The drop removes it, also when its run is stopped.
struct Ticket<'a> {
    shared: &'a Shared,
    /// Its entry among the waiting nodes: the bytes of its inputs, and its number.
    rank: (Reverse<u64>, u64),
}

impl<'a> Ticket<'a> {
    fn new(shared: &'a Shared, own: u64) -> Self {
        let mut state = shared.state.lock();
        let rank = (Reverse(own), state.next_ticket);
        state.next_ticket = state.next_ticket.wrapping_add(1);
        state.waiting.insert(rank);
        Self { shared, rank }
    }

    /// Returns whether the node may start. Beyond the budget, only the first one that waits may.
    fn may_leave(&self) -> bool {
        let state = self.shared.state.lock();
        let (own, bytes_max) = (self.rank.0.0, self.shared.bytes_max);
        state.has_room(own, bytes_max)
            || (state.may_start(own, bytes_max) && state.waiting.first() == Some(&self.rank))
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.shared.state.lock().waiting.remove(&self.rank);
        self.shared.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use serde_json::json;

    use super::*;

    fn dataset(bytes: usize) -> Dataset {
        let row = json!({"a": "x".repeat(bytes - 9)});
        let dataset = Dataset::from_serialize(&[row]).unwrap();
        assert_eq!(dataset.memory_bytes(), bytes as u64);
        dataset
    }

    fn held(budget: &DatasetBudget, bytes: usize) -> Dataset {
        let dataset = dataset(bytes);
        budget.hold(&dataset);
        dataset
    }

    async fn is_pending(future: &mut (impl Future + Unpin)) -> bool {
        let polled = std::future::poll_fn(|context| {
            Poll::Ready(std::pin::Pin::new(&mut *future).poll(context))
        });
        polled.await.is_pending()
    }

    #[tokio::test]
    async fn a_node_waits_while_others_exceed_the_budget() {
        let budget = DatasetBudget::new(100);
        let own = held(&budget, 80);
        let _executing = budget.try_admit(0).unwrap();
        budget.wait_for_room(0).await;
        let other = held(&budget, 100);
        let clone = other.clone();
        budget.hold(&other);
        // The inputs of a node are its own.
        budget.wait_for_room(own.memory_bytes()).await;
        assert!(budget.try_admit(own.memory_bytes()).is_some());
        assert!(budget.try_admit(0).is_none());
        let mut waiting = Box::pin(budget.wait_for_room(0));
        assert!(is_pending(&mut waiting).await);
        drop(other);
        assert!(is_pending(&mut waiting).await);
        drop(clone);
        waiting.await;
        assert!(budget.try_admit(0).is_some());
    }

    #[tokio::test]
    async fn the_node_that_frees_the_most_starts_if_nothing_executes() {
        let budget = DatasetBudget::new(100);
        let _other = held(&budget, 500);
        let executing = budget.try_admit(0).unwrap();
        let mut source = Box::pin(budget.wait_for_room(0));
        let mut small = Box::pin(budget.wait_for_room(20));
        let mut large = Box::pin(budget.wait_for_room(60));
        assert!(is_pending(&mut source).await);
        assert!(is_pending(&mut small).await);
        assert!(is_pending(&mut large).await);
        drop(executing);
        assert!(is_pending(&mut source).await);
        assert!(is_pending(&mut small).await);
        large.await;
        let executing = budget.try_admit(60).unwrap();
        assert!(budget.try_admit(20).is_none());
        assert!(is_pending(&mut small).await);
        drop(executing);
        // A node whose run is stopped leaves its place to the next.
        drop(small);
        source.await;
    }

    #[test]
    fn one_node_cannot_need_more_than_the_budget() {
        let budget = DatasetBudget::new(100);
        budget.check(100).unwrap();
        let error = budget.check(101).unwrap_err();
        assert_eq!(error.problem(), Problem::DatasetTooLarge);
        let (input, id) = (dataset(50), crate::model::NodeId::new("a").unwrap());
        let twice = [0, 1].map(|_| Input::new(id.clone(), Some(input.clone())));
        assert_eq!(input_bytes(&twice), 50);
    }
}
