//! The page of trust names a test for each kind of fault. Each of them exists.
//!
//! Whether the tests hold what the page says is left to people.

use std::fs;

use crate::tidy::{files, root};

/// The names of the tests in the last column of the page's tables.
fn named_tests(page: &str) -> Vec<String> {
    let rows = page
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains('`'));
    let cells = rows.filter_map(|row| row.trim_end_matches(" |").rsplit(" | ").next());
    cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .map(|path| path.rsplit("::").next().unwrap_or(path).to_owned())
        .collect()
}

/// Returns whether a function of this name is in the text. `…` stands for the end of a long name.
fn has_test(text: &str, name: &str) -> bool {
    match name.strip_suffix('…') {
        Some(start) => text.contains(&format!("fn {start}")),
        None => text.contains(&format!("fn {name}(")),
    }
}

#[test]
fn every_test_on_the_page_of_trust_exists() {
    let page = fs::read_to_string(root().join("docs/trust.md")).unwrap();
    let names = named_tests(&page);
    assert!(names.len() > 50, "{names:?}");
    let sources: String = ["src", "tests"]
        .iter()
        .flat_map(|folder| files(&root().join(folder), &["rs"]))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let missing: Vec<_> = names
        .iter()
        .filter(|name| !has_test(&sources, name))
        .collect();
    assert!(missing.is_empty(), "{missing:#?}");
}
