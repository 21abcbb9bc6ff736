//! Finds a secret, or the start of one, in the encodings of URLs, forms, JSON and Rust.
//!
//! `mask` replaces what is found, and `escapes` reads the strings of JSON and Rust.

use std::ops::Range;

use super::escapes::{self, Read};

/// Returns whether an encoding may change a text. Letters, digits and the other unreserved
/// characters of RFC 3986 stay as they are everywhere.
pub(super) fn is_encodable(text: &str) -> bool {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    !text.bytes().all(is_unreserved)
}

/// Returns whether a text may contain something encoded.
pub(super) fn has_encoding(text: &str) -> bool {
    text.contains(['%', '\\', '+'])
}

/// How often a text may be escaped: a program escapes a secret, and an error quotes its output.
const DEPTH_MAX: u8 = 2;

/// Returns where a text first contains the secret with at least one encoded character. Each
/// character may be encoded or not, because encoders differ in what they leave as it is.
pub(super) fn find(text: &str, secret: &str) -> Option<Range<usize>> {
    text.char_indices().find_map(|(start, _)| {
        let rest = text.get(start..)?;
        let escaped = || (1..=DEPTH_MAX).find_map(|depth| escaped_length(rest, secret, depth));
        let length = percent_length(rest.as_bytes(), secret).or_else(escaped)?;
        let range = start..start.checked_add(length)?;
        text.get(range.clone()).map(|_| range)
    })
}

/// Returns whether a text is the start of the secret, whose end was cut off: at least `bytes_min`
/// bytes of it, plain or in one of the encodings.
pub(super) fn is_start(text: &str, secret: &str, bytes_min: usize) -> bool {
    let escaped = (0..=DEPTH_MAX).filter_map(|depth| escaped_start(text, secret, depth));
    let mut read = percent_start(text.as_bytes(), secret)
        .into_iter()
        .chain(escaped);
    read.any(|read| read >= bytes_min)
}

/// Returns how many bytes at the start of a text are the secret in the encoding of URLs or forms.
fn percent_length(text: &[u8], secret: &str) -> Option<usize> {
    let mut length = 0_usize;
    for byte in secret.bytes() {
        length += percent_step(text.get(length..)?, byte)?;
    }
    Some(length)
}

/// Returns how many bytes of the secret a text is in the encoding of URLs or forms.
fn percent_start(text: &[u8], secret: &str) -> Option<usize> {
    let mut length = 0_usize;
    for (read, byte) in secret.bytes().enumerate() {
        let rest = text.get(length..)?;
        if rest.is_empty() || is_cut_percent(rest) {
            return Some(read);
        }
        length += percent_step(rest, byte)?;
    }
    None
}

fn is_cut_percent(text: &[u8]) -> bool {
    matches!(text, [b'%', digits @ ..] if digits.len() < 2 && digits.iter().all(u8::is_ascii_hexdigit))
}

fn percent_step(text: &[u8], byte: u8) -> Option<usize> {
    match (percent_byte(text), text.first()?) {
        (Some(decoded), _) if decoded == byte => Some(3),
        (_, literal) if *literal == byte => Some(1),
        (_, b'+') if byte == b' ' => Some(1),
        _ => None,
    }
}

fn percent_byte(text: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = text else {
        return None;
    };
    let [high, low] = [high, low].map(|digit| char::from(*digit).to_digit(16));
    u8::try_from(high?.checked_mul(16)?.checked_add(low?)?).ok()
}

/// Returns how many bytes at the start of a text are the secret inside a string of JSON or Rust,
/// which may be inside another one.
fn escaped_length(text: &str, secret: &str, depth: u8) -> Option<usize> {
    let mut length = 0_usize;
    for character in secret.chars() {
        match escapes::read(text.get(length..)?, depth) {
            Read::Char(read, size) if read == character => length += size,
            Read::Char(..) | Read::Cut | Read::Other => return None,
        }
    }
    Some(length)
}

