//! A thousand streams, a hundred of which never read: those are closed, and the others miss
//! nothing.

use std::time::Duration;

use floret::testing::Step;
use floret::{Access, RunsService};
use futures_util::StreamExt;
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{Store, World, chain};
use crate::stream::{Client, connect, connect_with_pipe, upgrade};

on_every_backend! {
    a_hundred_streams_that_never_read_do_not_affect_the_others,
}

const STREAMS: usize = 1_000;
const STALLED: usize = 100;
const RUNS: usize = 5;
const LINES: usize = 100;
const PIPE: usize = 1_024;

async fn open_stream(service: &RunsService, pipe: usize) -> Client {
    let result = connect_with_pipe(service, upgrade("/api/ws?since=0", &[]), pipe).await;
    result.unwrap_or_else(|response| panic!("{response:?}"))
}

/// Reads until all runs have finished, and returns the sequence numbers.
async fn listen(mut client: Client) -> (Vec<u64>, Client) {
    let (mut seqs, mut finished) = (Vec::new(), 0);
    while finished < RUNS {
        let Some(Ok(Message::Text(text))) = client.socket.next().await else {
            panic!("the stream closed after {seqs:?}");
        };
        let event: Value = serde_json::from_str(&text).unwrap();
        finished += usize::from(event["type"] == "run.completed");
        seqs.push(event["seq"].as_u64().unwrap());
    }
    (seqs, client)
}

async fn a_hundred_streams_that_never_read_do_not_affect_the_others(store: Store) {
    let mut world = World::quiet(store).pipeline(chain("p", &["a"]));
    // A listener that has read everything no longer answers pings.
    world.limits.stream_ping = Duration::from_secs(3_600);
    let chatty = (0..LINES).fold(Step::pass_on(), |step, line| step.logs(format!("{line}")));
    world.script.script("a", vec![chatty; RUNS]);
    let host = world.start().await;
    let service = host.floret.service(Access::allow_all());
    let mut stalled = Vec::new();
    let mut listeners = JoinSet::new();
    for index in 0..STREAMS {
        if index < STALLED {
            stalled.push(open_stream(&service, PIPE).await);
        } else {
            listeners.spawn(listen(open_stream(&service, 64 * 1_024).await));
        }
    }
    let full = connect(&service, upgrade("/api/ws", &[])).await;
    full.unwrap_err().assert_problem(503, "too-many-streams");
    for _ in 0..RUNS {
        host.run("p").await;
    }
    let received = listeners.join_all().await;
    assert_eq!(received.len(), STREAMS - STALLED);
    let all: Vec<_> = host.events().await.iter().map(|event| event.seq).collect();
    for (seqs, _) in &received {
        assert_eq!(*seqs, all);
    }

    // Each stalled stream is closed after the stall timeout, which frees its slot.
    world.clock.advance(Duration::from_secs(10));
    let mut others = Vec::new();
    while others.len() < STALLED {
        match connect(&service, upgrade("/api/ws", &[])).await {
            Ok(client) => others.push(client),
            Err(response) => {
                response.assert_problem(503, "too-many-streams");
                world.clock.advance(Duration::from_millis(1));
                tokio::task::yield_now().await;
            }
        }
    }
    for mut client in stalled {
        let mut unread = Vec::new();
        client
            .socket
            .get_mut()
            .read_to_end(&mut unread)
            .await
            .unwrap();
        assert!(unread.len() <= PIPE, "nothing more was sent");
    }
}
