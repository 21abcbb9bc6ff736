//! The last lines of an output, for the error of a program that failed.
//!
//! `stdout` and `lines` read the outputs.

use std::collections::VecDeque;

use crate::error::truncate;

/// How many lines are kept.
const LINES_MAX: usize = 3;
/// The maximum size of a kept line. The rest is cut, which a mark shows.
const LINE_BYTES_MAX: usize = 256;

/// The last lines of an output that are not blank.
#[derive(Debug, Default)]
pub(super) struct Tail {
    lines: VecDeque<Vec<u8>>,
    /// The line whose end is not read yet.
    open: Vec<u8>,
}

impl Tail {
    /// Adds the next bytes of the output.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            // One byte more than the maximum reveals a line that is too long.
            let room = (LINE_BYTES_MAX + 1).saturating_sub(self.open.len());
            self.open
                .extend_from_slice(part.get(..room).unwrap_or(part));
            if part.ends_with(b"\n") {
                self.end_line();
            }
        }
    }

    /// Adds a whole line.
    pub(super) fn push_line(&mut self, line: &[u8]) {
        self.push(line.get(..=LINE_BYTES_MAX).unwrap_or(line));
        self.end_line();
    }

    /// Ends the line that was pushed last.
    pub(super) fn end_line(&mut self) {
        if self.open.trim_ascii().is_empty() {
            self.open.clear();
            return;
        }
        // A dropped line gives its memory to the next one.
        let mut reused = Vec::new();
        if self.lines.len() >= LINES_MAX {
            reused = self.lines.pop_front().unwrap_or_default();
            reused.clear();
        }
        self.lines
            .push_back(std::mem::replace(&mut self.open, reused));
    }

    /// Returns the lines in one line of text, or `None` if there are none.
    pub(super) fn into_text(mut self) -> Option<String> {
        self.end_line();
        let lines: Vec<_> = self.lines.iter().map(|line| shown(line)).collect();
        (!lines.is_empty()).then(|| lines.join(" | "))
    }
}

/// Returns a line as a text that has at most [`LINE_BYTES_MAX`] bytes.
fn shown(line: &[u8]) -> String {
    // Trimmed afterwards: a line that is longer by a space is cut all the same.
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let text = String::from_utf8_lossy(line).into_owned();
    truncate(text, LINE_BYTES_MAX).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(parts: &[&str]) -> Option<String> {
        let mut tail = Tail::default();
        parts.iter().for_each(|part| tail.push(part.as_bytes()));
        tail.into_text()
    }

    #[test]
    fn the_last_lines_that_are_not_blank_are_kept() {
        for (parts, expected) in [
            (&[][..], None),
            (&["\n", " \r\n"], None),
            (&["one\n", "two"], Some("one | two")),
            (&["a\nb\nc\n", "\n", "d\r\n"], Some("b | c | d")),
            (&["spl", "it\nx"], Some("split | x")),
        ] {
            assert_eq!(text(parts).as_deref(), expected, "{parts:?}");
        }
        let long = text(&[&"x".repeat(10_000)]).unwrap();
        assert_eq!(long.len(), LINE_BYTES_MAX);
        assert!(long.ends_with("xxx… (cut)"));
        let whole = "x".repeat(LINE_BYTES_MAX);
        assert_eq!(text(&[&whole, "\n"]), Some(whole.clone()));
        let spaced = text(&[&whole, " more\n"]).unwrap();
        assert!(spaced.ends_with("xxx… (cut)"), "{spaced}");
    }
}
