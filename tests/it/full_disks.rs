//! The standalone example where nothing can be written: to its log, or to its store beyond a limit.
//!
//! `faults` tests what a full disk does to the engine.

use std::process::Command;

use http::Method;
use serde_json::{Value, json};

use crate::standalone::Standalone;

#[tokio::test]
async fn a_log_that_cannot_be_written_costs_no_answer_and_no_orderly_shutdown() {
    let full_log = r#"RUST_LOG=debug exec "$0" "$@" 2>/dev/full"#;
    let mut server = Standalone::start_by(full_log, &["--memory"]);
    for path in ["/absent", "/runs?page=0", "/pipelines/absent"] {
        let (status, _) = server.api.get(path).await.unwrap();
        assert!(status.is_client_error(), "{path}: {status}");
    }
    let id = server.process_id().to_string();
    let sent = Command::new("kill").args(["-TERM", &id]).status().unwrap();
    assert!(sent.success());
    assert_eq!(server.wait().code(), Some(0));
}

#[tokio::test]
async fn a_store_at_the_limit_of_file_sizes_refuses_runs_and_still_reads() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("runs.db");
    let arguments = ["--db", store.to_str().unwrap(), "--allow-commands"];
    // 2,000 blocks of 512 bytes. The log goes elsewhere.
    let limited = r#"ulimit -f 2000 && exec "$0" "$@""#;
    let server = Standalone::start_by(limited, &arguments);
    let node = json!({"id": "wait", "type": "command", "config": {"command": ["true"]}});
    let pipeline = json!({"id": "daily", "name": "daily", "nodes": [node]});
    let (created, _) = server.api.post("/pipelines", &pipeline).await.unwrap();
    assert_eq!(created, 201);
    let large = json!({"params": {"text": "x".repeat(30_000)}});
    let mut refused = None;
    for _ in 0..200 {
        let (status, _) = server
            .api
            .send(Method::POST, "/pipelines/daily/run", &large)
            .await
            .expect("the server still answers");
        if status != 202 {
            refused = Some(status);
            break;
        }
    }
    let refused = refused.expect("the limit is reached");
    assert!(refused.is_server_error(), "{refused}");
    let (status, runs) = server.api.get("/runs").await.unwrap();
    assert_eq!(status, 200);
    assert!(
        runs.as_array().is_some_and(|runs| !runs.is_empty()),
        "{runs}"
    );
    assert_eq!(
        server.api.post("/absent", &Value::Null).await.unwrap().0,
        404
    );
}
