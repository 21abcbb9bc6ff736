//! What a stream sends: every event once and in order, pings, and each close code.
//!
//! `api_ws` covers how a stream is opened, and `api_ws_load` covers many streams at once.

use std::time::Duration;

use floret::storage::{Purge, System};
use floret::testing::{Gate, Step};
use floret::{Access, RunsService};
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{Host, Store, World, chain};
use crate::stream::{Client, Received, connect_with_pipe, open, upgrade};
use crate::streamed::{self, chatty, check_lag, sent, streaming};

on_every_backend! {
    stored_events_come_first_and_live_ones_follow,
    without_since_only_new_events_are_sent,
    streams_opened_under_load_get_every_event_once,
    filters_apply_to_stored_and_live_events,
    a_failed_read_skips_no_event,
    a_client_is_pinged_and_closed_if_it_does_not_answer,
    an_invalid_client_message_closes_the_stream,
    a_close_frame_is_answered,
    a_shutdown_closes_streams_first,
    a_slow_reader_learns_exactly_what_it_missed,
    a_slow_reader_with_a_filter_learns_how_many_matching_events_it_missed,
    a_client_that_reads_nothing_is_closed,
    a_purge_of_unsent_events_closes_the_stream,
}

const PING: Duration = Duration::from_secs(20);
const STALL: Duration = Duration::from_secs(10);

async fn host(store: Store) -> (World, Host, RunsService) {
    streaming(World::quiet(store)).await
}

async fn stored_events_come_first_and_live_ones_follow(store: Store) {
    streamed::stored_events_come_first_and_live_ones_follow::<Client>(store).await;
}

async fn without_since_only_new_events_are_sent(store: Store) {
    streamed::without_since_only_new_events_are_sent::<Client>(store).await;
}

