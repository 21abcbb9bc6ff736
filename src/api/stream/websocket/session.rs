//! The session of one stream: sends events, checks that the client is alive, and closes a stalled
//! one.
//!
//! `socket` handles frames; the feed supplies the events in order.

use std::future::pending;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_util::sync::CancellationToken;

use super::socket::{CloseReason, Socket, SocketEvent};
use super::upgrade::Pending;
use crate::api::stream::Lagged;
use crate::api::stream::page::{Page, RETRY};
use crate::clock::Clock;
use crate::error::{Error, Problem, Result, log};
use crate::events::{Feed, FeedItem, FeedPage, FeedSignals, FeedWait, PageRead};
use crate::limits::Limits;

/// A session that is about to start.
pub(super) struct NewSession {
    pub(super) feed: Feed,
    pub(super) signals: FeedSignals,
    pub(super) clock: Clock,
    pub(super) limits: Limits,
}

/// A stream over an open socket. All deadlines are times of the session's clock.
pub(super) struct Session {
    socket: Socket,
    feed: Feed,
    signals: FeedSignals,
    closed: CancellationToken,
    clock: Clock,
    limits: Limits,
    // Whether a ping waits to be written.
    ping: bool,
    // Whether the client sent anything since the last ping.
    is_alive: bool,
    ping_at: Duration,
    // When the client stopped reading.
    blocked_at: Option<Duration>,
    // When the stream closes during a shutdown, even if events are left.
    close_at: Option<Duration>,
    reading: Option<PageRead>,
    retry_at: Option<Duration>,
}

/// The reason why a wait ended.
enum Wakeup {
    Socket(SocketEvent),
    Page(Result<FeedPage>),
    Moved,
    Lapped,
    Shutdown,
    Deadline,
}

impl Session {
    /// Waits for the connection and runs the stream until it closes.
    pub(super) async fn serve(new: NewSession, pending: Pending) {
        let NewSession {
            feed,
            signals,
            clock,
            limits,
        } = new;
        let connection = match clock
            .timeout(limits.stream_stall, pending.connection())
            .await
        {
            Some(Ok(connection)) => connection,
            Some(Err(error)) => return log_missing_connection(&error),
            None => {
                return log_missing_connection(&Error::internal("no connection came in time"));
            }
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
            close_at: None,
            reading: None,
            retry_at: None,
        };
        let reason = session.run().await;
        // The feed counts as an open stream until the connection is closed.
        let Self {
            socket,
            feed: _feed,
            limits,
            ..
        } = session;
        let close = clock.timeout(limits.stream_end_grace, socket.close(reason));
        let is_clean = close.await.is_some();
        log::debug!(?reason, is_clean, "a stream closed");
    }

    async fn run(&mut self) -> CloseReason {
        let mut timer_at = self.next_deadline();
        let mut timer = sleep(&self.clock, timer_at);
        loop {
            if let Some(reason) = self.poll_feed() {
                return reason;
            }
            let next = self.next_deadline();
            if next < timer_at {
                timer_at = next;
                timer = sleep(&self.clock, timer_at);
            }
            let closed = match self.wait(&mut timer).await {
                Wakeup::Socket(event) => self.on_socket_event(event),
                Wakeup::Page(page) => self.on_page(page),
                Wakeup::Moved => None,
                Wakeup::Lapped => {
                    self.feed.skip();
                    None
                }
                Wakeup::Shutdown => {
                    let now = self.clock.elapsed();
                    self.close_at = Some(now.saturating_add(self.limits.stream_end_grace));
                    None
                }
                Wakeup::Deadline => {
                    let closed = self.on_deadline();
                    timer_at = self.next_deadline();
                    timer = sleep(&self.clock, timer_at);
                    closed
                }
            };
            if let Some(reason) = closed {
                return reason;
            }
        }
    }

    /// Asks the feed what to wait for. Returns a reason to close once the feed has ended and
    /// everything is sent.
    fn poll_feed(&mut self) -> Option<CloseReason> {
        if self.reading.is_some() || self.retry_at.is_some() {
            return None;
        }
        match self.feed.wait() {
            FeedWait::Page(reading) => self.reading = Some(reading),
            FeedWait::End if self.socket.is_idle() => {
                return Some(CloseReason::Local(CloseCode::Away, "shutting down"));
            }
            FeedWait::End | FeedWait::Moved | FeedWait::Nothing => {}
        }
        None
    }

