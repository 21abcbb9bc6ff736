//! Programs whose exit code takes a branch.

use serde_json::{Value, json};

use super::execute;
use crate::clock::Clock;
use crate::executor::{Executor, ExecutorError, NodeCall, Output};
use crate::nodes::CommandNode;
use crate::nodes::tests::call;

fn decides(script: &str) -> NodeCall {
    let config = json!({"command": ["sh", "-c", script], "false_exit_code": 10});
    call(config, [])
}

/// Returns the branch and the rows.
async fn taken(call: NodeCall) -> Result<(bool, Option<Value>), ExecutorError> {
    match execute(call).await? {
        Output::Branch { taken, dataset } => {
            Ok((taken, dataset.map(|dataset| json!(dataset.rows().unwrap()))))
        }
        other => panic!("{other:?} is no branch"),
    }
}

#[tokio::test]
async fn two_exit_codes_take_a_branch_with_the_rows() {
    for (code, expected) in [(0, true), (10, false)] {
        let script = format!("echo '{{\"a\": 1}}'; exit {code}");
        let rows = Some(json!([{"a": 1}]));
        assert_eq!(taken(decides(&script)).await.unwrap(), (expected, rows));
    }
    let quiet = json!({"command": ["false"], "false_exit_code": "1", "output": "log"});
    assert_eq!(taken(call(quiet, [])).await.unwrap(), (false, None));
}

#[tokio::test]
async fn another_exit_is_a_failure() {
    for (script, expected) in [
        ("exit 1", "the command failed with exit code 1"),
        ("kill -KILL $$", "the command was killed by signal 9"),
        (
            "sleep 1000 & exit 10",
            "the command has exited, but a process that it started still holds its output open",
        ),
        (
            "echo no; exit 10",
            "line 1 of the output: \"no\" is not a row (expected ident at column 2); write messages to stderr, or set output to json, csv or log",
        ),
    ] {
        let error = execute(decides(script)).await.unwrap_err();
        assert_eq!(error.message(), expected);
    }
}

/// Its exit code is the decision.
#[tokio::test]
async fn a_dry_run_lets_a_program_that_decides_come_to_its_end() {
    let ndjson = "seq 1 100 | sed 's/.*/{\"a\": &}/'; exit 10";
    let csv = "echo a; seq 1 100; exit 10";
    for (script, output) in [(ndjson, "ndjson"), (csv, "csv")] {
        let mut call = decides(script);
        call.ctx
            .node
            .config
            .insert("output".to_owned(), json!(output));
        call.ctx.row_limit = Some(10);
        let (branch, rows) = taken(call).await.unwrap();
        assert!(!branch);
        let rows = rows.unwrap();
        assert_eq!(
            rows[99],
            json!({"a": 100}),
            "{output}: the engine cuts them"
        );
    }
}

#[test]
fn the_exit_code_of_a_branch_is_from_1_to_255() {
    let node = CommandNode::new(Clock::system());
    for (code, is_valid) in [
        (json!(1), true),
        (json!("255"), true),
        (json!("${param.code}"), true),
        (json!(0), false),
        (json!(256), false),
        (json!(-1), false),
        (json!(true), false),
        (json!(null), false),
    ] {
        let config = json!({"command": ["true"], "false_exit_code": code});
        let issues = node.validate(config.as_object().unwrap());
        assert_eq!(issues.len(), usize::from(!is_valid), "{code}: {issues:?}");
    }
}
