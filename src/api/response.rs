//! Successful responses: JSON, no content, and their headers.
//!
//! `problem` builds the responses for errors.

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName, LOCATION, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

use super::body::Body;
use crate::error::{Error, Result, log};
use crate::views::Cut;

/// The number of the newest event that an answer contains: a stream `since` it misses nothing.
pub(super) const FLORET_SEQ: HeaderName = HeaderName::from_static("floret-seq");
const FLORET_TRUNCATED: HeaderName = HeaderName::from_static("floret-truncated");
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");

// Constants, because a value that is made for each response is checked for each response.
pub(super) const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");
const APPLICATION_JSON: HeaderValue = HeaderValue::from_static("application/json");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const PRIVATE_NO_CACHE: HeaderValue = HeaderValue::from_static("private, no-cache");
const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");

/// Sets the headers that every response has: no cache keeps it, no page of another origin embeds
/// it, and no browser guesses its type.
///
/// A cache may keep a response with an `ETag`, but must ask before each use.
pub(super) fn restrict(response: &mut Response<Body>) {
    let headers = response.headers_mut();
    let caching = if headers.contains_key(ETAG) {
        PRIVATE_NO_CACHE
    } else {
        NO_STORE
    };
    headers.insert(CACHE_CONTROL, caching);
    headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    headers.insert(CROSS_ORIGIN_RESOURCE_POLICY, SAME_ORIGIN);
}

/// Returns a response with this JSON.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    json_as(status, APPLICATION_JSON, value)
}

/// Returns a 200 response with a text that is JSON.
pub(super) fn json_text(text: Bytes) -> Response<Body> {
    whole(StatusCode::OK, APPLICATION_JSON, text)
}

/// Returns a response with this JSON and another content type.
pub(super) fn json_as(
    status: StatusCode,
    content_type: HeaderValue,
    value: &impl Serialize,
) -> Response<Body> {
    match serde_json::to_vec(value) {
        Ok(bytes) => whole(status, content_type, bytes.into()),
        // Cannot happen: all keys are strings, and writing to memory does not fail.
        Err(error) => {
            debug_assert!(false, "a response could not be serialized: {error}");
            log::error!(%error, "a response could not be serialized");
            whole(
                StatusCode::INTERNAL_SERVER_ERROR,
                content_type,
                Bytes::new(),
            )
        }
    }
}

/// Returns a 200 response with a whole answer, and with `Floret-Truncated: true` if something is
/// left out.
pub(super) fn cut(answer: &Cut<impl Serialize>) -> Response<Body> {
    let mut response = json(StatusCode::OK, &answer.value);
    if answer.is_cut {
        let headers = response.headers_mut();
        headers.insert(FLORET_TRUNCATED, HeaderValue::from_static("true"));
    }
    response
}

fn whole(status: StatusCode, content_type: HeaderValue, bytes: Bytes) -> Response<Body> {
    let length = bytes.len();
    let mut response = Response::new(Body::complete(bytes));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    // A response to HEAD loses its body but must still report the length.
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    response
}

/// Returns a 204 response.
pub(super) fn no_content() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Sets a header to a computed value.
pub(super) fn set_header(
    response: &mut Response<Body>,
    name: HeaderName,
    value: String,
) -> Result<()> {
    let value = HeaderValue::try_from(value)
        .map_err(|error| Error::internal("a header has no such value").with_source(error))?;
    response.headers_mut().insert(name, value);
    Ok(())
}

/// Sets `Location` to the link of a created object.
pub(super) fn set_location(response: &mut Response<Body>, location: String) -> Result<()> {
    set_header(response, LOCATION, location)
}
