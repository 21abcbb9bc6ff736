//! Reads the characters of a string of JSON, Rust or Python, which may be inside another such
//! string.
//!
//! The escapes of Rust are those by which Floret quotes a text in its errors. Those of Python are
//! in the messages of its exceptions.

/// What is at the start of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// A character, and how many bytes it has in the text.
    Char(char, usize),
    /// The end of the text, perhaps inside an escape.
    Cut,
    /// An escape that neither JSON nor Rust has.
    Other,
}

impl Read {
    /// Adds what was read before.
    fn after(self, before: usize) -> Self {
        match self {
            Self::Char(read, size) => Self::Char(read, before.saturating_add(size)),
            other @ (Self::Cut | Self::Other) => other,
        }
    }
}

/// Reads a character of a text that was escaped `depth` times.
pub(super) fn read(text: &str, depth: u8) -> Read {
    let Some(outer) = depth.checked_sub(1) else {
        let first = text.chars().next();
        return first.map_or(Read::Cut, |read| Read::Char(read, read.len_utf8()));
    };
    match read(text, outer) {
        Read::Char('\\', size) => read_escape(&text[size..], outer).after(size),
        other => other,
    }
}

/// Reads what follows a backslash.
fn read_escape(text: &str, depth: u8) -> Read {
    let (kind, size) = match read(text, depth) {
        Read::Char(kind, size) => (kind, size),
        other @ (Read::Cut | Read::Other) => return other,
    };
    let character = match kind {
        '"' | '\\' | '/' | '\'' => kind,
        '0' => '\0',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'x' => return read_byte(&text[size..], depth).after(size),
        'u' => return read_unicode(&text[size..], depth).after(size),
        _ => return Read::Other,
    };
    Read::Char(character, size)
}

/// Reads what follows `\x`: two digits.
fn read_byte(text: &str, depth: u8) -> Read {
    let mut digits = Digits { text, depth, at: 0 };
    match digits.number(2) {
        Ok(number) => digits.character(number),
        Err(end) => end,
    }
}

/// Reads what follows `\u`: four digits, two such escapes of a pair, or digits in braces.
fn read_unicode(text: &str, depth: u8) -> Read {
    let mut digits = Digits { text, depth, at: 0 };
    let unit = match digits.next() {
        Ok('{') => return digits.braced(),
        Ok(first) => digits.unit(first),
        Err(end) => return end,
    };
    let unit = match unit {
        Ok(unit) => unit,
        Err(end) => return end,
    };
    if !(0xd800..0xdc00).contains(&unit) {
        return digits.character(u32::from(unit));
    }
    match digits.second_unit() {
        Ok(second) => {
            let pair = char::decode_utf16([unit, second])
                .next()
                .and_then(Result::ok);
            pair.map_or(Read::Other, |read| Read::Char(read, digits.at))
        }
        Err(end) => end,
    }
}

/// The digits of an escape.
struct Digits<'a> {
    text: &'a str,
    depth: u8,
    at: usize,
}

impl Digits<'_> {
    fn next(&mut self) -> Result<char, Read> {
        match read(&self.text[self.at..], self.depth) {
            Read::Char(next, size) => {
                self.at = self.at.saturating_add(size);
                Ok(next)
            }
            end @ (Read::Cut | Read::Other) => Err(end),
        }
    }

    fn number(&mut self, count: u8) -> Result<u32, Read> {
        let mut value = 0;
        for _ in 0..count {
            value = value * 16 + hex(self.next()?)?;
        }
        Ok(value)
    }

    /// Reads the rest of four digits.
    fn unit(&mut self, first: char) -> Result<u16, Read> {
        let value = hex(first)? * 0x1000 + self.number(3)?;
        u16::try_from(value).map_err(|_| Read::Other)
    }

    /// Reads the second escape of a pair.
    fn second_unit(&mut self) -> Result<u16, Read> {
        for expected in ['\\', 'u'] {
            if self.next()? != expected {
                return Err(Read::Other);
            }
        }
        let first = self.next()?;
        self.unit(first)
    }

    /// Reads up to six digits and the brace behind them.
    fn braced(&mut self) -> Read {
        let mut value = 0;
        for _ in 0..=6 {
            match self.next() {
                Ok('}') => return self.character(value),
                Ok(next) => match hex(next) {
                    Ok(digit) => value = value * 16 + digit,
                    Err(end) => return end,
                },
                Err(end) => return end,
            }
        }
        Read::Other
    }

    fn character(&self, value: u32) -> Read {
        char::from_u32(value).map_or(Read::Other, |read| Read::Char(read, self.at))
    }
}

fn hex(digit: char) -> Result<u32, Read> {
    digit.to_digit(16).ok_or(Read::Other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_is_read_from_every_depth() {
        for (text, depth, expected) in [
            ("äx", 0, Read::Char('ä', 2)),
            (r"\", 0, Read::Char('\\', 1)),
            (r#"\"x"#, 1, Read::Char('"', 2)),
            (r"\u00e4x", 1, Read::Char('ä', 6)),
            (r"\u{e4}x", 1, Read::Char('ä', 6)),
            (r"\u{10ffff}", 1, Read::Char('\u{10ffff}', 10)),
            (r"\ud83d\ude00x", 1, Read::Char('😀', 12)),
            (r#"\\\"x"#, 2, Read::Char('"', 4)),
            (r"\\ud83d\\ude00x", 2, Read::Char('😀', 14)),
            ("", 2, Read::Cut),
            (r"\", 1, Read::Cut),
            (r"\\", 2, Read::Cut),
            (r"\u00", 1, Read::Cut),
            (r"\u{1f", 1, Read::Cut),
            (r"\ud83d\u", 1, Read::Cut),
            (r"\xe9x", 1, Read::Char('é', 4)),
            (r"\\x1b", 2, Read::Char('\u{1b}', 5)),
            (r"\x4", 1, Read::Cut),
            (r"\xg1", 1, Read::Other),
            (r"\a", 1, Read::Other),
            (r"\ud83dx", 1, Read::Other),
            (r"\u{1234567}", 1, Read::Other),
            (r"\udc00", 1, Read::Other),
            (r"\u00g0", 1, Read::Other),
        ] {
            assert_eq!(read(text, depth), expected, "{text} at {depth}");
        }
    }
}
