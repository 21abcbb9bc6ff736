//! Tests of the migration of schedules from version 1.
//!
//! Other rows are left to `first_version`, the SQL of each version to `migrations/`.

use super::*;
use crate::model::Managed;
use crate::storage::sqlite::schema::APPLICATION_ID;
use crate::storage::{DeletePipeline, SavedBy, Schedules as _};
use crate::testing::contract::fixtures::{definition, pipeline_id, put};

const FIRST: &str = include_str!("../migrations/1.sql");

/// Writes a store of version 1 with a pipeline per definition, each saved at second 100.
fn write_version_1(path: &Path, pipelines: &[(&str, &str)]) {
    let conn = rusqlite::Connection::open(path).unwrap();
    conn.pragma_update(None, "application_id", APPLICATION_ID)
        .unwrap();
    conn.execute_batch(FIRST).unwrap();
    conn.pragma_update(None, "user_version", 1).unwrap();
    let saved = at(100).timestamp_millis();
    for (key, (id, fields)) in (1_i64..).zip(pipelines) {
        conn.execute(
            "INSERT INTO pipelines (key, id, slug, version, enabled, created_at, updated_at) VALUES (?, ?, ?, 1, 1, ?, ?)",
            rusqlite::params![key, id, id, saved, saved],
        )
        .unwrap();
        let body =
            format!(r#"{{"id":"{id}","name":"{id}","nodes":[{{"id":"a","type":"x"}}]{fields}}}"#);
        conn.execute(
            "INSERT INTO definitions (key, pipeline, version, body) VALUES (?, ?, 1, ?)",
            rusqlite::params![key, key, body],
        )
        .unwrap();
    }
    conn.close().unwrap();
}

#[tokio::test]
async fn schedules_of_version_1_start_at_the_time_of_their_save() {
    let dir = scratch();
    write_version_1(
        &dir.path().join("runs.db"),
        &[
            (
                "daily",
                r#","schedule":"@daily","catch_up":true,"overlap":"skip""#,
            ),
            ("none", ""),
            (
                "odd",
                r#","schedule":5,"schedule_timezone":[],"catch_up":"yes","overlap":null,"owner":{"team":"data"}"#,
            ),
            (
                "wrong",
                r#","schedule":"whenever","overlap":"cancel_running""#,
            ),
        ],
    );
    let storage = open(dir.path()).await;
    let schedules = storage.schedules(&Scope::All).await.unwrap();
    let found: Vec<_> = schedules
        .iter()
        .map(|one| (one.pipeline.id.as_str(), one.cursor))
        .collect();
    assert_eq!(found, [("daily", at(100)), ("wrong", at(100))]);
    let daily = &schedules[0].pipeline.definition;
    let expected = Pipeline::new("daily")
        .node("a", "x")
        .schedule("@daily")
        .catch_up()
        .overlap(crate::model::Overlap::Skip);
    assert_eq!(daily.schedule, expected.schedule);
    assert_eq!((daily.catch_up, daily.overlap), (true, expected.overlap));
    let odd = storage.find_pipeline("odd", &Scope::All).await.unwrap();
    let odd = odd.unwrap().definition;
    assert_eq!((&odd.schedule, odd.catch_up), (&None, false));
    assert_eq!(odd.extra.keys().collect::<Vec<_>>(), ["owner"]);
}

/// A store of version 2 keeps its journal, whose rows may outlive their run from version 3 on.
#[tokio::test]
async fn the_journal_of_version_2_no_longer_refers_to_its_run() {
    const SECOND: &str = include_str!("../migrations/2.sql");
    let dir = scratch();
    let path = dir.path().join("runs.db");
    write_version_1(&path, &[("daily", "")]);
    let conn = rusqlite::Connection::open(&path).unwrap();
    conn.execute_batch(SECOND).unwrap();
    conn.execute_batch(
        "PRAGMA user_version = 2;
         INSERT INTO daily VALUES (1, '', 700000, 0, 0, 0, 0, 0), (1, '', 700001, 0, 0, 1, 0, 0);",
    )
    .unwrap();
    conn.close().unwrap();
    let storage = open(dir.path()).await;
    storage.create_runs(create(1)).await.unwrap();
    storage.close().await.unwrap();
    let conn = rusqlite::Connection::open(&path).unwrap();
    let text = |sql: &str| {
        conn.query_row(sql, [], |row| row.get::<_, String>(0))
            .unwrap()
    };
    assert_eq!(text("PRAGMA integrity_check"), "ok");
    let tables = ["journal", "parked", "runs"].map(|table| {
        let sql = format!(
            "SELECT count(*) FROM pragma_foreign_key_list('{table}') WHERE \"table\" = 'runs'"
        );
        conn.query_row(&sql, [], |row| row.get::<_, i64>(0))
            .unwrap()
    });
    assert_eq!(tables, [0, 0, 0]);
    let days = "SELECT group_concat(day) FROM daily WHERE pipeline = 1 AND day < 700002";
    assert_eq!(text(days), "700001", "a day without runs has no row");
}

/// Before version 8, a store knew of a save by code only the value of `enabled`.
#[tokio::test]
async fn the_code_manages_what_it_saved_before_version_8() {
    let (dir, storage) = store().await;
    for (id, saved_by) in [
        ("code", SavedBy::Code),
        ("paused", SavedBy::Code),
        ("deleted", SavedBy::Code),
        ("api", SavedBy::Caller),
    ] {
        let mut put = put(id);
        put.saved_by = saved_by;
        storage.put_pipeline(put).await.unwrap();
    }
    let mut pause = put("paused");
    pause.definition = Arc::new(definition("paused").disabled());
    storage.put_pipeline(pause).await.unwrap();
    let delete = DeletePipeline::new(pipeline_id("deleted"), at(1));
    storage.delete_pipeline(delete).await.unwrap();
    storage.close().await.unwrap();
    let shell = rusqlite::Connection::open(dir.path().join("runs.db")).unwrap();
    let to_version_7 = "ALTER TABLE pipelines DROP COLUMN code_version; PRAGMA user_version = 7;";
    shell.execute_batch(TO_VERSION_8).unwrap();
    shell.execute_batch(to_version_7).unwrap();
    drop(shell);

    let storage = open(dir.path()).await;
    for (id, expected) in [
        ("code", Managed::Code),
        ("paused", Managed::Code),
        ("api", Managed::Api),
    ] {
        let found = storage.find_pipeline(id, &Scope::All).await.unwrap();
        assert_eq!(found.unwrap().managed, expected, "{id}");
    }
    let deleted = storage.put_pipeline(put("deleted")).await.unwrap();
    assert_eq!(deleted.managed, Managed::Api);
    // The pause stays, and counts as no edit.
    let mut changed = put("paused");
    changed.definition = Arc::new(definition("paused").description("new"));
    changed.saved_by = SavedBy::Code;
    let changed = storage.put_pipeline(changed).await.unwrap();
    assert_eq!(
        *changed.definition,
        definition("paused").description("new").disabled()
    );
}
