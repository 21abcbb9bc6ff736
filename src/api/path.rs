//! Parts of a URI: percent-encoding, the parameters of a path, and the prefix of the service.
//!
//! `router` finds the route of a path.

use std::borrow::Cow;

/// The decoded parameters of a path.
#[derive(Debug, Default)]
pub(super) struct Params(Vec<(&'static str, String)>);

impl Params {
    /// Decodes every parameter. Returns `None` if one is not decodable.
    pub(super) fn decoded<'a>(
        given: impl Iterator<Item = (&'static str, &'a str)>,
    ) -> Option<Self> {
        let mut params = Vec::with_capacity(given.size_hint().0);
        for (name, value) in given {
            params.push((name, decode(value)?.into_owned()));
        }
        Some(Self(params))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let own = self.0.iter().find(|(own, _)| *own == name);
        own.map(|(_, value)| value.as_str())
    }
}

/// Decodes percent-encoding (RFC 3986, section 2.1).
///
/// Returns `None` if the encoding is broken or the result is not UTF-8.
pub(super) fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => hex(rest.next()?)? << 4 | hex(rest.next()?)?,
            other => other,
        });
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

/// Appends a text to a query and encodes all but the unreserved characters (RFC 3986, section 2.3).
pub(super) fn encode(text: &str, into: &mut String) {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            into.push(char::from(byte));
        } else {
            into.push('%');
            into.push(DIGITS[usize::from(byte >> 4)]);
            into.push(DIGITS[usize::from(byte & 15)]);
        }
    }
}

/// Normalizes a prefix: it starts with a slash and does not end with one, or it is empty.
pub(super) fn prefix(given: &str) -> String {
    match given.trim_matches('/') {
        "" => String::new(),
        inner => format!("/{inner}"),
    }
}

/// Returns the path below the prefix, or the path itself if the host has already stripped the
/// prefix.
pub(super) fn below<'a>(prefix: &str, path: &'a str) -> &'a str {
    match path.strip_prefix(prefix) {
        Some(rest) if rest.starts_with('/') => rest,
        Some(_) | None => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_percent_encoding_is_refused() {
        for (text, expected) in [
            ("a-b", Some("a-b")),
            ("a%2Fb%2e", Some("a/b.")),
            ("%C3%a4", Some("ä")),
            ("a%", None),
            ("a%2", None),
            ("a%zz", None),
            ("%ff", None),
            ("a+b", Some("a+b")),
        ] {
            assert_eq!(decode(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn decoding_reverses_encoding() {
        let mut encoded = String::new();
        encode("a b&c=ä/~", &mut encoded);
        assert_eq!(encoded, "a%20b%26c%3D%C3%A4%2F~");
        assert_eq!(decode(&encoded).as_deref(), Some("a b&c=ä/~"));
    }

    #[test]
    fn a_prefix_ends_at_a_slash() {
        for (given, path, expected) in [
            ("/api", "/api/runs", "/runs"),
            ("api/", "/api/runs", "/runs"),
            ("/api", "/runs", "/runs"),
            ("/api", "/apiary", "/apiary"),
            ("/api", "/api", "/api"),
            ("", "/runs", "/runs"),
            ("/", "/runs", "/runs"),
            ("/v1/floret", "/v1/floret/health", "/health"),
        ] {
            assert_eq!(below(&prefix(given), path), expected, "{given} {path}");
        }
    }
}
