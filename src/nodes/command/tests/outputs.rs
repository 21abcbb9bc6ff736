//! How the output of a program is read, and what happens to one that is not rows.

use serde_json::{Value, json};

use super::{execute, failure, listen, shell};
use crate::executor::{NodeCall, Output};
use crate::nodes::tests::{call, rows};

/// Creates a call of a shell script whose output has this format.
fn outputs(format: &str, script: &str) -> NodeCall {
    call(
        json!({"command": ["sh", "-c", script], "output": format}),
        [],
    )
}

async fn rows_of(call: NodeCall) -> Value {
    json!(rows(execute(call).await.unwrap()))
}

#[tokio::test]
async fn a_line_that_is_no_row_is_shown_after_the_program_has_finished() {
    let dir = tempfile::tempdir().unwrap();
    let done = dir.path().join("done");
    let script = "echo '{}'; echo loading; echo '{\"a\": 1}'; seq 1 100000 | tail -n 1 >&2; echo done > \"$0\"";
    let error = execute(call(json!({"command": ["sh", "-c", script, done]}), []))
        .await
        .unwrap_err();
    assert_eq!(
        error.message(),
        "line 2 of the output: \"loading\" is not a row (expected value at column 1); write messages to stderr, or set output to json, csv or log"
    );
    assert!(!error.is_retryable());
    assert_eq!(std::fs::read_to_string(done).unwrap(), "done\n");
}

#[tokio::test]
async fn an_exit_code_wins_over_what_was_written() {
    for format in ["ndjson", "json", "csv", "log"] {
        let script = "echo loading; echo no >&2; echo 'half, done'; exit 3";
        let error = execute(outputs(format, script)).await.unwrap_err();
        assert_eq!(
            error.message(),
            "the command failed with exit code 3: no; its output ends with: loading | half, done",
            "{format}"
        );
        assert!(error.is_retryable(), "{format}");
    }
    let error = failure("echo '{\"a\": 1}'; exit 3").await;
    assert_eq!(
        error.message(),
        "the command failed with exit code 3; its output ends with: {\"a\": 1}"
    );
}

#[tokio::test]
async fn an_output_without_an_end_stops_the_program() {
    let bounded = |mut call: NodeCall| {
        call.ctx.dataset_limits.bytes_max = 100_000;
        call
    };
    for (call, expected) in [
        (
            shell("cat /dev/zero", []),
            "line 1 of the output: it is longer than 33554432 bytes",
        ),
        (
            bounded(shell("while :; do echo '{\"a\": 123456}'; done", [])),
            "of the output: ",
        ),
        (
            bounded(shell("echo no; yes", [])),
            "the command was stopped, since its output has no end",
        ),
        (
            bounded(outputs("json", "echo no; yes")),
            "the command was stopped, since its output has no end",
        ),
        (
            bounded(outputs("csv", "echo a,b; yes 1")),
            "the command was stopped, since its output has no end",
        ),
    ] {
        let error = execute(call).await.unwrap_err();
        assert!(error.message().contains(expected), "{error}");
        assert!(!error.is_retryable(), "{error}");
    }
}

#[tokio::test]
async fn the_stdout_of_a_sink_is_log() {
    let script = "echo loading; echo '{\"a\": 1}'; echo why >&2";
    let config = json!({"command": ["sh", "-c", script], "effect": "sink"});
    for mut call in [call(config, []), outputs("log", script)] {
        let mut heard = listen(&mut call);
        assert!(matches!(execute(call).await.unwrap(), Output::Nothing));
        let mut lines = Vec::new();
        while let Some(line) = heard.recv().await {
            lines.push(line);
        }
        lines.sort();
        assert_eq!(lines, ["loading", "why", "{\"a\": 1}"]);
    }
}

#[tokio::test]
async fn a_document_has_all_rows() {
    let json_rows = "printf '[{\"a\": 1},\n {\"a\": 2}]\n'";
    assert_eq!(
        rows_of(outputs("json", json_rows)).await,
        json!([{"a": 1}, {"a": 2}])
    );
    let csv_rows = "printf 'id,name\n7,\"b, c\"\n8,\n'";
    assert_eq!(
        rows_of(outputs("csv", csv_rows)).await,
        json!([{"id": 7, "name": "b, c"}, {"id": 8, "name": null}])
    );
    let many = "echo id; i=0; while [ $i -lt 30000 ]; do echo $i; i=$((i+1)); done";
    let found = rows_of(outputs("csv", many)).await;
    assert_eq!(found.as_array().unwrap().len(), 30_000);
}

#[tokio::test]
async fn an_invalid_document_is_reported_after_the_program_has_finished() {
    let dir = tempfile::tempdir().unwrap();
    for (format, script) in [
        ("json", "echo '[{\"a\": 1}, oops'"),
        ("csv", "echo a,b; echo 1"),
    ] {
        let done = dir.path().join(format);
        let script = format!("{script}; seq 1 30000; echo done > \"$0\"");
        let config = json!({"command": ["sh", "-c", script, done], "output": format});
        let error = execute(call(config, [])).await.unwrap_err();
        assert!(error.message().contains("the output"), "{error}");
        assert!(!error.is_retryable());
        assert_eq!(std::fs::read_to_string(done).unwrap(), "done\n");
    }
}

#[tokio::test]
async fn a_dry_run_reads_the_first_rows_of_any_output() {
    for (format, script) in [
        ("ndjson", "while :; do echo '{\"a\": 1}'; done"),
        ("json", "echo '['; while :; do echo '{\"a\": 1},'; done"),
        ("csv", "echo a; yes 1"),
    ] {
        let mut call = outputs(format, script);
        call.ctx.row_limit = Some(10);
        let found = rows_of(call).await;
        assert_eq!(found, json!(vec![json!({"a": 1}); 10]), "{format}");
    }
}

#[tokio::test]
async fn what_is_odd_in_a_document_is_in_the_log() {
    let script = "printf 'a\n1\n\n2\n'; yes 3 | head -n 20";
    for (row_limit, expected) in [
        (
            None,
            vec!["1 blank lines were skipped, the first at line 3"],
        ),
        (
            Some(10),
            vec![
                "1 blank lines were skipped, the first at line 3",
                "the types are inferred from the first 10 rows only",
            ],
        ),
    ] {
        let mut call = outputs("csv", script);
        call.ctx.row_limit = row_limit;
        let mut heard = listen(&mut call);
        execute(call).await.unwrap();
        for line in expected {
            assert_eq!(heard.recv().await.as_deref(), Some(line));
        }
        assert_eq!(heard.recv().await, None);
    }
}

#[tokio::test]
async fn a_byte_order_mark_before_the_rows_is_accepted() {
    let script = "printf '\\357\\273\\277{\"a\": 1}\n{\"a\": 2}\n'";
    assert_eq!(
        rows_of(shell(script, [])).await,
        json!([{"a": 1}, {"a": 2}])
    );
}
