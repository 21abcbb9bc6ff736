//! The headers of a WebSocket upgrade and of its response (RFC 6455, section 4.2).
//!
//! `websocket` decides whether the caller gets a stream.

use http::header::{
    AUTHORIZATION, CONNECTION, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Version};
use sha1::{Digest, Sha1};

use crate::api::body::Body;
use crate::api::{problem, response};
use crate::error::{Error, Problem, Result, quote};

/// The subprotocol that the server selects if the client offers it.
const OWN_PROTOCOL: &str = "floret";
/// The prefix of an API key that is sent as a subprotocol.
const KEY_PREFIX: &str = "bearer.";
const VERSION: &str = "13";
/// The length of a `Sec-WebSocket-Key`: 16 bytes in Base64.
const KEY_CHARACTERS: usize = 24;

/// Copies a key from the subprotocol `bearer.<key>` to the header `Authorization: Bearer <key>`.
///
/// A browser cannot set this header on a WebSocket, but access control reads it. An existing header
/// stays unchanged, and a request that is no upgrade gets none.
pub(in crate::api) fn authorize_by_subprotocol(mut parts: Parts) -> Parts {
    if !is_upgrade(&parts) || parts.headers.contains_key(AUTHORIZATION) {
        return parts;
    }
    let key = tokens(&parts.headers, &SEC_WEBSOCKET_PROTOCOL)
        .find_map(|offered| offered.strip_prefix(KEY_PREFIX));
    let value = key.map(|key| HeaderValue::try_from(format!("Bearer {key}")));
    if let Some(Ok(mut value)) = value {
        value.set_sensitive(true);
        parts.headers.insert(AUTHORIZATION, value);
    }
    parts
}

/// Returns the response that accepts an upgrade.
///
/// # Errors
/// `Malformed` (`upgrade-required`), which names the header that is missing or wrong.
pub(super) fn accept(parts: &Parts) -> Result<Response<Body>> {
    let key = check(parts)?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    if let Some(selected) = select_protocol(&parts.headers) {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, selected);
    }
    response::set_header(&mut response, SEC_WEBSOCKET_ACCEPT, accept_key(key))?;
    Ok(response)
}

/// Returns the response to a request that is not a complete upgrade. Its headers name what is
/// required.
pub(super) fn refuse(error: &Error) -> Response<Body> {
    let mut response = problem::to_response(error);
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION));
    response
}

/// Returns whether a request asks for an upgrade to a WebSocket.
fn is_upgrade(parts: &Parts) -> bool {
    let has = |name: &HeaderName, token: &str| {
        tokens(&parts.headers, name).any(|own| own.eq_ignore_ascii_case(token))
    };
    let is_request = parts.method == Method::GET && parts.version == Version::HTTP_11;
    is_request && has(&CONNECTION, "upgrade") && has(&UPGRADE, "websocket")
}

fn check(parts: &Parts) -> Result<&str> {
    let headers = &parts.headers;
    if !is_upgrade(parts) {
        return Err(required(
            "this is a WebSocket: send GET over HTTP/1.1 with `Connection: Upgrade` and `Upgrade: websocket`".to_owned(),
        ));
    }
    let version = single(headers, &SEC_WEBSOCKET_VERSION);
    if version != Some(VERSION) {
        let received = quote(version.unwrap_or_default());
        return Err(required(format!(
            "Sec-WebSocket-Version must be {VERSION}, received {received}"
        )));
    }
    let key = single(headers, &SEC_WEBSOCKET_KEY).unwrap_or_default();
    if !is_key(key) {
        return Err(required(format!(
            "Sec-WebSocket-Key must be 16 bytes in Base64, once, received {}",
            quote(key)
        )));
    }
    Ok(key)
}

fn required(detail: String) -> Error {
    Error::new(Problem::UpgradeRequired, detail)
}

/// Returns the elements of a list header, which may be given more than once.
fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',').map(str::trim))
}

fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok().map(str::trim),
        (Some(_), Some(_)) | (None, _) => None,
    }
}

fn is_key(key: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let bare = key.strip_suffix("==");
    key.len() == KEY_CHARACTERS && bare.is_some_and(|bare| bare.bytes().all(is_letter))
}

/// Selects one of the offered subprotocols: our own, otherwise any other, and a key as the last
/// resort.
///
/// A client that offers subprotocols aborts if the server selects none.
fn select_protocol(headers: &HeaderMap) -> Option<HeaderValue> {
    let offered: Vec<_> = tokens(headers, &SEC_WEBSOCKET_PROTOCOL)
        .filter(|offered| !offered.is_empty())
        .collect();
    let own = offered.iter().find(|offered| **offered == OWN_PROTOCOL);
    let other = offered
        .iter()
        .find(|offered| !offered.starts_with(KEY_PREFIX));
    let selected = own.or(other).or_else(|| offered.first())?;
    HeaderValue::from_str(selected).ok()
}

