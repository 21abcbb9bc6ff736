//! A store whose every call fails in turn: no response, event, stream or log line at `info` reveals
//! the cause or a secret.

use std::collections::BTreeSet;
use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use floret::notifier::LogNotifier;
use floret::testing::{
    Fault, FaultyStorage, Gate, ManualClock, Method, ScriptedExecutor, Step, routes, scratch,
};
use floret::{
    DependencyRule, DependencyState, EventKind, Floret, Limits, Node, Pipeline, Problem,
    RunsService,
};
use http::Request;
use http_body_util::{BodyExt as _, Full};
use serde_json::json;
use tower::ServiceExt as _;

use super::levels::Levels;
use super::requests::{Round, every_request, park_two};
use super::{PASSWORD, TOKEN, VARIABLE, assert_hidden, key, store_secrets, with_node};
use crate::harness::{all_events, with_timeout};
use crate::sse;
use crate::stream::{connect, upgrade};
use crate::wire::{Backend, Host, daily, request};

/// The cause of a fault, as a driver may word it: SQL, a path and a secret.
const CAUSE: &str = "canary-cause: no such table in SELECT canary FROM /var/lib/canary/runs.db, password canary-47148153";

/// The message of a fault. A client never receives it, because the fault is Floret's own.
const MESSAGE: &str = "fails on cue";

/// Routes that call no method of storage.
const UNTOUCHED: [&str; 3] = ["GET /capabilities", "GET /openapi.json", "GET /ws"];

/// Methods that a start calls. Only a start calls the first one.
const START_METHODS: [Method; 4] = [
    Method::NewestRun,
    Method::NewestSeq,
    Method::PutPipeline,
    Method::ClaimCursors,
];

/// Methods that a shutdown calls.
const SHUTDOWN_METHODS: [Method; 2] = [Method::Release, Method::Close];

type Fails = fn(Method, Problem) -> Fault;

/// How the calls of one host fail.
#[derive(Clone, Copy)]
struct Failure {
    problem: Problem,
    fails: Fails,
}

impl Failure {
    /// Returns a fault that makes every call of the method fail until the storage is healed.
    fn fault(self, method: Method) -> Fault {
        let fault = (self.fails)(method, self.problem).times(u64::MAX);
        fault.with_source(CAUSE)
    }
}

/// Polls a future at most `polls` times while the clock advances. Returns `None` if it is still
/// pending then.
async fn poll_with_clock<T>(
    clock: &ManualClock,
    polls: u32,
    future: impl Future<Output = T>,
) -> Option<T> {
    let mut future = Box::pin(future);
    for count in 1..=polls {
        let polled = poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await;
        if let Poll::Ready(output) = polled {
            return Some(output);
        }
        if count.is_multiple_of(200) {
            clock.advance(Duration::from_millis(100));
        }
        tokio::task::yield_now().await;
    }
    None
}

/// Runs a future while the clock advances. Panics if the future hangs.
async fn run_with_clock<T>(clock: &ManualClock, what: &str, future: impl Future<Output = T>) -> T {
    let mut future = Box::pin(future);
    let looped = async {
        loop {
            if let Some(output) = poll_with_clock(clock, 1_000, &mut future).await {
                return output;
            }
        }
    };
    with_timeout(what, looped).await
}

/// The outcome of a request.
enum Outcome {
    Succeeded,
    /// Refused for a reason other than a fault of the storage.
    Refused,
    Failed,
}

/// The outcome of a request and all text that the client received, up to an error in the body.
struct Received {
    outcome: Outcome,
    text: String,
}

