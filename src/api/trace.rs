//! The header `traceparent` of a request (W3C Trace Context).
//!
//! `model/trace_parent` parses it. The engine stores it with the runs that the request creates.

use http::{HeaderMap, HeaderName};

use crate::model::TraceParent;

const HEADER: HeaderName = HeaderName::from_static("traceparent");

/// Returns the place of a request in a distributed trace.
///
/// A header that is invalid or repeated counts as absent, as the standard wants it: a fault of a
/// trace must not refuse a request.
pub(super) fn parent(headers: &HeaderMap) -> Option<TraceParent> {
    let mut given = headers.get_all(HEADER).iter();
    let only = given.next().filter(|_| given.next().is_none());
    only?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_header_that_is_invalid_or_repeated_counts_as_absent() {
        for (values, expected) in [
            (&[GIVEN] as &[_], Some(GIVEN)),
            (&[], None),
            (&[GIVEN, GIVEN], None),
            (&["00-4bf92f35"], None),
            (&["\u{e9}"], None),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(HEADER, HeaderValue::from_str(value).unwrap());
            }
            let read = parent(&headers).map(String::from);
            assert_eq!(read.as_deref(), expected, "{values:?}");
        }
    }
}
