//! Reads a text in the encodings of URLs, forms, JSON and Rust.
//!
//! `mask` hides what `search` finds in a reading. `escapes` reads the strings of JSON and Rust.

use super::escapes::{self, Read};

/// How a text may hide a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Plain,
    Url,
    /// As [`Url`](Self::Url), with `+` for a space.
    Form,
    /// The string of JSON or Rust, inside so many others.
    Escaped(u8),
}

impl Encoding {
    /// A program escapes a secret, and an error quotes its output.
    const CHANGING: [Self; 4] = [Self::Url, Self::Form, Self::Escaped(1), Self::Escaped(2)];

    /// Returns the encodings that read a text differently from what it is.
    pub(super) fn changing(text: &str) -> impl Iterator<Item = Self> {
        let mark = |encoding: &Self| match encoding {
            Self::Plain => false,
            Self::Url => text.contains('%'),
            Self::Form => text.contains('+'),
            Self::Escaped(_) => text.contains('\\'),
        };
        Self::CHANGING.into_iter().filter(mark)
    }
}

/// Returns whether an encoding may change a text. Letters, digits and the other unreserved
/// characters of RFC 3986 stay as they are everywhere.
pub(super) fn is_encodable(text: &str) -> bool {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    !text.bytes().all(is_unreserved)
}

/// Decodes the encoding of URLs, if a text has it.
pub(super) fn decode_url(text: &str) -> Option<String> {
    let (mut decoded, mut at) = (Vec::new(), 0);
    while let Unit::Bytes { bytes, count, size } = read_url(text.as_bytes().get(at..)?, false) {
        decoded.extend(bytes.iter().take(count));
        at += size;
    }
    let decoded = String::from_utf8(decoded).ok()?;
    (at == text.len() && decoded != text).then_some(decoded)
}

/// What an encoding reads at each byte of a text: a secret may start anywhere.
#[derive(Debug)]
pub(super) struct Reading(Vec<Unit>);

/// What is at a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// The first `count` of the `bytes`, which have `size` bytes in the text.
    Bytes {
        bytes: [u8; 4],
        count: usize,
        size: usize,
    },
    /// A character that the end of the text cuts.
    Cut,
    /// Nothing that the encoding has.
    Other,
}

impl Unit {
    const fn byte(byte: u8, size: usize) -> Self {
        Self::Bytes {
            bytes: [byte, 0, 0, 0],
            count: 1,
            size,
        }
    }

    fn character(character: char, size: usize) -> Self {
        let mut bytes = [0; 4];
        let count = character.encode_utf8(&mut bytes).len();
        Self::Bytes { bytes, count, size }
    }
}

impl Reading {
    pub(super) fn of(text: &str, encoding: Encoding) -> Self {
        let unit = |at: usize| match encoding {
            Encoding::Plain => read_escaped(text, at, 0),
            Encoding::Url => read_url(&text.as_bytes()[at..], false),
            Encoding::Form => read_url(&text.as_bytes()[at..], true),
            Encoding::Escaped(depth) => read_escaped(text, at, depth),
        };
        Self((0..text.len()).map(unit).collect())
    }

    pub(super) fn units(&self) -> &[Unit] {
        &self.0
    }
}

fn read_url(text: &[u8], is_form: bool) -> Unit {
    match text {
        [] => Unit::Cut,
        [b'%', digits @ ..] if digits.len() < 2 && digits.iter().all(u8::is_ascii_hexdigit) => {
            Unit::Cut
        }
        [b'+', ..] if is_form => Unit::byte(b' ', 1),
        [first, ..] => percent_byte(text).map_or(Unit::byte(*first, 1), |byte| Unit::byte(byte, 3)),
    }
}

fn percent_byte(text: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = text else {
        return None;
    };
    let [high, low] = [high, low].map(|digit| char::from(*digit).to_digit(16));
    u8::try_from(high?.checked_mul(16)?.checked_add(low?)?).ok()
}

fn read_escaped(text: &str, at: usize, depth: u8) -> Unit {
    match text.get(at..).map(|rest| escapes::read(rest, depth)) {
        Some(Read::Char(character, size)) => Unit::character(character, size),
        Some(Read::Cut) => Unit::Cut,
        Some(Read::Other) | None => Unit::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_no_encoding_changes_is_known() {
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

    #[test]
    fn only_the_encodings_that_change_a_text_are_read() {
        for (text, expected) in [
            ("plain", &[][..]),
            ("100%", &[Encoding::Url]),
            ("a+b", &[Encoding::Form]),
            ("a\\b", &[Encoding::Escaped(1), Encoding::Escaped(2)]),
        ] {
            let encodings: Vec<_> = Encoding::changing(text).collect();
            assert_eq!(encodings, expected, "{text}");
        }
    }

    #[test]
    fn the_encoding_of_urls_is_decoded() {
        for (text, expected) in [
            ("p%40%c3%9f+", Some("p@ß+")),
            ("100%25", Some("100%")),
            ("%zz%41", Some("%zzA")),
            ("plain", None),
            ("%ff", None),
            ("cut%4", None),
        ] {
            assert_eq!(decode_url(text).as_deref(), expected, "{text}");
        }
    }
}