async fn receive(service: &RunsService, request: Request<Full<Bytes>>) -> Received {
    let answer = service.clone().oneshot(request).await.unwrap();
    let (parts, mut body) = answer.into_parts();
    let mut text = format!("{:?} ", parts.headers);
    let is_stream = sse::is_stream(&parts.headers);
    let mut outcome = match parts.status {
        status if status.is_server_error() => Outcome::Failed,
        status if status.is_success() => Outcome::Succeeded,
        _ => Outcome::Refused,
    };
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => {
                text.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
                if is_stream {
                    // It has no end.
                    break;
                }
            }
            // The client sees a closed connection. The server may log this error.
            Err(error) => {
                text.push_str(&error.to_string());
                outcome = Outcome::Failed;
            }
        }
    }
    Received { outcome, text }
}

/// A host with runs at every stage, and the outcomes of its routes.
struct Failing {
    host: Host,
    clock: ManualClock,
    active: String,
    /// A pending run.
    waiting: String,
    backfill: String,
    /// A backfill whose runs are pending.
    paused_backfill: String,
    finished_backfill: String,
    /// Routes of which a request failed because of the storage.
    failed: BTreeSet<String>,
    /// Routes of which a request succeeded.
    succeeded: BTreeSet<String>,
    rounds: usize,
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.runs_max = 1_000;
    limits.nodes_engine_max = 1_000;
    limits.inline_output_bytes_max = 0;
    // Every minute, leases are renewed and present notifiers are recorded.
    limits.lease = Duration::from_secs(180);
    limits.notifier_absent_max = Duration::from_secs(28 * 60);
    limits
}

fn pipelines() -> [Pipeline; 5] {
    let leaky = Node::new("leaky", "leaky")
        .config("token", "${var.TOKEN}")
        .config("fail", true);
    [
        Pipeline::new("half")
            .node("load", "any")
            .with(leaky)
            .after("load"),
        Pipeline::new("holds").node("waits", "any"),
        Pipeline::new("fires")
            .node("any", "any")
            .schedule("* * * * *"),
        Pipeline::new("after")
            .node("any", "any")
            .dependency(DependencyRule::any("half").state(DependencyState::Completed)),
        Pipeline::new("gated")
            .node("any", "any")
            .depends_on("absent"),
    ]
}

impl Failing {
    async fn start(backend: Backend) -> Self {
        let clock = ManualClock::new("2024-01-15T06:00:00Z".parse().unwrap());
        let host = Host::build(backend, |builder| {
            let builder = pipelines()
                .into_iter()
                .fold(builder, |builder, own| builder.pipeline(own));
            let kinds = [EventKind::RunFailed, EventKind::NodeFailed, EventKind::Log];
            with_node(builder, &Arc::default())
                .secret_key(key(7))
                .clock(clock.clock())
                .limits(limits())
                .notifier("log", LogNotifier::of(kinds))
        })
        .await;
        host.executor
            .script("load", [Step::rows([json!({"n": 1})])]);
        host.executor
            .script("waits", [Step::pass_on().at(&Gate::new())]);
        store_secrets(&host).await;
        let backfill = super::backfill(&host);
        let (finished_backfill, _) = run_with_clock(&clock, "a backfill", backfill).await;
        let active = host.post("/api/pipelines/holds/run", None).await.json();
        let waiting = host.post("/api/pipelines/gated/run", None).await.json();
        let body = json!({"start_date": "2024-01-01", "end_date": "2024-01-02"});
        let [backfill, paused_backfill] = ["holds", "gated"].map(async |pipeline| {
            let path = format!("/api/pipelines/{pipeline}/backfill");
            let created = host.post(&path, Some(&body)).await;
            let location = created.header("location").rsplit('/');
            location.map(str::to_owned).next().unwrap()
        });
        let (backfill, paused_backfill) = (backfill.await, paused_backfill.await);
        host.executor.started_times("waits", 2).await;
        Self {
            host,
            clock,
            active: active["id"].as_str().unwrap().to_owned(),
            waiting: waiting["id"].as_str().unwrap().to_owned(),
            backfill,
            paused_backfill,
            finished_backfill,
            failed: BTreeSet::new(),
            succeeded: BTreeSet::new(),
            rounds: 0,
        }
    }

