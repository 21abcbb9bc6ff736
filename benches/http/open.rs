//! The open loop: triggers at a fixed rate, whatever the server does, and the time from each
//! intended trigger to the start of the run's node.
//!
//! A trigger that the server delays counts from when it was due, so that a stall is not omitted.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::connection::{Connection, Exchange};
use crate::stream::Stream;

/// The connections that the triggers take in turn.
const WIDTH: usize = 32;

/// When a trigger was due, on both clocks.
#[derive(Debug, Clone, Copy)]
struct Due {
    instant: Instant,
    time: SystemTime,
}

/// The times of each run, from its intended trigger.
#[derive(Default)]
pub(crate) struct Starts {
    /// Until the 202.
    pub(crate) answered: Vec<Duration>,
    /// Until the start that the event of the node has, rounded up to a whole millisecond.
    pub(crate) started: Vec<Duration>,
    /// Until the event arrived on a stream, thus after the commit.
    pub(crate) seen: Vec<Duration>,
}

/// Triggers `count` runs, one each `pause`.
pub(crate) async fn triggers(address: SocketAddr, count: usize, pause: Duration) -> Starts {
    let mut stream = Stream::open(address, "types=node.started").await;
    let (mut senders, mut tasks) = (Vec::new(), JoinSet::new());
    for _ in 0..WIDTH {
        let (sender, receiver) = mpsc::unbounded_channel();
        senders.push(sender);
        tasks.spawn(trigger(Connection::open(address).await, receiver));
    }
    let ticks = thread::spawn(move || tick(&senders, count, pause));
    let mut events = Vec::new();
    while events.len() < count {
        let frame = stream.next().await;
        events.push((Instant::now(), frame));
    }
    ticks.join().unwrap();
    let (mut starts, mut due) = (Starts::default(), HashMap::new());
    for (run, at, answered) in tasks.join_all().await.concat() {
        starts.answered.push(answered);
        due.insert(run, at);
    }
    for (seen, frame) in events {
        let event: Value = serde_json::from_slice(&frame).unwrap();
        let due: Due = due[event["run_id"].as_str().unwrap()];
        starts.started.push(since(due.time, &event));
        starts.seen.push(seen.duration_since(due.instant));
    }
    starts
}

/// Gives the triggers to the connections when they are due.
///
/// A thread, because a timer of tokio fires up to a millisecond late.
fn tick(senders: &[mpsc::UnboundedSender<Due>], count: usize, pause: Duration) {
    let (instant, time) = (Instant::now(), SystemTime::now());
    for (number, sender) in (0..count).zip(senders.iter().cycle()) {
        let offset = pause * u32::try_from(number).unwrap();
        let due = Due {
            instant: instant + offset,
            time: time + offset,
        };
        thread::sleep(due.instant.saturating_duration_since(Instant::now()));
        sender.send(due).unwrap();
    }
}

async fn trigger(
    mut connection: Connection,
    mut ticks: mpsc::UnboundedReceiver<Due>,
) -> Vec<(String, Due, Duration)> {
    let exchange = Exchange::trigger("single");
    let mut triggered = Vec::new();
    while let Some(due) = ticks.recv().await {
        let run = connection.json(&exchange).await;
        let id = run["id"].as_str().unwrap().to_owned();
        triggered.push((id, due, due.instant.elapsed()));
    }
    triggered
}

/// Returns the time until the end of the millisecond of an event, so that it is never too short.
fn since(due: SystemTime, event: &Value) -> Duration {
    let at = event["timestamp"].as_str().unwrap();
    let at = chrono::DateTime::parse_from_rfc3339(at).unwrap();
    let end = SystemTime::from(at) + Duration::from_millis(1);
    end.duration_since(due).unwrap_or_default()
}
