//! A subscriber of the log that panics. It is the host's code, and runs in the middle of the
//! engine's: no run may stay unfinished for it, no slot may be lost, and no loop may end.
//!
//! Panics of other code of the host are left to `host_panics`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use floret::notifier::{Notifier, NotifierError};
use floret::testing::{Fault, Gate, Method, Step};
use floret::{Access, Builder, Clock, EventKind, Problem, RunId, RunStatus, TenantId};
use serde_json::json;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Metadata, Subscriber};

use crate::harness::{Store, World, chain, until};
use crate::stream;
use crate::wire::{Host, on_each_backend};

on_every_backend! {
    a_log_that_panics_costs_no_slot,
    a_span_that_panics_costs_no_run,
    a_log_that_panics_ends_no_schedule,
    a_log_that_panics_ends_no_delivery,
    a_log_that_panics_repeats_no_node,
    panics_end_no_stream,
    panics_end_no_renewal_of_cursors,
}

/// A call of a subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Call {
    #[default]
    Event,
    NewSpan,
    Enter,
    Exit,
    TryClose,
}

/// A subscriber that panics at every call of one kind while it is armed, and counts its panics.
#[derive(Clone, Default)]
struct PanickingLog {
    at: Call,
    is_armed: Arc<AtomicBool>,
    panics: Arc<AtomicUsize>,
}

impl PanickingLog {
    fn arm(&self, is_armed: bool) {
        self.is_armed.store(is_armed, Ordering::Relaxed);
    }

    fn panics(&self) -> usize {
        self.panics.load(Ordering::Relaxed)
    }

    fn called(&self, call: Call) {
        if call == self.at && self.is_armed.load(Ordering::Relaxed) {
            self.panics.fetch_add(1, Ordering::Relaxed);
            panic!("the log is full");
        }
    }
}

impl Subscriber for PanickingLog {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        self.called(Call::NewSpan);
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        self.called(Call::Event);
    }

    fn enter(&self, _: &Id) {
        self.called(Call::Enter);
    }

    fn exit(&self, _: &Id) {
        self.called(Call::Exit);
    }

    fn try_close(&self, _: Id) -> bool {
        self.called(Call::TryClose);
        true
    }
}

async fn a_log_that_panics_costs_no_slot(store: Store) {
    let mut world = World::new(store)
        .pipeline(chain("good", &["good"]))
        .pipeline(chain("bad", &["bad", "after"]))
        .pipeline(chain("slot", &["slot"]));
    (world.limits.runs_max, world.limits.suspect_delay) = (2, Duration::ZERO);
    world.script.script("bad", [Step::panic("broken")]);
    let log = PanickingLog::default();
    world.log = Some(Dispatch::new(log.clone()));
    let host = world
        .start_with(|builder| builder.clock(Clock::system()))
        .await;
    log.arm(true);
    for (method, skip) in [(Method::Claim, 0), (Method::Append, 1), (Method::Append, 2)] {
        let busy = Fault::before(method, Problem::StorageBusy);
        host.storage.fail(busy.skip(skip));
        for pipeline in ["good", "bad", "good"] {
            let finished = host.run(pipeline).await;
            assert!(finished.run.status.is_terminal());
        }
    }
    log.arm(false);
    assert!(log.panics() > 0);
    let gate = Gate::new();
    world.script.script("slot", [Step::pass_on().at(&gate)]);
    let runs = [host.trigger("slot").await, host.trigger("slot").await];
    world.script.started_times("slot", 2).await;
    gate.open();
    for run in runs {
        assert_eq!(run.finished().await.unwrap().run.status, RunStatus::Success);
    }
}

