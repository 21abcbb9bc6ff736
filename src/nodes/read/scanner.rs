//! Reads a text byte by byte and knows the place of the next byte.
//!
//! The readers of the formats know what the bytes mean.

use std::io::{ErrorKind, Read};

use super::error::{Place, ReadError};

const BUFFER_BYTES: usize = 64 * 1024;

pub(super) struct Scanner<R> {
    text: R,
    buffer: Vec<u8>,
    next: usize,
    end: usize,
    line: u64,
    column: u64,
    /// Whether the previous byte was a carriage return, whose line feed is no second line break.
    follows_return: bool,
}

impl<R: Read> Scanner<R> {
    pub(super) fn new(text: R) -> Self {
        Self {
            text,
            buffer: vec![0; BUFFER_BYTES],
            next: 0,
            end: 0,
            line: 1,
            column: 1,
            follows_return: false,
        }
    }

    /// Returns the place of the next byte.
    pub(super) const fn place(&self) -> Place {
        Place::at(self.line, self.column)
    }

    pub(super) const fn line(&self) -> u64 {
        self.line
    }

    /// Returns the next byte without consuming it, or `None` at the end.
    pub(super) fn peek(&mut self) -> Result<Option<u8>, ReadError> {
        if self.next == self.end {
            self.fill()?;
        }
        Ok(self.buffer[..self.end].get(self.next).copied())
    }

    /// Consumes the byte that [`Scanner::peek`] has returned.
    pub(super) const fn consume(&mut self, byte: u8) {
        self.next += 1;
        match byte {
            b'\n' if self.follows_return => {}
            b'\n' | b'\r' => {
                self.line += 1;
                self.column = 1;
            }
            // A byte that continues a character in UTF-8.
            0x80..=0xBF => {}
            _ => self.column += 1,
        }
        self.follows_return = byte == b'\r';
    }

    /// Consumes a line break: LF, CR LF or CR. Returns whether there was one.
    pub(super) fn line_break(&mut self) -> Result<bool, ReadError> {
        match self.peek()? {
            Some(b'\n') => self.consume(b'\n'),
            Some(b'\r') => {
                self.consume(b'\r');
                if self.peek()? == Some(b'\n') {
                    self.consume(b'\n');
                }
            }
            Some(_) | None => return Ok(false),
        }
        Ok(true)
    }

    /// Consumes the rest of the line with its line break.
    pub(super) fn skip_line(&mut self) -> Result<(), ReadError> {
        while let Some(byte) = self.peek()? {
            if self.line_break()? {
                break;
            }
            self.consume(byte);
        }
        Ok(())
    }

    fn fill(&mut self) -> Result<(), ReadError> {
        loop {
            match self.text.read(&mut self.buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => {
                    (self.next, self.end) = (0, read?);
                    return Ok(());
                }
            }
        }
    }
}
