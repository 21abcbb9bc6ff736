//! A store whose SQLite file is ruined: the messages of the driver reach neither a client nor a log
//! line at `info` or above.

use std::sync::OnceLock;

use floret::testing::routes;
use tracing_subscriber::fmt;

use super::levels::Levels;
use super::requests::{Round, every_request, park_two};
use crate::harness::CapturedTrace;
use crate::wire::{Backend, Host};

/// Texts that SQLite's driver puts into its messages.
const WORDS: [&str; 6] = [
    "no such table",
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "runs.db",
];

/// Returns the log at `info` and above of the threads of all stores in this process.
fn storage_log() -> &'static CapturedTrace {
    static LOUD: OnceLock<CapturedTrace> = OnceLock::new();
    LOUD.get_or_init(|| {
        let written = CapturedTrace::default();
        let subscriber = fmt()
            .with_ansi(false)
            .with_env_filter("floret::storage=info")
            .with_writer(written.clone());
        tracing::subscriber::set_global_default(subscriber.finish()).unwrap();
        written
    })
}

/// Drops the tables without the knowledge of the host.
fn ruin(host: &Host) {
    let connection = rusqlite::Connection::open(host.folder.path().join("runs.db")).unwrap();
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'meta'";
    let mut statement = connection.prepare(tables).unwrap();
    let names: Vec<String> = statement
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert!(names.len() > 10, "{names:?}");
    connection
        .pragma_update(None, "foreign_keys", false)
        .unwrap();
    for name in names {
        connection
            .execute(&format!("DROP TABLE {name}"), [])
            .unwrap();
    }
}

#[tokio::test]
async fn messages_of_the_driver_about_a_ruined_file_reach_no_client() {
    let threads = storage_log();
    let logs = Levels::default();
    let _guard = logs.capture();
    let host = Host::start(Backend::Sqlite).await;
    let failed = host.finished_run().await;
    let body = serde_json::json!({"start_date": "2024-01-01", "end_date": "2024-01-01"});
    let created = host
        .post("/api/pipelines/daily/backfill", Some(&body))
        .await;
    let backfill = created
        .header("location")
        .rsplit('/')
        .next()
        .unwrap()
        .to_owned();
    host.wait_finished(created.json()[0].as_str().unwrap())
        .await;
    let dead = park_two(&host, &failed).await;
    ruin(&host);
    let round = Round {
        key: "once".to_owned(),
        active: failed.clone(),
        failed,
        finished_backfill: backfill.clone(),
        paused_backfill: backfill.clone(),
        backfill,
        dead,
    };
    let folder = host.folder.path().to_str().unwrap();
    let mut failures = 0;
    for (route, request) in every_request(&round) {
        let answer = host.send(request).await;
        failures += usize::from(answer.status.is_server_error());
        let response = format!("{:?} {}", answer.headers, answer.text());
        for word in WORDS.iter().chain([&folder]) {
            assert!(
                !response.contains(word),
                "{route:?} exposes {word}: {response}"
            );
        }
    }
    assert!(failures > routes().len() / 2, "{failures} requests failed");
    let (threads, own) = (threads.text(), logs.loud.text());
    assert!(threads.contains("steps were not written"), "{threads}");
    assert!(own.contains("a request failed"), "{own}");
    for word in WORDS.iter().chain([&folder]) {
        let line = threads
            .lines()
            .chain(own.lines())
            .find(|line| line.contains(word));
        assert_eq!(line, None);
    }
}
