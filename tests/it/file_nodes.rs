//! Pipelines of the built-in file nodes, from their definition to the written file.
//!
//! What each format accepts is tested in `src/nodes`.

use std::time::Duration;

use floret::nodes::{DataDir, SinkFile, SourceFile};
use floret::testing::run_to_end;
use floret::{Builder, NodeStatus, RunStatus, testing};
use serde_json::{Value, json};

use crate::wire::{Backend, Host};

fn builder(folder: &tempfile::TempDir) -> Builder {
    with_file_nodes(testing::memory(), folder)
}

fn with_file_nodes(builder: Builder, folder: &tempfile::TempDir) -> Builder {
    let dir = DataDir::open(folder.path()).unwrap();
    builder
        .executor("source_file", SourceFile::new(dir.clone()))
        .executor("sink_file", SinkFile::new(dir))
}

fn pipeline(source: &Value, sinks: &[Value]) -> floret::Pipeline {
    let mut nodes =
        vec![json!({"id": "read", "name": "read", "type": "source_file", "config": source})];
    let mut edges = Vec::new();
    for (index, sink) in sinks.iter().enumerate() {
        let id = format!("write-{index}");
        nodes.push(json!({"id": id, "name": id, "type": "sink_file", "config": sink}));
        edges.push(json!({"from": "read", "to": id}));
    }
    let definition = json!({"id": "copy", "name": "copy", "nodes": nodes, "edges": edges});
    serde_json::from_value(definition).unwrap()
}

#[tokio::test]
async fn two_sinks_with_one_path_are_refused_when_they_are_saved() {
    let folder = tempfile::tempdir().unwrap();
    let source = json!({"path": "a.csv"});
    for (first, second) in [
        ("out.csv", "./out.csv"),
        ("${param.x}.csv", "${param.x}.csv"),
    ] {
        let twice = pipeline(&source, &[json!({"path": first}), json!({"path": second})]);
        let error = builder(&folder).pipeline(twice).start().await.unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains("only one result would remain"),
            "{message}"
        );
        assert!(message.contains("write-0"), "{message}");
    }
    let other = pipeline(
        &source,
        &[json!({"path": "out.csv"}), json!({"path": "out.tsv"})],
    );
    let floret = builder(&folder).pipeline(other).start().await.unwrap();
    floret.shutdown(Duration::ZERO).await.unwrap();
}

#[tokio::test]
async fn two_sinks_whose_templates_have_one_path_in_a_run_do_not_both_write_it() {
    let source = json!({"path": "a.csv"});
    for (first, second, failed) in [
        ("${param.x}.csv", "${param.y}.csv", true),
        ("${param.date}.csv", "${run.date}.csv", true),
        ("${param.x}.csv", "./out.csv", true),
        ("${param.x}.csv", "${param.z}.csv", false),
    ] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.csv"), "id\n1\n").unwrap();
        // The format makes the results differ.
        let sinks = [
            json!({"path": first}),
            json!({"path": second, "format": "json"}),
        ];
        let params = [("x", "out"), ("y", "out"), ("z", "other")];
        let copy = params
            .into_iter()
            .fold(pipeline(&source, &sinks), |copy, (name, value)| {
                copy.param(name, value)
            });
        let finished = run_to_end(builder(&folder), copy).await.unwrap();
        let nodes = &finished.detail.nodes;
        let write = |id: &str| nodes.iter().find(|node| node.node_id.as_str() == id);
        assert_eq!(write("write-0").unwrap().status, NodeStatus::Success);
        let second = write("write-1").unwrap();
        assert_eq!(second.status == NodeStatus::Failed, failed, "{second:?}");
        let error = second.error.as_deref().unwrap_or_default();
        assert_eq!(
            error.contains("which the node \"write-0\" writes, too: only one result would remain"),
            failed,
            "{error}"
        );
        let files = std::fs::read_dir(folder.path()).unwrap();
        let mut texts: Vec<_> = files
            .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
            .collect();
        texts.sort();
        // The source, the result of the first sink, and that of the second one beside it.
        let expected = ["[\n{\"id\":1}\n]\n", "id\n1\n", "id\n1\n"];
        assert_eq!(texts, expected[usize::from(failed)..]);
    }
}

#[tokio::test]
async fn a_header_without_rows_reaches_the_sink_and_other_sinks_keep_their_rows() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("a.csv", "id,name\n");
    write("out.csv", "id,name\n1,a\n");
    write("out.ndjson", "{\"id\":1}\n");
    let sinks = ["new.csv", "out.csv", "out.ndjson"].map(|path| json!({ "path": path }));
    let copy = pipeline(&json!({"path": "a.csv"}), &sinks);
    let finished = run_to_end(builder(&folder), copy).await.unwrap();
    assert_eq!(finished.status(), RunStatus::Failed);
    let status = |id: &str| {
        let nodes = &finished.detail.nodes;
        nodes
            .iter()
            .find(|node| node.node_id.as_str() == id)
            .unwrap()
            .status
    };
    assert_eq!(status("write-0"), NodeStatus::Success);
    assert_eq!(status("write-1"), NodeStatus::Failed);
    assert_eq!(status("write-2"), NodeStatus::Failed);
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(read("new.csv"), "id,name\n");
    assert_eq!(read("out.csv"), "id,name\n1,a\n");
    assert_eq!(read("out.ndjson"), "{\"id\":1}\n");
}

#[tokio::test]
async fn a_file_sink_that_no_edge_leads_to_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::build(Backend::Memory, |builder| with_file_nodes(builder, &folder)).await;
    let mut copy = serde_json::to_value(pipeline(
        &json!({"path": "a.csv"}),
        &[json!({"path": "out.csv"}), json!({"path": "out.tsv"})],
    ))
    .unwrap();
    copy["edges"].as_array_mut().unwrap().pop();
    let expected = json!([{
        "pointer": "/nodes/2",
        "detail": "no edge leads to the node \"write-1\", so it receives no rows for the file \"out.tsv\"",
    }]);
    let created = host.post("/api/pipelines", Some(&copy)).await;
    assert_eq!(created.status, 201, "{created:?}");
    assert_eq!(created.json()["warnings"], expected);
    let checked = host.get("/api/pipelines/copy/validate").await.json();
    assert_eq!(
        (&checked["valid"], &checked["warnings"]),
        (&json!(true), &expected)
    );
}
