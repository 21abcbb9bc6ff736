//! The `Idempotency-Key` header of a request.
//!
//! Storage decides what a key does: `create_runs` makes it unique and answers a repeat.

use http::{HeaderMap, HeaderName, HeaderValue, Response};
use serde_json::Value;

use super::body::Body;
use super::query::Query;
use crate::engine::{RequestKey, hash_body};
use crate::error::{Error, Problem, Result, quote};

/// The request header that carries a key.
const HEADER: HeaderName = HeaderName::from_static("idempotency-key");

/// The response header that marks a repeated response.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The parameter of a list that names a key.
const PARAMETER: &str = "idempotency_key";

/// The maximum number of characters in a key.
const KEY_MAX: usize = 255;

/// Returns the key of a request with this parsed body, if it has one.
///
/// # Errors
/// `Malformed` (`invalid-idempotency-key`).
pub(super) fn key(headers: &HeaderMap, body: &Value) -> Result<Option<RequestKey>> {
    let mut given = headers.get_all(HEADER).iter();
    let Some(first) = given.next() else {
        return Ok(None);
    };
    if given.next().is_some() {
        let count = given.count().saturating_add(2);
        return Err(malformed(&format!("received {count} values")));
    }
    let text = first.as_bytes();
    match std::str::from_utf8(text).ok().filter(|key| is_key(key)) {
        Some(key) => Ok(Some(RequestKey {
            key: key.to_owned(),
            body_hash: hash_body(body),
        })),
        None => Err(malformed(&format!(
            "received {} of {} bytes",
            quote(&String::from_utf8_lossy(text)),
            text.len()
        ))),
    }
}

/// Reads the key whose run a list contains, if the query has one.
///
/// # Errors
/// `Malformed` (`invalid-parameter`).
pub(super) fn wanted_key(query: &Query) -> Result<Option<&str>> {
    let Some(key) = query.get(PARAMETER) else {
        return Ok(None);
    };
    if !is_key(key) {
        let detail = format!(
            "must have 1 to {KEY_MAX} visible ASCII characters, received {}",
            quote(key)
        );
        return Err(Error::invalid_parameter(PARAMETER, detail));
    }
    Ok(Some(key))
}

fn is_key(text: &str) -> bool {
    (1..=KEY_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Marks a response that repeats an earlier one.
pub(super) fn mark(response: &mut Response<Body>, is_replayed: bool) {
    if is_replayed {
        let replayed = HeaderValue::from_static("true");
        response.headers_mut().insert(REPLAYED, replayed);
    }
}

fn malformed(problem: &str) -> Error {
    Error::new(
        Problem::InvalidIdempotencyKey,
        format!(
            "an idempotency key is one value of 1 to {KEY_MAX} visible ASCII characters; {problem}"
        ),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(values: &[&[u8]]) -> Result<Option<RequestKey>> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HEADER, HeaderValue::from_bytes(value).unwrap());
        }
        key(&headers, &json!({}))
    }

    #[test]
    fn a_key_has_at_most_255_visible_characters_and_is_given_once() {
        assert!(read(&[]).unwrap().is_none());
        let longest = "k".repeat(255);
        for good in ["a", "~!\"", &longest] {
            assert_eq!(read(&[good.as_bytes()]).unwrap().unwrap().key, good);
        }
        let too_long = "k".repeat(256);
        for bad in [
            b"".as_slice(),
            b"a b",
            b"a\tb",
            "ä".as_bytes(),
            too_long.as_bytes(),
        ] {
            let error = read(&[bad]).unwrap_err();
            assert_eq!(error.problem(), Problem::InvalidIdempotencyKey);
        }
        let detail = |values: &[&[u8]]| read(values).unwrap_err().to_string();
        assert!(detail(&[b"a b"]).ends_with("; received \"a b\" of 3 bytes"));
        assert!(detail(&[b"a", b"a", b"b"]).ends_with("; received 3 values"));
    }
}
