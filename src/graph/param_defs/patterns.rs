//! Regular expressions of parameters, compiled within bounds and remembered.
//!
//! `regex-lite` matches in time that is linear in the text, and has no tables of Unicode: `\w`,
//! `\d` and `\s` are those of ASCII, while `.` and each letter of a pattern are of Unicode.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use quick_cache::unsync::Cache;
use regex_lite::{Regex, RegexBuilder};

use crate::limits::{PATTERN_BYTES_MAX, PATTERN_COMPILED_BYTES_MAX, PATTERN_NESTING_MAX};

/// The number of patterns that are remembered.
const REMEMBERED_MAX: usize = 256;

/// The compiled patterns that were used lately, by their texts.
// A lock, since it is held for a look-up only. A pattern is compiled without it.
pub(crate) struct Patterns(Mutex<Cache<String, Arc<Regex>>>);

impl fmt::Debug for Patterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Patterns").finish_non_exhaustive()
    }
}

impl Default for Patterns {
    fn default() -> Self {
        Self(Mutex::new(Cache::new(REMEMBERED_MAX)))
    }
}

impl Patterns {
    /// Returns whether a pattern matches the whole of a text. A pattern that does not compile
    /// matches nothing.
    pub(super) fn is_match(&self, pattern: &str, text: &str) -> bool {
        let known = self.0.lock().get(pattern).cloned();
        let compiled = known.or_else(|| {
            let compiled = Arc::new(compile(pattern).ok()?);
            self.0
                .lock()
                .insert(pattern.to_owned(), Arc::clone(&compiled));
            Some(compiled)
        });
        compiled.is_some_and(|compiled| compiled.is_match(text))
    }
}

/// Compiles a pattern that matches whole texts.
///
/// # Errors
/// Why the pattern is not accepted, as the end of a sentence that begins with the pattern.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    if pattern.len() > PATTERN_BYTES_MAX {
        let bytes = pattern.len();
        return Err(format!(
            "has {bytes} bytes, and at most {PATTERN_BYTES_MAX} are allowed"
        ));
    }
    let build = |text: &str| {
        RegexBuilder::new(text)
            .size_limit(PATTERN_COMPILED_BYTES_MAX)
            .nest_limit(PATTERN_NESTING_MAX)
            .build()
            .map_err(|error| format!("is no regular expression: {error}"))
    };
    // Alone first, so that a parenthesis cannot end the group around it.
    build(pattern)?;
    build(&format!("^(?:{pattern})$"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_whole_texts() {
        let patterns = Patterns::default();
        for (pattern, fitting, unfit) in [
            (
                "[a-z_]+",
                &["a", "orders_eu"][..],
                &["", "A", "a b", "a\n", "\na", "a1"][..],
            ),
            ("a|ab", &["a", "ab"], &["b", "aba", "abb"]),
            ("^a$", &["a"], &["a\n", "ba"]),
            (".{3}", &["zwö", "\u{1F600}ab"], &["zw", "zwöl"]),
            (r"\d{4}", &["2024"], &["٢٠٢٤", "12345"]),
            ("", &[""], &["a"]),
            ("(?m)^a$", &["a"], &["a\nb", "b\na"]),
            ("(?i)eu", &["EU", "eu"], &["e"]),
        ] {
            for text in fitting {
                assert!(patterns.is_match(pattern, text), "{pattern} {text:?}");
            }
            for text in unfit {
                assert!(!patterns.is_match(pattern, text), "{pattern} {text:?}");
            }
        }
    }

    #[test]
    fn a_pattern_that_is_wrong_or_large_is_refused() {
        let nested = format!("{}a{}", "(".repeat(60), ")".repeat(60));
        let long = "a".repeat(PATTERN_BYTES_MAX + 1);
        for (pattern, expected) in [
            ("[", "is no regular expression: "),
            ("a)(b", "is no regular expression: "),
            ("(?=a)", "is no regular expression: "),
            (r"\p{L}", "is no regular expression: "),
            ("(?x)a # b", "is no regular expression: "),
            ("(((a{50}){50}){50}){50}", "is no regular expression: "),
            (&nested, "is no regular expression: "),
            (&long, "has 257 bytes, and at most 256 are allowed"),
        ] {
            let refused = compile(pattern).unwrap_err();
            assert!(refused.starts_with(expected), "{pattern}: {refused}");
            assert!(!Patterns::default().is_match(pattern, "a"));
        }
    }
}
