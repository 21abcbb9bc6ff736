//! A client of server-sent events that reads a body as the HTML standard says, as far as the
//! service uses it: blocks of `id` and `data`, and comments.
//!
//! The tests assert what it receives.

use std::fmt::Debug;

use bytes::Bytes;
use floret::{Body, RunsService};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tower::ServiceExt;

use crate::wire::TestResponse;

/// An open stream.
#[derive(Debug)]
pub(crate) struct Client<B = Body> {
    body: B,
    unread: Vec<u8>,
    pub(crate) headers: HeaderMap,
    /// What the client sends as `Last-Event-ID` when it connects again.
    pub(crate) last_event: Option<u64>,
}

/// Returns whether a response with these headers is a stream of events, whose body has no end.
pub(crate) fn is_stream(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE);
    content_type.is_some_and(|value| value == "text/event-stream")
}

/// Returns a request for events with these headers.
pub(crate) fn get(path: &str, headers: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let request = Request::get(path).header("host", "floret.example.com");
    let add = |request: http::request::Builder, (name, value): &(&str, &str)| {
        request.header(*name, *value)
    };
    let request = headers.iter().fold(request, add);
    request.body(Full::default()).unwrap()
}

/// Sends a request for events. Returns the stream, or the response that refuses it.
pub(crate) async fn connect(
    service: &RunsService,
    request: Request<Full<Bytes>>,
) -> Result<Client, TestResponse> {
    let response = service.clone().oneshot(request).await.unwrap();
    if response.status() != 200 {
        return Err(TestResponse::read(response).await);
    }
    Ok(Client::new(response))
}

/// Opens a stream at this path, which must succeed.
pub(crate) async fn open(service: &RunsService, path: &str) -> Client {
    match connect(service, get(path, &[])).await {
        Ok(client) => client,
        Err(response) => panic!("{path}: {response:?}"),
    }
}

impl<B: http_body::Body<Data = Bytes, Error: Debug> + Unpin> Client<B> {
    /// Returns a client that reads this response.
    pub(crate) fn new(response: http::Response<B>) -> Self {
        let (parts, body) = response.into_parts();
        assert!(is_stream(&parts.headers), "{parts:?}");
        Self {
            body,
            unread: Vec::new(),
            headers: parts.headers,
            last_event: None,
        }
    }

    /// Reads a block and returns its data. Returns `None` when the stream has ended.
    pub(crate) async fn block(&mut self) -> Option<Option<Value>> {
        let end = loop {
            let unread = self.unread.windows(2);
            if let Some(end) = unread.clone().position(|bytes| bytes == b"\n\n") {
                break end;
            }
            // A connection that breaks off ends the stream as well.
            let frame = self.body.frame().await?.ok()?;
            self.unread.extend(frame.into_data().unwrap());
        };
        let block: Vec<_> = self.unread.drain(..end + 2).collect();
        let mut data = None;
        for line in std::str::from_utf8(&block[..end]).unwrap().lines() {
            match line.split_once(": ") {
                Some(("id", id)) => self.last_event = Some(id.parse().unwrap()),
                Some(("data", json)) => data = Some(serde_json::from_str(json).unwrap()),
                _ => assert!(line.starts_with(':'), "{line}"),
            }
        }
        Some(data)
    }

    /// Reads the first block, which has no event, and returns the number where the stream begins.
    pub(crate) async fn first_id(&mut self) -> u64 {
        assert_eq!(self.block().await, Some(None));
        self.last_event.unwrap()
    }

    /// Reads the next event, or returns `None` when the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(event) = self.block().await? {
                return Some(event);
            }
        }
    }

    /// Reads the next event.
    pub(crate) async fn event(&mut self) -> Value {
        self.next().await.unwrap()
    }

    /// Reads the next `count` events.
    pub(crate) async fn events(&mut self, count: usize) -> Vec<Value> {
        let mut events = Vec::new();
        while events.len() < count {
            events.push(self.event().await);
        }
        events
    }

    /// Reads every event up to the end.
    pub(crate) async fn until_closed(&mut self) -> Vec<Value> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }
}
