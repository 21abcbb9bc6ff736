//! Finds a secret, or the start of one, in the encodings of URLs, forms, JSON and Rust.
//!
//! `mask` replaces what is found.

use std::ops::Range;

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

/// Returns where a text first contains the secret with at least one encoded character. Each
/// character may be encoded or not, because encoders differ in what they leave as it is.
pub(super) fn find(text: &str, secret: &str) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    (0..bytes.len()).find_map(|start| {
        let rest = bytes.get(start..)?;
        let length = percent_length(rest, secret).or_else(|| json_length(rest, secret))?;
        let range = start..start.checked_add(length)?;
        text.get(range.clone()).map(|_| range)
    })
}

/// Returns whether a text is the start of the secret, whose end was cut off: at least `bytes_min`
/// bytes of it, plain or in one of the encodings.
pub(super) fn is_start(text: &str, secret: &str, bytes_min: usize) -> bool {
    let text = text.as_bytes();
    let characters = secret
        .chars()
        .map(|character| (character.len_utf8(), character));
    let bytes = secret.bytes().map(|byte| (1, byte));
    let read = [
        read_to_the_end(text, bytes, percent_step),
        read_to_the_end(text, characters, json_step),
    ];
    read.into_iter().flatten().any(|read| read >= bytes_min)
}

/// Returns how many bytes of a secret a text has at its end, or `None` if it has something else.
fn read_to_the_end<T>(
    text: &[u8],
    units: impl Iterator<Item = (usize, T)>,
    step: impl Fn(&[u8], T) -> Option<usize>,
) -> Option<usize> {
    let (mut length, mut read) = (0_usize, 0_usize);
    for (size, unit) in units {
        let rest = text.get(length..)?;
        if rest.is_empty() || is_open_escape(rest) {
            return Some(read);
        }
        length += step(rest, unit)?;
        read += size;
    }
    None
}

/// Returns whether a text is an escape whose end was cut off.
fn is_open_escape(text: &[u8]) -> bool {
    let is_digits = |text: &[u8]| text.iter().all(u8::is_ascii_hexdigit);
    match text {
        [b'%', digits @ ..] => digits.len() < 2 && is_digits(digits),
        [b'\\'] => true,
        [b'\\', b'u', b'{', digits @ ..] => is_digits(digits),
        [b'\\', b'u', digits @ ..] => digits.len() < 4 && is_digits(digits),
        _ => false,
    }
}

/// Returns how many bytes at the start of a text are the secret in the encoding of URLs or forms.
fn percent_length(text: &[u8], secret: &str) -> Option<usize> {
    let mut length = 0_usize;
    for byte in secret.bytes() {
        length += percent_step(text.get(length..)?, byte)?;
    }
    Some(length)
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

/// Returns how many bytes at the start of a text are the secret inside a string of JSON or Rust.
fn json_length(text: &[u8], secret: &str) -> Option<usize> {
    let mut length = 0_usize;
    for character in secret.chars() {
        length += json_step(text.get(length..)?, character)?;
    }
    Some(length)
}

fn json_step(text: &[u8], character: char) -> Option<usize> {
    if text.first()? == &b'\\' {
        return escape_length(text, character);
    }
    let mut buffer = [0; 4];
    let literal = character.encode_utf8(&mut buffer).as_bytes();
    text.starts_with(literal).then_some(literal.len())
}

/// Returns the length of the escape of a character at the start of a text.
///
/// Those of JSON are known, and those of Rust, by which Floret quotes a text in its errors.
fn escape_length(text: &[u8], character: char) -> Option<usize> {
    let short = match character {
        '"' | '\\' | '/' | '\'' => Some(character),
        '\0' => Some('0'),
        '\u{8}' => Some('b'),
        '\u{c}' => Some('f'),
        '\n' => Some('n'),
        '\r' => Some('r'),
        '\t' => Some('t'),
        _ => None,
    };
    let after = text.get(1).map(|byte| char::from(*byte));
    if short.is_some() && after == short {
        return Some(2);
    }
    let rust = character.escape_unicode().to_string();
    if text.starts_with(rust.as_bytes()) {
        return Some(rust.len());
    }
    let mut units = [0; 2];
    let mut length = 0_usize;
    for unit in character.encode_utf16(&mut units) {
        let escape = text.get(length..length.checked_add(6)?)?;
        let digits = std::str::from_utf8(escape.strip_prefix(b"\\u")?).ok()?;
        (u16::from_str_radix(digits, 16).ok()? == *unit).then_some(())?;
        length += escape.len();
    }
    Some(length)
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
