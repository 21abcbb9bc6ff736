//! The page of trust names a test for each kind of fault, and each guarantee of the capabilities
//! names those that hold it. All of them exist.
//!
//! Whether the tests hold what the page says is left to people.

use std::fs;

use floret::testing::memory;

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

/// Returns the sources of all tests.
fn sources() -> String {
    ["src", "tests"]
        .iter()
        .flat_map(|folder| files(&root().join(folder), &["rs"]))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect()
}

#[test]
fn every_test_on_the_page_of_trust_exists() {
    let page = fs::read_to_string(root().join("docs/trust.md")).unwrap();
    let names = named_tests(&page);
    assert!(names.len() > 50, "{names:?}");
    let sources = sources();
    let missing: Vec<_> = names
        .iter()
        .filter(|name| !has_test(&sources, name))
        .collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

/// Returns whether a function of this name is a test: it has the attribute, or a macro runs it on
/// every backend.
fn is_test(text: &str, name: &str) -> bool {
    let Some((before, _)) = text.split_once(&format!("fn {name}(")) else {
        return false;
    };
    let attributes = before.rsplit("\n\n").next().unwrap_or_default();
    ["test]", "test("]
        .iter()
        .any(|end| attributes.contains(end))
        || text.contains(&format!("\n    {name},\n"))
}

#[tokio::test]
async fn every_test_of_a_guarantee_exists() {
    let floret = memory().start().await.unwrap();
    let capabilities = floret.system().capabilities();
    let sources = sources();
    for guarantee in capabilities.guarantees {
        assert!(!guarantee.tests.is_empty(), "{guarantee:?}");
        for name in guarantee.tests {
            assert!(is_test(&sources, name), "{name} is no test");
        }
    }
    assert!(!is_test(&sources, "every_test_of_nothing"));
    assert!(!is_test(&sources, "has_test"), "a function is not enough");
}
