//! What comes over a stream: every event once and in order, signs of life, and the ends that it may
//! have.
//!
//! Who gets a stream is `api_ws`'s, many at once `api_ws_load`'s.

use std::time::Duration;

use floret::storage::{Purge, System};
use floret::testing::{Fault, Gate, Method, Step};
use floret::{Access, Event, Problem, RunsService};
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{Host, Store, World, chain};
use crate::stream::{Client, Heard, ask_with, open, upgrade};

on_every_backend! {
    stored_events_come_first_and_live_ones_follow,
    without_a_number_only_what_happens_from_now_on_comes,
    streams_that_begin_anywhere_under_load_get_every_event_once,
    filters_hold_for_stored_and_for_live_events,
    a_failed_read_leaves_nothing_out,
    a_client_is_asked_for_a_sign_of_life_and_ended_without_one,
    what_a_client_must_not_send_ends_its_stream,
    a_goodbye_is_answered,
    a_shutdown_ends_streams_before_all_else,
    a_slow_reader_is_told_exactly_what_it_missed,
    a_slow_reader_of_some_events_is_told_how_many_of_them_it_missed,
    whoever_reads_nothing_is_closed,
    a_purge_of_what_is_to_follow_ends_the_stream,
}

const PING: Duration = Duration::from_secs(20);
const STALL: Duration = Duration::from_secs(10);

async fn host(store: Store) -> (World, Host, RunsService) {
    with(World::quiet(store)).await
}

async fn with(world: World) -> (World, Host, RunsService) {
    let world = world.pipeline(chain("p", &["a", "b"]));
    let host = world.start().await;
    let service = host.floret.service(Access::allow_all());
    (world, host, service)
}

/// Events as they come over a stream.
fn sent(events: &[Event]) -> Vec<Value> {
    let events = events.iter();
    events
        .map(|event| serde_json::to_value(event).unwrap())
        .collect()
}

/// A node that logs so many lines.
fn chatty(lines: usize) -> Step {
    (0..lines).fold(Step::pass_on(), |step, line| {
        step.logs(format!("line {line}"))
    })
}

async fn stored_events_come_first_and_live_ones_follow(store: Store) {
    let mut world = World::quiet(store);
    world.limits.events_page_max = 3;
    let (_world, host, service) = with(world).await;
    host.run("p").await;
    let stored = host.events().await.len();
    let mut client = open(&service, "/api/ws?since=0").await;
    let first = client.events(stored).await;
    host.run("p").await;
    let all = sent(&host.events().await);
    let second = client.events(all.len() - stored).await;
    assert_eq!([first, second].concat(), all);
}

async fn without_a_number_only_what_happens_from_now_on_comes(store: Store) {
    let (_world, host, service) = host(store).await;
    host.run("p").await;
    let before = host.events().await.len();
    let mut client = open(&service, "/api/ws").await;
    host.run("p").await;
    let all = sent(&host.events().await);
    let heard = client.events(all.len() - before).await;
    assert_eq!(heard, all[before..]);
    drop(client);
    // Whoever comes after the last has gone begins anew.
    host.run("p").await;
    let before = host.events().await.len();
    let mut client = open(&service, "/api/ws").await;
    host.run("p").await;
    let all = sent(&host.events().await);
    let heard = client.events(all.len() - before).await;
    assert_eq!(heard, all[before..]);
}