/// Executes everything that runs in a span while one call of the subscriber panics.
async fn a_span_that_panics_costs_no_run(store: Store) {
    let mut world = World::new(store)
        .pipeline(chain("good", &["good", "large", "next"]))
        .pipeline(chain("bad", &["bad", "after"]))
        .pipeline(chain("slot", &["slot"]));
    world.limits.runs_max = 2;
    world.script.script("bad", [Step::panic("broken")]);
    let rows = (0..5_000).map(|n| json!({ "n": n }));
    world.script.script("large", [Step::rows(rows)]);
    let mut panicking = BTreeMap::new();
    for at in [Call::NewSpan, Call::Enter, Call::Exit, Call::TryClose] {
        let log = PanickingLog {
            at,
            ..PanickingLog::default()
        };
        world.log = Some(Dispatch::new(log.clone()));
        let tenant = TenantId::new("acme").unwrap();
        let tenants = chain("tenants", &["tenants"]);
        let host = world
            .start_with(|builder| builder.pipeline(tenants.tenant(tenant)))
            .await;
        let before = world.calls();
        log.arm(true);
        let finished = host.run("good").await;
        assert_eq!(finished.run.status, RunStatus::Success, "{at:?}");
        let finished = host.run("bad").await;
        assert_eq!(
            finished.run.error.as_deref(),
            Some("node bad: the executor panicked: broken")
        );
        let report = host.floret.dry_run("good").await.unwrap();
        assert_eq!(report.nodes.len(), 3);
        // The span of its run has a tenant.
        let finished = host.run("tenants").await;
        assert_eq!(finished.run.status, RunStatus::Success);
        // Both slots are free.
        let gate = Gate::new();
        world.script.script("slot", [Step::pass_on().at(&gate)]);
        let started = world.calls().get("slot").copied().unwrap_or(0);
        let runs = [host.trigger("slot").await, host.trigger("slot").await];
        world.script.started_times("slot", started + 2).await;
        gate.open();
        for run in runs {
            assert_eq!(run.finished().await.unwrap().run.status, RunStatus::Success);
        }
        log.arm(false);
        let count = |node: &str| world.calls()[node] - before.get(node).copied().unwrap_or(0);
        // Once in its run, and once in the dry run.
        assert_eq!((count("large"), count("bad")), (2, 1), "{at:?}");
        panicking.insert(format!("{at:?}"), log.panics() > 0);
        host.stop().await;
    }
    assert!(
        panicking.values().all(|panicked| *panicked),
        "{panicking:?}"
    );
}

async fn a_log_that_panics_ends_no_schedule(store: Store) {
    let every_minute = chain("p", &["a"]).schedule("* * * * *");
    let mut world = World::quiet(store).pipeline(every_minute);
    let log = PanickingLog::default();
    world.log = Some(Dispatch::new(log.clone()));
    let host = world.start().await;
    host.storage
        .fail(Fault::before(Method::Schedules, Problem::StorageBusy));
    log.arm(true);
    while log.panics() == 0 {
        world.advance_within(world.limits.clock_check).await;
    }
    log.arm(false);
    let mut events = host.floret.events();
    let finished = until(&mut events, |event| event.kind == EventKind::RunCompleted);
    let finished = world.advance_until(world.limits.clock_check, finished);
    finished.await.unwrap();
}

/// A notifier that fails once, and then reports each event that it receives.
struct FailsOnce {
    has_failed: AtomicBool,
    received: UnboundedSender<RunId>,
}

#[async_trait]
impl Notifier for FailsOnce {
    async fn notify(&self, event: &floret::Event) -> Result<(), NotifierError> {
        if !self.has_failed.swap(true, Ordering::Relaxed) {
            return Err(NotifierError::retryable("not yet"));
        }
        self.received.send(event.run_id)?;
        Ok(())
    }

    fn wants(&self, event: &floret::Event) -> bool {
        event.kind == EventKind::RunCompleted
    }
}

async fn a_log_that_panics_ends_no_delivery(store: Store) {
    let mut world = World::new(store).pipeline(chain("p", &["a"]));
    world.limits.notifier_delay = Duration::from_millis(20);
    let log = PanickingLog::default();
    world.log = Some(Dispatch::new(log.clone()));
    let (received, mut receiver) = unbounded_channel();
    let notifier = FailsOnce {
        has_failed: AtomicBool::new(false),
        received,
    };
    let build = |builder: Builder| {
        let builder = builder.clock(Clock::system());
        builder.notifier("once", notifier)
    };
    let host = world.start_with(build).await;
    let first = host.run("p").await.run.id;
    // A failed try and a store that is busy are both logged.
    log.arm(true);
    let storage = Fault::before(Method::PutDeliveries, Problem::StorageBusy);
    host.storage.fail(storage);
    assert_eq!(receiver.recv().await, Some(first));
    let second = host.run("p").await.run;
    assert_eq!(second.status, RunStatus::Success, "{:?}", second.error);
    assert_eq!(receiver.recv().await, Some(second.id));
    while log.panics() == 0 {
        tokio::task::yield_now().await;
    }
}

