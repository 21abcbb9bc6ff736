//! A store whose every call fails in turn: no answer, event, stream or line at `info` tells why,
//! nor a secret.

use std::collections::BTreeSet;
use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use floret::notifier::LogNotifier;
use floret::storage::{EventFilter, Events as _};
use floret::testing::{
    Fault, FaultyStorage, Gate, ManualClock, Method, ScriptedExecutor, Step, routes, scratch,
};
use floret::{EventKind, Floret, Limits, Node, Pipeline, Problem, RunsService};
use http::Request;
use http_body_util::{BodyExt as _, Full};
use serde_json::json;
use tower::ServiceExt as _;

use super::levels::Levels;
use super::requests::{Round, every_request};
use super::{PASSWORD, TOKEN, VARIABLE, assert_hidden, key, store_secrets, with_node};
use crate::harness::with_timeout;
use crate::stream::{ask, upgrade};
use crate::wire::{Backend, Host, daily};

/// What a driver may say: SQL, a path, a secret.
const CAUSE: &str = "canary-cause: no such table in SELECT canary FROM /var/lib/canary/runs.db, password canary-47148153";

/// What the message of a fault says: a client is told none of it where the fault is Floret's own.
const MESSAGE: &str = "fails on cue";

/// Routes that ask storage nothing.
const UNTOUCHED: [&str; 2] = ["GET /capabilities", "GET /ws"];

/// Calls that a start makes; the first is made by nothing else.
const AT_THE_START: [Method; 4] = [
    Method::NewestRun,
    Method::NewestSeq,
    Method::PutPipeline,
    Method::ClaimCursors,
];

/// Calls that are made once a host ends.
const AT_THE_END: [Method; 2] = [Method::Release, Method::Close];

type Fails = fn(Method, Problem) -> Fault;

/// How the calls of one host fail.
#[derive(Clone, Copy)]
struct Failure {
    problem: Problem,
    fails: Fails,
}

impl Failure {
    /// Every call of the method, until the storage is healed.
    fn of(self, method: Method) -> Fault {
        let fault = (self.fails)(method, self.problem).times(u64::MAX);
        fault.with_source(CAUSE)
    }
}

/// The future's output, if it has one before it was polled so often; the clock goes on meanwhile.
async fn turning_for<T>(
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

/// The future's output; the clock goes on meanwhile. What never ends hangs, and fails so.
async fn turning<T>(clock: &ManualClock, what: &str, future: impl Future<Output = T>) -> T {
    let mut future = Box::pin(future);
    let turned = async {
        loop {
            if let Some(output) = turning_for(clock, 1_000, &mut future).await {
                return output;
            }
        }
    };
    with_timeout(what, turned).await
}

/// What became of a request.
enum Outcome {
    Passed,
    /// Not for a fault of ours.
    Refused,
    Failed,
}

/// All that a client is told, the body as far as it came.
struct Told {
    outcome: Outcome,
    text: String,
}

async fn told(service: &RunsService, request: Request<Full<Bytes>>) -> Told {
    let answer = service.clone().oneshot(request).await.unwrap();
    let (parts, mut body) = answer.into_parts();
    let mut text = format!("{:?} ", parts.headers);
    let mut outcome = match parts.status {
        status if status.is_server_error() => Outcome::Failed,
        status if status.is_success() => Outcome::Passed,
        _ => Outcome::Refused,
    };
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => text.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap()),
            // The client sees the connection end; whoever serves it may write this into a log.
            Err(error) => {
                text.push_str(&error.to_string());
                outcome = Outcome::Failed;
            }
        }
    }
    Told { outcome, text }
}

/// A host with runs at every stage, and what it has told.
struct Failing {
    host: Host,
    clock: ManualClock,
    active: String,
    backfill: String,
    /// Routes of which a request failed for a fault of the storage's.
    failed: BTreeSet<String>,
    /// Routes of which a request went through.
    passed: BTreeSet<String>,
    rounds: usize,
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.runs_max = 1_000;
    limits.nodes_engine_max = 1_000;
    // Claims are renewed, and it is noted which notifiers are here, each minute.
    limits.lease = Duration::from_secs(180);
    limits.notifier_absent_max = Duration::from_secs(28 * 60);
    limits
}

