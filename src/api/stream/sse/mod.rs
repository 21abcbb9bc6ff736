//! `GET /events`: events as server-sent events (the `EventSource` section of the HTML standard).
//!
//! The handler decides whether the caller gets a stream. `session` fills its body.

mod session;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use tokio::sync::mpsc;

use self::session::Session;
use super::selection::{Selected, Selection};
use crate::api::body::Body;
use crate::api::call::Call;
use crate::api::{origin, query};
use crate::error::Result;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");
/// With `no`, nginx passes the response on as it comes.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// `GET /events`
pub(in crate::api) async fn open(call: Call) -> Result<Response<Body>> {
    origin::check_stream(&call.parts, &call.shared.origins)?;
    let last_event = last_event(&call.parts.headers)?;
    let selection = match Selection::read(&call, last_event).await? {
        Selected::Events(selection) => selection,
        Selected::Expired(refusal) => return Ok(refusal),
    };
    let engine = &call.shared.engine;
    let feed = selection.open(&call)?;
    // One chunk: the session notices early that the client does not read.
    let (chunks, taken) = mpsc::channel(1);
    let session = Session::new(feed, engine.clock().clone(), engine.limits(), chunks);
    engine.spawn_stream(session.serve());
    let mut response = Response::new(Body::stream(taken, next_chunk));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, EVENT_STREAM);
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    Ok(response)
}

async fn next_chunk(
    mut taken: mpsc::Receiver<Bytes>,
) -> Result<Option<(Bytes, mpsc::Receiver<Bytes>)>> {
    let chunk = taken.recv().await;
    Ok(chunk.map(|chunk| (chunk, taken)))
}

/// Returns the number of the last event that a client received before it connected again.
fn last_event(headers: &HeaderMap) -> Result<Option<u64>> {
    const NAME: &str = "Last-Event-ID";
    let mut values = headers.get_all(&LAST_EVENT_ID).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            let text = String::from_utf8_lossy(value.as_bytes());
            query::whole_number(NAME, &text, 0..=u64::MAX).map(Some)
        }
        (Some(_), Some(_)) => Err(query::invalid(NAME, "must be given once")),
    }
}
