//! A host of Floret in a test. It has its own runtime, so it can crash like a process.
//!
//! Starting a host is left to `World`.

use std::time::Duration;

use floret::storage::{EventFilter, RunDetail, RunFilter, Runs, Storage};
use floret::testing::FaultyStorage;
use floret::{Event, EventKind, Floret, PageRequest, Run, RunHandle, RunId, Scope};
use tokio::runtime::Runtime;

use super::until;

/// A Floret on a runtime of its own.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) floret: Floret,
    pub(crate) storage: FaultyStorage,
    runtime: Background,
}

/// A runtime that can be dropped in async code, where blocking is forbidden.
#[derive(Debug)]
pub(crate) struct Background(Option<Runtime>);

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Host {
    pub(super) const fn new(floret: Floret, storage: FaultyStorage, runtime: Runtime) -> Self {
        Self {
            floret,
            storage,
            runtime: Background(Some(runtime)),
        }
    }

    /// Triggers a run.
    pub(crate) async fn trigger(&self, pipeline: &str) -> RunHandle {
        self.floret.run(pipeline).start().await.unwrap()
    }

    /// Triggers a run and waits until it finishes.
    pub(crate) async fn run(&self, pipeline: &str) -> RunDetail {
        let run = self.trigger(pipeline).await;
        run.finished().await.unwrap()
    }

    /// Returns a run from storage.
    pub(crate) async fn stored(&self, run: &RunHandle) -> RunDetail {
        self.find(run.id()).await
    }

    /// Returns the run with this id from storage.
    pub(crate) async fn find(&self, run: RunId) -> RunDetail {
        let found = self.storage.find_run(run, &Scope::All).await;
        found.unwrap().unwrap()
    }

    /// Returns all runs, newest first.
    pub(crate) async fn runs(&self) -> Vec<Run> {
        let all = PageRequest::Newest { limit: 10_000 };
        let page = self.storage.list_runs(RunFilter::default(), all).await;
        page.unwrap().items
    }

    /// Returns all events so far.
    pub(crate) async fn events(&self) -> Vec<Event> {
        all_events(&self.storage).await
    }

    /// Returns the events of a run so far.
    pub(crate) async fn events_of(&self, run: RunId) -> Vec<Event> {
        let mut events = self.events().await;
        events.retain(|event| event.run_id == run);
        events
    }

    /// Waits until the store has `count` events of this kind.
    pub(crate) async fn wait_for_events(&self, kind: EventKind, count: usize) {
        let mut seen = 0;
        let mut events = self.floret.events_after(0);
        let is_last = |event: &Event| {
            seen += usize::from(event.kind == kind);
            seen == count
        };
        until(&mut events, is_last).await.unwrap();
    }

    /// Shuts the host down without a grace period.
    pub(crate) async fn stop(self) {
        self.floret.shutdown(Duration::ZERO).await.unwrap();
        self.crash().await;
    }

    /// Runs `future` on this host's runtime.
    pub(crate) async fn on_runtime<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let runtime = self.runtime.0.as_ref().unwrap();
        runtime.spawn(future).await.unwrap()
    }

    /// Drops the Floret and returns its runtime, which continues.
    #[must_use]
    pub(crate) fn drop_floret(self) -> Background {
        let Self {
            floret,
            storage,
            runtime,
        } = self;
        drop((floret, storage));
        runtime
    }

    /// Aborts every task and waits until all of them are gone.
    pub(crate) async fn crash(mut self) {
        let runtime = self.runtime.0.take();
        let dropped = tokio::task::spawn_blocking(move || {
            drop(runtime);
            // Dropping the last handles releases a store in a file.
            drop(self);
        });
        dropped.await.unwrap();
    }
}

/// Returns all events of a storage, read page by page.
pub(crate) async fn all_events(storage: &dyn Storage) -> Vec<Event> {
    let newest = storage.newest_seq().await.unwrap();
    let (mut all, mut after) = (Vec::new(), 0);
    while after < newest {
        let page = storage.events(EventFilter::default(), after, 1_000).await;
        let page = page.unwrap();
        all.extend(page.events);
        after = page.up_to;
    }
    all
}
