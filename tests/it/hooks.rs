//! Hooks of pipelines: which runs call which, in which order, and what happens when a receiver
//! refuses.
//!
//! Their secrets are tested in `hook_secrets`, a process that is killed in `hook_kills`. Which
//! addresses a hook may reach is tested in the crate, too.

use std::time::Duration;

use floret::notifier::{ChannelNotifier, HookPolicy};
use floret::testing::{Fault, Method, Step};
use floret::{
    Access, Builder, Delivery, DeliveryState, Hook, Pipeline, Problem, RunId, RunStatus,
    TraceParent,
};
use http::Method as Verb;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::harness::{Host, Received, Receiver, Store, World, chain};
use crate::wire::{TestResponse, request, send};

on_every_backend! {
    each_end_of_a_run_calls_its_hook,
    a_cancelled_run_calls_no_hook,
    a_call_continues_the_trace_of_its_run,
    a_call_that_is_retried_holds_up_no_other_of_its_run,
    a_run_calls_the_hooks_of_its_version,
    a_hook_of_a_deleted_pipeline_is_called,
    a_host_without_hooks_reads_and_writes_nothing_for_them,
    the_hooks_that_a_start_finds_are_called,
    a_hook_that_was_absent_for_too_long_is_called_again,
    a_receiver_that_is_gone_gets_nothing_until_a_retry_succeeds,
    a_dead_letter_of_a_hook_is_listed_retried_and_dropped,
    a_hook_outlives_an_outage_of_storage,
    receivers_that_hang_delay_no_other,
    a_receiver_that_is_not_allowed_gets_nothing,
    a_save_fails_if_its_hooks_cannot_begin,
}

const HOOKS: &str = "pipeline-hooks";

fn policy() -> HookPolicy {
    HookPolicy::default().allow_http().allow_private()
}

fn with_hooks(builder: Builder) -> Builder {
    builder.hooks(policy())
}

fn world(store: Store) -> World {
    let mut world = World::quiet(store);
    // Requests take real time, while the clock of the world jumps.
    world.limits.notifier_timeout = Duration::from_secs(400 * 24 * 3_600);
    // Progress is stored at once, so that the clock stands still while a request is in flight.
    world.limits.notifier_linger = Duration::ZERO;
    world
}

/// Returns a hook of a receiver at a path.
fn hook(port: u16, path: &str) -> Hook {
    Hook::webhook(format!("http://127.0.0.1:{port}/{path}"))
}

/// Returns a pipeline with every hook.
fn hooked(id: &str, port: u16) -> Pipeline {
    chain(id, &["a"])
        .on_start(hook(port, "start"))
        .on_success(hook(port, "success"))
        .on_failure(hook(port, "failure"))
}

/// Returns the path, the kind and the run of each request.
fn calls(received: &[Received]) -> Vec<(String, String, RunId)> {
    let call = |received: &Received| {
        let body = received.body();
        assert_eq!(body["data"]["type"], body["type"]);
        let run = body["data"]["run_id"].as_str().unwrap().parse().unwrap();
        let kind = body["type"].as_str().unwrap().to_owned();
        (received.path.clone(), kind, run)
    };
    received.iter().map(call).collect()
}

fn call(path: &str, kind: &str, run: RunId) -> (String, String, RunId) {
    (path.to_owned(), kind.to_owned(), run)
}

async fn ask(host: &Host, method: Verb, path: &str) -> TestResponse {
    let service = host.floret.service(Access::allow_all());
    send(&service, request(method, path, None)).await
}

/// Waits until this many deliveries are in a state, and returns them, newest first.
async fn parked(host: &Host, state: DeliveryState, count: usize) -> Vec<Delivery> {
    loop {
        let found = host.floret.deliveries().state(state).await.unwrap().items;
        if found.len() == count {
            return found;
        }
        tokio::task::yield_now().await;
    }
}

