//! Finds a secret in the encodings of URLs, forms and JSON.
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

/// Returns how many bytes at the start of a text are the secret in the encoding of URLs or forms.
fn percent_length(text: &[u8], secret: &str) -> Option<usize> {
    let mut length = 0_usize;
    for byte in secret.bytes() {
        let rest = text.get(length..)?;
        length += match (percent_byte(rest), rest.first()?) {
            (Some(decoded), _) if decoded == byte => 3,
            (_, literal) if *literal == byte => 1,
            (_, b'+') if byte == b' ' => 1,
            _ => return None,
        };
    }
    Some(length)
}

fn percent_byte(text: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = text else {
        return None;
    };
    let [high, low] = [high, low].map(|digit| char::from(*digit).to_digit(16));
    u8::try_from(high?.checked_mul(16)?.checked_add(low?)?).ok()
}

/// Returns how many bytes at the start of a text are the secret inside a JSON string.
fn json_length(text: &[u8], secret: &str) -> Option<usize> {
    let mut length = 0_usize;
    for character in secret.chars() {
        let rest = text.get(length..)?;
        length += match rest.first()? {
            b'\\' => escape_length(rest, character)?,
            _ => {
                let mut buffer = [0; 4];
                let literal = character.encode_utf8(&mut buffer).as_bytes();
                rest.starts_with(literal).then_some(literal.len())?
            }
        };
    }
    Some(length)
}

/// Returns the length of the JSON escape of a character at the start of a text.
fn escape_length(text: &[u8], character: char) -> Option<usize> {
    let short = match character {
        '"' | '\\' | '/' => Some(character),
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
