//! The session of one stream of server-sent events: fills its body while the client takes it, and
//! ends a stalled one.
//!
//! The feed supplies the events in order. Every block has the number from which a client continues
//! when it connects again, also the first block and those without an event.

use std::future::pending;
use std::io::Write as _;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::api::stream::Lagged;
use crate::api::stream::page::{Page, RETRY};
use crate::clock::Clock;
use crate::error::{Result, log};
use crate::events::{Feed, FeedItem, FeedPage, FeedSignals, FeedWait, PageRead};
use crate::limits::Limits;

/// A stream whose body a client reads.
pub(super) struct Session {
    feed: Feed,
    signals: FeedSignals,
    clock: Clock,
    chunks: mpsc::Sender<Bytes>,
    reading: Option<PageRead>,
    heartbeat: Duration,
    stall: Duration,
    end_grace: Duration,
    chunk_bytes: usize,
}

/// Why a stream ended. The client connects again and continues after the last block that it has.
#[derive(Debug)]
enum End {
    /// The client closed the connection.
    Gone,
    /// The client takes nothing.
    Stalled,
    /// Floret shuts down.
    ShuttingDown,
    /// A purge removed events that the client does not have yet.
    Expired,
    /// Events cannot be read.
    Unreadable,
}

impl Session {
    /// Returns a session that sends the events of a feed.
    pub(super) fn new(
        (feed, signals): (Feed, FeedSignals),
        clock: Clock,
        limits: &Limits,
        chunks: mpsc::Sender<Bytes>,
    ) -> Self {
        Self {
            feed,
            signals,
            clock,
            chunks,
            reading: None,
            heartbeat: limits.stream_ping,
            stall: limits.stream_stall,
            end_grace: limits.stream_end_grace,
            chunk_bytes: limits.stream_buffer_bytes,
        }
    }

    /// Runs the stream until it ends.
    pub(super) async fn serve(mut self) {
        let (closed, clock, grace) = (self.feed.closed(), self.clock.clone(), self.end_grace);
        let cut_off = async {
            closed.cancelled().await;
            clock.sleep(grace).await;
        };
        let end = tokio::select! {
            end = self.run() => end,
            () = cut_off => End::ShuttingDown,
        };
        log::debug!(?end, "a stream of server-sent events ended");
    }

    async fn run(&mut self) -> End {
        // A client that loses the connection before the first event continues here.
        let mut chunk = self.position();
        loop {
            // Only this task sends, so there still is room.
            if self.chunks.try_send(chunk).is_err() {
                return End::Gone;
            }
            if let Err(end) = self.wait_for_room().await {
                return end;
            }
            chunk = match self.next_chunk().await {
                Ok(chunk) => chunk,
                Err(end) => return end,
            };
        }
    }

    /// Waits until the client has taken the chunk before. Counts what it misses meanwhile.
    async fn wait_for_room(&mut self) -> Result<(), End> {
        let mut stalled = pin!(self.clock.sleep(self.stall));
        loop {
            tokio::select! {
                biased;
                room = self.chunks.reserve() => return room.map(drop).map_err(|_| End::Gone),
                () = &mut stalled => return Err(End::Stalled),
                () = self.signals.overrun_check() => self.feed.skip(),
            }
        }
    }

    /// Waits for events. If none come, the chunk says only how far the stream has come.
    async fn next_chunk(&mut self) -> Result<Bytes, End> {
        let heartbeat_at = self.clock.elapsed().saturating_add(self.heartbeat);
        loop {
            let chunk = self.take_chunk();
            if !chunk.is_empty() {
                return Ok(chunk.into());
            }
            if self.reading.is_none() {
                match self.feed.wait() {
                    FeedWait::Nothing => continue,
                    FeedWait::End => return Err(End::ShuttingDown),
                    FeedWait::Page(page) => self.reading = Some(self.pause_after_failure(page)),
                    FeedWait::Moved => {}
                }
            }
            let is_reading = self.reading.is_some();
            tokio::select! {
                page = read(&mut self.reading) => {
                    self.reading = None;
                    self.accept(page)?;
                }
                () = self.signals.moved(), if !is_reading => {}
                () = self.chunks.closed() => return Err(End::Gone),
                () = self.clock.sleep_until(heartbeat_at) => return Ok(self.position()),
            }
        }
    }

    /// Takes the events that the feed has, until the chunk is large enough.
    fn take_chunk(&mut self) -> Vec<u8> {
        let mut chunk = Vec::new();
        while chunk.len() < self.chunk_bytes
            && let Some(item) = self.feed.take()
        {
            match item {
                FeedItem::Event { seq, json } => write_block(&mut chunk, seq, &json),
                FeedItem::Lagged { missed, next_seq } => {
                    let json = Lagged::to_json(missed, next_seq);
                    write_block(&mut chunk, next_seq.saturating_sub(1), &json);
                }
            }
        }
        chunk
    }

    /// Returns a block without an event: it only moves the place from which a client continues.
    fn position(&self) -> Bytes {
        match self.feed.taken_to() {
            Some(seq) => format!("id: {seq}\n\n").into(),
            None => Bytes::from_static(b":\n\n"),
        }
    }

    /// Returns a read that takes a while to fail, since another one follows.
    fn pause_after_failure(&self, page: PageRead) -> PageRead {
        let clock = self.clock.clone();
        Box::pin(async move {
            let page = page.await;
            if page.is_err() {
                clock.sleep(RETRY).await;
            }
            page
        })
    }

    fn accept(&mut self, page: Result<FeedPage>) -> Result<(), End> {
        match Page::accept(&mut self.feed, page) {
            Page::Accepted | Page::Unavailable => Ok(()),
            Page::Expired => Err(End::Expired),
            Page::Unreadable => Err(End::Unreadable),
        }
    }
}

async fn read(reading: &mut Option<PageRead>) -> Result<FeedPage> {
    match reading {
        Some(reading) => reading.await,
        None => pending().await,
    }
}

/// Writes a block. The JSON has no line breaks, because it is compact.
fn write_block(chunk: &mut Vec<u8>, seq: u64, json: &[u8]) {
    // Writing to memory does not fail.
    let _ = write!(chunk, "id: {seq}\ndata: ");
    chunk.extend_from_slice(json);
    chunk.extend_from_slice(b"\n\n");
}