async fn a_log_that_panics_repeats_no_node(store: Store) {
    let mut world = World::new(store).pipeline(chain("p", &["a", "b"]));
    world.limits.inline_output_bytes_max = 0;
    let rows = Step::rows([serde_json::json!({"x": 1})]);
    world.script.script("a", [rows.clone(), rows]);
    let log = PanickingLog::default();
    world.log = Some(Dispatch::new(log.clone()));
    let host = world
        .start_with(|builder| builder.clock(Clock::system()))
        .await;
    log.arm(true);
    let busy = |method| Fault::before(method, Problem::StorageBusy);
    host.storage.fail(busy(Method::Append).skip(1));
    host.storage.fail(busy(Method::PutOutputChunk));
    let finished = host.run("p").await.run;
    assert_eq!(finished.status, RunStatus::Success, "{:?}", finished.error);
    assert!(world.calls().values().all(|calls| *calls == 1));
    let refused = Fault::before(Method::PutOutputChunk, Problem::InternalError);
    host.storage.fail(refused);
    let error = host.run("p").await.run.error.unwrap();
    assert!(error.contains("the output could not be stored"), "{error}");
    assert!(log.panics() > 0);
}

async fn panics_end_no_stream(store: Store) {
    let mut world = World::new(store).pipeline(chain("p", &["a"]));
    let log = PanickingLog::default();
    world.log = Some(Dispatch::new(log.clone()));
    let host = world
        .start_with(|builder| builder.clock(Clock::system()))
        .await;
    let service = host.floret.service(Access::allow_all());
    let mut client = stream::open(&service, "/api/ws").await;
    let mut received = Vec::new();
    let busy = Fault::before(Method::Events, Problem::StorageBusy);
    log.arm(true);
    for fault in [None, Some(busy.clone()), Some(busy.panics())] {
        let reads = host.storage.calls(Method::Events);
        let is_failing = fault.is_some();
        if let Some(fault) = fault {
            host.storage.fail(fault);
        }
        let run = host.run("p").await.run.id.to_string();
        loop {
            let event = client.event().await;
            received.push(event["seq"].as_u64().unwrap());
            if event["type"] == "run.completed" && event["run_id"] == run.as_str() {
                break;
            }
        }
        let reads = host.storage.calls(Method::Events) - reads;
        assert!(reads > u64::from(is_failing), "the stream is not filled");
    }
    let all: Vec<_> = host.events().await.iter().map(|event| event.seq).collect();
    assert_eq!(received, all);
}

async fn panics_end_no_renewal_of_cursors(store: Store) {
    let mut world = World::quiet(store);
    world.limits.notifier_absent_max = Duration::from_secs(28 * 60);
    let log = PanickingLog::default();
    world.log = Some(Dispatch::new(log.clone()));
    let host = world.start().await;
    log.arm(true);
    let busy = Fault::before(Method::ClaimCursors, Problem::StorageBusy);
    for fault in [busy.clone(), busy.panics()] {
        host.storage.fail(fault);
        let renewals = host.storage.calls(Method::ClaimCursors);
        while host.storage.calls(Method::ClaimCursors) < renewals + 2 {
            world.advance_within(Duration::from_secs(60)).await;
        }
    }
}

/// Each of these requests writes to the log of the host.
#[tokio::test]
async fn a_log_that_panics_costs_no_answer() {
    let log = PanickingLog::default();
    let panicking = tracing::subscriber::set_default(log.clone());
    on_each_backend(async |host: &Host| {
        let sql = json!({"id": "sql", "name": "sql", "nodes": [
            {"id": "load", "type": "any", "config": {"sql": "SELEC ((("}},
        ]});
        let saved = host.post("/api/pipelines", Some(&sql)).await;
        assert_eq!(saved.status, 201, "{saved:?}");
        log.arm(true);
        for (path, body, status) in [
            ("/api/absent", None, 404),
            ("/api/runs?page=0", None, 400),
            ("/api/ws", None, 426),
            ("/api/lineage", None, 200),
            ("/api/pipelines", Some(json!([])), 422),
            ("/api/pipelines", Some(sql.clone()), 409),
        ] {
            let before = log.panics();
            let answer = match &body {
                Some(body) => host.post(path, Some(body)).await,
                None => host.get(path).await,
            };
            assert_eq!(answer.status, status, "{path}: {answer:?}");
            assert!(log.panics() > before || path == "/api/lineage", "{path}");
        }
        log.arm(false);
    })
    .await;
    drop(panicking);
}
