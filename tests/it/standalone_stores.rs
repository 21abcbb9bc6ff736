//! The store of the standalone example: copies of it under load, and the check of it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Output;
use std::sync::atomic::{AtomicBool, Ordering};

use floret::storage::SqliteStorage;
use floret::{Floret, RunId};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::harness::with_timeout;
use crate::standalone::{Api, Standalone, command};

/// Executes a task of the example. Returns its exit code, its output and its error output.
fn task(arguments: &[&str]) -> (Option<i32>, String, String) {
    finished(command(arguments).output().unwrap())
}

fn finished(output: Output) -> (Option<i32>, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let Output {
        status,
        stdout,
        stderr,
    } = output;
    (status.code(), text(stdout), text(stderr))
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

async fn save_pipeline(api: &Api) {
    let node = json!({"id": "a", "type": "command", "config": {"command": ["true"]}});
    let definition = json!({"id": "work", "name": "work", "nodes": [node]});
    let (status, saved) = api.post("/pipelines", &definition).await.unwrap();
    assert_eq!(status, 201, "{saved}");
}

/// Triggers runs until that is over, and notes each one that is acknowledged.
async fn trigger(api: Api, acknowledged: &Mutex<BTreeSet<String>>, is_over: &AtomicBool) {
    while !is_over.load(Ordering::Relaxed) {
        let sent = api.post("/pipelines/work/run", &Value::Null).await;
        let (status, run) = sent.unwrap();
        assert_eq!(status, 202, "{run}");
        acknowledged
            .lock()
            .insert(run["id"].as_str().unwrap().to_owned());
    }
}

/// Asserts that a copy opens, and that it has each of these runs.
async fn assert_has(copy: &Path, runs: &BTreeSet<String>) {
    assert_eq!(SqliteStorage::check(copy).await.unwrap(), [""; 0]);
    let storage = SqliteStorage::open_read_only(copy).await.unwrap();
    let client = Floret::builder(storage).read_only().await.unwrap();
    for id in runs {
        let id: RunId = id.parse().unwrap();
        let found = client.run_by_id(id).get().await;
        assert!(found.is_ok(), "{id}: {found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_has_every_acknowledged_run() {
    let folder = floret::testing::scratch();
    let db = folder.path().join("runs.db");
    let server = Standalone::start(&["--db", path(&db), "--allow-commands"]);
    save_pipeline(&server.api).await;
    let (acknowledged, is_over) = (Mutex::default(), AtomicBool::new(false));
    let clients = (0..4).map(|_| trigger(server.api.clone(), &acknowledged, &is_over));
    let backups = async {
        for number in 0..3 {
            while acknowledged.lock().len() < 50 * (number + 1) {
                tokio::task::yield_now().await;
            }
            let before = acknowledged.lock().clone();
            let copy = folder.path().join(format!("copy{number}.db"));
            let mut command = command(&["backup", path(&copy), "--db", path(&db)]);
            let output = tokio::task::spawn_blocking(move || command.output().unwrap());
            let (code, text, error) = finished(output.await.unwrap());
            assert_eq!((code, error.as_str()), (Some(0), ""), "{text}");
            let size = std::fs::metadata(&copy).unwrap().len();
            assert_eq!(text, format!("{}: {size} bytes, checked\n", copy.display()));
            assert_has(&copy, &before).await;
        }
        is_over.store(true, Ordering::Relaxed);
    };
    let both = futures_util::future::join(futures_util::future::join_all(clients), backups);
    with_timeout("the backups", both).await;
    // A server starts with the copy, and executes what had not finished.
    server.kill();
    let copy = folder.path().join("copy2.db");
    let server = Standalone::start(&["--db", path(&copy), "--allow-commands"]);
    let (status, runs) = server.api.get("/runs?page=1").await.unwrap();
    assert_eq!(status, 200);
    assert!(runs["total"].as_u64().unwrap() >= 150, "{}", runs["total"]);
}

#[test]
fn a_backup_of_a_stopped_server_overwrites_nothing() {
    let folder = floret::testing::scratch();
    let (db, copy) = (folder.path().join("runs.db"), folder.path().join("copy.db"));
    drop(Standalone::start(&["--db", path(&db)]));
    let arguments = ["backup", path(&copy), "--db", path(&db)];
    let (code, _, error) = task(&arguments);
    assert_eq!(code, Some(0), "{error}");
    let before = std::fs::read(&copy).unwrap();
    let (code, text, error) = task(&arguments);
    assert_eq!((code, text.as_str()), (Some(1), ""));
    assert!(error.contains("already exists"), "{error}");
    assert_eq!(std::fs::read(&copy).unwrap(), before);
    let new = folder.path().join("new.db");
    let (code, _, error) = task(&["backup", path(&new), "--db", "/nowhere.db"]);
    assert_eq!(code, Some(1));
    assert!(error.contains("there is no store /nowhere.db"), "{error}");
    assert!(!new.exists());
}

/// Stores a pipeline and a secret, and stops the server.
async fn stored(db: &Path, key: &Path) {
    std::fs::write(key, [7; 32]).unwrap();
    let arguments = ["--allow-commands", "--secret-key-file", path(key)];
    let server = Standalone::start(&[&["--db", path(db)], &arguments[..]].concat());
    save_pipeline(&server.api).await;
    let variable = json!({"key": "TOKEN", "value": "canary", "type": "secret"});
    let (status, saved) = server.api.post("/variables", &variable).await.unwrap();
    assert_eq!(status, 201, "{saved}");
    server.kill();
}

#[tokio::test]
async fn a_check_finds_what_the_options_do_not_fit_and_changes_nothing() {
    let folder = floret::testing::scratch();
    let (db, key) = (folder.path().join("runs.db"), folder.path().join("key"));
    stored(&db, &key).await;
    let other = folder.path().join("other");
    std::fs::write(&other, [8; 32]).unwrap();
    let before = std::fs::read(&db).unwrap();
    let check = |options: &[&str]| task(&[&["check", "--db", path(&db)], options].concat());
    let fitting = ["--allow-commands", "--secret-key-file", path(&key)];
    let (code, text, error) = check(&fitting);
    assert_eq!(
        (code, text.as_str()),
        (Some(0), "no problem was found\n"),
        "{error}"
    );
    let variable = "variable TOKEN: the value cannot be opened: ";
    let pipeline = "pipeline work: at /nodes/0/type: ";
    let with_old = [
        "--secret-key-file",
        path(&other),
        "--old-secret-key-file",
        path(&key),
    ];
    let (code, text, error) = check(&[&["--allow-commands"], &with_old[..]].concat());
    assert_eq!(
        (code, text.as_str()),
        (Some(0), "no problem was found\n"),
        "{error}"
    );
    for (options, expected) in [
        (&["--allow-commands"][..], &[variable][..]),
        (&["--secret-key-file", path(&key)], &[pipeline]),
        (&["--secret-key-file", path(&other)], &[pipeline, variable]),
    ] {
        let (code, text, _) = check(options);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!((code, lines.len()), (Some(1), expected.len() + 1), "{text}");
        for (line, expected) in lines.iter().zip(expected) {
            assert!(line.starts_with(expected), "{line}");
        }
        assert!(lines[expected.len()].contains("found"), "{text}");
        assert!(!text.contains("canary"), "{text}");
    }
    assert_eq!(std::fs::read(&db).unwrap(), before);
    let (code, _, error) = check(&["--memory=true"]);
    assert_eq!(code, Some(2), "{error}");
    let (code, _, error) = task(&["check", "--db", "/nowhere.db"]);
    assert_eq!(code, Some(1));
    assert!(error.contains("there is no store /nowhere.db"), "{error}");
}

#[tokio::test]
async fn a_check_finds_a_damaged_file() {
    let folder = floret::testing::scratch();
    let (db, key) = (folder.path().join("runs.db"), folder.path().join("key"));
    stored(&db, &key).await;
    // The copy has no log beside it.
    let copy = folder.path().join("copy.db");
    let (code, _, error) = task(&["backup", path(&copy), "--db", path(&db)]);
    assert_eq!(code, Some(0), "{error}");
    let mut bytes = std::fs::read(&copy).unwrap();
    let pages = bytes.len() / 4_096;
    for page in 2..pages {
        bytes[page * 4_096..page * 4_096 + 64].fill(0xff);
    }
    std::fs::write(&copy, &bytes).unwrap();
    let fitting = ["--allow-commands", "--secret-key-file", path(&key)];
    let (code, text, error) = task(&[&["check", "--db", path(&copy)], &fitting[..]].concat());
    assert_eq!(code, Some(1), "{error}");
    assert!(text.starts_with("the file: "), "{text}");
    assert_eq!(std::fs::read(&copy).unwrap(), bytes);
}

#[tokio::test]
async fn while_a_server_runs_its_file_is_checked_and_the_rest_of_a_copy() {
    let folder = floret::testing::scratch();
    let (db, copy) = (folder.path().join("runs.db"), folder.path().join("copy.db"));
    let _server = Standalone::start(&["--db", path(&db)]);
    let (code, text, error) = task(&["check", "--db", path(&db)]);
    assert_eq!((code, text.as_str()), (Some(1), ""));
    assert!(error.contains("its file is in order"), "{error}");
    assert!(error.contains("standalone backup FILE"), "{error}");
    let (code, _, error) = task(&["backup", path(&copy), "--db", path(&db)]);
    assert_eq!(code, Some(0), "{error}");
    let (code, text, _) = task(&["check", "--db", path(&copy)]);
    assert_eq!((code, text.as_str()), (Some(0), "no problem was found\n"));
}