async fn a_call_continues_the_trace_of_its_run(store: Store) {
    let (receiver, port, _serving) = Receiver::start([200]).await;
    let world = world(store).pipeline(hooked("p", port));
    let host = world.start_with(with_hooks).await;
    let parent: TraceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        .parse()
        .unwrap();
    let run = host.floret.run("p").traceparent(parent).await.unwrap();
    run.finished().await.unwrap();
    let places: Vec<TraceParent> = receiver
        .received(2)
        .await
        .iter()
        .map(|call| {
            call.headers["traceparent"]
                .to_str()
                .unwrap()
                .parse()
                .unwrap()
        })
        .collect();
    assert!(places.iter().all(|it| it.trace_id() == parent.trace_id()));
    assert_ne!(places[0].span_id(), places[1].span_id());
}

async fn each_end_of_a_run_calls_its_hook(store: Store) {
    let (receiver, port, _serving) = Receiver::start([200]).await;
    let world = world(store).pipeline(hooked("p", port));
    world
        .script
        .script("a", [Step::rows([]), Step::permanent("no disk")]);
    let host = world.start_with(with_hooks).await;
    let succeeded = host.run("p").await.run.id;
    receiver.received(2).await;
    let failed = host.run("p").await.run.id;
    let received = receiver.received(4).await;
    let expected = [
        call("/start", "run.started", succeeded),
        call("/success", "run.completed", succeeded),
        call("/start", "run.started", failed),
        call("/failure", "run.failed", failed),
    ];
    assert_eq!(calls(&received), expected);
    let last = received[3].body();
    assert_eq!(last["data"]["error"], "node a: no disk");
    assert_eq!(last["data"]["pipeline_id"], "p");
    assert!(received[3].headers.contains_key("webhook-id"));
    assert!(!received[3].headers.contains_key("webhook-signature"));
}

async fn a_cancelled_run_calls_no_hook(store: Store) {
    let (receiver, port, _serving) = Receiver::start([200]).await;
    let world = world(store).pipeline(hooked("p", port));
    let host = world.start_with(with_hooks).await;
    host.floret.pipelines().pause("p").await.unwrap();
    let cancelled = host.trigger("p").await;
    cancelled.cancel().await.unwrap();
    assert_eq!(
        cancelled.finished().await.unwrap().run.status,
        RunStatus::Cancelled
    );
    host.floret.pipelines().unpause("p").await.unwrap();
    let next = host.run("p").await.run.id;
    let received = receiver.received(2).await;
    let expected = [
        call("/start", "run.started", next),
        call("/success", "run.completed", next),
    ];
    assert_eq!(calls(&received), expected);
}

async fn a_call_that_is_retried_holds_up_no_other_of_its_run(store: Store) {
    let (receiver, port, _serving) = Receiver::start([503, 200]).await;
    let world = world(store).pipeline(hooked("p", port));
    let host = world.start_with(with_hooks).await;
    let run = host.run("p").await.run.id;
    receiver.received(2).await;
    let waiting = parked(&host, DeliveryState::Waiting, 1).await;
    assert_eq!(waiting[0].tries, 1);
    world.clock.advance(Duration::from_secs(6));
    let received = receiver.received(3).await;
    let expected = [
        call("/start", "run.started", run),
        call("/success", "run.completed", run),
        call("/start", "run.started", run),
    ];
    assert_eq!(calls(&received), expected);
    let id = |index: usize| &received[index].headers["webhook-id"];
    assert!(id(0) == id(2) && id(0) != id(1));
}

async fn a_run_calls_the_hooks_of_its_version(store: Store) {
    let (receiver, port, _serving) = Receiver::start([200]).await;
    let world = world(store);
    let host = world.start_with(with_hooks).await;
    let pipelines = host.floret.pipelines();
    let first = chain("p", &["a"]).on_success(hook(port, "first"));
    pipelines.create(first).await.unwrap();
    let second = chain("p", &["a"]).on_success(hook(port, "second"));
    pipelines.put(second).await.unwrap();
    let third = chain("p", &["a"]);
    pipelines.put(third).await.unwrap();
    for (version, path) in [(1, "/first"), (3, ""), (2, "/second")] {
        let run = host.floret.run("p").definition(version).await.unwrap();
        let run = run.finished().await.unwrap().run.id;
        if !path.is_empty() {
            let received = receiver.received(usize::try_from(version).unwrap()).await;
            let last = calls(&received).pop();
            assert_eq!(last, Some(call(path, "run.completed", run)));
        }
    }
    // A rollback brings the hook of its version back.
    host.floret
        .pipelines()
        .versions("p")
        .roll_back(1)
        .await
        .unwrap();
    let run = host.run("p").await.run.id;
    let received = receiver.received(3).await;
    let last = calls(&received).pop();
    assert_eq!(last, Some(call("/first", "run.completed", run)));
}

