//! A sink writes its file whole or not at all, and leaves nothing else.

use serde_json::json;

use super::{NodeIndex, call, dataset};
use crate::executor::{Executor, Input, NodeCall};
use crate::model::NodeId;
use crate::nodes::SinkFile;

#[tokio::test]
async fn a_file_is_replaced_and_nothing_else_is_left() {
    let place = NodeIndex::new();
    place.write("out.csv", "old");
    place
        .store(json!({"path": "out.csv"}), json!([{"a": 1}]))
        .await
        .unwrap();
    assert_eq!(place.text("out.csv"), "a\n1\n");
    assert_eq!(place.names("."), ["out.csv"]);
}

#[tokio::test]
async fn a_sink_that_is_stopped_leaves_the_old_file() {
    let place = NodeIndex::new();
    place.write("out.csv", "old");
    let call = call(json!({"path": "out.csv"}), [dataset(json!([{"a": 1}]))]);
    call.ctx.cancel.cancel();
    let failed = SinkFile::new(place.dir.clone()).execute(call).await;
    assert!(failed.unwrap_err().is_retryable());
    assert_eq!(place.text("out.csv"), "old");
    assert_eq!(place.names("."), ["out.csv"]);
}

#[tokio::test]
async fn what_a_killed_attempt_left_is_removed_by_the_next() {
    let place = NodeIndex::new();
    let call = call(json!({"path": "out.csv"}), [dataset(json!([{"a": 1}]))]);
    let killed = place.dir.replace("out.csv", &call.ctx.attempt_key);
    std::mem::forget(killed.unwrap_or_else(|error| panic!("{error}")));
    let other = place.dir.replace("out.csv", "another node");
    assert_eq!(place.names(".").len(), 2);
    SinkFile::new(place.dir.clone())
        .execute(call)
        .await
        .unwrap();
    drop(other);
    assert_eq!(place.names("."), ["out.csv"]);
}

#[tokio::test]
async fn the_rows_of_all_upstreams_are_written_in_their_order() {
    let place = NodeIndex::new();
    let inputs = [json!([{"a": 1}]), json!([]), json!([{"b": 2, "a": "x"}])].map(dataset);
    let NodeCall {
        ctx, mut inputs, ..
    } = call(json!({"path": "out.csv"}), inputs);
    inputs.insert(1, Input::new(NodeId::new("sink").unwrap(), None));
    let call = NodeCall::new(ctx, inputs);
    SinkFile::new(place.dir.clone())
        .execute(call)
        .await
        .unwrap();
    assert_eq!(place.text("out.csv"), "a,b\n1,\nx,2\n");
}

#[tokio::test]
async fn no_rows_and_no_columns_make_an_empty_file() {
    let place = NodeIndex::new();
    place
        .store(json!({"path": "out.csv"}), json!([{}, {}]))
        .await
        .unwrap();
    assert_eq!(place.text("out.csv"), "");
    let call = call(
        json!({"path": "names.csv"}),
        [crate::Dataset::from_columns(["a", "b"])],
    );
    SinkFile::new(place.dir.clone())
        .execute(call)
        .await
        .unwrap();
    assert_eq!(place.text("names.csv"), "a,b\n");
}
