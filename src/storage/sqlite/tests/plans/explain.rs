//! Explains SQL texts on the connection of a writer.
//!
//! `rules` judges the plans, and `blocks` writes them.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use crate::storage::sqlite::schema::MIGRATIONS;

/// The first words of texts that have no plan.
const WITHOUT_PLAN: [&str; 4] = ["BEGIN", "COMMIT", "PRAGMA", "ROLLBACK"];

/// A text with its plan.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Explained {
    pub(super) text: String,
    /// The lines of the plan. Each starts with two spaces for every loop around it.
    pub(super) plan: Vec<String>,
}

/// Explains texts, in order and without repetition.
pub(super) fn explain(conn: &Connection, recorded: &BTreeSet<String>) -> Vec<Explained> {
    let with_plan = recorded.iter().filter(|text| has_plan(text));
    let texts: BTreeSet<_> = with_plan.map(|text| normalized(text)).collect();
    let explain = |text: String| Explained {
        plan: plan(conn, &text),
        text,
    };
    texts.into_iter().map(explain).collect()
}

fn has_plan(text: &str) -> bool {
    let first = text.split_whitespace().next().unwrap_or_default();
    // A migration walks all rows on purpose, once in the life of a store.
    let is_of_migration = || MIGRATIONS.iter().any(|sql| sql.contains(text.trim()));
    !WITHOUT_PLAN.contains(&first) && !is_of_migration()
}

/// Returns a text with single spaces, with at most two values in a list, and with one limit for
/// the pages of all sizes.
fn normalized(text: &str) -> String {
    let mut text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    while text.contains("IN (?, ?, ?") {
        text = text.replace("IN (?, ?, ?", "IN (?, ?");
    }
    match text.split_once(" OFFSET ?") {
        Some((keys, rest)) => {
            let keys = keys.trim_end_matches(|digit: char| digit.is_ascii_digit());
            format!("{keys}51 OFFSET ?{rest}")
        }
        None => text,
    }
}

fn plan(conn: &Connection, text: &str) -> Vec<String> {
    let explained = conn.prepare(&format!("EXPLAIN QUERY PLAN {text}"));
    let mut explained = explained.unwrap_or_else(|error| panic!("{text}: {error}"));
    let mut rows = explained.raw_query();
    let mut depths = BTreeMap::from([(0, 0)]);
    let mut lines = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        let (id, parent): (i64, i64) = (row.get(0).unwrap(), row.get(1).unwrap());
        let depth = depths[&parent];
        depths.insert(id, depth + 1);
        let line: String = row.get(3).unwrap();
        lines.push(format!("{:1$}{line}", "", 2 * depth));
    }
    lines
}
