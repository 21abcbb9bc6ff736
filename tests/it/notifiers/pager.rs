//! A notifier that does what a test says, and remembers what it was brought and when.
//!
//! What is expected of it stands in the tests.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use floret::notifier::{Notifier, NotifierError};
use floret::{Clock, Event, EventKind, RunId};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// What a pager does when it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Take,
    Fail,
    FailForGood,
    Panic,
    Hang,
}

/// A notifier under a test's control. Clones are the same.
#[derive(Clone)]
pub(super) struct Pager(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    called: Notify,
    clock: Clock,
}

#[derive(Default)]
struct State {
    /// What comes next for a pipeline; the last is repeated.
    acts: HashMap<String, VecDeque<Act>>,
    calls: Vec<(u64, DateTime<Utc>)>,
    got: Vec<Event>,
    panics_at: Option<EventKind>,
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

    /// From now on it does this for events of a pipeline, the last for ever.
    pub(super) fn acts(&self, pipeline: &str, acts: impl IntoIterator<Item = Act>) {
        let acts = acts.into_iter().collect();
        self.0.state.lock().acts.insert(pipeline.to_owned(), acts);
    }

    /// It does not want these.
    pub(super) fn refuses(&self, kinds: impl IntoIterator<Item = EventKind>) {
        self.0.state.lock().unwanted.extend(kinds);
    }

    /// Asked whether it wants such an event, it panics.
    pub(super) fn panics_at(&self, kind: Option<EventKind>) {
        self.0.state.lock().panics_at = kind;
    }

    /// What it took, in the order in which it came.
    pub(super) fn got(&self) -> Vec<Event> {
        self.0.state.lock().got.clone()
    }

    /// The times at which an event was brought.
    pub(super) fn calls_of(&self, seq: u64) -> Vec<DateTime<Utc>> {
        let state = self.0.state.lock();
        let own = state.calls.iter().filter(|(own, _)| *own == seq);
        own.map(|(_, at)| *at).collect()
    }

    /// Ends once it was called so often in all.
    pub(super) async fn called(&self, count: usize) {
        self.until(|state| state.calls.len() >= count).await;
    }

    /// Ends once it took the last event of a run.
    pub(super) async fn ended(&self, run: RunId) {
        let is_end = |event: &Event| event.run_id == run && event.kind.is_terminal();
        self.until(|state| state.got.iter().any(is_end)).await;
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

    fn next_act(&self, event: &Event) -> Act {
        let mut state = self.0.state.lock();
        let now = self.0.clock.now();
        state.calls.push((event.seq, now));
        let acts = state.acts.get_mut(event.pipeline_id.as_str());
        let act = acts.map_or(Act::Take, |acts| match acts.len() {
            0 => Act::Take,
            1 => acts[0],
            _ => acts.pop_front().unwrap(),
        });
        if act == Act::Take {
            state.got.push(event.clone());
        }
        act
    }
}

#[async_trait]
impl Notifier for Pager {
    async fn notify(&self, event: &Event) -> Result<(), NotifierError> {
        let act = self.next_act(event);
        self.0.called.notify_waiters();
        match act {
            Act::Take => Ok(()),
            Act::Fail => Err(NotifierError::retryable("the line is busy")),
            Act::FailForGood => Err(NotifierError::permanent("no such number")),
            Act::Panic => panic!("the pager is broken"),
            Act::Hang => std::future::pending().await,
        }
    }

    fn wants(&self, event: &Event) -> bool {
        let state = self.0.state.lock();
        assert!(state.panics_at != Some(event.kind), "what a question");
        !state.unwanted.contains(&event.kind)
    }
}
