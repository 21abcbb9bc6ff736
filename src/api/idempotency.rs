//! The `Idempotency-RequestKey` of a request.
//!
//! What a key does is decided by the engine and kept by storage.

use http::{HeaderMap, HeaderName, HeaderValue, Response};
use serde_json::Value;

use super::body::Body;
use crate::engine::{RequestKey, hash_body};
use crate::error::{Error, ErrorKind, Result};

/// The header in which a key comes.
const HEADER: HeaderName = HeaderName::from_static("idempotency-key");

/// The header that tells an answer given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The most characters of a key.
const KEY_MAX: usize = 255;

/// The key of a request with this parsed body, if it has one.
///
/// # Errors
/// `Malformed` (`invalid-idempotency-key`).
pub(super) fn key(headers: &HeaderMap, body: &Value) -> Result<Option<RequestKey>> {
    let mut given = headers.get_all(HEADER).iter();
    let Some(first) = given.next() else {
        return Ok(None);
    };
    if given.next().is_some() {
        return Err(malformed("it is given more than once"));
    }
    let text = first.as_bytes();
    let is_visible = text.iter().all(u8::is_ascii_graphic);
    let key = std::str::from_utf8(text)
        .ok()
        .filter(|text| is_visible && (1..=KEY_MAX).contains(&text.len()));
    match key {
        Some(key) => Ok(Some(RequestKey {
            key: key.to_owned(),
            body_hash: hash_body(body),
        })),
        None => Err(malformed("it has other characters or another length")),
    }
}

/// Tells of an answer whether it was given before.
pub(super) fn mark(answer: &mut Response<Body>, is_replayed: bool) {
    if is_replayed {
        let replayed = HeaderValue::from_static("true");
        answer.headers_mut().insert(REPLAYED, replayed);
    }
}

fn malformed(problem: &str) -> Error {
    Error::new(
        ErrorKind::Malformed,
        "invalid-idempotency-key",
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
    fn a_key_is_one_visible_text_of_255_characters_at_most() {
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
            assert_eq!(error.slug(), "invalid-idempotency-key");
        }
        assert!(read(&[b"a", b"a"]).is_err());
    }
}