    /// Makes every call of a method fail, calls every route and waits for a call of the method.
    async fn round(&mut self, failure: Failure, method: Method) {
        let clock = self.clock.clone();
        let created = self.host.post("/api/pipelines/half/run", None).await;
        let failed = created.json()["id"].as_str().unwrap().to_owned();
        run_with_clock(&clock, "a run", self.host.wait_finished(&failed)).await;
        self.rounds += 1;
        let dead = park_two(&self.host, &failed).await;
        let round = Round {
            key: format!("round-{}", self.rounds),
            failed,
            active: self.active.clone(),
            backfill: self.backfill.clone(),
            paused_backfill: self.paused_backfill.clone(),
            finished_backfill: self.finished_backfill.clone(),
            dead,
        };
        let before = self.host.faults.calls(method);
        self.host.faults.fail(failure.fault(method));
        for (route, request) in every_request(&round) {
            let named = format!("{} {}", route.method, route.path);
            let what = format!("{named} while {method:?} fails");
            let received =
                run_with_clock(&clock, &what, receive(&self.host.service, request)).await;
            assert_hidden(&what, received.text.as_bytes());
            match received.outcome {
                Outcome::Succeeded => drop(self.succeeded.insert(named)),
                Outcome::Refused => {}
                Outcome::Failed => {
                    assert!(
                        !received.text.contains(MESSAGE),
                        "{what}: {}",
                        received.text
                    );
                    self.failed.insert(named);
                }
            }
        }
        // A rule refuses it, which the audit records.
        let refused = format!("/api/runs/{}/resume", self.active);
        let refused = receive(
            &self.host.service,
            request(http::Method::POST, &refused, None),
        );
        let received = run_with_clock(&clock, "a refused resume", refused).await;
        assert_hidden("a refused resume", received.text.as_bytes());
        let pending = request(
            http::Method::GET,
            &format!("/api/runs/{}", self.waiting),
            None,
        );
        let received = receive(&self.host.service, pending);
        let received = run_with_clock(&clock, "a pending run", received).await;
        assert_hidden("a pending run", received.text.as_bytes());
        let text = self.read_stream().await;
        let what = format!("a stream while {method:?} fails");
        assert_hidden(&what, text.as_bytes());
        self.until_called(method, before).await;
        self.host.faults.heal();
    }

    /// Waits until a method has been called more often than `before`. The clock advances meanwhile,
    /// so periodic tasks run.
    async fn until_called(&self, method: Method, before: u64) {
        let called = async {
            while self.host.faults.calls(method) == before {
                poll_with_clock(&self.clock, 100, pending::<()>()).await;
                self.clock.advance(Duration::from_secs(1));
            }
        };
        with_timeout(&format!("a call of {method:?}"), called).await;
    }

    /// Returns the beginning of a stream of all events, or the response that refuses it.
    async fn read_stream(&self) -> String {
        const POLLS: u32 = 1_000;
        match connect(&self.host.service, upgrade("/api/ws?since=0", &[])).await {
            Ok(mut client) => {
                let message = poll_with_clock(&self.clock, POLLS, client.receive()).await;
                format!("{message:?}")
            }
            Err(answer) => format!("{answer:?}"),
        }
    }

    /// Checks everything that the rounds have stored, and makes the shutdown of the host fail too.
    async fn shut_down(self, failure: Failure) {
        let clock = self.clock;
        // Tasks that wait for storage continue.
        poll_with_clock(&clock, 5_000, pending::<()>()).await;
        let events = all_events(&self.host.faults).await;
        assert!(events.len() > self.rounds * 10, "{}", events.len());
        assert_hidden("an event", format!("{events:?}").as_bytes());
        let runs: BTreeSet<_> = events.iter().map(|event| event.run_id).collect();
        for run in runs {
            for part in ["", "/logs", "/logs/export?format=csv"] {
                let path = format!("/api/runs/{run}{part}");
                let answer = run_with_clock(&clock, &path, self.host.get(&path)).await;
                assert_eq!(answer.status, 200, "{answer:?}");
                assert_hidden(&path, &answer.body);
            }
        }
        for method in SHUTDOWN_METHODS {
            self.host.faults.fail(failure.fault(method));
        }
        let shutdown = self.host.floret.shutdown(Duration::ZERO);
        let result = run_with_clock(&clock, "the shutdown", shutdown).await;
        assert_hidden("the shutdown", result.unwrap_err().to_string().as_bytes());
        for method in SHUTDOWN_METHODS {
            assert!(
                self.host.faults.calls(method) > 0,
                "{method:?} is not called"
            );
        }
    }
}

