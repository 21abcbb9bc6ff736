//! What the answer of a receiver means for a delivery.
//!
//! Reading it is left to `sender`. Pure.

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::header::{LOCATION, RETRY_AFTER};
use http::{HeaderMap, StatusCode};

use crate::notifier::NotifierError;

/// Characters of a receiver's text in an error.
const TEXT_CHARS_MAX: usize = 200;

/// Returns the outcome of a delivery from the answer: its head, and the beginning of its body.
///
/// # Errors
/// Returns an error for every status but 2xx. It is retryable, except for 410.
pub(super) fn outcome(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now: DateTime<Utc>,
) -> Result<(), NotifierError> {
    if status.is_success() {
        return Ok(());
    }
    let code = status.as_u16();
    if status == StatusCode::GONE {
        let message = "the receiver answered 410: it wants no more events";
        return Err(NotifierError::gone(message));
    }
    let message = if status.is_redirection() {
        let place = location(headers);
        format!("the receiver answered {code}: it redirects to {place}, which is not followed")
    } else {
        format!("the receiver answered {code}{}", excerpt(body))
    };
    let delay = retry_after(headers, now).unwrap_or_default();
    Err(NotifierError::retryable(message).retry_after(delay))
}

/// Returns where a redirect leads, without a query, which may have a token.
fn location(headers: &HeaderMap) -> String {
    let Some(location) = headers.get(LOCATION) else {
        return "no place".to_owned();
    };
    let place = location
        .as_bytes()
        .split(|byte| matches!(byte, b'?' | b'#'))
        .next();
    printable(place.unwrap_or_default())
}

/// Returns the beginning of a body for an error, or nothing if it has no text.
fn excerpt(body: &[u8]) -> String {
    let text = printable(body);
    if text.is_empty() {
        text
    } else {
        format!(": {text}")
    }
}

/// Returns the beginning of a text on one line, without control characters.
fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut words = text.split(|letter: char| letter.is_whitespace() || letter.is_control());
    let mut printable = String::new();
    while let Some(word) = words.next()
        && printable.chars().count() <= TEXT_CHARS_MAX
    {
        if !word.is_empty() {
            if !printable.is_empty() {
                printable.push(' ');
            }
            printable.push_str(word);
        }
    }
    if let Some((end, _)) = printable.char_indices().nth(TEXT_CHARS_MAX) {
        printable.truncate(end);
        printable.push('…');
    }
    printable
}

/// Returns how long the receiver asks to wait (RFC 9110): in seconds, or until a date.
fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = DateTime::parse_from_rfc2822(text).ok()?;
    until.signed_duration_since(now).to_std().ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::testing::contract::fixtures::at;

    fn of(status: u16, headers: &[(http::HeaderName, &'static str)], body: &str) -> NotifierError {
        let status = StatusCode::from_u16(status).unwrap();
        let headers = headers
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        let headers = headers.collect();
        outcome(status, &headers, body.as_bytes(), at(0)).unwrap_err()
    }

    #[test]
    fn only_a_status_of_success_delivers() {
        for status in 100..=599 {
            let status = StatusCode::from_u16(status).unwrap();
            let outcome = outcome(status, &HeaderMap::new(), b"", at(0));
            assert_eq!(outcome.is_ok(), status.is_success(), "{status}");
            if let Err(error) = outcome {
                assert_eq!(error.is_gone(), status == StatusCode::GONE, "{status}");
                assert_eq!(error.is_retryable(), status != StatusCode::GONE, "{status}");
                assert!(error.message().contains(status.as_str()), "{error}");
            }
        }
    }

    #[test]
    fn a_redirect_is_named_without_its_query() {
        let error = of(302, &[(LOCATION, "http://10.0.0.1/a?token=hunter2")], "");
        assert!(error.message().contains("http://10.0.0.1/a,"), "{error}");
        assert!(!error.message().contains("hunter2"), "{error}");
    }

    #[test]
    fn the_text_of_a_receiver_is_cut_and_cannot_forge_a_line() {
        let error = of(500, &[], "no\r\ndisk\u{1b}[31m");
        assert_eq!(error.message(), "the receiver answered 500: no disk [31m");
        let error = of(500, &[], &"ä".repeat(10_000));
        assert!(error.message().chars().count() < 250, "{error}");
    }

    #[test]
    fn a_receiver_may_ask_for_a_delay() {
        let later = (at(0) + chrono::TimeDelta::seconds(90)).to_rfc2822();
        let later: &'static str = later.leak();
        for (text, seconds) in [
            ("120", 120),
            (later, 90),
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("soon", 0),
            ("-5", 0),
            ("99999999999", 24 * 3_600),
        ] {
            let error = of(503, &[(RETRY_AFTER, text)], "");
            assert_eq!(error.delay_min(), Duration::from_secs(seconds), "{text}");
        }
    }
}
