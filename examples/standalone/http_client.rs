//! A client of the API over plain HTTP.
//!
//! TLS is left to a tunnel: the client is for the machine of the server.

use std::fmt;
use std::str::FromStr;

use http::header::{ACCEPT, AUTHORIZATION};
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::failure::Failure;
use crate::options::ApiKey;
use crate::output::one_line;

/// The most bytes of an answer. A page of a log has 8 MiB at most, before it is escaped.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// The most bytes of events that have arrived and were not read.
const EVENT_BYTES_MAX: usize = 4 << 20;

/// The address of a server: `http://HOST[:PORT][/PREFIX]`. Without a prefix, it is `/api`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerUrl(String);

/// Sends requests to one server.
pub(crate) struct HttpClient {
    server: ServerUrl,
    key: Option<ApiKey>,
    client: Client<HttpConnector, Empty<Bytes>>,
}

/// A stream of events, as it arrives.
pub(crate) struct EventStream {
    body: Incoming,
    unread: Vec<u8>,
}

/// The part of a problem that is shown.
#[derive(Deserialize)]
struct ServedProblem {
    detail: String,
}

impl FromStr for ServerUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri: Uri = text.parse().map_err(|error| format!("{error}"))?;
        let Some(authority) = uri.authority() else {
            return Err("an address is http://HOST:PORT".to_owned());
        };
        if uri.scheme_str() != Some("http") {
            return Err("an address is http://HOST:PORT; use a tunnel for TLS".to_owned());
        }
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err("an address has neither a user nor a query".to_owned());
        }
        let prefix = match uri.path().trim_end_matches('/') {
            "" => "/api",
            prefix => prefix,
        };
        Ok(Self(format!("http://{authority}{prefix}")))
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HttpClient {
    pub(crate) fn new(server: ServerUrl, key: Option<ApiKey>) -> Self {
        Self {
            server,
            key,
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// Gets an object.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        let response = self.send(path, "application/json").await?;
        let bytes = read(response.into_body()).await?;
        serde_json::from_slice(&bytes)
            .map_err(|error| Failure::of(format!("{} answers something else", self.server), error))
    }

    /// Opens a stream of events.
    pub(crate) async fn open(&self, path: &str) -> Result<EventStream, Failure> {
        let response = self.send(path, "text/event-stream").await?;
        Ok(EventStream {
            body: response.into_body(),
            unread: Vec::new(),
        })
    }

    /// Sends a request. Returns the response if it is a success.
    async fn send(&self, path: &str, accept: &str) -> Result<Response<Incoming>, Failure> {
        let failed = |error| Failure::of(format!("{} cannot be asked", self.server), error);
        let mut request = Request::get(format!("{}{path}", self.server)).header(ACCEPT, accept);
        if let Some(key) = &self.key {
            request = request.header(AUTHORIZATION, [b"Bearer ", key.as_bytes()].concat());
        }
        let request = request
            .body(Empty::new())
            .map_err(|error| Failure::of("the request cannot be built", error))?;
        let response = self.client.request(request).await.map_err(failed)?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(refusal(response).await)
    }
}

impl EventStream {
    /// Waits for the next events, and returns the blocks that have arrived by then. `None` if the
    /// stream has ended.
    pub(crate) async fn next_events(&mut self) -> Result<Option<String>, Failure> {
        loop {
            let end = self.unread.windows(2).rposition(|bytes| bytes == b"\n\n");
            if let Some(end) = end {
                let blocks: Vec<_> = self.unread.drain(..end + 2).collect();
                return Ok(Some(String::from_utf8_lossy(&blocks).into_owned()));
            }
            let Some(frame) = self.body.frame().await else {
                return Ok(None);
            };
            let frame = frame.map_err(|error| Failure::of("the stream broke off", error))?;
            if let Ok(data) = frame.into_data() {
                self.unread.extend_from_slice(&data);
            }
            if self.unread.len() > EVENT_BYTES_MAX {
                return Err(Failure::new("the server sends an event without an end"));
            }
        }
    }
}

async fn read(body: Incoming) -> Result<Bytes, Failure> {
    let collected = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
    let collected = collected.map_err(|error| Failure::new(format!("the answer: {error}")))?;
    Ok(collected.to_bytes())
}

/// Returns the failure that a refusal means: what the problem says, or else its status.
async fn refusal(response: Response<Incoming>) -> Failure {
    let status = response.status();
    let problem = read(response.into_body()).await.ok();
    let problem = problem.and_then(|bytes| serde_json::from_slice::<ServedProblem>(&bytes).ok());
    match problem {
        Some(problem) => Failure::new(format!("the server: {}", one_line(&problem.detail))),
        None => Failure::new(format!("the server answers {status}")),
    }
}
