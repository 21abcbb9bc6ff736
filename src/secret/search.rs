//! Finds a secret, or the start of one, in a reading of a text.
//!
//! What follows a character depends on where it starts, so a reading has many paths. Each byte has
//! one successor: a search from the end to the start visits every byte once.

use std::ops::Range;

use super::encoded::{Reading, Unit};

/// Returns where a secret is in a text, as ranges of the text's bytes without overlaps.
pub(super) fn find(reading: &Reading, secret: &[u8]) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    // No encoding is shorter than what it encodes.
    if secret.is_empty() || reading.units().len() < secret.len() {
        return found;
    }
    for start in starts(reading, secret) {
        if found.last().is_none_or(|last| last.end <= start) {
            found.push(start..end(reading, start, secret.len()));
        }
    }
    found
}

/// Returns where the start of a secret begins whose end was cut off: the text from there to its end
/// is at least `bytes_min` bytes of the secret.
pub(super) fn find_start(reading: &Reading, secret: &[u8], bytes_min: usize) -> Option<usize> {
    let units = reading.units();
    let prefixes = prefix_sums(secret, units.len());
    let mut tails = vec![Some(Tail::default()); units.len() + 1];
    let mut first = None;
    for (at, unit) in units.iter().enumerate().rev() {
        tails[at] = match unit {
            Unit::Bytes { bytes, count, size } => {
                tails[at + size].map(|tail| tail.after(&bytes[..*count]))
            }
            Unit::Cut => Some(Tail::default()),
            Unit::Other => None,
        };
        let is_start =
            |tail: &Tail| tail.length >= bytes_min && prefixes.get(tail.length) == Some(&tail.sum);
        if tails[at].as_ref().is_some_and(is_start) {
            first = Some(at);
        }
    }
    first
}

/// Returns the bytes at which a secret starts, in ascending order.
fn starts(reading: &Reading, secret: &[u8]) -> Vec<usize> {
    let units = reading.units();
    let pattern = Backwards::new(secret);
    let (mut matched, mut starts) = (vec![0; units.len() + 1], Vec::new());
    for (at, unit) in units.iter().enumerate().rev() {
        if let Unit::Bytes { bytes, count, size } = unit {
            let bytes = bytes[..*count].iter().rev();
            matched[at] = bytes.fold(matched[at + size], |matched, byte| {
                pattern.step(matched, *byte)
            });
        }
        if matched[at] == secret.len() {
            starts.push(at);
        }
    }
    starts.reverse();
    starts
}

/// Returns where `length` bytes end that start at `at`.
fn end(reading: &Reading, start: usize, length: usize) -> usize {
    let (mut at, mut left) = (start, length);
    while left > 0 {
        match reading.units().get(at) {
            Some(Unit::Bytes { count, size, .. }) => {
                at += size;
                left = left.saturating_sub(*count);
            }
            Some(Unit::Cut | Unit::Other) | None => break,
        }
    }
    at
}

/// A secret that is searched from its end to its start, by the algorithm of Knuth, Morris and
/// Pratt (1977).
struct Backwards<'a> {
    secret: &'a [u8],
    /// For each number of matched bytes: how many of them still match one byte later.
    failures: Vec<usize>,
}

impl<'a> Backwards<'a> {
    fn new(secret: &'a [u8]) -> Self {
        let failures = vec![0; secret.len() + 1];
        let mut pattern = Self { secret, failures };
        let mut matched = 0;
        for (index, byte) in secret.iter().rev().enumerate().skip(1) {
            matched = pattern.step(matched, *byte);
            pattern.failures[index + 1] = matched;
        }
        pattern
    }

    /// Returns how many bytes match after one more.
    fn step(&self, matched: usize, byte: u8) -> usize {
        let mut matched = matched;
        while self.byte(matched) != Some(byte) {
            if matched == 0 {
                return 0;
            }
            matched = self.failures[matched];
        }
        matched + 1
    }

    /// The byte that follows so many matched ones.
    fn byte(&self, matched: usize) -> Option<u8> {
        self.secret.iter().rev().nth(matched).copied()
    }
}

/// What is read from a byte to the end of a text: its length and its polynomial hash.
///
/// Texts with the same hash are almost always equal. Otherwise the mask hides too much, which does
/// no harm.
#[derive(Debug, Clone, Copy, Default)]
struct Tail {
    length: usize,
    sum: u64,
}

/// A large odd number, so that no byte of a long text drops out of its hash.
const BASE: u64 = 0x9e37_79b9_7f4a_7c15;