async fn a_hook_of_a_deleted_pipeline_is_called(store: Store) {
    let (receiver, port, _serving) = Receiver::start([503, 200]).await;
    let mut world = world(store);
    // The event is not delivered before the pipeline is deleted.
    world.limits.notifier_in_flight_max = 1;
    let host = world.start_with(with_hooks).await;
    let pipeline = chain("p", &["a"]).on_success(hook(port, "late"));
    host.floret.pipelines().create(pipeline).await.unwrap();
    let run = host.run("p").await.run.id;
    receiver.received(1).await;
    parked(&host, DeliveryState::Waiting, 1).await;
    host.floret.pipelines().delete("p").await.unwrap();
    world.clock.advance(Duration::from_secs(6));
    let received = receiver.received(2).await;
    assert_eq!(calls(&received)[1], call("/late", "run.completed", run));
}

async fn a_host_without_hooks_reads_and_writes_nothing_for_them(store: Store) {
    let (receiver, port, _serving) = Receiver::start([200]).await;
    let world = world(store).pipeline(chain("p", &["a"]));
    let host = world.start_with(with_hooks).await;
    for _ in 0..3 {
        host.run("p").await;
    }
    world.clock.advance(Duration::from_secs(60));
    host.run("p").await;
    let deliveries = || host.storage.calls(Method::PutDeliveries);
    let claims = || host.storage.calls(Method::ClaimCursors);
    assert_eq!((claims(), deliveries()), (1, 0));
    // The first hook begins with the next run.
    let pipeline = chain("q", &["a"]).on_success(hook(port, "q"));
    host.floret.pipelines().create(pipeline).await.unwrap();
    let run = host.run("q").await.run.id;
    let received = receiver.received(1).await;
    assert_eq!(calls(&received), [call("/q", "run.completed", run)]);
    assert!(claims() > 1);
}

async fn the_hooks_that_a_start_finds_are_called(store: Store) {
    let (receiver, port, _serving) = Receiver::start([503, 200]).await;
    let world = world(store);
    let host = world.start_with(with_hooks).await;
    let pipeline = chain("p", &["a"]).on_success(hook(port, "p"));
    host.floret.pipelines().create(pipeline).await.unwrap();
    let first = host.run("p").await.run.id;
    receiver.received(1).await;
    parked(&host, DeliveryState::Waiting, 1).await;
    host.stop().await;
    world.clock.advance(Duration::from_secs(6));
    let host = world.start_with(with_hooks).await;
    let received = receiver.received(2).await;
    assert_eq!(calls(&received)[1], call("/p", "run.completed", first));
    let second = host.run("p").await.run.id;
    let received = receiver.received(3).await;
    assert_eq!(calls(&received)[2], call("/p", "run.completed", second));
}

async fn a_hook_that_was_absent_for_too_long_is_called_again(store: Store) {
    let (receiver, port, _serving) = Receiver::start([200]).await;
    let world = world(store);
    let host = world.start_with(with_hooks).await;
    let pipeline = chain("p", &["a"]).on_success(hook(port, "p"));
    host.floret.pipelines().create(pipeline).await.unwrap();
    host.stop().await;
    world.clock.advance(Duration::from_secs(8 * 24 * 3_600));
    let host = world.start_with(with_hooks).await;
    let run = host.run("p").await.run.id;
    let received = receiver.received(1).await;
    assert_eq!(calls(&received), [call("/p", "run.completed", run)]);
}

