//! A thousand streams, of which a hundred never read: the others miss nothing, and those are
//! closed.

use std::time::Duration;

use floret::testing::Step;
use floret::{Access, RunsService};
use futures_util::StreamExt;
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{Store, World, chain};
use crate::stream::{Client, ask, ask_with, upgrade};

on_every_backend! {
    a_hundred_that_never_read_among_a_thousand_cost_the_others_nothing,
}

const STREAMS: usize = 1_000;
const DEAF: usize = 100;
const RUNS: usize = 5;
const LINES: usize = 100;
const PIPE: usize = 1_024;

async fn stream(service: &RunsService, pipe: usize) -> Client {
    let asked = ask_with(service, upgrade("/api/ws?since=0", &[]), pipe).await;
    asked.unwrap_or_else(|answer| panic!("{answer:?}"))
}

/// Reads until so many runs have ended; answers the numbers.
async fn listen(mut client: Client) -> (Vec<u64>, Client) {
    let (mut seqs, mut ends) = (Vec::new(), 0);
    while ends < RUNS {
        let Some(Ok(Message::Text(text))) = client.socket.next().await else {
            panic!("the stream ended after {seqs:?}");
        };
        let event: Value = serde_json::from_str(&text).unwrap();
        ends += usize::from(event["type"] == "run.completed");
        seqs.push(event["seq"].as_u64().unwrap());
    }
    (seqs, client)
}

async fn a_hundred_that_never_read_among_a_thousand_cost_the_others_nothing(store: Store) {
    let mut world = World::quiet(store).pipeline(chain("p", &["a"]));
    // Whoever has heard all waits without reading.
    world.limits.stream_ping = Duration::from_secs(3_600);
    let chatty = (0..LINES).fold(Step::pass_on(), |step, line| step.logs(format!("{line}")));
    world.script.script("a", vec![chatty; RUNS]);
    let host = world.start().await;
    let service = host.floret.service(Access::allow_all());
    let mut deaf = Vec::new();
    let mut listeners = JoinSet::new();
    for index in 0..STREAMS {
        if index < DEAF {
            deaf.push(stream(&service, PIPE).await);
        } else {
            listeners.spawn(listen(stream(&service, 64 * 1_024).await));
        }
    }
    let full = ask(&service, upgrade("/api/ws", &[])).await;
    full.unwrap_err().refused(503, "too-many-streams");
    for _ in 0..RUNS {
        host.run("p").await;
    }
    let heard = listeners.join_all().await;
    assert_eq!(heard.len(), STREAMS - DEAF);
    let all: Vec<_> = host.events().await.iter().map(|event| event.seq).collect();
    for (seqs, _) in &heard {
        assert_eq!(*seqs, all);
    }

    // Every deaf one is closed once it has taken nothing for so long, and its place is free again.
    world.clock.advance(Duration::from_secs(10));
    let mut others = Vec::new();
    while others.len() < DEAF {
        match ask(&service, upgrade("/api/ws", &[])).await {
            Ok(client) => others.push(client),
            Err(answer) => {
                answer.refused(503, "too-many-streams");
                world.clock.advance(Duration::from_millis(1));
                tokio::task::yield_now().await;
            }
        }
    }
    for mut client in deaf {
        let mut left = Vec::new();
        client
            .socket
            .get_mut()
            .read_to_end(&mut left)
            .await
            .unwrap();
        assert!(left.len() <= PIPE, "nothing more was on its way");
    }
}