async fn streams_that_begin_anywhere_under_load_get_every_event_once(store: Store) {
    const RUNS: usize = 60;
    let mut world = World::quiet(store);
    world.limits.events_page_max = 7;
    world.script.script("a", (0..RUNS).map(|_| chatty(3)));
    let (_world, host, service) = with(world).await;
    let floret = host.floret.clone();
    let work = host.on_runtime(async move {
        let mut runs = JoinSet::new();
        for _ in 0..RUNS {
            let run = floret.run("p").start().await.unwrap();
            runs.spawn(async move { run.finished().await.unwrap() });
        }
        runs.join_all().await;
    });
    let listen = async {
        let mut listeners = JoinSet::new();
        let mut clock = open(&service, "/api/ws?types=run.completed").await;
        for index in 0..RUNS {
            // Opened while events go by, at a number that is stored, in the ring, or the newest.
            let seq = clock.event().await["seq"].as_u64().unwrap();
            let since = [0, seq / 2, seq][index % 3];
            let mut client = open(&service, &format!("/api/ws?since={since}")).await;
            listeners.spawn(async move {
                let mut heard: Vec<Value> = Vec::new();
                let mut after = since;
                loop {
                    let event = client.event().await;
                    assert_eq!(event["seq"], after + 1, "after {since}");
                    after += 1;
                    let is_last = event["message"] == "the end";
                    heard.push(event);
                    if is_last {
                        return (since, heard);
                    }
                }
            });
        }
        listeners
    };
    let ((), listeners) = tokio::join!(work, listen);
    _world.script.script("b", [Step::pass_on().logs("the end")]);
    host.run("p").await;
    let all = sent(&host.events().await);
    let last = all
        .iter()
        .position(|event| event["message"] == "the end")
        .unwrap();
    let heard = listeners.join_all().await;
    assert_eq!(heard.len(), RUNS);
    for (since, heard) in heard {
        let since = usize::try_from(since).unwrap();
        assert_eq!(heard, all[since..=last]);
    }
}

/// Whether a filter, which may name a run, lets an event through.
type Fits = fn(&Value, &str) -> bool;

async fn filters_hold_for_stored_and_for_live_events(store: Store) {
    let world = World::quiet(store).pipeline(chain("q", &["a"]));
    world.script.script("a", (0..4).map(|_| chatty(2)));
    let (_world, host, service) = with(world).await;
    let p = host.run("p").await.run.id;
    host.run("q").await;
    let p = p.to_string();
    let filters: [(String, Fits); 4] = [
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
        clients.push(open(&service, &format!("/api/ws?since=0&{query}")).await);
    }
    host.run("q").await;
    host.run("p").await;
    let all = sent(&host.events().await);
    for ((query, fits), mut client) in filters.iter().zip(clients) {
        let expected: Vec<_> = all
            .iter()
            .filter(|event| fits(event, &p))
            .cloned()
            .collect();
        assert!(!expected.is_empty(), "{query}");
        let heard = client.events(expected.len()).await;
        assert_eq!(heard, expected, "{query}");
    }
}

