//! WebSocket frames over a connection: concurrent reads and writes, one message beyond the buffer,
//! and an orderly close.
//!
//! `session` decides what to send and when to close.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream as _;
use futures_util::Sink as _;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::upgrade::UpgradedConnection;
use crate::clock::Clock;
use crate::limits::Limits;

/// The size of the read buffer. It is small, since clients need to send nothing but pongs.
const READ_BUFFER_BYTES: usize = 4 * 1024;

/// The server's end of a WebSocket.
pub(super) struct Socket {
    frames: WebSocketStream<TrackedConnection>,
    // The next message to write: the only one beyond the buffer.
    queued: Option<Message>,
    is_flushed: bool,
    is_blocked: bool,
}

/// An event on a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SocketEvent {
    /// The client sent something.
    Received,
    /// All available messages were sent.
    Flushed,
    /// The client does not accept more data for now.
    Blocked,
    /// The stream must close.
    Closed(CloseReason),
}

/// Why a stream closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CloseReason {
    /// The client closed the stream, or the connection is lost.
    Remote,
    /// The server closes the stream with this code and reason.
    Local(CloseCode, &'static str),
    /// The same, after an unreadable frame: the frames after it cannot be read either.
    Unreadable(CloseCode, &'static str),
}

impl Socket {
    pub(super) async fn open(
        connection: Box<dyn UpgradedConnection>,
        clock: &Clock,
        limits: &Limits,
    ) -> Self {
        // Larger than the longest message with every character escaped, so that the buffer always
        // has room for one.
        let message_max = limits
            .log_line_bytes_max
            .saturating_add(limits.error_bytes_max)
            .saturating_mul(8)
            .saturating_add(64 * 1024);
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(limits.stream_buffer_bytes)
            .max_write_buffer_size(limits.stream_buffer_bytes.saturating_add(message_max))
            .max_message_size(Some(limits.stream_message_bytes_max))
            .max_frame_size(Some(limits.stream_message_bytes_max));
        let tracked = TrackedConnection {
            connection,
            clock: clock.clone(),
            last_write_at: clock.elapsed(),
        };
        let frames = WebSocketStream::from_raw_socket(tracked, Role::Server, Some(config)).await;
        Self {
            frames,
            queued: None,
            is_flushed: true,
            is_blocked: false,
        }
    }

    /// Returns whether the client has not accepted what was written.
    pub(super) const fn is_blocked(&self) -> bool {
        self.is_blocked
    }

    /// Returns whether everything was written.
    pub(super) const fn is_idle(&self) -> bool {
        self.queued.is_none() && self.is_flushed
    }

    /// Returns when the connection last accepted a byte.
    pub(super) fn last_write_at(&self) -> Duration {
        self.frames.get_ref().last_write_at
    }

    /// Writes the messages of `next` and reads, until an event happens.
    ///
    /// The future is cancel safe: no message is lost when it is dropped.
    pub(super) async fn next_event(
        &mut self,
        mut next: impl FnMut() -> Option<Message>,
    ) -> SocketEvent {
        poll_fn(|context| match self.poll_read(context) {
            Poll::Ready(event) => Poll::Ready(event),
            Poll::Pending => self.poll_write(context, &mut next),
        })
        .await
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<SocketEvent> {
        let read = ready!(Pin::new(&mut self.frames).poll_next(context));
        Poll::Ready(match read {
            // The library has buffered a pong, which must be flushed.
            Some(Ok(Message::Ping(_))) => {
                self.is_flushed = false;
                SocketEvent::Received
            }
            Some(Ok(Message::Text(_) | Message::Pong(_) | Message::Frame(_))) => {
                SocketEvent::Received
            }
            Some(Ok(Message::Binary(_))) => SocketEvent::Closed(CloseReason::Local(
                CloseCode::Unsupported,
                "no binary messages",
            )),
            Some(Ok(Message::Close(_))) | None => SocketEvent::Closed(CloseReason::Remote),
            Some(Err(error)) => SocketEvent::Closed(CloseReason::after(&error)),
        })
    }

    fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        next: &mut impl FnMut() -> Option<Message>,
    ) -> Poll<SocketEvent> {
        let mut has_sent = false;
        loop {
            if self.queued.is_none() {
                self.queued = next();
            }
            let mut frames = Pin::new(&mut self.frames);
            let written = if self.queued.is_some() {
                frames.as_mut().poll_ready(context)
            } else if !self.is_flushed {
                frames.as_mut().poll_flush(context)
            } else if has_sent {
                self.is_blocked = false;
                return Poll::Ready(SocketEvent::Flushed);
            } else {
                return Poll::Pending;
            };
            match written {
                Poll::Pending if self.is_blocked => return Poll::Pending,
                Poll::Pending => {
                    self.is_blocked = true;
                    return Poll::Ready(SocketEvent::Blocked);
                }
                Poll::Ready(Err(error)) => {
                    let reason = CloseReason::after(&error);
                    return Poll::Ready(SocketEvent::Closed(reason));
                }
                Poll::Ready(Ok(())) => has_sent = true,
            }
            match self.queued.take() {
                Some(message) => {
                    self.is_flushed = false;
                    if let Err(error) = frames.start_send(message) {
                        let reason = CloseReason::after(&error);
                        return Poll::Ready(SocketEvent::Closed(reason));
                    }
                }
                None => self.is_flushed = true,
            }
        }
    }

    /// Sends a close frame and waits for the client's. Messages that still arrive are discarded.
    ///
    /// The caller must limit the time.
    pub(super) async fn close(mut self, reason: CloseReason) {
        let frame = match reason {
            CloseReason::Remote => None,
            CloseReason::Local(code, text) | CloseReason::Unreadable(code, text) => {
                Some(CloseFrame {
                    code,
                    reason: text.into(),
                })
            }
        };
        // Errors are ignored, since the connection closes in any case.
        if let Some(frame) = frame {
            let _ = self.frames.close(Some(frame)).await;
            if matches!(reason, CloseReason::Local(..)) {
                while let Some(Ok(_)) =
                    poll_fn(|context| Pin::new(&mut self.frames).poll_next(context)).await
                {
                }
            }
        } else {
            let _ = poll_fn(|context| Pin::new(&mut self.frames).poll_flush(context)).await;
        }
        let connection = self.frames.get_mut();
        let _ = connection.shutdown().await;
        if matches!(reason, CloseReason::Unreadable(..)) {
            // If a socket closes with unread bytes, TCP may reset it and lose the close frame.
            let _ = tokio::io::copy(connection, &mut tokio::io::sink()).await;
        }
    }
}

impl CloseReason {
    fn after(error: &Error) -> Self {
        match error {
            Error::Capacity(_) => Self::Unreadable(CloseCode::Size, "the message is too long"),
            Error::Utf8(_) => Self::Unreadable(CloseCode::Invalid, "the text is not UTF-8"),
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)
            | Error::Io(_)
            | Error::ConnectionClosed
            | Error::AlreadyClosed => Self::Remote,
            Error::Protocol(_) => Self::Unreadable(CloseCode::Protocol, "the frame is wrong"),
            _ => Self::Local(CloseCode::Error, "the stream failed"),
        }
    }
}

/// A connection that records when it last accepted bytes.
struct TrackedConnection {
    connection: Box<dyn UpgradedConnection>,
    clock: Clock,
    last_write_at: Duration,
}

impl AsyncRead for TrackedConnection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_read(context, buffer)
    }
}

impl AsyncWrite for TrackedConnection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.connection).poll_write(context, bytes));
        self.last_write_at = self.clock.elapsed();
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_shutdown(context)
    }
}
