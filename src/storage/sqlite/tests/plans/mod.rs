//! Tests that SQLite has a good plan for each SQL text of this backend.
//!
//! `load` drives a store over what it can do, and `recorded_texts` records the texts. `plans.txt`
//! has the plan of each. After a change of texts, this command writes the file again:
//!
//! ```text
//! FLORET_WRITE_PLANS=1 cargo test -p floret --lib --all-features -- tests::plans
//! ```
//!
//! What a plan must not do is in `rules`.

mod blocks;
mod explain;
mod filters;
mod lists;
mod load;
mod rules;

use std::path::{Path, PathBuf};

use self::explain::{Explained, explain};
use super::*;
use crate::storage::sqlite::recorded_texts::recorded;

/// Set to any value, this variable has the test write the file instead of comparing it.
const WRITE: &str = "FLORET_WRITE_PLANS";

/// Explains the recorded texts on the connection of a writer, which has the settings of production.
async fn explained(storage: &SqliteStorage) -> Vec<Explained> {
    let texts = recorded();
    let explain_all = move |tx: &mut Tx| Ok(explain(&tx.conn, &texts));
    storage.step(explain_all).await.unwrap()
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/storage/sqlite/tests/plans/plans.txt")
}

#[tokio::test]
async fn every_text_has_a_known_plan_without_a_walk() {
    let dir = scratch();
    let stores = filters::stores(dir.path()).await;
    load::run(&stores).await;
    let found = explained(&stores[0]).await;
    assert_eq!(found, explained(&stores[1]).await, "whatever a store holds");
    let found = blocks::blocks(&found);
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(file(), blocks::file_of(&found)).unwrap();
    }
    let known = std::fs::read_to_string(file()).unwrap();
    let differences = blocks::differences(&blocks::blocks_of(&known), &found);
    assert!(
        differences.is_empty(),
        "plans.txt differs; {WRITE}=1 writes it again. - in the file, + found:\n\n{}",
        differences.join("\n\n")
    );
    // The file has no room for every combination of filters, but their plans follow the rules.
    filters::ask_all(&stores).await;
    lists::ask_all(&stores[0]).await;
    let broken = rules::broken(&explained(&stores[0]).await);
    assert!(broken.is_empty(), "{}", broken.join("\n\n"));
}

/// Without statistics, a plan depends on its text and the schema alone.
#[tokio::test]
async fn a_store_has_no_statistics() {
    let (dir, storage) = store().await;
    storage.close().await.unwrap();
    let shell = rusqlite::Connection::open(dir.path().join("runs.db")).unwrap();
    let sql = "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'sqlite_stat%'";
    let count: i64 = shell.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(count, 0);
}
