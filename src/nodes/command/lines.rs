//! Reads lines of a child's output, up to a maximum length, and writes them to the log.
//!
//! `stdout` reads rows from lines.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

use super::tail::Tail;
use crate::error::truncate;
use crate::executor::NodeLog;

/// The maximum size of a log line; the rest is cut. It is the size that is stored.
pub(super) const LOG_BYTES_MAX: usize = 16 * 1024;

/// What a read put into the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// A whole line, or the rest of a line that was cut.
    Whole,
    /// The start of a longer line. The next read continues it.
    Cut,
    /// Nothing, since there are no more lines.
    End,
}

/// Reads at most `max` bytes of the next line, without its line break.
///
/// Bytes after the last line break count as a line.
pub(super) async fn next_line(
    reader: &mut (impl AsyncBufRead + Unpin),
    line: &mut Vec<u8>,
    max: usize,
) -> io::Result<Line> {
    line.clear();
    loop {
        let bytes = reader.fill_buf().await?;
        if bytes.is_empty() {
            let is_end = line.is_empty();
            return Ok(if is_end { Line::End } else { Line::Whole });
        }
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let part = &bytes[..end.unwrap_or(bytes.len())];
        let room = max.saturating_sub(line.len());
        if part.len() > room {
            line.extend_from_slice(&part[..room]);
            reader.consume(room);
            return Ok(Line::Cut);
        }
        line.extend_from_slice(part);
        let consumed = part.len() + usize::from(end.is_some());
        reader.consume(consumed);
        if end.is_some() {
            return Ok(Line::Whole);
        }
    }
}

/// Writes each line to the log, until the output is closed.
pub(super) async fn log_lines(
    output: &mut (impl AsyncBufRead + Unpin),
    tail: &mut Tail,
    log: &NodeLog,
) -> io::Result<()> {
    let (mut line, mut rest) = (Vec::new(), Vec::new());
    loop {
        // One byte more than the maximum reveals a line that is too long.
        let mut read = next_line(output, &mut line, LOG_BYTES_MAX + 1).await?;
        if read == Line::End {
            return Ok(());
        }
        while read == Line::Cut {
            read = next_line(output, &mut rest, LOG_BYTES_MAX).await?;
        }
        tail.push_line(&line);
        let text = String::from_utf8_lossy(&line);
        let text = truncate(text.trim_end_matches('\r').to_owned(), LOG_BYTES_MAX);
        log.info(text).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(text: &str, room: usize) -> Vec<(String, Line)> {
        let mut reader = tokio::io::BufReader::with_capacity(room, text.as_bytes());
        let (mut lines, mut line) = (Vec::new(), Vec::new());
        loop {
            let read = next_line(&mut reader, &mut line, 4).await.unwrap();
            if read == Line::End {
                return lines;
            }
            lines.push((String::from_utf8(line.clone()).unwrap(), read));
        }
    }

    #[tokio::test]
    async fn lines_are_split_at_any_read_size_and_long_lines_are_cut() {
        for room in 1..20 {
            let found = lines("ab\n\n1234\n12345\n\u{e9}\nlast", room).await;
            let found: Vec<_> = found
                .iter()
                .map(|(text, read)| (text.as_str(), *read))
                .collect();
            let expected = [
                ("ab", Line::Whole),
                ("", Line::Whole),
                ("1234", Line::Whole),
                ("1234", Line::Cut),
                ("5", Line::Whole),
                ("é", Line::Whole),
                ("last", Line::Whole),
            ];
            assert_eq!(found, expected, "{room}");
            assert_eq!(lines("", room).await, []);
        }
    }
}