fn pipelines() -> [Pipeline; 3] {
    let tells = Node::new("tells", "tells")
        .config("token", "${var.TOKEN}")
        .config("fail", true);
    [
        Pipeline::new("half")
            .node("load", "any")
            .with(tells)
            .after("load"),
        Pipeline::new("holds").node("waits", "any"),
        Pipeline::new("fires")
            .node("any", "any")
            .schedule("* * * * *"),
    ]
}

impl Failing {
    async fn start(backend: Backend) -> Self {
        let clock = ManualClock::new("2024-01-15T06:00:00Z".parse().unwrap());
        let host = Host::built(backend, |builder| {
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
        let active = host.post("/api/pipelines/holds/run", None).await.json();
        let body = json!({"start_date": "2024-01-01", "end_date": "2024-01-02"});
        let made = host
            .post("/api/pipelines/holds/backfill", Some(&body))
            .await;
        let backfill = made
            .header("location")
            .rsplit('/')
            .next()
            .unwrap()
            .to_owned();
        host.executor.started_times("waits", 2).await;
        Self {
            host,
            clock,
            active: active["id"].as_str().unwrap().to_owned(),
            backfill,
            failed: BTreeSet::new(),
            passed: BTreeSet::new(),
            rounds: 0,
        }
    }

    /// Lets every call of a method fail, asks every route, and waits until one was struck.
    async fn round(&mut self, failure: Failure, method: Method) {
        let clock = self.clock.clone();
        let made = self.host.post("/api/pipelines/half/run", None).await;
        let failed = made.json()["id"].as_str().unwrap().to_owned();
        turning(&clock, "a run", self.host.finish(&failed)).await;
        self.rounds += 1;
        let round = Round {
            key: format!("round-{}", self.rounds),
            failed,
            active: self.active.clone(),
            backfill: self.backfill.clone(),
        };
        let before = self.host.faults.calls(method);
        self.host.faults.fail(failure.of(method));
        for (route, request) in every_request(&round) {
            let named = format!("{} {}", route.method, route.path);
            let what = format!("{named} while {method:?} fails");
            let told = turning(&clock, &what, told(&self.host.service, request)).await;
            assert_hidden(&what, told.text.as_bytes());
            match told.outcome {
                Outcome::Passed => drop(self.passed.insert(named)),
                Outcome::Refused => {}
                Outcome::Failed => {
                    assert!(!told.text.contains(MESSAGE), "{what}: {}", told.text);
                    self.failed.insert(named);
                }
            }
        }
        let streamed = self.streamed().await;
        let what = format!("a stream while {method:?} fails");
        assert_hidden(&what, streamed.as_bytes());
        self.until_called(method, before).await;
        self.host.faults.heal();
    }

    /// Ends once a method was called more often than before; what happens once a minute comes about
    /// meanwhile.
    async fn until_called(&self, method: Method, before: u64) {
        let called = async {
            while self.host.faults.calls(method) == before {
                turning_for(&self.clock, 100, pending::<()>()).await;
                self.clock.advance(Duration::from_secs(1));
            }
        };
        with_timeout(&format!("a call of {method:?}"), called).await;
    }

    /// The beginning of a stream of all events, or the answer that refuses it.
    async fn streamed(&self) -> String {
        const POLLS: u32 = 1_000;
        match ask(&self.host.service, upgrade("/api/ws?since=0", &[])).await {
            Ok(mut client) => {
                let heard = turning_for(&self.clock, POLLS, client.hear()).await;
                format!("{heard:?}")
            }
            Err(answer) => format!("{answer:?}"),
        }
    }

    /// Looks at all that the rounds have left behind, and lets the end of the host fail too.
    async fn end(self, failure: Failure) {
        let clock = self.clock;
        // What waits for storage goes on.
        turning_for(&clock, 5_000, pending::<()>()).await;
        let events = self
            .host
            .faults
            .events(EventFilter::default(), 0, 100_000)
            .await
            .unwrap();
        assert!(events.len() > self.rounds * 10, "{}", events.len());
        assert_hidden("an event", format!("{events:?}").as_bytes());
        let runs: BTreeSet<_> = events.iter().map(|event| event.run_id).collect();
        for run in runs {
            for part in ["", "/logs", "/logs/export?format=csv"] {
                let path = format!("/api/runs/{run}{part}");
                let answer = turning(&clock, &path, self.host.get(&path)).await;
                assert_eq!(answer.status, 200, "{answer:?}");
                assert_hidden(&path, &answer.body);
            }
        }
        for method in AT_THE_END {
            self.host.faults.fail(failure.of(method));
        }
        let ended = self.host.floret.shutdown(Duration::ZERO);
        let ended = turning(&clock, "the end", ended).await;
        assert_hidden("the end", ended.unwrap_err().to_string().as_bytes());
        for method in AT_THE_END {
            assert!(
                self.host.faults.calls(method) > 0,
                "{method:?} is not called"
            );
        }
    }
}

/// Starts a host on a store of which a call fails that the start needs.
async fn start_while_it_fails(backend: Backend, failure: Failure, method: Method) {
    let folder = scratch();
    let faults = FaultyStorage::new(backend.open(folder.path()).await);
    faults.fail(failure.of(method));
    let builder = Floret::builder(faults.clone()).executor("any", ScriptedExecutor::new());
    let builder = builder.notifier("log", LogNotifier::new());
    let refused = builder.pipeline(daily()).start().await.unwrap_err();
    assert_eq!(faults.calls(method), 1, "{method:?}");
    assert_hidden("a refused start", refused.to_string().as_bytes());
}

async fn nothing_is_told_of(backend: Backend, failure: Failure) {
    let logs = Levels::default();
    // One thread executes all of this test, the engine's tasks too.
    let _guard = logs.listen();
    for method in AT_THE_START {
        start_while_it_fails(backend, failure, method).await;
    }
    let mut failing = Failing::start(backend).await;
    let told_elsewhere = [&AT_THE_START[..1], &AT_THE_END].concat();
    for method in Method::ALL {
        if !told_elsewhere.contains(method) {
            failing.round(failure, *method).await;
        }
    }
    let every: BTreeSet<_> = routes()
        .iter()
        .map(|route| format!("{} {}", route.method, route.path))
        .collect();
    let untouched: Vec<_> = every.difference(&failing.failed).collect();
    assert_eq!(untouched, UNTOUCHED);
    let unpassed: Vec<_> = every.difference(&failing.passed).collect();
    assert_eq!(unpassed, ["GET /ws"]);
    failing.end(failure).await;
    let loud = logs.loud.text();
    assert!(loud.contains(MESSAGE), "what failed is told");
    assert_hidden("what was traced", loud.as_bytes());
    let quiet = logs.quiet.text();
    assert!(
        quiet.contains("canary-cause"),
        "the cause is told to whoever looks for it"
    );
    for secret in [PASSWORD, TOKEN, VARIABLE] {
        assert!(!quiet.contains(secret));
    }
}

const BUSY: Problem = Problem::StorageBusy;
const BROKEN: Problem = Problem::InternalError;

async fn nothing_is_told_in_memory_of(problem: Problem) {
    for fails in [Fault::before, Fault::after] {
        Box::pin(nothing_is_told_of(
            Backend::Memory,
            Failure { problem, fails },
        ))
        .await;
    }
}

#[tokio::test]
async fn nothing_is_told_of_a_store_in_memory_that_is_out_of_reach() {
    nothing_is_told_in_memory_of(BUSY).await;
}

#[tokio::test]
async fn nothing_is_told_of_a_store_in_memory_that_is_broken() {
    nothing_is_told_in_memory_of(BROKEN).await;
}

#[tokio::test]
async fn nothing_is_told_of_a_store_in_sqlite_whose_answers_get_lost() {
    let failure = Failure {
        problem: BUSY,
        fails: Fault::after,
    };
    Box::pin(nothing_is_told_of(Backend::Sqlite, failure)).await;
}

#[tokio::test]
async fn nothing_is_told_of_a_store_in_sqlite_that_is_broken() {
    let failure = Failure {
        problem: BROKEN,
        fails: Fault::before,
    };
    Box::pin(nothing_is_told_of(Backend::Sqlite, failure)).await;
}
