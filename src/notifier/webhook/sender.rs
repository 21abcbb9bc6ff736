//! Sends one request to a target and reads the answer, within bounds of time and size.
//!
//! What the request says is left to the caller, and what the answer means to `answer`.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::rustls::ClientConfig;

use super::connection::Connector;
use super::target::{Scheme, Target};
use super::{answer, tls};
use crate::notifier::NotifierError;

/// The bytes of the head of an answer. 16 KiB: what servers send at most.
const HEAD_BYTES_MAX: usize = 16 * 1_024;
/// The bytes that are read of the body of a refusal. 4 KiB: an error shows 200 characters.
const BODY_BYTES_MAX: usize = 4 * 1_024;
const AGENT: &str = concat!("floret/", env!("CARGO_PKG_VERSION"));

/// Sends requests. It follows no redirect, takes no proxy and keeps no connection.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    pub(super) connector: Connector,
    pub(super) tls: Option<Arc<ClientConfig>>,
    /// How long a request may take, from the look-up to the answer.
    pub(super) timeout: Duration,
}

impl Sender {
    /// Posts a JSON body with these headers.
    ///
    /// # Errors
    /// Returns an error unless the answer is 2xx: that of a receiver which is gone after 410, and
    /// otherwise a retryable one.
    pub(crate) async fn post(
        &self,
        target: &Target,
        headers: HeaderMap,
        body: String,
    ) -> Result<(), NotifierError> {
        let request = request(target, headers, body)?;
        let clock = &self.connector.clock;
        let sent = clock.timeout(self.timeout, self.send(target, request));
        sent.await.unwrap_or_else(|| {
            let message = format!("{target} did not answer within {:?}", self.timeout);
            Err(NotifierError::retryable(message))
        })
    }

    async fn send(&self, target: &Target, request: Request<String>) -> Result<(), NotifierError> {
        let stream = self.connector.connect(target).await?;
        let answer = match (target.scheme, &self.tls) {
            (Scheme::Http, _) => exchange(stream, request).await,
            (Scheme::Https, Some(config)) => {
                exchange(tls::handshake(config, target, stream).await?, request).await
            }
            (Scheme::Https, None) => {
                let message = format!("no certificates are configured for {target}");
                return Err(NotifierError::permanent(message));
            }
        };
        let (head, body) = answer.map_err(|error| {
            let message = crate::error::message_with_causes(&error);
            NotifierError::retryable(format!("no answer from {target}: {message}"))
        })?;
        let now = self.connector.clock.now();
        answer::outcome(head.status(), head.headers(), &body, now)
    }
}

fn request(
    target: &Target,
    headers: HeaderMap,
    body: String,
) -> Result<Request<String>, NotifierError> {
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = http::Uri::from(target.path.clone());
    *request.headers_mut() = headers;
    let host = HeaderValue::try_from(target.authority())?;
    request.headers_mut().extend([
        (HOST, host),
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (USER_AGENT, HeaderValue::from_static(AGENT)),
    ]);
    Ok(request)
}

/// Sends a request over a connection. Returns the head of the answer and, unless it is a success,
/// the beginning of its body.
async fn exchange<S>(
    stream: S,
    request: Request<String>,
) -> Result<(Response<()>, Vec<u8>), hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_BYTES_MAX);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    let answering = async {
        let (head, body) = sender.send_request(request).await?.into_parts();
        let begun = if head.status.is_success() {
            Vec::new()
        } else {
            beginning(body).await
        };
        Ok((Response::from_parts(head, ()), begun))
    };
    // The connection is part of this future, not a task: what drops the future closes it.
    drive(connection, answering).await
}

/// Runs a connection while an answer is read. The connection may end first.
async fn drive<T>(connection: impl Future, answering: impl Future<Output = T>) -> T {
    let (mut connection, mut answering) = (pin!(connection), pin!(answering));
    tokio::select! {
        biased;
        answer = &mut answering => return answer,
        _ = &mut connection => {}
    }
    answering.await
}

/// Reads the beginning of a body. A body that breaks off has no more.
async fn beginning(body: Incoming) -> Vec<u8> {
    let mut body = pin!(body);
    let mut read = Vec::new();
    while read.len() < BODY_BYTES_MAX {
        let frame = std::future::poll_fn(|context| body.as_mut().poll_frame(context));
        let Some(Ok(frame)) = frame.await else {
            break;
        };
        if let Ok(data) = frame.into_data() {
            let room = BODY_BYTES_MAX.saturating_sub(read.len());
            read.extend_from_slice(&data[..data.len().min(room)]);
        }
    }
    read
}