impl Tail {
    /// Adds the bytes before it.
    fn after(self, bytes: &[u8]) -> Self {
        let add = |sum: u64, byte: &u8| sum.wrapping_mul(BASE).wrapping_add(u64::from(*byte));
        Self {
            length: self.length + bytes.len(),
            sum: bytes.iter().rev().fold(self.sum, add),
        }
    }
}

/// Returns the hashes of the first 0, 1, 2, … bytes of a secret, up to `bytes_max` bytes.
fn prefix_sums(secret: &[u8], bytes_max: usize) -> Vec<u64> {
    let (mut sums, mut sum, mut power) = (vec![0], 0_u64, 1_u64);
    for byte in secret.iter().take(bytes_max) {
        sum = sum.wrapping_add(u64::from(*byte).wrapping_mul(power));
        power = power.wrapping_mul(BASE);
        sums.push(sum);
    }
    sums
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::encoded::Encoding;
    use super::*;

    const ENCODINGS: [Encoding; 8] = [
        Encoding::Plain,
        Encoding::Url(1),
        Encoding::Url(2),
        Encoding::Form,
        Encoding::Escaped(1),
        Encoding::Escaped(2),
        Encoding::Escaped(3),
        Encoding::Escaped(4),
    ];

    fn find_first(text: &str, secret: &str) -> Option<Range<usize>> {
        let find = |encoding| find(&Reading::of(text, encoding), secret.as_bytes());
        ENCODINGS.into_iter().flat_map(find).next()
    }

    fn starts_with_cut(text: &str, secret: &str) -> bool {
        let start = |encoding| find_start(&Reading::of(text, encoding), secret.as_bytes(), 4);
        ENCODINGS
            .into_iter()
            .any(|encoding| start(encoding) == Some(0))
    }

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
            assert_eq!(find_first(&text, secret), Some(expected), "{encoded}");
        }
        for other in ["", "%", "\\", "\\u", "%4", "p%40%C3", "P%40%C3%9F%2Fw%20"] {
            assert_eq!(find_first(other, secret), None, "{other}");
        }
    }

    #[test]
    fn a_text_that_floret_quotes_is_found() {
        for secret in ["it's", "a\0b\u{1b}[0m", "e\u{301}\u{200b}x", "\"\\\r\n\t"] {
            let text = format!("received {}", crate::error::quote(secret));
            let expected = 10..text.len() - 1;
            assert_eq!(find_first(&text, secret), Some(expected), "{text}");
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
            let found = find_first(&text, secret).unwrap();
            assert_eq!(text.get(..found.start), Some("\"say \\\""), "{text}");
            assert_eq!(text.get(found.end..), Some("\\\"!\""), "{text}");
            let cut = &text[..found.end - 2];
            assert!(starts_with_cut(&cut[found.start..], secret), "{cut}");
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
            assert!(starts_with_cut(start, secret), "{start}");
        }
        for other in [
            "",
            "p@\u{c3}",
            "p%40",
            "p@ß/x",
            "xp@ß/w",
            "p@ß%4x",
            r"p@ß\a",
            "p@ß/w \"d\"…",
        ] {
            assert!(!starts_with_cut(other, secret), "{other}");
        }
    }

    /// The same by its definition: every start, byte by byte.
    fn paths(reading: &Reading, at: usize) -> (Vec<u8>, bool) {
        let (mut read, mut at) = (Vec::new(), at);
        loop {
            match reading.units().get(at) {
                Some(Unit::Bytes { bytes, count, size }) => {
                    read.extend(&bytes[..*count]);
                    at += size;
                }
                Some(Unit::Cut) | None => return (read, true),
                Some(Unit::Other) => return (read, false),
            }
        }
    }

    proptest! {
        #[test]
        fn the_search_finds_what_a_comparison_at_every_byte_finds(
            text in "[ab%+41\\\\nu0\"ß]{0,24}",
            secret in "[ab%+ \\\\\n\"ßA]{1,4}",
        ) {
            for encoding in ENCODINGS {
                let reading = Reading::of(&text, encoding);
                let secret = secret.as_bytes();
                let expected: Vec<_> = (0..text.len())
                    .filter(|at| paths(&reading, *at).0.starts_with(secret))
                    .collect();
                if text.len() >= secret.len() {
                    prop_assert_eq!(&starts(&reading, secret), &expected, "{:?}", encoding);
                }
                let found = find(&reading, secret);
                prop_assert_eq!(found.is_empty(), expected.is_empty());
                prop_assert!(found.into_iter().all(|range| text.get(range).is_some()));
                let start = (0..text.len()).find(|at| {
                    let (read, is_cut) = paths(&reading, *at);
                    is_cut && read.len() >= 2 && secret.starts_with(&read)
                });
                prop_assert_eq!(find_start(&reading, secret, 2), start, "{:?}", encoding);
            }
        }
    }
}
