//! A receiver that answers each connection with prepared bytes, and keeps what it was sent.
//!
//! It reads no HTTP beyond the length of a body, so that it can answer with anything.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What a receiver does with a request.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    /// It sends these bytes and closes.
    Bytes(String),
    /// It sends these bytes, and then zeros until the sender leaves.
    Endless(String),
    /// It sends nothing and keeps the connection.
    Hang,
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(super) struct Received {
    pub(super) line: String,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

/// A receiver on a port of this machine. It ends when it is dropped.
pub(super) struct Receiver {
    pub(super) port: u16,
    shared: Arc<Shared>,
    _serving: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    connections: Mutex<usize>,
    received: Mutex<Vec<Received>>,
    /// How many bytes of endless answers the senders took.
    taken: Mutex<usize>,
}

impl Answer {
    /// An answer with this status, these further headers and this body.
    pub(super) fn status(status: u16, headers: &str, body: &str) -> Self {
        let length = body.len();
        Self::Bytes(format!(
            "HTTP/1.1 {status} It\r\n{headers}content-length: {length}\r\n\r\n{body}"
        ))
    }
}

impl Receiver {
    /// Starts a receiver on an address of this machine, which gives every request the same answer.
    pub(super) async fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::<Shared>::default();
        let own = Arc::clone(&shared);
        let serving = async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                *own.connections.lock() += 1;
                connections.spawn(serve(stream, answer.clone(), Arc::clone(&own)));
            }
        };
        Self {
            port,
            shared,
            _serving: spawn(serving),
        }
    }

    pub(super) fn connections(&self) -> usize {
        *self.shared.connections.lock()
    }

    pub(super) fn received(&self) -> Vec<Received> {
        self.shared.received.lock().clone()
    }

    pub(super) fn taken(&self) -> usize {
        *self.shared.taken.lock()
    }
}

/// Starts a task that ends when the returned set is dropped.
pub(super) fn spawn(future: impl Future<Output = ()> + Send + 'static) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(future);
    tasks
}

/// Reads one request.
pub(super) async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<Received> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        (stream.read_buf(&mut bytes).await.ok()? > 0).then_some(())?;
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
    let mut lines = head.lines();
    let line = lines.next().unwrap().to_owned();
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| {
            let name: HeaderName = name.parse().unwrap();
            (name, HeaderValue::from_str(value).unwrap())
        });
    let headers: HeaderMap = headers.collect();
    let length: usize = headers["content-length"].to_str().unwrap().parse().unwrap();
    while bytes.len() < head_end + length {
        (stream.read_buf(&mut bytes).await.ok()? > 0).then_some(())?;
    }
    let body = String::from_utf8(bytes[head_end..].to_vec()).unwrap();
    Some(Received {
        line,
        headers,
        body,
    })
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: Answer, own: Arc<Shared>) {
    let Some(request) = read_request(&mut stream).await else {
        return;
    };
    own.received.lock().push(request);
    match answer {
        // The sender may leave before the end, as it may do with an endless answer.
        Answer::Bytes(bytes) => drop(stream.write_all(bytes.as_bytes()).await),
        Answer::Endless(head) => {
            drop(stream.write_all(head.as_bytes()).await);
            while let Ok(written) = stream.write(&[b'0'; 8_192]).await {
                *own.taken.lock() += written;
            }
        }
        Answer::Hang => std::future::pending().await,
    }
}
