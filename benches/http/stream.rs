//! A client of the event stream that does as little as possible: it upgrades and cuts frames.
//!
//! A thousand of them share the machine with the server that is measured.

use std::net::SocketAddr;

use hyper::body::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The bytes that a read may return.
const READ_BYTES: usize = 16 * 1_024;

const TEXT: u8 = 0x81;
const PING: u8 = 0x89;
/// A pong without payload, with the mask that a client's frame needs.
const PONG: [u8; 6] = [0x8a, 0x80, 0, 0, 0, 0];

/// An open stream.
pub(crate) struct Stream {
    socket: TcpStream,
    buffer: Vec<u8>,
    /// The bytes of the buffer that were returned.
    taken: usize,
}

impl Stream {
    /// Opens a stream of the events that this query selects.
    pub(crate) async fn open(address: SocketAddr, query: &str) -> Self {
        let mut stream = Self::raw(address).await;
        let request = format!(
            "GET /api/ws?{query} HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\n\
             upgrade: websocket\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.socket.write_all(request.as_bytes()).await.unwrap();
        let end = b"\r\n\r\n";
        let head = loop {
            let found = stream.buffer.windows(end.len()).position(|it| it == end);
            match found {
                Some(at) => break at + end.len(),
                None => stream.read().await,
            }
        };
        let text = String::from_utf8_lossy(&stream.buffer[..head]);
        assert!(text.starts_with("HTTP/1.1 101 "), "{text}");
        stream.taken = head;
        stream
    }

    /// Connects to a server that sends frames without a handshake.
    pub(crate) async fn raw(address: SocketAddr) -> Self {
        Self {
            socket: TcpStream::connect(address).await.unwrap(),
            buffer: Vec::new(),
            taken: 0,
        }
    }

    /// Returns the payload of the next text frame.
    pub(crate) async fn next(&mut self) -> Bytes {
        self.next_frame().await.1
    }

    /// Returns the next text frame, as it was sent, and its payload.
    pub(crate) async fn next_frame(&mut self) -> (Bytes, Bytes) {
        loop {
            let Some((start, end)) = extent(&self.buffer[self.taken..]) else {
                self.read().await;
                continue;
            };
            let frame = &self.buffer[self.taken..self.taken + end];
            let (kind, frame, payload) = (frame[0], frame.to_owned(), frame[start..].to_owned());
            self.taken += end;
            match kind {
                TEXT => return (frame.into(), payload.into()),
                PING => self.socket.write_all(&PONG).await.unwrap(),
                _ => panic!("{frame:?}"),
            }
        }
    }

    async fn read(&mut self) {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        self.buffer.reserve(READ_BYTES);
        let count = self.socket.read_buf(&mut self.buffer).await.unwrap();
        assert!(count > 0, "the server closed the stream");
    }
}

/// Returns where the payload of a server's frame begins and ends, if all of it is there.
fn extent(bytes: &[u8]) -> Option<(usize, usize)> {
    let (start, count) = match bytes.get(1)? {
        126 => {
            let count = bytes.get(2..4)?.try_into().ok()?;
            (4, usize::from(u16::from_be_bytes(count)))
        }
        127 => panic!("a frame of more than 64 KiB"),
        count => (2, usize::from(*count)),
    };
    (bytes.len() >= start + count).then_some((start, start + count))
}
