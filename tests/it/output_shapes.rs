//! What a function returns and which rows its node outputs: many, one or none.
//!
//! How outputs are stored and read is left to `outputs`.

use floret::executor::{Ctx, ExecutorError, IntoOutput};
use floret::testing::{FinishedRun, memory, run_to_end};
use floret::{Dataset, Pipeline, RunStatus};
use serde::Serialize;
use serde_json::{Value, json};

#[derive(Clone, Serialize)]
struct Summary {
    orders: u64,
}

#[derive(Clone, Serialize)]
#[serde(transparent)]
struct Text(String);

/// Runs a node whose function returns this value.
async fn run<O: IntoOutput + Clone + Sync>(value: O) -> FinishedRun {
    let node = move |_: Ctx| {
        let value = value.clone();
        async move { Ok::<_, ExecutorError>(value) }
    };
    let daily = Pipeline::new("daily").node("sum", "sum");
    run_to_end(memory().node("sum", node), daily).await.unwrap()
}

#[tokio::test]
async fn a_struct_is_a_dataset_of_one_row() {
    let summary = || Summary { orders: 7 };
    let dataset = Dataset::from_serialize(&[summary()]).unwrap();
    for finished in [
        run(summary()).await,
        run(Some(summary())).await,
        run(vec![summary()]).await,
        run([summary()]).await,
        run(json!({"orders": 7})).await,
        run(json!([{"orders": 7}])).await,
        run(dataset).await,
    ] {
        assert_eq!(finished.detail.nodes[0].row_count, Some(1));
        let rows: Vec<Value> = finished.handle.output("sum").await.unwrap();
        assert_eq!(rows, [json!({"orders": 7})]);
    }
}

#[tokio::test]
async fn nothing_is_no_dataset() {
    for finished in [
        run(()).await,
        run(None::<Summary>).await,
        run(Value::Null).await,
    ] {
        assert_eq!(finished.status(), RunStatus::Success);
        assert_eq!(finished.detail.nodes[0].row_count, None);
    }
    let empty = run(Vec::<Summary>::new()).await;
    assert_eq!(empty.detail.nodes[0].row_count, Some(0));
}

#[tokio::test]
async fn a_value_that_is_no_row_fails_the_node_by_its_name() {
    for (finished, what) in [
        (run(7).await, "a number"),
        (run("seven").await, "a string"),
        (run(Text("seven".to_owned())).await, "a string"),
    ] {
        assert_eq!(finished.status(), RunStatus::Failed);
        let error = finished.detail.run.error.as_deref().unwrap();
        let expected = format!(
            "node sum: the output cannot be converted to a dataset: expected an object, which is \
             one row, or an array of objects, not {what}"
        );
        assert_eq!(error, expected);
    }
}
