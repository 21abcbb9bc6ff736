//! The load generator: closed loops on kept connections, one task each.
//!
//! It is our own. rlt leaves connections to its user, so it would add only its terminal; goose
//! brings reqwest, whose pool decides about connections; oha is a program, not a library. `open`
//! has the open loop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::connection::{Connection, Exchange};

/// When a load ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Until {
    Elapsed(Duration),
    Sent(usize),
}

/// What a load has measured.
pub(crate) struct Load {
    pub(crate) elapsed: Duration,
    /// The time of each answer.
    pub(crate) times: Vec<Duration>,
}

impl Load {
    #[expect(clippy::cast_precision_loss, reason = "it counts less than 2^52")]
    pub(crate) fn per_second(&self) -> f64 {
        self.times.len() as f64 / self.elapsed.as_secs_f64()
    }
}

/// Sends a request on each of `width` connections, and the next one after each answer. After the
/// last of the requests comes the first one again.
pub(crate) async fn closed(
    address: SocketAddr,
    width: usize,
    until: Until,
    exchanges: &[Exchange],
) -> Load {
    let mut connections = Vec::new();
    for _ in 0..width {
        connections.push(Connection::open(address).await);
    }
    let (sent, exchanges) = (Arc::new(AtomicUsize::new(0)), Arc::<[_]>::from(exchanges));
    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    for connection in connections {
        let (sent, exchanges) = (Arc::clone(&sent), Arc::clone(&exchanges));
        tasks.spawn(async move {
            let next = || {
                let number = sent.fetch_add(1, Ordering::Relaxed);
                let may_send = match until {
                    Until::Elapsed(time) => begin.elapsed() < time,
                    Until::Sent(count) => number < count,
                };
                may_send.then(|| &exchanges[number % exchanges.len()])
            };
            repeat(connection, next).await
        });
    }
    let times = tasks.join_all().await.concat();
    Load {
        elapsed: begin.elapsed(),
        times,
    }
}

async fn repeat<'a>(
    mut connection: Connection,
    next: impl Fn() -> Option<&'a Exchange>,
) -> Vec<Duration> {
    let mut times = Vec::new();
    while let Some(exchange) = next() {
        let begin = Instant::now();
        connection.send(exchange).await;
        times.push(begin.elapsed());
    }
    times
}

/// Returns the time that this share of the times does not exceed.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "the result is an index of the vector"
)]
pub(crate) fn percentile(times: &mut [Duration], share: f64) -> Duration {
    times.sort_unstable();
    let index = (times.len() as f64 * share).ceil() as usize;
    times[index.clamp(1, times.len()) - 1]
}