    async fn wait(&mut self, timer: &mut Pin<Box<impl Future<Output = ()>>>) -> Wakeup {
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
        let is_closing = self.close_at.is_some();
        let page = async {
            match reading {
                Some(reading) => reading.await,
                None => pending().await,
            }
        };
        let signal = async {
            if is_blocked {
                signals.overrun_check().await;
                Wakeup::Lapped
            } else {
                signals.moved().await;
                Wakeup::Moved
            }
        };
        let event = socket.next_event(|| next_message(ping, feed));
        tokio::select! {
            event = event => Wakeup::Socket(event),
            page = page => {
                *reading = None;
                Wakeup::Page(page)
            }
            wakeup = signal => wakeup,
            () = closed.cancelled(), if !is_closing => Wakeup::Shutdown,
            () = timer => Wakeup::Deadline,
        }
    }

    fn on_socket_event(&mut self, event: SocketEvent) -> Option<CloseReason> {
        match event {
            SocketEvent::Received => self.is_alive = true,
            SocketEvent::Flushed => self.blocked_at = None,
            SocketEvent::Blocked => self.blocked_at = Some(self.clock.elapsed()),
            SocketEvent::Closed(reason) => return Some(reason),
        }
        None
    }

    fn on_page(&mut self, page: Result<FeedPage>) -> Option<CloseReason> {
        match Page::accept(&mut self.feed, page) {
            Page::Accepted => None,
            Page::Unavailable => {
                self.retry_at = Some(self.clock.elapsed().saturating_add(RETRY));
                None
            }
            Page::Expired => {
                let slug = Problem::EventsExpired.slug();
                Some(CloseReason::Local(CloseCode::Again, slug))
            }
            Page::Unreadable => Some(CloseReason::Local(
                CloseCode::Error,
                "events cannot be read",
            )),
        }
    }

    /// Returns the earliest deadline.
    fn next_deadline(&self) -> Duration {
        let times = [self.stalled_at(), self.close_at, self.retry_at];
        let times = times.into_iter().flatten();
        times.fold(self.ping_at, Duration::min)
    }

    /// Returns when a blocked client counts as stalled, counted from the last byte that it took.
    fn stalled_at(&self) -> Option<Duration> {
        let since = self.blocked_at?.max(self.socket.last_write_at());
        Some(since.saturating_add(self.limits.stream_stall))
    }

    fn on_deadline(&mut self) -> Option<CloseReason> {
        let now = self.clock.elapsed();
        let is_over = |time: Option<Duration>| time.is_some_and(|time| time <= now);
        if is_over(self.close_at) {
            return Some(CloseReason::Local(CloseCode::Away, "shutting down"));
        }
        if is_over(self.stalled_at()) {
            return Some(CloseReason::Local(CloseCode::Again, "nothing is read"));
        }
        if is_over(self.retry_at) {
            self.retry_at = None;
        }
        if self.ping_at <= now {
            // A ping would queue behind the data that a blocked client does not read; the stall
            // limit covers that case.
            if !self.socket.is_blocked() {
                if !self.is_alive {
                    return Some(CloseReason::Local(CloseCode::Policy, "no answer to a ping"));
                }
                (self.is_alive, self.ping) = (false, true);
            }
            self.ping_at = now.saturating_add(self.limits.stream_ping);
        }
        None
    }
}

fn log_missing_connection(error: &Error) {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    log::warn!(%error, cause, "a stream was accepted but got no connection");
}

fn sleep(clock: &Clock, until: Duration) -> Pin<Box<impl Future<Output = ()> + use<>>> {
    let clock = clock.clone();
    Box::pin(async move { clock.sleep_until(until).await })
}

fn next_message(ping: &mut bool, feed: &mut Feed) -> Option<Message> {
    if std::mem::take(ping) {
        return Some(Message::Ping(Bytes::new()));
    }
    match feed.take()? {
        FeedItem::Event { json, .. } => Some(text(json)),
        FeedItem::Lagged { missed, next_seq } => {
            Some(text(Lagged::to_json(missed, next_seq).into()))
        }
    }
}

fn text(json: Bytes) -> Message {
    // JSON is always UTF-8; the check costs less than a copy.
    Message::Text(Utf8Bytes::try_from(json).unwrap_or_default())
}
