//! A sink writes its file whole or not at all, and leaves no other files.

use serde_json::json;

use super::{TestDir, call, dataset};
use crate::executor::{Executor, Input, NodeCall};
use crate::model::NodeId;
use crate::nodes::SinkFile;

#[tokio::test]
async fn a_file_is_replaced_and_no_other_file_remains() {
    let test_dir = TestDir::new();
    test_dir.write("out.csv", "old");
    test_dir
        .store(json!({"path": "out.csv"}), json!([{"a": 1}]))
        .await
        .unwrap();
    assert_eq!(test_dir.text("out.csv"), "a\n1\n");
    assert_eq!(test_dir.names("."), ["out.csv"]);
}

#[tokio::test]
async fn a_cancelled_sink_leaves_the_old_file() {
    let test_dir = TestDir::new();
    test_dir.write("out.csv", "old");
    let call = call(json!({"path": "out.csv"}), [dataset(json!([{"a": 1}]))]);
    call.ctx.cancel.cancel();
    let failed = SinkFile::new(test_dir.dir.clone()).execute(call).await;
    assert!(failed.unwrap_err().is_retryable());
    assert_eq!(test_dir.text("out.csv"), "old");
    assert_eq!(test_dir.names("."), ["out.csv"]);
}

#[tokio::test]
async fn an_attempt_removes_the_temporary_file_of_a_killed_one() {
    let test_dir = TestDir::new();
    let call = call(json!({"path": "out.csv"}), [dataset(json!([{"a": 1}]))]);
    let killed = test_dir.dir.replace("out.csv", &call.ctx.attempt_key);
    std::mem::forget(killed.unwrap_or_else(|error| panic!("{error}")));
    let other = test_dir.dir.replace("out.csv", "another node");
    assert_eq!(test_dir.names(".").len(), 2);
    SinkFile::new(test_dir.dir.clone())
        .execute(call)
        .await
        .unwrap();
    drop(other);
    assert_eq!(test_dir.names("."), ["out.csv"]);
}

#[tokio::test]
async fn the_rows_of_all_upstreams_are_written_in_order() {
    let test_dir = TestDir::new();
    let inputs = [json!([{"a": 1}]), json!([]), json!([{"b": 2, "a": "x"}])].map(dataset);
    let NodeCall {
        ctx, mut inputs, ..
    } = call(json!({"path": "out.csv"}), inputs);
    inputs.insert(1, Input::new(NodeId::new("sink").unwrap(), None));
    let call = NodeCall::new(ctx, inputs);
    SinkFile::new(test_dir.dir.clone())
        .execute(call)
        .await
        .unwrap();
    assert_eq!(test_dir.text("out.csv"), "a,b\n1,\nx,2\n");
}

#[tokio::test]
async fn no_columns_make_an_empty_file_and_no_rows_a_header() {
    let test_dir = TestDir::new();
    test_dir
        .store(json!({"path": "out.csv"}), json!([{}, {}]))
        .await
        .unwrap();
    assert_eq!(test_dir.text("out.csv"), "");
    let call = call(
        json!({"path": "names.csv"}),
        [crate::Dataset::from_columns(["a", "b"])],
    );
    SinkFile::new(test_dir.dir.clone())
        .execute(call)
        .await
        .unwrap();
    assert_eq!(test_dir.text("names.csv"), "a,b\n");
}