/// Starts a host while a method that the start calls fails.
async fn start_with_failure(backend: Backend, failure: Failure, method: Method) {
    let folder = scratch();
    let faults = FaultyStorage::new(backend.open(folder.path()).await);
    faults.fail(failure.fault(method));
    let builder = Floret::builder(faults.clone()).executor("any", ScriptedExecutor::new());
    let builder = builder.notifier("log", LogNotifier::new());
    let refused = builder.pipeline(daily()).start().await.unwrap_err();
    assert_eq!(faults.calls(method), 1, "{method:?}");
    assert_hidden("a refused start", refused.to_string().as_bytes());
}

async fn assert_reveals_nothing(backend: Backend, failure: Failure) {
    let logs = Levels::default();
    // The test and the engine's tasks all execute on this thread.
    let _guard = logs.capture();
    for method in START_METHODS {
        start_with_failure(backend, failure, method).await;
    }
    let mut failing = Failing::start(backend).await;
    let covered_elsewhere = [&START_METHODS[..1], &SHUTDOWN_METHODS].concat();
    for method in Method::ALL {
        if !covered_elsewhere.contains(method) {
            failing.round(failure, *method).await;
        }
    }
    let every: BTreeSet<_> = routes()
        .iter()
        .map(|route| format!("{} {}", route.method, route.path))
        .collect();
    let untouched: Vec<_> = every.difference(&failing.failed).collect();
    assert_eq!(untouched, UNTOUCHED);
    let never_succeeded: Vec<_> = every.difference(&failing.succeeded).collect();
    assert_eq!(never_succeeded, ["GET /ws"]);
    failing.shut_down(failure).await;
    let loud = logs.loud.text();
    assert!(loud.contains(MESSAGE), "the log names the failure");
    assert_hidden("what was traced", loud.as_bytes());
    let quiet = logs.quiet.text();
    assert!(
        quiet.contains("canary-cause"),
        "the cause is logged below info"
    );
    for secret in [PASSWORD, TOKEN, VARIABLE] {
        assert!(!quiet.contains(secret));
    }
}

const BUSY: Problem = Problem::StorageBusy;
const BROKEN: Problem = Problem::InternalError;

#[tokio::test]
async fn an_unavailable_store_in_memory_reveals_nothing() {
    let failure = Failure {
        problem: BUSY,
        fails: Fault::before,
    };
    Box::pin(assert_reveals_nothing(Backend::Memory, failure)).await;
}

#[tokio::test]
async fn lost_responses_of_a_broken_store_in_memory_reveal_nothing() {
    let failure = Failure {
        problem: BROKEN,
        fails: Fault::after,
    };
    Box::pin(assert_reveals_nothing(Backend::Memory, failure)).await;
}

#[tokio::test]
async fn lost_responses_of_a_store_in_sqlite_reveal_nothing() {
    let failure = Failure {
        problem: BUSY,
        fails: Fault::after,
    };
    Box::pin(assert_reveals_nothing(Backend::Sqlite, failure)).await;
}

#[tokio::test]
async fn a_broken_store_in_sqlite_reveals_nothing() {
    let failure = Failure {
        problem: BROKEN,
        fails: Fault::before,
    };
    Box::pin(assert_reveals_nothing(Backend::Sqlite, failure)).await;
}
