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
    let Some(text) = text.filter(|text| text.chars().nth(max).is_some()) else {
        return Ok(());
    };
    let count = text.chars().count();
    let detail = format!("{name} has at most {max} characters, this one has {count}");
    let issues = vec![Issue::pointer(format!("/{name}"), detail)];
    Err(Error::invalid(Problem::InvalidField, issues))
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
        check_reason(Some(&"x".repeat(REASON_CHARS_MAX + 1))).unwrap_err();
    }
}
