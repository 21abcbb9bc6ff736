//! What a stream of server-sent events sends: every event once and in order, and the place to
//! continue from, up to its end.
//!
//! `api_sse` covers how a stream is opened.

use std::time::Duration;

use floret::storage::{Purge, System};
use floret::testing::{Gate, Step};
use floret::{Access, RunsService};
use futures_util::FutureExt;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::harness::{Host, Store, World, chain};
use crate::sse::{Client, connect, get, open};
use crate::streamed::{self, chatty, check_lag, sent, streaming};

on_every_backend! {
    stored_events_come_first_and_live_ones_follow,
    without_since_only_new_events_are_sent,
    a_client_that_connects_again_misses_no_event,
    filters_apply_to_stored_and_live_events,
    a_quiet_stream_moves_the_place_to_continue_from,
    a_failed_read_skips_no_event,
    a_shutdown_ends_streams_first,
    a_shutdown_does_not_wait_for_a_client_that_reads_nothing,
    a_slow_reader_learns_exactly_what_it_missed,
    a_client_that_reads_nothing_loses_its_stream,
    a_purge_of_unsent_events_ends_the_stream,
}

const HEARTBEAT: Duration = Duration::from_secs(20);
const STALL: Duration = Duration::from_secs(10);

async fn stored_events_come_first_and_live_ones_follow(store: Store) {
    streamed::stored_events_come_first_and_live_ones_follow::<Client>(store).await;
}

async fn without_since_only_new_events_are_sent(store: Store) {
    streamed::without_since_only_new_events_are_sent::<Client>(store).await;
}

/// Reads up to the message `the end`. Connects again after every `blocks` blocks, as browsers do.
async fn read_with_breaks(service: RunsService, blocks: usize) -> Vec<Value> {
    let (mut received, mut last_event) = (Vec::new(), None);
    loop {
        let id: Option<String> = last_event.map(|id: u64| id.to_string());
        let headers = id.as_deref().map(|id| ("last-event-id", id));
        let request = get("/api/events?since=0", headers.as_slice());
        let mut client = connect(&service, request).await.unwrap();
        for _ in 0..blocks {
            let block = client.block().await.unwrap();
            let is_last = block.as_ref().is_some_and(|it| it["message"] == "the end");
            received.extend(block);
            if is_last {
                return received;
            }
        }
        last_event = client.last_event;
    }
}

async fn a_client_that_connects_again_misses_no_event(store: Store) {
    const RUNS: usize = 20;
    let mut world = World::quiet(store);
    world.limits.events_page_max = 7;
    world.script.script("a", (0..RUNS).map(|_| chatty(3)));
    let (world, host, service) = streaming(world).await;
    let mut readers = JoinSet::new();
    for blocks in [2, 3, 5, 50] {
        readers.spawn(read_with_breaks(service.clone(), blocks));
    }
    for _ in 0..RUNS {
        host.run("p").await;
    }
    world.script.script("b", [Step::pass_on().logs("the end")]);
    host.run("p").await;
    let mut all = sent(&host.events().await);
    let last = all.iter().position(|event| event["message"] == "the end");
    all.truncate(last.unwrap() + 1);
    for received in readers.join_all().await {
        assert_eq!(received, all);
    }
}

async fn filters_apply_to_stored_and_live_events(store: Store) {
    streamed::filters_apply_to_stored_and_live_events::<Client>(store).await;
}

async fn a_quiet_stream_moves_the_place_to_continue_from(store: Store) {
    let (world, host, service) = streaming(World::quiet(store)).await;
    let mut client = open(&service, "/api/events?types=run.failed").await;
    assert_eq!(client.first_id().await, 0);
    let opened_at = world.clock.clock().elapsed();
    host.run("p").await;
    let newest = host.events().await.len() as u64;
    assert_eq!(client.block().now_or_never(), None);
    let listen = async {
        // The first block may come before the stream has seen the events.
        while client.last_event != Some(newest) {
            assert_eq!(client.block().await, Some(None));
        }
    };
    world.advance_until(HEARTBEAT, listen).await;
    assert!(world.clock.clock().elapsed() >= opened_at + HEARTBEAT);
}

async fn a_failed_read_skips_no_event(store: Store) {
    streamed::a_failed_read_skips_no_event::<Client>(store).await;
}

