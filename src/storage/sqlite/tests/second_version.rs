//! Tests that a store of version 2 with rows of every table keeps them and stays usable.
//!
//! The store is a copy of one of the newest version, which gives the expected answers.

use rusqlite::Connection;

use super::damaged_rows::write_history;
use super::*;
use crate::storage::{ClaimCursors, Deliveries as _, PutDeliveries};
use crate::testing::contract::fixtures::{
    self, Driver, node_id, purge_all, read_output, resume, run_finished, run_id, snapshot,
};

const TEXTS: [&str; 2] = [
    include_str!("../migrations/1.sql"),
    include_str!("../migrations/2.sql"),
];

const NOTIFIERS: [&str; 2] = ["daily", "spare"];

/// Returns the first column of all rows that a query finds.
fn texts(shell: &Connection, sql: &str, table: &str) -> Vec<String> {
    let mut found = shell.prepare(sql).unwrap();
    let found = found.query_map([table], |row| row.get(0)).unwrap();
    found.map(|text| text.unwrap()).collect()
}

/// Copies a store of the newest version into one of version 2, table by table.
fn copy_to_version_2(newest: &Path, second: &Path) {
    let shell = Connection::open(second.join("runs.db")).unwrap();
    for text in TEXTS {
        shell.execute_batch(text).unwrap();
    }
    shell.pragma_update(None, "foreign_keys", false).unwrap();
    let newest = newest.join("runs.db");
    let newest = newest.to_str().unwrap();
    shell.execute("ATTACH ? AS newest", [newest]).unwrap();
    let tables = "SELECT name FROM main.sqlite_schema WHERE type = ? ORDER BY name";
    for table in texts(&shell, tables, "table") {
        let columns = "SELECT '\"' || name || '\"' FROM pragma_table_info(?, 'main')";
        let columns = texts(&shell, columns, &table).join(", ");
        shell
            .execute(&format!("DELETE FROM main.{table}"), [])
            .unwrap();
        let copy =
            format!("INSERT INTO main.{table} ({columns}) SELECT {columns} FROM newest.{table}");
        let copied = shell.execute(&copy, []).unwrap();
        assert!(copied > 0, "{table} has no row");
    }
    // In version 2, the counts of all pipelines are those of pipeline 0.
    let totals = "INSERT INTO main.daily (pipeline, tenant, day, pending, running, success, failed, cancelled) \
         SELECT 0, tenant, at, pending, running, success, failed, cancelled FROM newest.totals WHERE unit = 0";
    assert!(shell.execute(totals, []).unwrap() > 0);
    // In version 2, each run of a backfill has params of its own.
    for store in ["main", "newest"] {
        let sql =
            format!(r#"UPDATE {store}.runs SET params = '{{"n":"1"}}' WHERE backfill IS NOT NULL"#);
        assert!(shell.execute(&sql, []).unwrap() > 0);
    }
    // Before version 9, a cancel request has neither a time nor a reason.
    let sql =
        "UPDATE newest.runs SET cancel_at = NULL, cancel_reason = NULL WHERE cancel_at NOT NULL";
    assert!(shell.execute(sql, []).unwrap() > 0);
    // Before version 19, only the run of a tick has an instant.
    let sql = "UPDATE newest.runs SET scheduled_at = NULL WHERE scheduled_at NOT NULL";
    assert!(shell.execute(sql, []).unwrap() > 0);
    // Before version 20, there is no audit.
    assert!(shell.execute("DELETE FROM newest.audit", []).unwrap() > 0);
    let sql = "DELETE FROM main.meta WHERE name = 'trimmed_audit'";
    assert_eq!(shell.execute(sql, []).unwrap(), 1);
    shell.execute_batch("DETACH newest").unwrap();
    shell
        .pragma_update(None, "application_id", schema::APPLICATION_ID)
        .unwrap();
    shell.pragma_update(None, "user_version", 2).unwrap();
    shell.close().unwrap();
}

async fn assert_same(expected: &SqliteStorage, migrated: &SqliteStorage) {
    assert_eq!(snapshot(expected).await, snapshot(migrated).await);
    for run in [1, 3].map(run_id) {
        for (index, node) in (0..).zip(["load", "sum"]) {
            let (node, all) = (node_id(node), Scope::All);
            let preview = expected.find_preview(run, &node, &all).await.unwrap();
            let found = migrated.find_preview(run, &node, &all).await.unwrap();
            assert_eq!(found, preview);
            let profile = expected.find_profile(run, &node, &all).await.unwrap();
            let found = migrated.find_profile(run, &node, &all).await.unwrap();
            assert_eq!(found, profile);
            let output = read_output(expected, run, index).await;
            assert_eq!(read_output(migrated, run, index).await, output);
        }
    }
}

/// Resumes a run, finishes every run, delivers every event and purges. Returns the answers.
async fn use_up(storage: &SqliteStorage) -> (Vec<RunId>, usize, u64) {
    let replay = storage
        .create_runs(fixtures::with_key(960, "once", 1))
        .await;
    assert!(replay.unwrap().is_replayed);
    let again = resume(950, run_id(1), run_id(1));
    fixtures::create(storage, again).await.unwrap();
    let mut finished = Vec::new();
    loop {
        let claims = storage.claim(fixtures::claim(9, 2_000)).await.unwrap();
        if claims.claimed.is_empty() {
            break;
        }
        for claimed in &claims.claimed {
            let outcome = run_finished(1, RunStatus::Success);
            let mut driver = Driver::new(claimed);
            driver.append(storage, [outcome]).await;
            finished.push(claimed.run.id);
        }
    }
    let names = NOTIFIERS.map(str::to_owned).to_vec();
    let claim = ClaimCursors::new(names, fixtures::at(0), fixtures::at(2));
    let cursors = storage.claim_cursors(claim).await.unwrap().cursors;
    let parked = cursors.iter().map(|cursor| cursor.parked.len()).sum();
    let newest = storage.newest_seq().await.unwrap();
    for name in NOTIFIERS {
        let mut put = PutDeliveries::new(name.to_owned(), newest, fixtures::at(3));
        put.delivered = vec![1];
        storage.put_deliveries(put).await.unwrap();
    }
    let purged = purge_all(storage).await;
    while storage.step(Tx::sweep).await.unwrap() {}
    (finished, parked, purged)
}

#[tokio::test]
async fn a_store_of_version_2_keeps_its_rows_and_stays_usable() {
    let (newest, second) = (scratch(), scratch());
    let storage = open(newest.path()).await;
    write_history(&storage).await;
    storage.close().await.unwrap();
    copy_to_version_2(newest.path(), second.path());
    let (expected, migrated) = (open(newest.path()).await, open(second.path()).await);
    assert_same(&expected, &migrated).await;
    let used = use_up(&expected).await;
    assert_eq!(use_up(&migrated).await, used);
    assert!(used.1 > 0 && used.2 > 0, "{used:?}");
    assert_same(&expected, &migrated).await;
    migrated.close().await.unwrap();

    let shell = Connection::open(second.path().join("runs.db")).unwrap();
    let check = "SELECT integrity_check FROM pragma_integrity_check WHERE 'ok' = ?";
    assert_eq!(texts(&shell, check, "ok"), ["ok"]);
    let dangling = "SELECT \"table\" FROM pragma_foreign_key_check WHERE 'ok' = ?";
    assert_eq!(texts(&shell, dangling, "ok"), [""; 0]);
    for table in [
        "backfills",
        "chunks",
        "daily",
        "idempotency",
        "journal",
        "node_runs",
        "outputs",
        "parked",
        "previews",
        "profiles",
        "runs",
        "staged",
        "sweeps",
    ] {
        let sql = format!("SELECT count(*) FROM {table}");
        let count: i64 = shell.query_row(&sql, [], |row| row.get(0)).unwrap();
        assert_eq!(count, 0, "{table}");
    }
}
