//! One stream's life: events out, signs of life in, and an end for whoever takes nothing.
//!
//! Frames are left to `socket`, which events follow to the feed.

use std::future::pending;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_util::sync::CancellationToken;

use super::socket::{End, Socket, Turn};
use super::upgrade::Pending;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::events::{Feed, FeedItem, FeedPage, FeedSignals, FeedWait, PageRead};
use crate::limits::Limits;

/// A pause after a failed read.
const RETRY: Duration = Duration::from_millis(200);

/// What a session is made of.
pub(super) struct Parts {
    pub(super) feed: Feed,
    pub(super) signals: FeedSignals,
    pub(super) clock: Clock,
    pub(super) limits: Limits,
}

/// A stream over an open socket.
pub(super) struct Session {
    socket: Socket,
    feed: Feed,
    signals: FeedSignals,
    closed: CancellationToken,
    clock: Clock,
    limits: Limits,
    // A ping that waits to be written.
    ping: bool,
    // Whether the client was heard of since the last ping.
    is_alive: bool,
    ping_at: Duration,
    // Since when the client takes nothing.
    blocked_at: Option<Duration>,
    // When a stream that is to end does so, whatever is left.
    end_at: Option<Duration>,
    reading: Option<PageRead>,
    retry_at: Option<Duration>,
}

#[derive(Serialize)]
struct Lagged {
    #[serde(rename = "type")]
    kind: &'static str,
    missed: u64,
    next_seq: u64,
}

/// What ended a wait.
enum Woken {
    Turn(Turn),
    Page(Result<FeedPage>),
    Moved,
    Lapped,
    Closing,
    Time,
}

impl Session {
    /// Waits for the connection and carries the stream to its end.
    pub(super) async fn carry(parts: Parts, pending: Pending) {
        let Parts {
            feed,
            signals,
            clock,
            limits,
        } = parts;
        let connection = match clock
            .timeout(limits.stream_stall, pending.connection())
            .await
        {
            Some(Ok(connection)) => connection,
            Some(Err(error)) => return refused(&error),
            None => return refused(&Error::internal("no connection came in time")),
        };
        let socket = Socket::open(connection, &clock, &limits).await;
        let mut session = Self {
            ping_at: clock.elapsed().saturating_add(limits.stream_ping),
            socket,
            closed: feed.closed(),
            feed,
            signals,
            clock: clock.clone(),
            limits,
            ping: false,
            is_alive: true,
            blocked_at: None,
            end_at: None,
            reading: None,
            retry_at: None,
        };
        let end = session.run().await;
        // The feed holds the stream's place until the connection is closed.
        let Self {
            socket,
            feed: _feed,
            limits,
            ..
        } = session;
        let goodbye = clock.timeout(limits.stream_end_grace, socket.end(end));
        let is_clean = goodbye.await.is_some();
        tracing::debug!(?end, is_clean, "a stream ended");
    }

    async fn run(&mut self) -> End {
        let mut timer_at = self.next_time();
        let mut timer = sleep(&self.clock, timer_at);
        loop {
            if let Some(end) = self.look() {
                return end;
            }
            let next = self.next_time();
            if next < timer_at {
                timer_at = next;
                timer = sleep(&self.clock, timer_at);
            }
            let ended = match self.wait(&mut timer).await {
                Woken::Turn(turn) => self.turned(turn),
                Woken::Page(page) => self.arrived(page),
                Woken::Moved => None,
                Woken::Lapped => {
                    self.feed.skip();
                    None
                }
                Woken::Closing => {
                    let now = self.clock.elapsed();
                    self.end_at = Some(now.saturating_add(self.limits.stream_end_grace));
                    None
                }
                Woken::Time => {
                    let ended = self.time_passed();
                    timer_at = self.next_time();
                    timer = sleep(&self.clock, timer_at);
                    ended
                }
            };
            if let Some(end) = ended {
                return end;
            }
        }
    }

    /// Asks the feed what to wait for; says how the stream ends if nothing follows and all is sent.
    fn look(&mut self) -> Option<End> {
        if self.reading.is_some() || self.retry_at.is_some() {
            return None;
        }
        match self.feed.wait() {
            FeedWait::Page(reading) => self.reading = Some(reading),
            FeedWait::End if self.socket.is_idle() => {
                return Some(End::With(CloseCode::Away, "shutting down"));
            }
            FeedWait::End | FeedWait::Moved | FeedWait::Nothing => {}
        }
        None
    }

