//! A host of Floret in a test: it runs on a runtime of its own, so that it can crash as a process
//! does, without a word.

use std::time::Duration;

use floret::storage::{EventFilter, Events, RunDetail, RunFilter, Runs};
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

/// A runtime that may be dropped where nothing may block.
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

    pub(crate) async fn trigger(&self, pipeline: &str) -> RunHandle {
        self.floret.run(pipeline).start().await.unwrap()
    }

    /// Triggers and waits for the end.
    pub(crate) async fn run(&self, pipeline: &str) -> RunDetail {
        let run = self.trigger(pipeline).await;
        run.finished().await.unwrap()
    }

    /// The run as storage has it.
    pub(crate) async fn stored(&self, run: &RunHandle) -> RunDetail {
        self.find(run.id()).await
    }

    pub(crate) async fn find(&self, run: RunId) -> RunDetail {
        let found = self.storage.find_run(run, &Scope::All).await;
        found.unwrap().unwrap()
    }

    /// Every run, the newest first.
    pub(crate) async fn runs(&self) -> Vec<Run> {
        let all = PageRequest::Newest { limit: 10_000 };
        let page = self.storage.list_runs(RunFilter::default(), all).await;
        page.unwrap().items
    }

    /// All events so far.
    pub(crate) async fn events(&self) -> Vec<Event> {
        let all = EventFilter::default();
        self.storage.events(all, 0, u32::MAX).await.unwrap()
    }

    /// The run's events so far.
    pub(crate) async fn events_of(&self, run: RunId) -> Vec<Event> {
        let mut events = self.events().await;
        events.retain(|event| event.run_id == run);
        events
    }

    /// Ends once so many events of this kind were committed since the store was made.
    pub(crate) async fn until_events(&self, kind: EventKind, count: usize) {
        let mut seen = 0;
        let mut events = self.floret.events_after(0);
        let is_last = |event: &Event| {
            seen += usize::from(event.kind == kind);
            seen == count
        };
        until(&mut events, is_last).await.unwrap();
    }

    /// Ends in order, at once.
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

    /// Drops the last handle of the Floret and lets its runtime go on.
    #[must_use]
    pub(crate) fn let_go(self) -> Background {
        let Self {
            floret,
            storage,
            runtime,
        } = self;
        drop((floret, storage));
        runtime
    }

    /// Ends every task where it stands and waits until they are gone.
    pub(crate) async fn crash(mut self) {
        let runtime = self.runtime.0.take();
        let gone = tokio::task::spawn_blocking(move || {
            drop(runtime);
            // Its last handles, so that a store on a file is free.
            drop(self);
        });
        gone.await.unwrap();
    }
}