async fn a_failed_read_leaves_nothing_out(store: Store) {
    let (world, host, service) = host(store).await;
    let mut live = open(&service, "/api/ws").await;
    host.run("p").await;
    let of_one_run = host.events().await.len();
    let first = live.event().await;
    assert_eq!(first["seq"], 1);
    let mut fault = Fault::before(Method::Events, Problem::StorageBusy);
    fault = fault.times(2);
    host.storage.fail(fault);
    let mut stored = open(&service, "/api/ws?since=0").await;
    let listen = async {
        host.run("p").await;
        let told = stored.events(2 * of_one_run).await;
        let live = live.events(2 * of_one_run - 1).await;
        // Whatever was told was read after the failures, which this would meet otherwise.
        let all = sent(&host.events().await);
        assert_eq!(told, all);
        assert_eq!(live, all[1..]);
    };
    let turn = async {
        loop {
            world.advance_within(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        () = listen => {}
        () = turn => {}
    }
}

async fn a_client_is_asked_for_a_sign_of_life_and_ended_without_one(store: Store) {
    let (world, _host, service) = host(store).await;
    let mut client = open(&service, "/api/ws").await;
    for _ in 0..3 {
        world.clock.sleeper_within(PING).await;
        world.clock.advance(PING);
        let asked = client.socket.next().await.unwrap().unwrap();
        assert!(matches!(asked, Message::Ping(_)), "{asked:?}");
        client.ping().await;
    }
    world.clock.sleeper_within(PING).await;
    world.clock.advance(PING);
    let asked = client.socket.next().await.unwrap().unwrap();
    assert!(matches!(asked, Message::Ping(_)), "{asked:?}");
    // The answer lies in the client, which does nothing for a while.
    world.clock.sleeper_within(PING).await;
    world.clock.advance(PING);
    world.clock.sleeper_within(Duration::from_secs(1)).await;
    let end = client.hear().await;
    assert_eq!(end, Heard::Closed(1008, "no answer to a ping".to_owned()));
}

async fn what_a_client_must_not_send_ends_its_stream(store: Store) {
    let (_world, host, service) = host(store).await;
    let text = |length: usize| Message::text("x".repeat(length));
    for (message, code) in [
        (text(4 * 1024 + 1), 1009),
        (Message::binary(vec![0; 8]), 1003),
        (Message::binary(vec![0; 5 * 1024]), 1009),
    ] {
        let mut client = open(&service, "/api/ws").await;
        client.socket.send(message).await.unwrap();
        let end = client.hear().await;
        assert!(
            matches!(end, Heard::Closed(own, _) if own == code),
            "{end:?}"
        );
        assert_eq!(client.hear().await, Heard::Gone);
    }
    for (bytes, code) in [
        // No mask.
        (&[0x81, 0x01, b'x'][..], 1002),
        // A text that is no UTF-8.
        (&[0x81, 0x81, 0, 0, 0, 0, 0xff], 1007),
        // A reserved bit.
        (&[0xc1, 0x81, 0, 0, 0, 0, b'x'], 1002),
    ] {
        let mut client = open(&service, "/api/ws").await;
        client.socket.get_mut().write_all(bytes).await.unwrap();
        let end = client.hear().await;
        assert!(
            matches!(end, Heard::Closed(own, _) if own == code),
            "{end:?}"
        );
    }
    // What is allowed is not needed, and does no harm.
    let mut client = open(&service, "/api/ws").await;
    client.socket.send(text(4 * 1024)).await.unwrap();
    client.ping().await;
    host.run("p").await;
    assert_eq!(client.event().await["type"], "run.created");
}

async fn a_goodbye_is_answered(store: Store) {
    let (_world, _host, service) = host(store).await;
    let mut client = open(&service, "/api/ws").await;
    client.socket.close(None).await.unwrap();
    assert!(matches!(
        client.socket.next().await,
        Some(Ok(Message::Close(_)))
    ));
    assert_eq!(client.hear().await, Heard::Gone);
}

async fn a_shutdown_ends_streams_before_all_else(store: Store) {
    let (world, host, service) = host(store).await;
    let gate = Gate::new();
    world.script.script("a", [Step::pass_on().at(&gate)]);
    let mut clients = [
        open(&service, "/api/ws").await,
        open(&service, "/api/ws?since=0").await,
    ];
    host.trigger("p").await;
    world.script.started("a").await;
    let stop = host.floret.shutdown(Duration::from_secs(3_600));
    let listen = async {
        for client in &mut clients {
            let (heard, end) = client.rest().await;
            assert_eq!(end, Heard::Closed(1001, "shutting down".to_owned()));
            assert_eq!(heard[0]["type"], "run.created");
            let seqs = heard.iter().map(|event| event["seq"].as_u64().unwrap());
            assert!(seqs.eq(1..=heard.len() as u64));
        }
        assert_eq!(world.script.executing(), 1);
        gate.open();
    };
    let (stopped, ()) = tokio::join!(stop, listen);
    stopped.unwrap();
}

/// A client with a pipe of a KiB that was live and then read nothing of what happened; what
/// happened is answered as it is sent.
async fn behind(world: &mut World, query: &str) -> (Host, Client, Vec<Value>) {
    world.limits.events_ring_max = 64;
    world.pipelines = vec![chain("p", &["a", "b"]), chain("q", &["a"])];
    world.script.script("a", [chatty(1)]);
    let host = world.start().await;
    let service = host.floret.service(Access::allow_all());
    let request = upgrade(&format!("/api/ws{query}"), &[]);
    let mut client = ask_with(&service, request, 1_024).await.unwrap();
    host.run("q").await;
    let seq = loop {
        let event = client.event().await;
        if event["type"] == "run.completed" {
            break event["seq"].clone();
        }
    };
    // It has looked at the ring since.
    client.ping().await;
    for _ in 0..4 {
        world.script.script("a", [chatty(400)]);
        host.run("p").await;
    }
    let mut all = sent(&host.events().await);
    all.retain(|event| event["seq"].as_u64() > seq.as_u64());
    (host, client, all)
}

/// Checks what a client heard against what happened; answers how much of it was heard or told, and
/// how often it was told that it lags.
fn check_lag(heard: &[Value], all: &[Value]) -> (usize, usize) {
    let (mut at, mut lags) = (0, 0);
    for told in heard {
        if told["type"] == "lagged" {
            lags += 1;
            let next = told["next_seq"].as_u64().unwrap();
            let later = all[at..].iter();
            let missed = later.take_while(|event| event["seq"].as_u64().unwrap() < next);
            let missed = missed.count();
            assert!(missed > 0);
            assert_eq!(told["missed"], missed, "{told}");
            at += missed;
        } else {
            assert_eq!(*told, all[at]);
            at += 1;
        }
    }
    (at, lags)
}

/// Reads until everything was heard or told to be missed.
async fn catch_up(client: &mut Client, all: &[Value]) -> Vec<Value> {
    let last = all.last().unwrap()["seq"].as_u64().unwrap();
    let mut heard = Vec::new();
    loop {
        let told = client.event().await;
        let is_last = told["seq"] == last || told["next_seq"].as_u64() > Some(last);
        heard.push(told);
        if is_last {
            return heard;
        }
    }
}

async fn a_slow_reader_is_told_exactly_what_it_missed(store: Store) {
    let mut world = World::quiet(store);
    let (host, mut client, all) = behind(&mut world, "").await;
    let heard = catch_up(&mut client, &all).await;
    let (at, lags) = check_lag(&heard, &all);
    assert_eq!((at, lags > 0), (all.len(), true));
    // What was held for it is what a pipe, a buffer and one message hold.
    let before = heard.iter().take_while(|told| told["type"] != "lagged");
    let held: usize = before.map(|event| event.to_string().len()).sum();
    assert!(held < (1 + 8 + 1) * 1_024, "{held} bytes");
    // It goes on as a live stream.
    world.script.script("a", [Step::pass_on()]);
    host.run("p").await;
    let mut more = sent(&host.events().await);
    more.retain(|event| event["seq"].as_u64() > all[all.len() - 1]["seq"].as_u64());
    assert_eq!(client.events(more.len()).await, more);
}

async fn a_slow_reader_of_some_events_is_told_how_many_of_them_it_missed(store: Store) {
    let mut world = World::quiet(store);
    let (_host, mut client, mut logs) = behind(&mut world, "?types=log,run.completed").await;
    logs.retain(|event| event["type"] == "log" || event["type"] == "run.completed");
    assert_eq!(logs.len(), 1_604);
    let heard = catch_up(&mut client, &logs).await;
    let (at, lags) = check_lag(&heard, &logs);
    assert_eq!((at, lags > 0), (logs.len(), true));
}

async fn whoever_reads_nothing_is_closed(store: Store) {
    let mut world = World::quiet(store);
    let (_host, mut client, all) = behind(&mut world, "").await;
    world.clock.sleeper_within(STALL).await;
    world.clock.advance(STALL - Duration::from_millis(1));
    world.clock.sleeper_within(Duration::from_millis(1)).await;
    world.clock.advance(Duration::from_millis(1));
    // Its end is under way.
    world.clock.sleeper_within(Duration::from_secs(1)).await;
    let (heard, end) = client.rest().await;
    assert_eq!(end, Heard::Closed(1013, "nothing is read".to_owned()));
    let (at, _) = check_lag(&heard, &all);
    assert!(at < all.len());
}

async fn a_purge_of_what_is_to_follow_ends_the_stream(store: Store) {
    let mut world = World::quiet(store);
    world.limits.events_page_max = 5;
    world.script.script("a", [chatty(400)]);
    let (world, host, service) = with(world).await;
    host.run("p").await;
    let request = upgrade("/api/ws?since=0", &[]);
    let mut client = ask_with(&service, request, 1_024).await.unwrap();
    // Some pages were read before: the client has heard of them.
    let first = client.events(6).await;
    let later = world.clock.clock().now() + chrono::TimeDelta::days(1);
    let purged = host.storage.purge(Purge::new(later, 100)).await.unwrap();
    assert_eq!(purged.deleted, 1);
    let (rest, end) = client.rest().await;
    assert_eq!(end, Heard::Closed(1013, "events-expired".to_owned()));
    let seqs = first
        .iter()
        .chain(&rest)
        .map(|event| event["seq"].as_u64().unwrap());
    let count = (first.len() + rest.len()) as u64;
    assert!(seqs.eq(1..=count), "without a gap up to its end");
    assert!(count < 400);
}
