//! The world of a test: a storage that outlives engines, a clock turned by hand, an executor that follows a script.
//!
//! A host runs on a runtime of its own, so that it can crash as a process does: without a word.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use floret::storage::{
    Durability, EventFilter, Events, MemoryStorage, RunDetail, RunFilter, Runs, SqliteOptions,
    SqliteStorage,
};
use floret::testing::{
    FaultyStorage, Gate, ManualClock, Method, Scratch, ScriptedExecutor, scratch,
};
use floret::{
    Builder, ErrorKind, Event, EventKind, Floret, Limits, Node, NodeRun, NodeStatus, PageRequest,
    Pipeline, Result, Run, RunHandle, RunId, RunStatus, Scope, Subscription,
};
use tokio::runtime::Runtime;

/// The node type that the scripted executor stands behind.
pub(crate) const STEP: &str = "step";

/// Makes of each function, which takes a [`Store`], one test a backend.
macro_rules! on_every_backend {
    ($($name:ident,)*) => {
        mod memory {
            $(#[tokio::test]
            async fn $name() {
                let test = super::$name($crate::harness::Store::memory());
                $crate::harness::within(Box::pin(test)).await;
            })*
        }

        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                let test = super::$name($crate::harness::Store::sqlite());
                $crate::harness::within(Box::pin(test)).await;
            })*
        }
    };
}

/// The future's output. What takes 60 s of real time hangs, and fails so.
#[expect(
    clippy::disallowed_methods,
    reason = "a test that hangs must fail in real time, whatever the clock says"
)]
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future)
        .await
        .expect("the test hangs")
}

/// Something that keeps what a Floret remembers while Florets come and go.
#[derive(Debug)]
pub(crate) enum Store {
    Memory(MemoryStorage),
    Sqlite(Scratch),
}

impl Store {
    pub(crate) fn memory() -> Self {
        Self::Memory(MemoryStorage::default())
    }

    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(scratch())
    }

    /// Opens the store; whoever had it open before must be gone.
    pub(crate) async fn open(&self) -> FaultyStorage {
        match self {
            Self::Memory(storage) => {
                let storage = FaultyStorage::new(Arc::new(storage.clone()));
                storage.stay_open();
                storage
            }
            Self::Sqlite(directory) => {
                let options = SqliteOptions::default().durability(Durability::Normal);
                let path = directory.path().join("floret.db");
                // A store that was dropped ends in its own time.
                let storage = loop {
                    match SqliteStorage::open_with(&path, options.clone()).await {
                        Err(error) if matches!(error.kind(), ErrorKind::StoreInUse { .. }) => {}
                        opened => break opened.unwrap(),
                    }
                };
                FaultyStorage::new(Arc::new(storage))
            }
        }
    }
}

/// What the hosts of one test have in common.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) clock: ManualClock,
    pub(crate) script: ScriptedExecutor,
    pub(crate) limits: Limits,
    pub(crate) pipelines: Vec<Pipeline>,
}

