//! Frames over a connection: reads and writes at once, holds one message beyond its buffer, and ends in order.
//!
//! When to do what is decided by `session`.

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

use super::upgrade::Connection;
use crate::clock::Clock;
use crate::limits::Limits;

/// What is read at once. 4 KiB: clients have nothing to say.
const READ_BUFFER_BYTES: usize = 4 * 1024;

/// One end of a WebSocket.
pub(super) struct Socket {
    frames: WebSocketStream<Metered>,
    // Written next; the one message beyond the buffer.
    out: Option<Message>,
    is_flushed: bool,
    is_blocked: bool,
}

/// What happened on a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// The client spoke.
    Alive,
    /// Everything at hand was sent.
    Sent,
    /// The client takes nothing more for now.
    Blocked,
    /// The stream ends.
    Ends(End),
}

/// Why and how a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The connection is gone, or the client said goodbye.
    Gone,
    /// We say goodbye.
    With(CloseCode, &'static str),
    /// The same after something that cannot be read: nothing that follows can be either.
    Unreadable(CloseCode, &'static str),
}

impl Socket {
    pub(super) async fn open(
        connection: Box<dyn Connection>,
        clock: &Clock,
        limits: &Limits,
    ) -> Self {
        // More than a text with every character escaped: a message never finds the buffer full.
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
        let metered = Metered {
            connection,
            clock: clock.clone(),
            taken_at: clock.elapsed(),
        };
        let frames = WebSocketStream::from_raw_socket(metered, Role::Server, Some(config)).await;
        Self {
            frames,
            out: None,
            is_flushed: true,
            is_blocked: false,
        }
    }

    /// Whether the client has not taken what was written.
    pub(super) const fn is_blocked(&self) -> bool {
        self.is_blocked
    }

    /// Whether everything was written.
    pub(super) const fn is_idle(&self) -> bool {
        self.out.is_none() && self.is_flushed
    }

    /// When the client last took a byte.
    pub(super) fn taken_at(&self) -> Duration {
        self.frames.get_ref().taken_at
    }

    /// Writes what `next` gives and reads until something happens. Nothing is lost when it is dropped.
    pub(super) async fn turn(&mut self, mut next: impl FnMut() -> Option<Message>) -> Turn {
        poll_fn(|context| match self.poll_read(context) {
            Poll::Ready(turn) => Poll::Ready(turn),
            Poll::Pending => self.poll_write(context, &mut next),
        })
        .await
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Turn> {
        let read = ready!(Pin::new(&mut self.frames).poll_next(context));
        Poll::Ready(match read {
            // An answer to it is in the buffer.
            Some(Ok(Message::Ping(_))) => {
                self.is_flushed = false;
                Turn::Alive
            }
            Some(Ok(Message::Text(_) | Message::Pong(_) | Message::Frame(_))) => Turn::Alive,
            Some(Ok(Message::Binary(_))) => {
                Turn::Ends(End::With(CloseCode::Unsupported, "no binary messages"))
            }
            Some(Ok(Message::Close(_))) | None => Turn::Ends(End::Gone),
            Some(Err(error)) => Turn::Ends(End::after(&error)),
        })
    }

    fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        next: &mut impl FnMut() -> Option<Message>,
    ) -> Poll<Turn> {
        let mut has_sent = false;
        loop {
            if self.out.is_none() {
                self.out = next();
            }
            let mut frames = Pin::new(&mut self.frames);
            let written = if self.out.is_some() {
                frames.as_mut().poll_ready(context)
            } else if !self.is_flushed {
                frames.as_mut().poll_flush(context)
            } else if has_sent {
                self.is_blocked = false;
                return Poll::Ready(Turn::Sent);
            } else {
                return Poll::Pending;
            };
            match written {
                Poll::Pending if self.is_blocked => return Poll::Pending,
                Poll::Pending => {
                    self.is_blocked = true;
                    return Poll::Ready(Turn::Blocked);
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Turn::Ends(End::after(&error))),
                Poll::Ready(Ok(())) => has_sent = true,
            }
            match self.out.take() {
                Some(message) => {
                    self.is_flushed = false;
                    if let Err(error) = frames.start_send(message) {
                        return Poll::Ready(Turn::Ends(End::after(&error)));
                    }
                }
                None => self.is_flushed = true,
            }
        }
    }

    /// Says goodbye and waits for the client's; what it still sends is not looked at. The caller bounds the time.
    pub(super) async fn end(mut self, end: End) {
        let farewell = match end {
            End::Gone => None,
            End::With(code, reason) | End::Unreadable(code, reason) => Some(CloseFrame {
                code,
                reason: reason.into(),
            }),
        };
        // What fails here fails on a connection that is over.
        if let Some(frame) = farewell {
            let _ = self.frames.close(Some(frame)).await;
            if matches!(end, End::With(..)) {
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
        if matches!(end, End::Unreadable(..)) {
            // Closed with bytes unread, the goodbye could be lost on its way.
            let _ = tokio::io::copy(connection, &mut tokio::io::sink()).await;
        }
    }
}

impl End {
    fn after(error: &Error) -> Self {
        match error {
            Error::Capacity(_) => Self::Unreadable(CloseCode::Size, "the message is too long"),
            Error::Utf8(_) => Self::Unreadable(CloseCode::Invalid, "the text is no UTF-8"),
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)
            | Error::Io(_)
            | Error::ConnectionClosed
            | Error::AlreadyClosed => Self::Gone,
            Error::Protocol(_) => Self::Unreadable(CloseCode::Protocol, "the frame is wrong"),
            _ => Self::With(CloseCode::Error, "the stream failed"),
        }
    }
}

/// A connection that remembers when the other end last took something.
struct Metered {
    connection: Box<dyn Connection>,
    clock: Clock,
    taken_at: Duration,
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_read(context, buffer)
    }
}

impl AsyncWrite for Metered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.connection).poll_write(context, bytes));
        self.taken_at = self.clock.elapsed();
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_shutdown(context)
    }
}