/// Computes the proof that the server read the key (RFC 6455, section 4.2.2).
fn accept_key(key: &str) -> String {
    const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    base64(&digest)
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let byte = |index: usize| group.get(index).copied().map_or(0, u32::from);
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for index in 0..4_usize {
            let letter = bits >> (18 - 6 * index) & 63;
            text.push(if index <= group.len() {
                char::from(LETTERS[letter as usize])
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

    fn parts(headers: &[(&str, &str)]) -> Parts {
        let whole = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", KEY),
        ];
        let mut request = http::Request::get("/ws");
        let given = |name: &str| headers.iter().any(|(own, _)| *own == name);
        for (name, value) in whole.iter().filter(|(name, _)| !given(name)) {
            request = request.header(*name, *value);
        }
        for (name, value) in headers.iter().filter(|(_, value)| *value != "-") {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn the_example_key_of_the_standard_is_accepted() {
        let response = accept(&parts(&[])).unwrap();
        assert_eq!(response.status(), 101);
        let accepted = &response.headers()[SEC_WEBSOCKET_ACCEPT];
        assert_eq!(accepted, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert!(!response.headers().contains_key(SEC_WEBSOCKET_PROTOCOL));
    }

    #[test]
    fn base64_is_padded_to_groups_of_four() {
        for (bytes, expected) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), expected);
        }
    }

    #[test]
    fn a_refusal_names_the_missing_or_wrong_header() {
        for (header, value, expected) in [
            ("connection", "-", "Connection: Upgrade"),
            ("connection", "close", "Connection: Upgrade"),
            ("upgrade", "-", "Upgrade: websocket"),
            ("upgrade", "h2c", "Upgrade: websocket"),
            ("sec-websocket-version", "-", "must be 13, received \"\""),
            ("sec-websocket-version", "8", "must be 13, received \"8\""),
            ("sec-websocket-key", "-", "16 bytes in Base64"),
            ("sec-websocket-key", "short==", "received \"short==\""),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=!", "16 bytes"),
        ] {
            let error = accept(&parts(&[(header, value)])).unwrap_err();
            assert_eq!(error.problem(), Problem::UpgradeRequired);
            assert!(error.to_string().contains(expected), "{header}: {error}");
        }
        let twice = parts(&[("sec-websocket-key", KEY), ("sec-websocket-key", KEY)]);
        assert!(accept(&twice).is_err());
        let response = refuse(&accept(&parts(&[("upgrade", "-")])).unwrap_err());
        assert_eq!(response.status(), 426);
        assert_eq!(response.headers()["upgrade"], "websocket");
        assert_eq!(response.headers()["sec-websocket-version"], "13");
    }

    #[test]
    fn an_offered_protocol_is_selected_and_a_key_only_as_the_last_resort() {
        for (offered, expected) in [
            ("floret", "floret"),
            ("bearer.k, floret", "floret"),
            ("other, floret", "floret"),
            ("bearer.k, other", "other"),
            ("bearer.k", "bearer.k"),
        ] {
            let response = accept(&parts(&[("sec-websocket-protocol", offered)])).unwrap();
            assert_eq!(response.headers()[SEC_WEBSOCKET_PROTOCOL], expected);
        }
    }

    #[test]
    fn a_key_in_a_subprotocol_becomes_the_authorization_unless_there_is_one() {
        let shown = |headers: &[(&str, &str)]| {
            let parts = authorize_by_subprotocol(parts(headers));
            let shown = parts.headers.get(AUTHORIZATION).cloned();
            shown.map(|value| (value.to_str().unwrap().to_owned(), value.is_sensitive()))
        };
        let bearer = |key: &str| Some((format!("Bearer {key}"), true));
        let offered = ("sec-websocket-protocol", "floret, bearer.s3cret");
        assert_eq!(shown(&[offered]), bearer("s3cret"));
        assert_eq!(shown(&[("sec-websocket-protocol", "floret")]), None);
        for no_upgrade in [("connection", "-"), ("upgrade", "-"), ("upgrade", "h2c")] {
            assert_eq!(shown(&[offered, no_upgrade]), None, "{no_upgrade:?}");
        }
        let own = shown(&[offered, ("authorization", "Bearer own")]);
        assert_eq!(own, Some(("Bearer own".to_owned(), false)));
    }
}