async fn a_shutdown_ends_streams_first(store: Store) {
    let (world, host, service) = streaming(World::quiet(store)).await;
    let gate = Gate::new();
    world.script.script("a", [Step::pass_on().at(&gate)]);
    let mut clients = [
        open(&service, "/api/events").await,
        open(&service, "/api/events?since=0").await,
    ];
    host.trigger("p").await;
    world.script.started("a").await;
    let stop = host.floret.shutdown(Duration::from_secs(3_600));
    let listen = async {
        for client in &mut clients {
            let received = client.until_closed().await;
            assert_eq!(received[0]["type"], "run.created");
            let seqs = received.iter().map(|event| event["seq"].as_u64().unwrap());
            assert!(seqs.eq(1..=received.len() as u64));
        }
        assert_eq!(world.script.executing(), 1);
        gate.open();
    };
    let (stopped, ()) = tokio::join!(stop, listen);
    stopped.unwrap();
    let refused = connect(&service, get("/api/events", &[])).await;
    refused.unwrap_err().assert_problem(503, "shutting-down");
}

async fn a_shutdown_does_not_wait_for_a_client_that_reads_nothing(store: Store) {
    let world = World::quiet(store);
    world.script.script("a", [chatty(400)]);
    let (world, host, service) = streaming(world).await;
    host.run("p").await;
    let client = open(&service, "/api/events?since=0").await;
    let stop = host.floret.shutdown(Duration::from_secs(3_600));
    let stopped = world.advance_until(Duration::from_secs(1), stop).await;
    stopped.unwrap();
    drop(client);
}

/// Starts a host and a client that was live and then read nothing. Also returns the events that the
/// client has not read.
async fn slow_client(world: &mut World) -> (Host, Client, Vec<Value>) {
    world.limits.events_ring_max = 64;
    world.pipelines = vec![chain("p", &["a", "b"])];
    let host = world.start().await;
    let service = host.floret.service(Access::allow_all());
    let mut client = open(&service, "/api/events").await;
    host.run("p").await;
    let read = host.events().await.len();
    client.events(read).await;
    for _ in 0..4 {
        world.script.script("a", [chatty(400)]);
        host.run("p").await;
    }
    let unread = sent(&host.events().await).split_off(read);
    (host, client, unread)
}

async fn a_slow_reader_learns_exactly_what_it_missed(store: Store) {
    let mut world = World::quiet(store);
    let (host, mut client, all) = slow_client(&mut world).await;
    let last = all.last().unwrap()["seq"].as_u64();
    let mut received = Vec::new();
    while client.last_event != last {
        received.extend(client.block().await.unwrap());
    }
    let (count, lags) = check_lag(&received, &all);
    assert_eq!((count, lags > 0), (all.len(), true));
    // The server holds no more for it than a chunk and the message that completes it.
    let before = received
        .iter()
        .take_while(|message| message["type"] != "lagged");
    let held: usize = before.map(|event| event.to_string().len()).sum();
    assert!(held < 2 * (8 + 1) * 1_024, "{held} bytes");
    // The stream continues live.
    world.script.script("a", [Step::pass_on()]);
    host.run("p").await;
    let mut more = sent(&host.events().await);
    more.retain(|event| event["seq"].as_u64() > last);
    assert_eq!(client.events(more.len()).await, more);
}

async fn a_client_that_reads_nothing_loses_its_stream(store: Store) {
    let mut world = World::quiet(store);
    world.limits.streams_max = 1;
    let (host, mut client, all) = slow_client(&mut world).await;
    let service = host.floret.service(Access::allow_all());
    world.clock.sleeper_within(STALL).await;
    world.clock.advance(STALL - Duration::from_millis(1));
    world.clock.sleeper_within(Duration::from_millis(1)).await;
    let refused = connect(&service, get("/api/events", &[])).await;
    assert!(refused.is_err(), "the stream is still open");
    world.clock.advance(Duration::from_millis(1));
    while connect(&service, get("/api/events", &[])).await.is_err() {
        tokio::task::yield_now().await;
    }
    let received = client.until_closed().await;
    let (count, _) = check_lag(&received, &all);
    assert!(count < all.len());
    let last = received.last().unwrap();
    let next = last["next_seq"].as_u64().map(|next| next - 1);
    assert_eq!(
        client.last_event,
        last["seq"].as_u64().or(next),
        "it can continue there"
    );
}

async fn a_purge_of_unsent_events_ends_the_stream(store: Store) {
    let mut world = World::quiet(store);
    world.limits.events_page_max = 5;
    world.script.script("a", [chatty(400)]);
    let (world, host, service) = streaming(world).await;
    host.run("p").await;
    let mut client = open(&service, "/api/events?since=0").await;
    // The server has read some pages before the purge.
    let first = client.events(6).await;
    let later = world.clock.clock().now() + chrono::TimeDelta::days(1);
    let purged = host.storage.purge(Purge::new(later, 100)).await.unwrap();
    assert_eq!(purged.deleted, 1);
    let rest = client.until_closed().await;
    let seqs = first.iter().chain(&rest);
    let seqs = seqs.map(|event| event["seq"].as_u64().unwrap());
    let count = (first.len() + rest.len()) as u64;
    assert!(seqs.eq(1..=count), "no gap before the end");
    assert!(count < 400);
}
