//! Holds the vocabulary and the width of the prose, in sources and pages.
//!
//! The structure of the crate is left to `tidy`; whether a sentence is good is left to people.

use std::collections::BTreeSet;
use std::path::Path;

use crate::tidy::{files, root};

/// Lines of prose have at most this many columns.
const COLUMNS_MAX: usize = 100;

/// Words that the vocabulary replaced, alone or as a part of an identifier.
const RETIRED_WORDS: &[&str] = &[
    "asker", "askers", "courier", "couriers", "doomed", "heed", "heeded", "heeds", "remade",
    "takers", "tells", "thereof", "told", "wherever", "whoever", "wish", "wished", "wishes",
];

/// The extensions of the files that have prose or names.
const PROSE: &[&str] = &["rs", "md", "sql", "toml", "ts", "tsx", "css"];

/// Phrases that the vocabulary replaced.
const RETIRED_PHRASES: &[&str] = &[
    "by itself alone",
    "hand on",
    "handed on",
    "hands on",
    "made up for",
    "take up",
    "taken up",
    "takes up",
    "that which",
    "under way",
    "what of it",
];

/// This file names the words that it refuses.
const SELF: &str = "tests/it/prose.rs";

fn name(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

/// The words of a line in lower case; `snake_case` and `CamelCase` names count as their words.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for letter in line.chars() {
        if !letter.is_alphabetic() || (letter.is_uppercase() && was_lower) {
            words.push(String::new());
        }
        was_lower = letter.is_lowercase();
        if letter.is_alphabetic()
            && let Some(word) = words.last_mut()
        {
            word.extend(letter.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The retired words and phrases in a line.
fn retired(line: &str) -> BTreeSet<&'static str> {
    let words = words(line);
    let text = format!(" {} ", words.join(" "));
    let found = RETIRED_WORDS.iter().chain(RETIRED_PHRASES);
    found
        .copied()
        .filter(|retired| text.contains(&format!(" {retired} ")))
        .collect()
}

#[test]
fn the_prose_uses_no_retired_word() {
    let mut problems = Vec::new();
    for path in files(root(), PROSE) {
        if name(&path) == SELF {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for (index, line) in text.lines().enumerate() {
            for word in retired(line) {
                problems.push(format!("{}:{}: {word}", name(&path), index + 1));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Whether a line of a page is prose that can be wrapped: no table, no link target, no code.
fn is_wrappable(line: &str) -> bool {
    !line.starts_with('|') && !line.contains("](") && !line.starts_with('[')
}

/// The lines of a page outside its code blocks.
fn page_prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_code = false;
    text.lines().enumerate().filter(move |(_, line)| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence && is_wrappable(line)
    })
}

/// The comments of a source that stand on lines of their own.
fn comments(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .filter(|(_, line)| line.trim_start().starts_with("//"))
}

fn too_wide<'a>(
    path: &Path,
    lines: impl Iterator<Item = (usize, &'a str)>,
) -> impl Iterator<Item = String> {
    lines
        .filter(|(_, line)| line.chars().count() > COLUMNS_MAX)
        .map(move |(index, line)| format!("{}:{}: {}", name(path), index + 1, line.chars().count()))
}

#[test]
fn lines_of_prose_have_at_most_100_columns() {
    let mut problems = Vec::new();
    for path in files(root(), &["rs", "ts", "tsx", "mjs"]) {
        let text = std::fs::read_to_string(&path).unwrap();
        problems.extend(too_wide(&path, comments(&text)));
    }
    for path in files(root(), &["md"]) {
        let text = std::fs::read_to_string(&path).unwrap();
        problems.extend(too_wide(&path, page_prose(&text)));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn a_retired_word_is_found_in_prose_and_in_names() {
    for (line, expected) in [
        ("/// Whoever asks is told.", vec!["told", "whoever"]),
        ("fn tell_told() {}", vec!["told"]),
        ("struct WishMade;", vec!["wish"]),
        ("what a node handed on", vec!["handed on"]),
        ("a wishful, untold story", vec![]),
    ] {
        assert_eq!(retired(line), BTreeSet::from_iter(expected), "{line}");
    }
}
