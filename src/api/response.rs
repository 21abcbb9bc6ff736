//! Answers with JSON in them.
//!
//! Refusals are `problem`'s.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, LOCATION};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

use super::body::Body;
use crate::error::{Error, Result};

/// An answer with this JSON.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    json_as(status, "application/json", value)
}

/// An answer with this JSON under a content type of its own.
pub(super) fn json_as(
    status: StatusCode,
    content_type: &'static str,
    value: &impl Serialize,
) -> Response<Body> {
    match serde_json::to_vec(value) {
        Ok(bytes) => whole(status, content_type, bytes.into()),
        // Our own values have text keys only, and writing into memory does not fail.
        Err(error) => {
            debug_assert!(false, "an answer could not be written: {error}");
            tracing::error!(%error, "an answer could not be written");
            whole(
                StatusCode::INTERNAL_SERVER_ERROR,
                content_type,
                Bytes::new(),
            )
        }
    }
}

fn whole(status: StatusCode, content_type: &'static str, bytes: Bytes) -> Response<Body> {
    let length = bytes.len();
    let mut answer = Response::new(Body::whole(bytes));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    // Said here too, so that an answer to HEAD, which loses its body, tells it.
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    answer
}

/// An answer without a body.
pub(super) fn no_content() -> Response<Body> {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer
}

/// Adds a header whose value was put together.
pub(super) fn insert(answer: &mut Response<Body>, name: HeaderName, value: String) -> Result<()> {
    let value = HeaderValue::try_from(value)
        .map_err(|error| Error::internal("a header has no such value").with_source(error))?;
    answer.headers_mut().insert(name, value);
    Ok(())
}

/// Names the place of what was made.
pub(super) fn locate(answer: &mut Response<Body>, location: String) -> Result<()> {
    insert(answer, LOCATION, location)
}