async fn a_receiver_that_is_gone_gets_nothing_until_a_retry_succeeds(store: Store) {
    let (receiver, port, _serving) = Receiver::start([410]).await;
    let (other, other_port, _other_serving) = Receiver::start([200]).await;
    let on_success = |id, port| chain(id, &["a"]).on_success(hook(port, id));
    let world = world(store)
        .pipeline(on_success("p", port))
        .pipeline(on_success("q", other_port));
    let host = world.start_with(with_hooks).await;
    let first = host.run("p").await.run.id;
    receiver.received(1).await;
    let dead = parked(&host, DeliveryState::Dead, 1).await;
    assert_eq!((dead[0].run_id, dead[0].tries), (first, 1));
    let second = host.run("p").await.run.id;
    let dead = parked(&host, DeliveryState::Dead, 2).await;
    assert_eq!(dead[0].run_id, second);
    assert_eq!(receiver.arrived().len(), 1);
    // The hooks of other pipelines are not disabled.
    let elsewhere = host.run("q").await.run.id;
    let received = other.received(1).await;
    assert_eq!(calls(&received), [call("/q", "run.completed", elsewhere)]);

    receiver.answer([200]);
    host.floret.deliveries().retry(&dead[0].id).await.unwrap();
    let received = receiver.received(2).await;
    assert_eq!(calls(&received)[1], call("/p", "run.completed", second));
    parked(&host, DeliveryState::Waiting, 0).await;
    let third = host.run("p").await.run.id;
    let received = receiver.received(3).await;
    assert_eq!(calls(&received)[2], call("/p", "run.completed", third));
}

async fn a_dead_letter_of_a_hook_is_listed_retried_and_dropped(store: Store) {
    let (receiver, port, _serving) = Receiver::start([410]).await;
    let world = world(store).pipeline(chain("p", &["a"]).on_success(hook(port, "p")));
    let host = world.start_with(with_hooks).await;
    let run = host.run("p").await.run.id;
    let dead = parked(&host, DeliveryState::Dead, 1).await;
    let listed = ask(&host, Verb::GET, "/api/deliveries?state=dead")
        .await
        .json();
    let id = format!("{HOOKS}.{}", dead[0].id.seq);
    assert_eq!(
        (&listed[0]["id"], &listed[0]["notifier"]),
        (&json!(id), &json!(HOOKS))
    );
    assert_eq!(listed[0]["run_id"], run.to_string());
    let error = listed[0]["error"].as_str().unwrap();
    assert!(error.contains("410"), "{error}");
    assert_eq!(listed[0]["pipeline_id"], "p");
    let path = format!("/api/deliveries/{id}/retry");
    assert_eq!(ask(&host, Verb::POST, &path).await.status, 200);
    receiver.received(2).await;
    parked(&host, DeliveryState::Dead, 1).await;
    let path = format!("/api/deliveries/{id}");
    assert_eq!(ask(&host, Verb::DELETE, &path).await.status, 204);
    assert!(host.floret.deliveries().await.unwrap().items.is_empty());
}

async fn a_hook_outlives_an_outage_of_storage(store: Store) {
    let (receiver, port, _serving) = Receiver::start([200]).await;
    let world = world(store).pipeline(chain("p", &["a"]).on_start(hook(port, "p")));
    let host = world.start_with(with_hooks).await;
    host.storage
        .fail(Fault::before(Method::FindRun, Problem::StorageBusy));
    let run = host.trigger("p").await;
    let waiting = parked(&host, DeliveryState::Waiting, 1).await;
    assert_eq!((waiting[0].run_id, waiting[0].tries), (run.id(), 1));
    host.storage.heal();
    world.clock.advance(Duration::from_secs(6));
    let received = receiver.received(1).await;
    assert_eq!(calls(&received), [call("/p", "run.started", run.id())]);
}

/// Starts receivers that take every connection and never answer.
async fn hang() -> (u16, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut accepting = JoinSet::new();
    accepting.spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    (port, accepting)
}

