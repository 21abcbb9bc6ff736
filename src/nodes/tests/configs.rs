//! Config validation: every problem is reported, except those of unresolved templates.

use serde_json::{Value, json};

use super::TestDir;
use crate::clock::Clock;
use crate::error::IssueAt;
use crate::executor::{Asset, Effect, Executor};
use crate::model::Node;
use crate::nodes::{CommandNode, SinkFile, SourceFile};

fn pointers(executor: &dyn Executor, config: &Value) -> Vec<String> {
    let issues = executor.validate(config.as_object().unwrap());
    let pointers = issues.into_iter().map(|issue| match issue.at {
        IssueAt::Pointer(pointer) => pointer,
        IssueAt::Parameter(name) => panic!("a parameter {name}"),
    });
    pointers.collect()
}

#[test]
fn every_problem_of_a_file_node_is_reported() {
    let test_dir = TestDir::new();
    let (source, sink) = (
        SourceFile::new(test_dir.dir.clone()),
        SinkFile::new(test_dir.dir),
    );
    for (config, of_source, of_sink) in [
        (json!({"path": "a.csv"}), vec![], vec![]),
        (json!({"path": "a.json"}), vec![], vec!["/path"]),
        (json!({"path": "a.txt"}), vec!["/path"], vec!["/path"]),
        (json!({"path": "a.txt", "format": "ndjson"}), vec![], vec![]),
        (json!({}), vec!["/path"], vec!["/path"]),
        (json!({"path": " "}), vec!["/path"], vec!["/path"]),
        (json!({"path": "a/"}), vec!["/path"], vec!["/path"]),
        (json!({"path": "a\0.csv"}), vec!["/path"], vec!["/path"]),
        (json!({"path": "${param.file}"}), vec![], vec![]),
        (
            json!({"path": "a-${run.date}.csv", "infer": "${var.infer}"}),
            vec![],
            vec![],
        ),
        (
            json!({"path": 5, "format": "xml"}),
            vec!["/path", "/format"],
            vec!["/path", "/format"],
        ),
        (json!({"path": "a.csv", "infer": 1}), vec!["/infer"], vec![]),
    ] {
        assert_eq!(pointers(&source, &config), of_source, "{config}");
        assert_eq!(pointers(&sink, &config), of_sink, "{config}");
    }
}

#[test]
fn every_problem_of_a_command_is_reported() {
    let command = CommandNode::new(Clock::system());
    for (config, expected) in [
        (json!({"command": ["a", "b"]}), vec![]),
        (
            json!({"command": ["${var.program}", "${run.date}"], "effect": "sink"}),
            vec![],
        ),
        (json!({}), vec!["/command"]),
        (json!({"command": []}), vec!["/command"]),
        (json!({"command": "a b"}), vec!["/command"]),
        (
            json!({"command": ["", 5, "a\0"]}),
            vec!["/command/0", "/command/1", "/command/2"],
        ),
        (json!({"command": ["a"], "effect": "read"}), vec!["/effect"]),
        (
            json!({"command": ["a"], "effect": "${var.effect}"}),
            vec!["/effect"],
        ),
    ] {
        assert_eq!(pointers(&command, &config), expected, "{config}");
    }
}

#[test]
fn the_effect_of_a_command_comes_from_its_config() {
    let command = CommandNode::new(Clock::system());
    for (effect, expected) in [
        (json!("source"), Effect::Source),
        (json!("transform"), Effect::Transform),
        (json!("sink"), Effect::Sink),
        (json!("other"), Effect::Sink),
        (json!(5), Effect::Sink),
    ] {
        assert_eq!(
            command.effect(&Node::new("a", "command").config("effect", effect)),
            expected
        );
    }
    assert_eq!(
        command.effect(&Node::new("a", "command")),
        Effect::Transform
    );
}

#[test]
fn a_file_is_an_asset_named_by_its_path() {
    let test_dir = TestDir::new();
    let node = Node::new("a", "file").config("path", "in/a.csv");
    let read = SourceFile::new(test_dir.dir.clone()).assets(&node);
    assert_eq!(read, [Asset::new("file", "in/a.csv", false)]);
    let written = SinkFile::new(test_dir.dir).assets(&node);
    assert_eq!(written, [Asset::new("file", "in/a.csv", true)]);
}