impl World {
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            clock: ManualClock::new("2024-01-15T06:00:00Z".parse().unwrap()),
            script: ScriptedExecutor::new(),
            limits: Limits::default(),
            pipelines: Vec::new(),
        }
    }

    pub(crate) fn pipeline(mut self, pipeline: Pipeline) -> Self {
        self.pipelines.push(pipeline);
        self
    }

    /// Starts a host.
    pub(crate) async fn start(&self) -> Host {
        self.start_with(|builder| builder).await
    }

    /// Starts a host with more node types.
    pub(crate) async fn start_with(&self, build: impl FnOnce(Builder) -> Builder) -> Host {
        let storage = self.store.open().await;
        self.start_on(storage, build).await
    }

    /// Starts a host on a storage that is open already.
    pub(crate) async fn start_on(
        &self,
        storage: FaultyStorage,
        build: impl FnOnce(Builder) -> Builder,
    ) -> Host {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let mut builder = Floret::builder(storage.clone())
            .clock(self.clock.clock())
            .limits(self.limits.clone())
            .executor(STEP, self.script.clone());
        for pipeline in &self.pipelines {
            builder = builder.pipeline(pipeline.clone());
        }
        let started = runtime.spawn(build(builder).start()).await.unwrap();
        Host {
            floret: started.unwrap(),
            storage,
            runtime: Background(Some(runtime)),
        }
    }

    /// Makes a run that nobody has claimed yet, and a host whose first claim takes it and then waits at the gate.
    pub(crate) async fn hold_claim(&mut self, pipeline: &str, gate: &Gate) -> (Host, RunHandle) {
        let runs_max = std::mem::take(&mut self.limits.runs_max);
        let host = self.start().await;
        let run = host.trigger(pipeline).await.id();
        host.stop().await;
        self.limits.runs_max = runs_max;
        let storage = self.store.open().await;
        storage.hold_after(Method::Claim, gate);
        let host = self.start_on(storage, |builder| builder).await;
        let run = host.floret.handle(run);
        while host.stored(&run).await.run.status != RunStatus::Running {
            tokio::task::yield_now().await;
        }
        (host, run)
    }

    /// What a dead host held is anybody's: at once where opening the store proves its death, else once its leases have run out.
    pub(crate) fn outlive_leases(&self) {
        match self.store {
            Store::Memory(_) => self
                .clock
                .advance(self.limits.lease + Duration::from_secs(1)),
            Store::Sqlite(_) => {}
        }
    }

    /// Turns the clock to the next sleeper due within `bound`, as soon as there is one.
    pub(crate) async fn turn_within(&self, bound: Duration) -> Duration {
        self.clock.sleeper_within(bound).await;
        let step = self.clock.next_wake().unwrap();
        self.clock.advance(step);
        step
    }

    /// How often each node was called.
    pub(crate) fn calls(&self) -> BTreeMap<String, usize> {
        let mut calls = BTreeMap::new();
        for call in self.script.calls() {
            *calls.entry(call.node.id).or_default() += 1;
        }
        calls
    }
}

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

/// A node that the script speaks about.
pub(crate) fn step(id: &str) -> Node {
    Node::new(id, STEP)
}

/// Nodes that the script speaks about, one after another.
pub(crate) fn chain(id: &str, nodes: &[&str]) -> Pipeline {
    let mut pipeline = Pipeline::new(id);
    for (index, node) in nodes.iter().enumerate() {
        pipeline = pipeline.node(*node, STEP);
        if let Some(before) = index.checked_sub(1) {
            pipeline = pipeline.after(nodes[before]);
        }
    }
    pipeline
}

/// Where each node of a run stands, by id.
pub(crate) fn statuses(detail: &RunDetail) -> BTreeMap<String, NodeStatus> {
    let unstarted = detail.run.status.unstarted_node();
    let nodes = detail.definition.nodes.iter();
    let mut statuses: BTreeMap<_, _> = nodes.map(|node| (node.id.clone(), unstarted)).collect();
    let rows = detail.nodes.iter();
    statuses.extend(rows.map(|row| (row.node_id.to_string(), row.status)));
    statuses
}

/// Asserts where the run stands and each of its nodes.
#[track_caller]
pub(crate) fn assert_ended(detail: &RunDetail, run: RunStatus, nodes: &[(&str, NodeStatus)]) {
    let expected: BTreeMap<_, _> = nodes
        .iter()
        .map(|(node, status)| ((*node).to_owned(), *status))
        .collect();
    assert_eq!((detail.run.status, statuses(detail)), (run, expected));
}

/// Reads a subscription up to and with the first event that fits.
pub(crate) async fn until(
    events: &mut Subscription,
    mut is_last: impl FnMut(&Event) -> bool,
) -> Result<Vec<Event>> {
    let mut read = Vec::new();
    while let Some(event) = events.next().await {
        let event = event?;
        let is_done = is_last(&event);
        read.push(event);
        if is_done {
            break;
        }
    }
    Ok(read)
}

/// The row of a node.
#[track_caller]
pub(crate) fn node<'a>(detail: &'a RunDetail, id: &str) -> &'a NodeRun {
    let mut rows = detail.nodes.iter();
    rows.find(|row| row.node_id.as_str() == id).unwrap()
}

/// The kinds of events, in their order.
pub(crate) fn kinds(events: &[Event]) -> Vec<EventKind> {
    events.iter().map(|event| event.kind).collect()
}

/// The texts of the lines of a log.
pub(crate) fn lines(events: &[Event]) -> Vec<&str> {
    let messages = events.iter().filter_map(|event| event.message.as_deref());
    messages.collect()
}
