//! A file that must not become shorter while it is read: the rows that it lost would be missing
//! without an error.
//!
//! `text` reads it.

use std::fs::File;
use std::io::{self, Read};

use super::error::Fault;

/// Reads a file, and fails at its end unless it has read as many bytes as the file had at first.
pub(in crate::nodes) struct WholeFile {
    file: File,
    unread: u64,
}

impl WholeFile {
    pub(in crate::nodes) fn new(file: File) -> io::Result<Self> {
        let unread = file.metadata()?.len();
        Ok(Self { file, unread })
    }
}

impl Read for WholeFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        if count == 0 && self.unread > 0 && !buffer.is_empty() {
            return Err(Fault::Shortened.into());
        }
        self.unread = self.unread.saturating_sub(count as u64);
        Ok(count)
    }
}
