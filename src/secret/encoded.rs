//! Reads a text in the encodings of URLs, forms, and strings of JSON, Rust and Python.
//!
//! `mask` hides what `search` finds in a reading. `escapes` reads the strings.

use super::escapes::{self, Read};

/// How a text may hide a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Plain,
    /// The encoding of URLs, so many times: a URL may be a parameter of another one.
    Url(u8),
    /// As `Url(1)`, with `+` for a space.
    Form,
    /// A string of JSON, Rust or Python, so many times.
    Escaped(u8),
}

impl Encoding {
    /// A program escapes a secret up to three times, and an error quotes its output.
    const CHANGING: [Self; 7] = [
        Self::Url(1),
        Self::Url(2),
        Self::Form,
        Self::Escaped(1),
        Self::Escaped(2),
        Self::Escaped(3),
        Self::Escaped(4),
    ];

    /// Returns the encodings that read a text differently from what it is.
    pub(super) fn changing(text: &str) -> impl Iterator<Item = Self> {
        let changes = |encoding: &Self| match encoding {
            Self::Plain => false,
            Self::Url(1) => text.contains('%'),
            Self::Url(_) => text.contains("%25"),
            Self::Form => text.contains('+'),
            Self::Escaped(1) => text.contains('\\'),
            Self::Escaped(_) => text.contains(r"\\"),
        };
        Self::CHANGING.into_iter().filter(changes)
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
    while let Unit::Bytes { bytes, count, size } = read_url(text.as_bytes().get(at..)?, 1) {
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

    const fn single(self) -> Option<u8> {
        match self {
            Self::Bytes {
                bytes: [byte, ..],
                count: 1,
                ..
            } => Some(byte),
            Self::Bytes { .. } | Self::Cut | Self::Other => None,
        }
    }

    const fn size(self) -> usize {
        match self {
            Self::Bytes { size, .. } => size,
            Self::Cut | Self::Other => 0,
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
            Encoding::Url(depth) => read_url(&text.as_bytes()[at..], depth),
            Encoding::Form => read_form(&text.as_bytes()[at..]),
            Encoding::Escaped(depth) => read_escaped(text, at, depth),
        };
        Self((0..text.len()).map(unit).collect())
    }

    pub(super) fn units(&self) -> &[Unit] {
        &self.0
    }
}

fn read_form(text: &[u8]) -> Unit {
    match text {
        [b'+', ..] => Unit::byte(b' ', 1),
        _ => read_url(text, 1),
    }
}

/// Reads a byte of a text that was encoded `depth` times.
fn read_url(text: &[u8], depth: u8) -> Unit {
    let Some(outer) = depth.checked_sub(1) else {
        return text.first().map_or(Unit::Cut, |byte| Unit::byte(*byte, 1));
    };
    let percent = read_url(text, outer);
    if percent.single() != Some(b'%') {
        return percent;
    }
    let (mut value, mut at) = (0, percent.size());
    for _ in 0..2 {
        let digit = read_url(text.get(at..).unwrap_or_default(), outer);
        match digit.single().map(|byte| char::from(byte).to_digit(16)) {
            Some(Some(digit)) => value = value * 16 + digit,
            Some(None) => return percent,
            None => return digit,
        }
        at += digit.size();
    }
    u8::try_from(value).map_or(percent, |byte| Unit::byte(byte, at))
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
            ("100%", &[Encoding::Url(1)]),
            ("100%25", &[Encoding::Url(1), Encoding::Url(2)]),
            ("a+b", &[Encoding::Form]),
            (r"a\b", &[Encoding::Escaped(1)]),
            (
                r"a\\b",
                &[
                    Encoding::Escaped(1),
                    Encoding::Escaped(2),
                    Encoding::Escaped(3),
                    Encoding::Escaped(4),
                ],
            ),
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
