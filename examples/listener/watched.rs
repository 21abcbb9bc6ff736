//! A socket that notes when it reads and writes, and gives up on a client that does not read.
//!
//! It owns the slot of its connection. A stream takes the socket over, and with it the slot.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::table::{Entry, Slot};

/// How long bytes may wait to be written while the client takes none.
const STALL_TIMEOUT: Duration = Duration::from_secs(10);

/// The socket of a connection.
pub(super) struct Watched {
    socket: TcpStream,
    entry: Arc<Entry>,
    closed: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Runs while a write waits for the client.
    stall: Option<Pin<Box<Sleep>>>,
    /// Freed when the socket is dropped.
    _slot: Slot,
}

impl Watched {
    pub(super) fn new(socket: TcpStream, slot: Slot) -> Self {
        let entry = slot.entry();
        let closed = Box::pin(entry.closed().cancelled_owned());
        Self {
            socket,
            entry,
            closed,
            stall: None,
            _slot: slot,
        }
    }

    /// Fails once the connection must close, also if it has become a stream since.
    fn check_open(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.closed.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::ConnectionAborted.into()),
            Poll::Pending => Ok(()),
        }
    }

    /// Writes with a closure. Fails if the client has taken nothing for too long.
    fn write<T>(
        &mut self,
        context: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        self.check_open(context)?;
        if let Poll::Ready(result) = write(Pin::new(&mut self.socket), context) {
            self.stall = None;
            self.entry.note_write();
            return Poll::Ready(result);
        }
        let stall = self.stall.get_or_insert_with(|| Box::pin(stall()));
        ready!(stall.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a host's own timeouts are not on Floret's clock"
)]
fn stall() -> Sleep {
    tokio::time::sleep(STALL_TIMEOUT)
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check_open(context)?;
        ready!(Pin::new(&mut self.socket).poll_read(context, buffer))?;
        self.entry.note_read();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write(context, |socket, context| socket.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(context, |socket, context| {
            socket.poll_write_vectored(context, slices)
        })
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    /// A TCP socket has no buffer of its own to flush, so this never waits for the client.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}
