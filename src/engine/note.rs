//! Checks the texts that callers attach to runs and requests: notes and reasons.

use crate::error::{Error, Issue, Problem, Result};

/// The most characters of a note. 2,000, the same as for a description.
const NOTE_CHARS_MAX: usize = 2_000;

/// The most characters of a reason. 500: a few sentences.
const REASON_CHARS_MAX: usize = 500;

/// Checks the note of a run, if there is one.
///
/// # Errors
/// `Invalid` (`invalid-field`).
pub(super) fn check_note(note: Option<&str>) -> Result<()> {
    check("note", note, NOTE_CHARS_MAX)
}

/// Checks the reason of a request, if there is one.
///
/// # Errors
/// `Invalid` (`invalid-field`).
pub(super) fn check_reason(reason: Option<&str>) -> Result<()> {
    check("reason", reason, REASON_CHARS_MAX)
}

fn check(name: &str, text: Option<&str>, max: usize) -> Result<()> {
    let Some(text) = text else {
        return Ok(());
    };
    let detail = if text.chars().nth(max).is_some() {
        let count = text.chars().count();
        format!("{name} has at most {max} characters, this one has {count}")
    } else if let Some(hidden) = text.chars().find(|character| is_hidden(*character)) {
        let hidden = hidden.escape_unicode();
        format!(
            "{name} must not have control characters but line breaks and tabs, nor ones that change the direction of the text; received {hidden}"
        )
    } else {
        return Ok(());
    };
    let issues = vec![Issue::pointer(format!("/{name}"), detail)];
    Err(Error::invalid(Problem::InvalidField, issues))
}

/// Returns whether a character shows a text other than it is: a control character that is neither a
/// line break nor a tab, or an embedding, an override or an isolate of a direction. Marks of a
/// direction, which texts in Arabic or Hebrew have, are none.
fn is_hidden(character: char) -> bool {
    match character {
        '\n' | '\r' | '\t' => false,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        other => other.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_limited_by_its_characters() {
        let longest = "\u{1f980}".repeat(NOTE_CHARS_MAX);
        for note in [None, Some(""), Some("a\nb"), Some(&longest)] {
            check_note(note).unwrap();
        }
        let error = check_note(Some(&format!("{longest}x"))).unwrap_err();
        assert_eq!(error.slug(), "invalid-field");
        let expected = "note has at most 2000 characters, this one has 2001";
        assert_eq!(error.to_string(), expected);
        check_reason(Some(&"x".repeat(REASON_CHARS_MAX))).unwrap();
        for text in ["a\u{0}b", "\u{1b}[31m", "\u{85}", "a\u{202e}b", "\u{2066}a"] {
            let error = check_reason(Some(text)).unwrap_err();
            assert_eq!(error.slug(), "invalid-field");
            assert!(error.to_string().contains("\\u{"), "{error}");
            check_note(Some(text)).unwrap_err();
        }
        check_reason(Some("one\r\n\ttwo \u{200f}שלום")).unwrap();
        check_reason(Some(&"x".repeat(REASON_CHARS_MAX + 1))).unwrap_err();
    }
}
