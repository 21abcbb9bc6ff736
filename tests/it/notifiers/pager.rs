//! A notifier that follows a script, and records which events it received and when.
//!
//! What it must receive is left to the tests.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use floret::notifier::{Notifier, NotifierError};
use floret::{Clock, Event, EventKind, RunId};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// What a pager does with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behavior {
    Accept,
    Fail,
    FailPermanently,
    Panic,
    Hang,
}

/// A notifier that a test controls. Clones are the same notifier.
#[derive(Clone)]
pub(super) struct Pager(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    called: Notify,
    clock: Clock,
}

#[derive(Default)]
struct State {
    /// The next behaviors for each pipeline. The last one repeats.
    scripts: HashMap<String, VecDeque<Behavior>>,
    calls: Vec<(u64, DateTime<Utc>)>,
    received: Vec<Event>,
    panics_on: Option<EventKind>,
    unwanted: Vec<EventKind>,
}

impl Pager {
    pub(super) fn new(clock: Clock) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::default(),
            called: Notify::new(),
            clock,
        }))
    }

    /// Sets what the pager does with the events of a pipeline. The last behavior repeats.
    pub(super) fn script(&self, pipeline: &str, behaviors: impl IntoIterator<Item = Behavior>) {
        let behaviors = behaviors.into_iter().collect();
        let mut state = self.0.state.lock();
        state.scripts.insert(pipeline.to_owned(), behaviors);
    }

    /// Makes the pager refuse events of these kinds.
    pub(super) fn ignore(&self, kinds: impl IntoIterator<Item = EventKind>) {
        self.0.state.lock().unwanted.extend(kinds);
    }

    /// Makes the filter panic on events of this kind.
    pub(super) fn panic_on(&self, kind: EventKind) {
        self.0.state.lock().panics_on = Some(kind);
    }

    /// Returns the events that the pager accepted, in order.
    pub(super) fn received(&self) -> Vec<Event> {
        self.0.state.lock().received.clone()
    }

    /// Returns the times of the delivery attempts of an event.
    pub(super) fn calls_of(&self, seq: u64) -> Vec<DateTime<Utc>> {
        let state = self.0.state.lock();
        let calls = state.calls.iter().filter(|(called, _)| *called == seq);
        calls.map(|(_, at)| *at).collect()
    }

    /// Waits until `count` delivery attempts were made.
    pub(super) async fn called(&self, count: usize) {
        self.until(|state| state.calls.len() >= count).await;
    }

    /// Waits until the pager accepted the last event of a run.
    pub(super) async fn received_run(&self, run: RunId) {
        let is_last = |event: &Event| event.run_id == run && event.kind.is_terminal();
        self.until(|state| state.received.iter().any(is_last)).await;
    }

    async fn until(&self, is_met: impl Fn(&State) -> bool) {
        let called = self.0.called.notified();
        tokio::pin!(called);
        loop {
            called.as_mut().enable();
            if is_met(&self.0.state.lock()) {
                return;
            }
            called.as_mut().await;
            called.set(self.0.called.notified());
        }
    }

    fn next_behavior(&self, event: &Event) -> Behavior {
        let mut state = self.0.state.lock();
        let now = self.0.clock.now();
        state.calls.push((event.seq, now));
        let script = state.scripts.get_mut(event.pipeline_id.as_str());
        let behavior = script.map_or(Behavior::Accept, |script| match script.len() {
            0 => Behavior::Accept,
            1 => script[0],
            _ => script.pop_front().unwrap(),
        });
        if behavior == Behavior::Accept {
            state.received.push(event.clone());
        }
        behavior
    }
}

#[async_trait]
impl Notifier for Pager {
    async fn notify(&self, event: &Event) -> Result<(), NotifierError> {
        let behavior = self.next_behavior(event);
        self.0.called.notify_waiters();
        match behavior {
            Behavior::Accept => Ok(()),
            Behavior::Fail => Err(NotifierError::retryable("the line is busy")),
            Behavior::FailPermanently => Err(NotifierError::permanent("no such number")),
            Behavior::Panic => panic!("the pager is broken"),
            Behavior::Hang => std::future::pending().await,
        }
    }

    fn wants(&self, event: &Event) -> bool {
        let state = self.0.state.lock();
        assert!(state.panics_on != Some(event.kind), "the filter is broken");
        !state.unwanted.contains(&event.kind)
    }
}
