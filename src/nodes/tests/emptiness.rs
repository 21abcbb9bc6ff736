//! Files without rows: a source refuses an empty file, and a sink keeps a good one.

use serde_json::{Value, json};

use super::{TestDir, call, dataset};
use crate::executor::{Executor, Output};
use crate::model::Dataset;
use crate::nodes::SinkFile;

async fn written(test_dir: &TestDir, config: Value, rows: Dataset) -> Result<Output, String> {
    let call = call(config, [rows]);
    let stored = SinkFile::new(test_dir.dir.clone()).execute(call).await;
    stored.map_err(|error| {
        assert!(!error.is_retryable());
        error.message().to_owned()
    })
}

#[tokio::test]
async fn an_empty_file_is_an_error_unless_it_is_allowed() {
    let test_dir = TestDir::new();
    for (path, text) in [
        ("a.csv", ""),
        ("a.csv", "\u{feff}"),
        ("a.csv", "\n\r\n"),
        ("a.ndjson", ""),
        ("a.ndjson", " \n"),
        ("a.json", ""),
    ] {
        test_dir.write(path, text);
        assert_eq!(
            test_dir.message(test_dir.read(json!({"path": path})).await),
            format!("{path}: it is empty: set allow_empty to true if it may be")
        );
        let allowed = test_dir.read(json!({"path": path, "allow_empty": true}));
        let Ok(Output::Dataset(dataset)) = allowed.await else {
            panic!("no dataset");
        };
        assert_eq!((dataset.row_count(), dataset.columns()), (0, vec![]));
    }
}

#[tokio::test]
async fn a_header_alone_keeps_its_columns_on_the_way_to_a_sink() {
    let test_dir = TestDir::new();
    test_dir.write("a.csv", "id,name\n");
    let Ok(Output::Dataset(dataset)) = test_dir.read(json!({"path": "a.csv"})).await else {
        panic!("no dataset");
    };
    let stored = Dataset::decode(&dataset.encode().unwrap()).unwrap();
    written(&test_dir, json!({"path": "out.csv"}), stored)
        .await
        .unwrap();
    assert_eq!(test_dir.text("out.csv"), "id,name\n");
}

/// Inputs from which no row remains in the file of this config.
fn inputs_without_rows(config: &Value) -> Vec<Dataset> {
    let mut inputs = vec![
        Dataset::from_columns(["id"; 0]),
        Dataset::from_columns(["id"]),
    ];
    if config["path"].as_str().unwrap().ends_with("sv") {
        // Rows without columns are no records.
        inputs.push(dataset(json!([{}, {}])));
    }
    inputs
}

#[tokio::test]
async fn a_sink_keeps_a_file_with_rows_if_it_has_none() {
    for (config, good) in [
        (json!({"path": "a.csv"}), "id\n1\n"),
        (json!({"path": "a.csv"}), "\"i\nd\"\n\"\""),
        (json!({"path": "a.csv", "header": false}), "1\n"),
        (json!({"path": "a.tsv"}), "id\tx\n1\t2\n"),
        (json!({"path": "a.ndjson"}), "\n{\"id\":1}\n"),
        (json!({"path": "a.json"}), " [ {\"id\":1}]\n"),
        // What the sink cannot read may be rows.
        (json!({"path": "a.csv"}), "id\n1,2\n"),
        (json!({"path": "a.ndjson"}), "good\n"),
        (json!({"path": "a.json"}), "{}"),
    ] {
        for input in inputs_without_rows(&config) {
            let test_dir = TestDir::new();
            let path = config["path"].as_str().unwrap();
            test_dir.write(path, good);
            let refused = written(&test_dir, config.clone(), input.clone()).await;
            assert_eq!(
                refused.expect_err(&format!("{config} {good:?}")),
                format!(
                    "{path} is not written: a file that has rows is not replaced by one without \
                     rows, unless allow_empty is true"
                )
            );
            assert_eq!(test_dir.text(path), good);
            let mut allowed = config.clone();
            allowed["allow_empty"] = json!(true);
            written(&test_dir, allowed, input).await.unwrap();
            assert_ne!(test_dir.text(path), good);
        }
    }
}

#[tokio::test]
async fn a_file_without_rows_may_be_replaced_by_another() {
    for (config, old) in [
        (json!({"path": "a.csv"}), ""),
        (json!({"path": "a.csv"}), "\u{feff}id;name\n"),
        (json!({"path": "a.csv"}), "\"i\nd\",x\r\n\r\n"),
        (json!({"path": "a.csv"}), "id,id"),
        (json!({"path": "a.csv", "header": false}), "\n"),
        (json!({"path": "a.tsv", "quote": false}), "\"id\tx\n"),
        (json!({"path": "a.ndjson"}), " \n"),
        (json!({"path": "a.json"}), "[\n]"),
    ] {
        for input in inputs_without_rows(&config) {
            let test_dir = TestDir::new();
            test_dir.write(config["path"].as_str().unwrap(), old);
            let replaced = written(&test_dir, config.clone(), input).await;
            assert!(replaced.is_ok(), "{config} {old:?}: {replaced:?}");
        }
        // There is nothing to lose where no file is.
        for input in inputs_without_rows(&config) {
            let replaced = written(&TestDir::new(), config.clone(), input).await;
            assert!(replaced.is_ok(), "{config}: {replaced:?}");
        }
    }
}

#[tokio::test]
async fn a_compressed_file_counts_by_its_content() {
    let test_dir = TestDir::new();
    for path in ["a.csv.gz", "a.ndjson.zst"] {
        let none = || Dataset::from_columns(["id"; 0]);
        for _ in 0..2 {
            written(&test_dir, json!({"path": path}), none())
                .await
                .unwrap();
        }
        test_dir
            .store(json!({"path": path}), json!([{"id": 1}]))
            .await
            .unwrap();
        assert!(
            written(&test_dir, json!({"path": path}), none())
                .await
                .is_err()
        );
    }
}

#[tokio::test]
async fn too_few_rows_are_refused_by_sources_and_sinks() {
    let test_dir = TestDir::new();
    test_dir.write("a.csv", "id\n1\n2\n");
    let source = json!({"path": "a.csv", "min_rows": 3});
    assert_eq!(
        test_dir.message(test_dir.read(source).await),
        "a.csv: it has 2 rows, and min_rows is 3"
    );
    test_dir
        .read(json!({"path": "a.csv", "min_rows": 2}))
        .await
        .unwrap();
    let sink = json!({"path": "a.csv", "min_rows": 2});
    let refused = test_dir.store(sink, json!([{"id": 3}])).await;
    assert_eq!(
        test_dir.message(refused),
        "a.csv is not written: its input has 1 rows, and min_rows is 2"
    );
    assert_eq!(test_dir.text("a.csv"), "id\n1\n2\n");
}