    async fn wait(&mut self, timer: &mut Pin<Box<impl Future<Output = ()>>>) -> Woken {
        let Self {
            socket,
            feed,
            signals,
            closed,
            ping,
            reading,
            ..
        } = self;
        let is_blocked = socket.is_blocked();
        let is_closing = self.end_at.is_some();
        let page = async {
            match reading {
                Some(reading) => reading.await,
                None => pending().await,
            }
        };
        let signal = async {
            if is_blocked {
                signals.overrun_check().await;
                Woken::Lapped
            } else {
                signals.moved().await;
                Woken::Moved
            }
        };
        let turn = socket.turn(|| next(ping, feed));
        tokio::select! {
            turn = turn => Woken::Turn(turn),
            page = page => {
                *reading = None;
                Woken::Page(page)
            }
            woken = signal => woken,
            () = closed.cancelled(), if !is_closing => Woken::Closing,
            () = timer => Woken::Time,
        }
    }

    fn turned(&mut self, turn: Turn) -> Option<End> {
        match turn {
            Turn::Alive => self.is_alive = true,
            Turn::Sent => self.blocked_at = None,
            Turn::Blocked => self.blocked_at = Some(self.clock.elapsed()),
            Turn::Ends(end) => return Some(end),
        }
        None
    }

    fn arrived(&mut self, page: Result<FeedPage>) -> Option<End> {
        match self.feed.accept_page(page) {
            Ok(()) => None,
            Err(error) if error.slug() == "events-expired" => {
                Some(End::With(CloseCode::Again, "events-expired"))
            }
            Err(error) if error.kind().is_transient() => {
                tracing::debug!(%error, "events could not be read for a stream; they are read again");
                self.retry_at = Some(self.clock.elapsed().saturating_add(RETRY));
                None
            }
            Err(error) => {
                tracing::warn!(%error, "events cannot be read for a stream");
                Some(End::With(CloseCode::Error, "events cannot be read"))
            }
        }
    }

    /// When the session must look at the time again.
    fn next_time(&self) -> Duration {
        let times = [self.stalled_at(), self.end_at, self.retry_at];
        let times = times.into_iter().flatten();
        times.fold(self.ping_at, Duration::min)
    }

    fn stalled_at(&self) -> Option<Duration> {
        let since = self.blocked_at?.max(self.socket.taken_at());
        Some(since.saturating_add(self.limits.stream_stall))
    }

    fn time_passed(&mut self) -> Option<End> {
        let now = self.clock.elapsed();
        let is_over = |time: Option<Duration>| time.is_some_and(|time| time <= now);
        if is_over(self.end_at) {
            return Some(End::With(CloseCode::Away, "shutting down"));
        }
        if is_over(self.stalled_at()) {
            return Some(End::With(CloseCode::Again, "nothing is read"));
        }
        if is_over(self.retry_at) {
            self.retry_at = None;
        }
        if self.ping_at <= now {
            // A ping would wait behind what a blocked client does not take; that has its own bound.
            if !self.socket.is_blocked() {
                if !self.is_alive {
                    return Some(End::With(CloseCode::Policy, "no answer to a ping"));
                }
                (self.is_alive, self.ping) = (false, true);
            }
            self.ping_at = now.saturating_add(self.limits.stream_ping);
        }
        None
    }
}

fn refused(error: &Error) {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    tracing::warn!(%error, cause, "a stream was accepted and got no connection");
}

fn sleep(clock: &Clock, until: Duration) -> Pin<Box<impl Future<Output = ()> + use<>>> {
    let clock = clock.clone();
    Box::pin(async move { clock.sleep_until(until).await })
}

fn next(ping: &mut bool, feed: &mut Feed) -> Option<Message> {
    if std::mem::take(ping) {
        return Some(Message::Ping(Bytes::new()));
    }
    match feed.take()? {
        FeedItem::Event(event) => Some(text(event)),
        FeedItem::Lagged { missed, next_seq } => {
            let lagged = Lagged {
                kind: "lagged",
                missed,
                next_seq,
            };
            Some(text(serde_json::to_vec(&lagged).unwrap_or_default().into()))
        }
    }
}

fn text(json: Bytes) -> Message {
    // JSON is written as UTF-8; the check costs less than a copy.
    Message::Text(Utf8Bytes::try_from(json).unwrap_or_default())
}
