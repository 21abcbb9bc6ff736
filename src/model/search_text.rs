//! The text of a search and the texts that it is sought in, regardless of case.
//!
//! The owner of an object decides which of its texts are searched.

use std::sync::Arc;

/// A text that is sought in others, regardless of case.
///
/// ```
/// use floret::storage::SearchText;
///
/// let text = SearchText::new("STRASSE");
/// assert!(text.is_in("Am Ende der Straße"));
/// assert!(!text.is_in("Am Ende der Gasse"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchText {
    folded: String,
    /// The end of its beginning.
    beginning: usize,
}

/// The texts of an object that are searched together, folded once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoldedTexts(Arc<str>);

/// Separates folded texts. None of them has an uppercase letter, so that nothing is found across.
const SEPARATOR: char = 'A';

/// The bytes of the beginning. The standard library seeks so many without preparation, which would
/// take longer than most searched texts.
const BEGINNING_MAX: usize = 32;

impl SearchText {
    /// Creates a text to search for.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut folded = String::new();
        fold_case(text, &mut folded);
        Self {
            beginning: folded.floor_char_boundary(BEGINNING_MAX),
            folded,
        }
    }

    /// Returns whether another text contains this one.
    #[must_use]
    pub fn is_in(&self, text: &str) -> bool {
        self.is_in_any(&FoldedTexts::new([text]))
    }

    /// Returns whether one of these texts contains this one.
    pub(crate) fn is_in_any(&self, texts: &FoldedTexts) -> bool {
        let (beginning, rest) = self.folded.split_at(self.beginning);
        texts.0.contains(beginning) && (rest.is_empty() || texts.0.contains(&self.folded))
    }
}

impl FoldedTexts {
    pub(crate) fn new<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut folded = String::new();
        for text in texts {
            fold_case(text, &mut folded);
            folded.push(SEPARATOR);
        }
        Self(folded.into())
    }

    /// Returns the number of bytes that the texts occupy.
    #[cfg(feature = "sqlite")]
    pub(crate) fn bytes(&self) -> usize {
        self.0.len()
    }
}

/// Appends a text with its case folded.
///
/// Going through uppercase makes `ß` equal to `ss`, and the two lowercase sigmas equal. The capital
/// `ẞ` is its own uppercase, so that each letter is made lowercase before.
fn fold_case(text: &str, folded: &mut String) {
    folded.reserve(text.len());
    for letter in text.chars() {
        if letter.is_ascii() {
            folded.push(letter.to_ascii_lowercase());
        } else {
            let lower = letter.to_lowercase();
            let upper = lower.flat_map(char::to_uppercase);
            folded.extend(upper.flat_map(char::to_lowercase));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn letters_are_the_same_in_either_case() {
        for (one, other) in [
            ("Users", "uSERS"),
            ("ÄRGER", "ärger"),
            ("Straße", "STRASSE"),
            ("STRAẞE", "straße"),
            ("ΟΔΟΣ", "οδος"),
            ("οδοσ", "οδος"),
            ("ДАННЫЕ", "данные"),
        ] {
            assert_eq!(SearchText::new(one), SearchText::new(other));
            assert!(SearchText::new(one).is_in(other) && SearchText::new(other).is_in(one));
        }
        assert!(!SearchText::new("a").is_in("ä"));
    }

    /// The plain way: folds each text for itself, letter by letter.
    fn is_in_plainly(text: &str, texts: &[String]) -> bool {
        let fold = |text: &str| -> String {
            let small = text.chars().flat_map(char::to_lowercase);
            let capitals = small.flat_map(char::to_uppercase);
            capitals.flat_map(char::to_lowercase).collect()
        };
        texts.iter().any(|other| fold(other).contains(&fold(text)))
    }

    /// Texts of few letters, some of which change when they are folded.
    const TEXTS: &str = "[aAbß\u{0}ẞΣςİ ]{0,6}";

    proptest! {
        #[test]
        fn a_text_is_found_in_each_of_several(
            text in prop_oneof![TEXTS, "[aAß]{25,40}", any::<String>()],
            texts in prop::collection::vec(
                prop_oneof![TEXTS, "[aAß]{0,90}", any::<String>()],
                1..4,
            ),
        ) {
            let folded = FoldedTexts::new(texts.iter().map(String::as_str));
            let found = SearchText::new(&text).is_in_any(&folded);
            prop_assert_eq!(found, is_in_plainly(&text, &texts));
        }

        #[test]
        fn a_text_is_found_in_what_contains_it(before: String, text: String, after: String) {
            let whole = [before, text.clone(), after].concat();
            prop_assert!(SearchText::new(&text).is_in(&whole));
        }
    }
}
