//! Programs whose exit code decides on a branch.

use serde_json::{Value, json};

use super::execute;
use crate::executor::{ExecutorError, NodeCall, Output};
use crate::nodes::tests::call;

fn decides(script: &str) -> NodeCall {
    let config = json!({"command": ["sh", "-c", script], "branch": true});
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
async fn exit_codes_0_and_1_take_a_branch_with_the_rows() {
    for (code, expected) in [(0, true), (1, false)] {
        let script = format!("echo '{{\"a\": 1}}'; exit {code}");
        let rows = Some(json!([{"a": 1}]));
        assert_eq!(taken(decides(&script)).await.unwrap(), (expected, rows));
    }
    let quiet = json!({"command": ["false"], "branch": "true", "output": "log"});
    assert_eq!(taken(call(quiet, [])).await.unwrap(), (false, None));
}

#[tokio::test]
async fn another_exit_is_a_failure() {
    for (script, expected) in [
        ("exit 2", "the command failed with exit code 2"),
        ("kill -KILL $$", "the command was killed by signal 9"),
        (
            "sleep 1000 & exit 1",
            "the command has exited, but a process that it started still holds its output open",
        ),
        (
            "echo no; exit 1",
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
    let mut call = decides("seq 1 100 | sed 's/.*/{\"a\": &}/'; exit 1");
    call.ctx.row_limit = Some(10);
    let (branch, rows) = taken(call).await.unwrap();
    assert!(!branch);
    assert_eq!(rows.unwrap()[9], json!({"a": 10}));
}