/// Returns how many bytes of the secret a text is inside such a string.
fn escaped_start(text: &str, secret: &str, depth: u8) -> Option<usize> {
    let mut length = 0_usize;
    for (start, character) in secret.char_indices() {
        match escapes::read(text.get(length..)?, depth) {
            Read::Char(read, size) if read == character => length += size,
            Read::Cut => return Some(start),
            Read::Char(..) | Read::Other => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoding_of_a_secret_is_found() {
        let secret = "p@ß/w \"d\"\n\u{1f600}%+";
        for encoded in [
            "p%40%C3%9F%2Fw%20%22d%22%0A%F0%9F%98%80%25%2B",
            "p%40%c3%9f/w+%22d%22%0a%f0%9f%98%80%25%2b",
            "p@ß%2fw \"d\"\n\u{1f600}%25+",
            r#"p@ß/w \"d\"\n😀%+"#,
            r#"p\u0040\u00df\/w\u0020\u0022d\"\u000a\ud83d\uDE00%+"#,
            r#"p\u{40}\u{df}/w \"d\"\n\u{1f600}%+"#,
        ] {
            let text = format!("url=x{encoded}&y");
            let expected = 5..5 + encoded.len();
            assert_eq!(find(&text, secret), Some(expected), "{encoded}");
        }
        for other in ["", "%", "\\", "\\u", "%4", "p%40%C3", "P%40%C3%9F%2Fw%20"] {
            assert_eq!(find(other, secret), None, "{other}");
        }
    }

    #[test]
    fn a_text_that_floret_quotes_is_found() {
        for secret in ["it's", "a\0b\u{1b}[0m", "e\u{301}\u{200b}x", "\"\\\r\n\t"] {
            let text = format!("received {}", crate::error::quote(secret));
            let expected = 10..text.len() - 1;
            assert_eq!(find(&text, secret), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_text_that_was_escaped_before_floret_quotes_it_is_found() {
        let secret = "p\"ss'\\ß\n\u{1f600}%+";
        for ascii in [false, true] {
            let mut json = serde_json::to_string(secret).unwrap();
            if ascii {
                json = json.replace('ß', "\\u00df").replace('😀', "\\ud83d\\ude00");
            }
            let text = crate::error::quote(&format!("say {json}!"));
            let found = find(&text, secret).unwrap();
            assert_eq!(text.get(..found.start), Some("\"say \\\""), "{text}");
            assert_eq!(text.get(found.end..), Some("\\\"!\""), "{text}");
            let cut = &text[..found.end - 2];
            assert!(is_start(&cut[found.start..], secret, 4), "{cut}");
        }
    }

    #[test]
    fn the_start_of_a_secret_is_known_in_every_encoding() {
        let secret = "p@ß/w \"d\"";
        for start in [
            "p@ß",
            "p@ß/w \"d",
            "p%40%C3%9F",
            "p%40%C3%9F%",
            "p%40%C3%9F%2",
            r"p@ß\",
            r"p\u0040ß\u00",
            r"p\u{40}ß\u{2",
        ] {
            assert!(is_start(start, secret, 4), "{start}");
        }
        for other in [
            "",
            "p@\u{c3}",
            "p%40",
            "p@ß/x",
            "xp@ß/w",
            "p@ß%4x",
            r"p@ß\x",
            "p@ß/w \"d\"",
            "p@ß/w \"d\"…",
        ] {
            assert!(!is_start(other, secret, 4), "{other}");
        }
    }

    #[test]
    fn a_secret_that_no_encoding_changes_is_not_searched() {
        for (text, expected) in [
            ("abc-DEF_0.9~", false),
            ("a b", true),
            ("a/b", true),
            ("ä", true),
            ("a+b", true),
        ] {
            assert_eq!(is_encodable(text), expected, "{text}");
        }
    }
}
