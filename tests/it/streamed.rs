//! What streams of both kinds send, over a WebSocket and as server-sent events: the events of a
//! host, and the reports about those that a slow client missed.
//!
//! `api_ws_session` and `api_sse_session` run the tests here for their kind.

use std::time::Duration;

use floret::testing::{Fault, Method, Step};
use floret::{Access, Event, Problem, RunsService};
use serde_json::Value;

use crate::harness::{Host, Store, World, chain};
use crate::{sse, stream};

/// Queries that no stream takes. Each begins with the name of the parameter that is wrong.
pub(crate) const INVALID_QUERIES: [&str; 12] = [
    "since=x",
    "since=-1",
    "since=",
    "since=1.5",
    "since=18446744073709551616",
    "since=1&since=2",
    "since=18446744073709551615",
    "run_id=x",
    "pipeline_id=%20",
    "types=run.created,nothing",
    "types=",
    "limit=1",
];

/// A client of one kind of stream.
pub(crate) trait EventClient: Sized {
    /// Opens a stream with this query, which must succeed.
    async fn open(service: &RunsService, query: &str) -> Self;

    /// Receives the next event.
    async fn event(&mut self) -> Value;

    /// Receives the next `count` events.
    async fn events(&mut self, count: usize) -> Vec<Value> {
        let mut events = Vec::new();
        while events.len() < count {
            events.push(self.event().await);
        }
        events
    }
}

impl EventClient for stream::Client {
    async fn open(service: &RunsService, query: &str) -> Self {
        stream::open(service, &format!("/api/ws{query}")).await
    }

    async fn event(&mut self) -> Value {
        Self::event(self).await
    }
}

impl EventClient for sse::Client {
    async fn open(service: &RunsService, query: &str) -> Self {
        sse::open(service, &format!("/api/events{query}")).await
    }

    async fn event(&mut self) -> Value {
        Self::event(self).await
    }
}

/// Starts a host with the pipeline `p` (`a`, then `b`).
pub(crate) async fn streaming(world: World) -> (World, Host, RunsService) {
    let world = world.pipeline(chain("p", &["a", "b"]));
    let host = world.start().await;
    let service = host.floret.service(Access::allow_all());
    (world, host, service)
}

/// Returns the events in the form in which a stream sends them.
pub(crate) fn sent(events: &[Event]) -> Vec<Value> {
    let events = events.iter();
    events
        .map(|event| serde_json::to_value(event).unwrap())
        .collect()
}

/// A step that logs `lines` lines.
pub(crate) fn chatty(lines: usize) -> Step {
    (0..lines).fold(Step::pass_on(), |step, line| {
        step.logs(format!("line {line}"))
    })
}

/// Checks the received messages against all events. Returns the number of events received or
/// reported as missed, and the number of `lagged` messages.
pub(crate) fn check_lag(received: &[Value], all: &[Value]) -> (usize, usize) {
    let (mut count, mut lags) = (0, 0);
    for message in received {
        if message["type"] == "lagged" {
            lags += 1;
            let next = message["next_seq"].as_u64().unwrap();
            let later = all[count..].iter();
            let missed = later.take_while(|event| event["seq"].as_u64().unwrap() < next);
            let missed = missed.count();
            assert!(missed > 0);
            assert_eq!(message["missed"], missed, "{message}");
            count += missed;
        } else {
            assert_eq!(*message, all[count]);
            count += 1;
        }
    }
    (count, lags)
}

pub(crate) async fn stored_events_come_first_and_live_ones_follow<C: EventClient>(store: Store) {
    let mut world = World::quiet(store);
    world.limits.events_page_max = 3;
    let (_world, host, service) = streaming(world).await;
    host.run("p").await;
    let stored = host.events().await.len();
    let mut client = C::open(&service, "?since=0").await;
    let first = client.events(stored).await;
    host.run("p").await;
    let all = sent(&host.events().await);
    let second = client.events(all.len() - stored).await;
    assert_eq!([first, second].concat(), all);
}

/// Returns whether a filter, which may name a run, matches an event.
type Matches = fn(&Value, &str) -> bool;

pub(crate) async fn filters_apply_to_stored_and_live_events<C: EventClient>(store: Store) {
    let world = World::quiet(store).pipeline(chain("q", &["a"]));
    world.script.script("a", (0..4).map(|_| chatty(2)));
    let (_world, host, service) = streaming(world).await;
    let p = host.run("p").await.run.id;
    host.run("q").await;
    let p = p.to_string();
    let filters: [(String, Matches); 4] = [
        (format!("run_id={p}"), |event, p| event["run_id"] == p),
        ("pipeline_id=q".to_owned(), |event, _| {
            event["pipeline_id"] == "q"
        }),
        ("types=log,run.completed".to_owned(), |event, _| {
            event["type"] == "log" || event["type"] == "run.completed"
        }),
        ("pipeline_id=p&types=node.started".to_owned(), |event, _| {
            event["pipeline_id"] == "p" && event["type"] == "node.started"
        }),
    ];
    let mut clients = Vec::new();
    for (query, _) in &filters {
        clients.push(C::open(&service, &format!("?since=0&{query}")).await);
    }
    host.run("q").await;
    host.run("p").await;
    let all = sent(&host.events().await);
    for ((query, matches), mut client) in filters.iter().zip(clients) {
        let expected: Vec<_> = all
            .iter()
            .filter(|event| matches(event, &p))
            .cloned()
            .collect();
        assert!(!expected.is_empty(), "{query}");
        let received = client.events(expected.len()).await;
        assert_eq!(received, expected, "{query}");
    }
}

pub(crate) async fn a_failed_read_skips_no_event<C: EventClient>(store: Store) {
    let (world, host, service) = streaming(World::quiet(store)).await;
    let mut live = C::open(&service, "").await;
    host.run("p").await;
    let of_one_run = host.events().await.len();
    let first = live.event().await;
    assert_eq!(first["seq"], 1);
    let mut fault = Fault::before(Method::Events, Problem::StorageBusy);
    fault = fault.times(2);
    host.storage.fail(fault);
    let mut stored = C::open(&service, "?since=0").await;
    let listen = async {
        host.run("p").await;
        let stored = stored.events(2 * of_one_run).await;
        let live = live.events(2 * of_one_run - 1).await;
        // Both streams have read past the faults, so this read does not fail.
        let all = sent(&host.events().await);
        assert_eq!(stored, all);
        assert_eq!(live, all[1..]);
    };
    let advance = async {
        loop {
            world.advance_within(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        () = listen => {}
        () = advance => {}
    }
}

pub(crate) async fn without_since_only_new_events_are_sent<C: EventClient>(store: Store) {
    let (_world, host, service) = streaming(World::quiet(store)).await;
    host.run("p").await;
    let before = host.events().await.len();
    let mut client = C::open(&service, "").await;
    host.run("p").await;
    let all = sent(&host.events().await);
    let received = client.events(all.len() - before).await;
    assert_eq!(received, all[before..]);
    drop(client);
    // A client that connects after the last one has gone also starts with new events.
    host.run("p").await;
    let before = host.events().await.len();
    let mut client = C::open(&service, "").await;
    host.run("p").await;
    let all = sent(&host.events().await);
    let received = client.events(all.len() - before).await;
    assert_eq!(received, all[before..]);
}