async fn receivers_that_hang_delay_no_other(store: Store) {
    const RUNS: usize = 70;
    let (receiver, port, _serving) = Receiver::start([200]).await;
    let (slow, _accepting) = hang().await;
    let mut world = world(store);
    for (id, port) in [
        ("one", slow),
        ("two", slow),
        ("before", port),
        ("after", port),
    ] {
        world = world.pipeline(chain(id, &["a"]).on_success(hook(port, id)));
    }
    let host = world.start_with(with_hooks).await;
    for _ in 0..RUNS {
        host.run("one").await;
        host.run("two").await;
    }
    let run = host.run("before").await.run.id;
    let received = receiver.received(1).await;
    assert_eq!(calls(&received), [call("/before", "run.completed", run)]);
    // Each has 64 requests in flight, and the rest of its events wait for another try.
    let waiting = parked(&host, DeliveryState::Waiting, 2 * (RUNS - 64)).await;
    assert!(waiting.iter().all(|waiting| waiting.tries == 1));
    // Once a request has timed out, its receiver is asked for one event only.
    world.clock.advance(Duration::from_secs(20));
    // A list shows 50.
    parked(&host, DeliveryState::Waiting, 50).await;
    let again = host.run("after").await.run.id;
    let received = receiver.received(2).await;
    assert_eq!(calls(&received)[1], call("/after", "run.completed", again));
}

/// The address of a name is checked when the hook is called.
async fn a_receiver_that_is_not_allowed_gets_nothing(store: Store) {
    let (receiver, port, _serving) = Receiver::start([200]).await;
    let world = world(store);
    let host = world.start_with(with_hooks).await;
    let allowed = chain("p", &["a"]).on_success(hook(port, "p"));
    host.floret.pipelines().create(allowed).await.unwrap();
    host.stop().await;
    let public_only = |builder: Builder| builder.hooks(HookPolicy::default().allow_http());
    let host = world.start_with(public_only).await;
    host.run("p").await;
    let dead = parked(&host, DeliveryState::Dead, 1).await;
    let error = dead[0].error.as_deref().unwrap_or_default();
    assert!(error.contains("a loopback address"), "{dead:?}");
    assert_eq!(receiver.arrived().len(), 0);
    for name in ["127.0.0.1", "localhost"] {
        let hook = Hook::webhook(format!("http://{name}:{port}/q"));
        let refused = chain("q", &["a"]).on_success(hook);
        let refused = host.floret.pipelines().create(refused).await.unwrap_err();
        let issue = &refused.issues()[0];
        assert_eq!(refused.problem(), Problem::InvalidField);
        assert!(issue.detail.contains("a loopback address"), "{issue:?}");
    }
}

/// Otherwise the first runs would call nobody.
async fn a_save_fails_if_its_hooks_cannot_begin(store: Store) {
    let (receiver, port, _serving) = Receiver::start([200]).await;
    let world = world(store);
    let host = world.start_with(with_hooks).await;
    host.storage
        .fail(Fault::before(Method::ClaimCursors, Problem::StorageBusy));
    let pipeline = || chain("p", &["a"]).on_success(hook(port, "p"));
    let refused = host.floret.pipelines().create(pipeline()).await;
    assert_eq!(refused.unwrap_err().problem(), Problem::StorageBusy);
    assert!(host.floret.pipelines().get("p").await.is_err());
    host.floret.pipelines().create(pipeline()).await.unwrap();
    let run = host.run("p").await.run.id;
    let received = receiver.received(1).await;
    assert_eq!(calls(&received), [call("/p", "run.completed", run)]);
}

#[tokio::test]
async fn the_name_of_the_notifier_of_hooks_is_taken() {
    let (notifier, _events) = ChannelNotifier::of([]);
    let started = floret::testing::memory()
        .notifier(HOOKS, notifier)
        .start()
        .await;
    assert_eq!(started.unwrap_err().problem(), Problem::NotifierTwice);
}

#[tokio::test]
async fn a_start_names_each_hook_that_is_wrong() {
    let pipeline = chain("p", &["a"])
        .on_start(Hook::webhook("https://10.0.0.1/hunter2"))
        .on_failure(Hook::webhook("ftp://example.com/hunter2").secret("hunter3"));
    let world = World::quiet(Store::memory()).pipeline(pipeline);
    let storage = world.store.open().await;
    let refused = world
        .try_start_on(storage, |builder| builder)
        .await
        .unwrap_err();
    let text = refused.to_string();
    for part in [
        "a private address",
        "the scheme of the URL",
        "whsec_ followed by base64",
    ] {
        assert!(text.contains(part), "{text}");
    }
    assert!(!text.contains("hunter"), "{text}");
}
