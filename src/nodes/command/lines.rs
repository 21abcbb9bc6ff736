//! Lines of a child's output, none longer than a bound.
//!
//! What a line means is left to `talk`.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// What was read into the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// A line, or the rest of one that was cut before.
    Whole,
    /// As much of a line as was asked for; the rest of it comes next.
    Cut,
    /// Nothing: there are no more lines.
    End,
}

/// Reads the next line without its end, at most `max` bytes of it. Bytes after the last line's end are a line.
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
    async fn lines_come_apart_wherever_a_read_ends_and_long_ones_in_parts() {
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