async fn streams_opened_under_load_get_every_event_once(store: Store) {
    const RUNS: usize = 60;
    let mut world = World::quiet(store);
    world.limits.events_page_max = 7;
    world.script.script("a", (0..RUNS).map(|_| chatty(3)));
    let (_world, host, service) = streaming(world).await;
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
            // Each stream opens under load, at the start, at a past number, or at the newest.
            let seq = clock.event().await["seq"].as_u64().unwrap();
            let since = [0, seq / 2, seq][index % 3];
            let mut client = open(&service, &format!("/api/ws?since={since}")).await;
            listeners.spawn(async move {
                let mut received: Vec<Value> = Vec::new();
                let mut after = since;
                loop {
                    let event = client.event().await;
                    assert_eq!(event["seq"], after + 1, "after {since}");
                    after += 1;
                    let is_last = event["message"] == "the end";
                    received.push(event);
                    if is_last {
                        return (since, received);
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
    let received = listeners.join_all().await;
    assert_eq!(received.len(), RUNS);
    for (since, received) in received {
        let since = usize::try_from(since).unwrap();
        assert_eq!(received, all[since..=last]);
    }
}

async fn filters_apply_to_stored_and_live_events(store: Store) {
    streamed::filters_apply_to_stored_and_live_events::<Client>(store).await;
}

async fn a_failed_read_skips_no_event(store: Store) {
    streamed::a_failed_read_skips_no_event::<Client>(store).await;
}

async fn a_client_is_pinged_and_closed_if_it_does_not_answer(store: Store) {
    let (world, _host, service) = host(store).await;
    let mut client = open(&service, "/api/ws").await;
    for _ in 0..3 {
        world.clock.sleeper_within(PING).await;
        world.clock.advance(PING);
        let frame = client.socket.next().await.unwrap().unwrap();
        assert!(matches!(frame, Message::Ping(_)), "{frame:?}");
        client.ping().await;
    }
    world.clock.sleeper_within(PING).await;
    world.clock.advance(PING);
    let frame = client.socket.next().await.unwrap().unwrap();
    assert!(matches!(frame, Message::Ping(_)), "{frame:?}");
    // The client has buffered its pong and does not send it for a while.
    world.clock.sleeper_within(PING).await;
    world.clock.advance(PING);
    world.clock.sleeper_within(Duration::from_secs(1)).await;
    let close = client.receive().await;
    assert_eq!(
        close,
        Received::Closed(1008, "no answer to a ping".to_owned())
    );
}

async fn an_invalid_client_message_closes_the_stream(store: Store) {
    let (_world, host, service) = host(store).await;
    let text = |length: usize| Message::text("x".repeat(length));
    for (message, code) in [
        (text(4 * 1024 + 1), 1009),
        (Message::binary(vec![0; 8]), 1003),
        (Message::binary(vec![0; 5 * 1024]), 1009),
    ] {
        let mut client = open(&service, "/api/ws").await;
        client.socket.send(message).await.unwrap();
        let close = client.receive().await;
        assert!(
            matches!(close, Received::Closed(received, _) if received == code),
            "{close:?}"
        );
        assert_eq!(client.receive().await, Received::Gone);
    }
    for (bytes, code) in [
        // An unmasked frame.
        (&[0x81, 0x01, b'x'][..], 1002),
        // A text frame that is not UTF-8.
        (&[0x81, 0x81, 0, 0, 0, 0, 0xff], 1007),
        // A frame with a reserved bit.
        (&[0xc1, 0x81, 0, 0, 0, 0, b'x'], 1002),
    ] {
        let mut client = open(&service, "/api/ws").await;
        client.socket.get_mut().write_all(bytes).await.unwrap();
        let close = client.receive().await;
        assert!(
            matches!(close, Received::Closed(received, _) if received == code),
            "{close:?}"
        );
    }
    // Messages that are allowed are ignored.
    let mut client = open(&service, "/api/ws").await;
    client.socket.send(text(4 * 1024)).await.unwrap();
    client.ping().await;
    host.run("p").await;
    assert_eq!(client.event().await["type"], "run.created");
}

async fn a_close_frame_is_answered(store: Store) {
    let (_world, _host, service) = host(store).await;
    let mut client = open(&service, "/api/ws").await;
    client.socket.close(None).await.unwrap();
    assert!(matches!(
        client.socket.next().await,
        Some(Ok(Message::Close(_)))
    ));
    assert_eq!(client.receive().await, Received::Gone);
}

async fn a_shutdown_closes_streams_first(store: Store) {
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
            let (received, close) = client.until_closed().await;
            assert_eq!(close, Received::Closed(1001, "shutting down".to_owned()));
            assert_eq!(received[0]["type"], "run.created");
            let seqs = received.iter().map(|event| event["seq"].as_u64().unwrap());
            assert!(seqs.eq(1..=received.len() as u64));
        }
        assert_eq!(world.script.executing(), 1);
        gate.open();
    };
    let (stopped, ()) = tokio::join!(stop, listen);
    stopped.unwrap();
}

/// Starts a host and a client that was live and then read nothing, over a pipe of one KiB. Also
/// returns the events that the client has not read.
async fn slow_client(world: &mut World, query: &str) -> (Host, Client, Vec<Value>) {
    world.limits.events_ring_max = 64;
    world.pipelines = vec![chain("p", &["a", "b"]), chain("q", &["a"])];
    world.script.script("a", [chatty(1)]);
    let host = world.start().await;
    let service = host.floret.service(Access::allow_all());
    let request = upgrade(&format!("/api/ws{query}"), &[]);
    let mut client = connect_with_pipe(&service, request, 1_024).await.unwrap();
    host.run("q").await;
    let seq = loop {
        let event = client.event().await;
        if event["type"] == "run.completed" {
            break event["seq"].clone();
        }
    };
    // The pong proves that the stream has read the ring since.
    client.ping().await;
    for _ in 0..4 {
        world.script.script("a", [chatty(400)]);
        host.run("p").await;
    }
    let mut all = sent(&host.events().await);
    all.retain(|event| event["seq"].as_u64() > seq.as_u64());
    (host, client, all)
}

/// Reads until every event was received or reported as missed.
async fn catch_up(client: &mut Client, all: &[Value]) -> Vec<Value> {
    let last = all.last().unwrap()["seq"].as_u64().unwrap();
    let mut received = Vec::new();
    loop {
        let message = client.event().await;
        let is_last = message["seq"] == last || message["next_seq"].as_u64() > Some(last);
        received.push(message);
        if is_last {
            return received;
        }
    }
}

async fn a_slow_reader_learns_exactly_what_it_missed(store: Store) {
    let mut world = World::quiet(store);
    let (host, mut client, all) = slow_client(&mut world, "").await;
    let received = catch_up(&mut client, &all).await;
    let (count, lags) = check_lag(&received, &all);
    assert_eq!((count, lags > 0), (all.len(), true));
    // The server holds no more for it than a pipe, a buffer and one message.
    let before = received
        .iter()
        .take_while(|message| message["type"] != "lagged");
    let held: usize = before.map(|event| event.to_string().len()).sum();
    assert!(held < (1 + 8 + 1) * 1_024, "{held} bytes");
    // The stream continues live.
    world.script.script("a", [Step::pass_on()]);
    host.run("p").await;
    let mut more = sent(&host.events().await);
    more.retain(|event| event["seq"].as_u64() > all[all.len() - 1]["seq"].as_u64());
    assert_eq!(client.events(more.len()).await, more);
}

async fn a_slow_reader_with_a_filter_learns_how_many_matching_events_it_missed(store: Store) {
    let mut world = World::quiet(store);
    let (_host, mut client, mut logs) = slow_client(&mut world, "?types=log,run.completed").await;
    logs.retain(|event| event["type"] == "log" || event["type"] == "run.completed");
    assert_eq!(logs.len(), 1_604);
    let received = catch_up(&mut client, &logs).await;
    let (count, lags) = check_lag(&received, &logs);
    assert_eq!((count, lags > 0), (logs.len(), true));
}

async fn a_client_that_reads_nothing_is_closed(store: Store) {
    let mut world = World::quiet(store);
    let (_host, mut client, all) = slow_client(&mut world, "").await;
    world.clock.sleeper_within(STALL).await;
    world.clock.advance(STALL - Duration::from_millis(1));
    world.clock.sleeper_within(Duration::from_millis(1)).await;
    world.clock.advance(Duration::from_millis(1));
    // The server now waits for the client to close.
    world.clock.sleeper_within(Duration::from_secs(1)).await;
    let (received, close) = client.until_closed().await;
    assert_eq!(close, Received::Closed(1013, "nothing is read".to_owned()));
    let (count, _) = check_lag(&received, &all);
    assert!(count < all.len());
}

async fn a_purge_of_unsent_events_closes_the_stream(store: Store) {
    let mut world = World::quiet(store);
    world.limits.events_page_max = 5;
    world.script.script("a", [chatty(400)]);
    let (world, host, service) = streaming(world).await;
    host.run("p").await;
    let request = upgrade("/api/ws?since=0", &[]);
    let mut client = connect_with_pipe(&service, request, 1_024).await.unwrap();
    // The server has read some pages before the purge: the client has received their events.
    let first = client.events(6).await;
    let later = world.clock.clock().now() + chrono::TimeDelta::days(1);
    let purged = host.storage.purge(Purge::new(later, 100)).await.unwrap();
    assert_eq!(purged.deleted, 1);
    let (rest, close) = client.until_closed().await;
    assert_eq!(close, Received::Closed(1013, "events-expired".to_owned()));
    let seqs = first
        .iter()
        .chain(&rest)
        .map(|event| event["seq"].as_u64().unwrap());
    let count = (first.len() + rest.len()) as u64;
    assert!(seqs.eq(1..=count), "no gap before the close");
    assert!(count < 400);
}
