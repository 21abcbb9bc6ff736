//! Recognizes texts that a spreadsheet may read as a formula.
//!
//! The writer of a CSV file decides whether to guard them.

/// The mark before a text that a spreadsheet must not read as a formula.
pub(crate) const GUARD: char = '\'';

/// Returns whether a spreadsheet may read the text as a formula.
///
/// The characters include full-width forms. Spreadsheets skip blank and invisible characters before
/// a formula.
pub(crate) fn may_be_formula(text: &str) -> bool {
    let visible = text.trim_start_matches(is_skipped);
    text.starts_with(['\t', '\r', '\n'])
        || visible.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠'])
}

/// Returns whether the character is blank, a control character or an invisible format character
/// (category Cf of Unicode, in the blocks of common scripts).
fn is_skipped(character: char) -> bool {
    character.is_whitespace()
        || character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0001}'
                | '\u{e0020}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::may_be_formula;

    #[test]
    fn a_formula_is_recognized_behind_blank_and_invisible_characters() {
        for text in [
            "=1",
            "+1",
            "-1",
            "@SUM(A1)",
            "\t1",
            "\r1",
            "\n1",
            "＝1",
            " =1",
            "\u{a0}=1",
            "\u{feff}=1",
            "\u{200b}\u{202e} @x",
            "\u{0}=1",
        ] {
            assert!(may_be_formula(text), "{text:?}");
        }
        for text in ["", " ", "a=1", "1=1", "'=1", "\"=1", "\u{200b}a"] {
            assert!(!may_be_formula(text), "{text:?}");
        }
    }
}
