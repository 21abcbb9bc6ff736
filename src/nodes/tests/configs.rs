//! Config validation: every problem is reported, except those of unresolved templates.

use serde_json::{Value, json};

use super::TestDir;
use crate::clock::Clock;
use crate::error::IssueLocation;
use crate::executor::{Asset, Effect, Executor};
use crate::model::Node;
use crate::nodes::{CommandNode, SinkFile, SourceFile};

fn pointers(executor: &dyn Executor, config: &Value) -> Vec<String> {
    let issues = executor.validate(config.as_object().unwrap());
    let pointers = issues.into_iter().map(|issue| match issue.location {
        IssueLocation::Pointer(pointer) => pointer,
        IssueLocation::Parameter(name) => panic!("a parameter {name}"),
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
        (json!({"path": "a.json"}), vec![], vec![]),
        (json!({"path": "a.CSV.gz"}), vec![], vec![]),
        (json!({"path": "a.ndjson.zst"}), vec![], vec![]),
        (json!({"path": "a.gz"}), vec!["/path"], vec!["/path"]),
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
fn every_problem_of_a_dialect_is_reported() {
    let test_dir = TestDir::new();
    let (source, sink) = (
        SourceFile::new(test_dir.dir.clone()),
        SinkFile::new(test_dir.dir),
    );
    for (config, of_source, of_sink) in [
        (
            json!({"path": "a.tsv", "delimiter": "|", "quote": "'", "escape": "\\", "header": false,
                "encoding": "windows-1252", "allow_empty": true, "min_rows": "5"}),
            vec![],
            vec![],
        ),
        (
            json!({"path": "a.csv", "delimiter": ";;", "quote": true, "escape": "é", "header": 1,
                "encoding": "klingon", "allow_empty": "yes", "min_rows": -1}),
            vec![
                "/delimiter",
                "/quote",
                "/escape",
                "/header",
                "/encoding",
                "/allow_empty",
                "/min_rows",
            ],
            vec![
                "/delimiter",
                "/quote",
                "/escape",
                "/header",
                "/encoding",
                "/allow_empty",
                "/min_rows",
            ],
        ),
        (
            json!({"path": "a.csv", "quote": ","}),
            vec!["/quote"],
            vec!["/quote"],
        ),
        (
            json!({"path": "a.csv", "quote": "|", "escape": "|", "comment": "|"}),
            vec!["/escape", "/comment"],
            vec!["/escape"],
        ),
        (
            json!({"path": "a.csv", "quote": false, "encoding": "utf-16le"}),
            vec![],
            vec!["/encoding"],
        ),
        (
            json!({"path": "a.json", "delimiter": ";", "header": true}),
            vec!["/delimiter", "/header"],
            vec!["/delimiter", "/header"],
        ),
    ] {
        assert_eq!(pointers(&source, &config), of_source, "{config}");
        assert_eq!(pointers(&sink, &config), of_sink, "{config}");
    }
}

#[test]
fn the_text_of_a_null_does_not_break_its_record() {
    let sink = SinkFile::new(TestDir::new().dir);
    for (config, expected) in [
        (json!({"null": "a,b"}), vec!["/null"]),
        (json!({"null": "a,b", "delimiter": ";"}), vec![]),
        (json!({"null": "\"\""}), vec!["/null"]),
        (json!({"null": "\"\"", "quote": false}), vec![]),
        (json!({"null": "\n"}), vec!["/null"]),
        (json!({"null": "\\N", "escape": "\\"}), vec![]),
    ] {
        let mut config = config;
        config["path"] = json!("a.csv");
        assert_eq!(pointers(&sink, &config), expected, "{config}");
    }
}

#[test]
fn every_problem_of_the_keys_of_a_source_is_reported() {
    let test_dir = TestDir::new();
    let (source, sink) = (
        SourceFile::new(test_dir.dir.clone()),
        SinkFile::new(test_dir.dir),
    );
    for (config, of_source, of_sink) in [
        (
            json!({"path": "a.csv", "nulls": ["", 5], "ragged": "yes", "duplicate_names": 5,
                "skip_lines": "x", "comment": "", "header": ["a", "a"]}),
            vec![
                "/comment",
                "/duplicate_names",
                "/ragged",
                "/header",
                "/skip_lines",
                "/nulls/1",
            ],
            vec!["/header"],
        ),
        (
            json!({"path": "a.csv", "types": {"a": "decimal(12,2)", "b/c": "money", "d": "${var.type}"}}),
            vec!["/types/b~1c"],
            vec![],
        ),
        (
            json!({"path": "a.csv", "types": ["integer"]}),
            vec!["/types"],
            vec![],
        ),
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
        (json!({"command": ["a"], "output": "csv"}), vec![]),
        (json!({"command": ["a"], "output": "xml"}), vec!["/output"]),
        (json!({"command": ["a"], "output": "${var.x}"}), vec![]),
        (
            json!({"command": ["a"], "output": "json", "effect": "sink"}),
            vec!["/output"],
        ),
        (
            json!({"command": ["a"], "output": "log", "effect": "sink"}),
            vec![],
        ),
        (json!({"command": ["a"], "cwd": "in"}), vec!["/cwd"]),
        (json!({"command": ["a"], "env": []}), vec!["/env"]),
        (
            json!({"command": ["a"], "env": {"A": "${param.a}", "b": 1, "c": true}}),
            vec![],
        ),
        (
            json!({"command": ["a"], "env": {"": "", "A=": "", "FLORET_X": "", "a/b": null, "n": "\0"}}),
            vec!["/env/", "/env/A=", "/env/FLORET_X", "/env/a~1b", "/env/n"],
        ),
    ] {
        assert_eq!(pointers(&command, &config), expected, "{config}");
    }
}

#[test]
fn a_message_names_what_was_given_and_every_value_that_is_accepted() {
    let test_dir = TestDir::new();
    let command = CommandNode::new(Clock::system());
    let source = SourceFile::new(test_dir.dir);
    for (executor, config, detail) in [
        (
            &command as &dyn Executor,
            json!({"command": []}),
            "command is an array of the program and its arguments, not an empty array",
        ),
        (
            &source,
            json!({"path": "a.csv", "header": []}),
            "header is true, false or an array of names, not an empty array",
        ),
        (
            &source,
            json!({"path": "a.csv", "quote": true}),
            "quote is one ASCII character, such as \"'\", or false, not true",
        ),
        (
            &source,
            json!({"path": "a.csv", "escape": false}),
            "escape is one ASCII character, such as \"\\\\\", not false",
        ),
        (
            &source,
            json!({"path": "a.csv", "delimiter": ";;"}),
            "delimiter is one ASCII character, such as \";\" or \"\\t\", not \";;\"",
        ),
    ] {
        let issues = executor.validate(config.as_object().unwrap());
        assert_eq!(issues.len(), 1);
        assert_eq!(issues[0].detail, detail);
    }
}

#[test]
fn the_folder_of_a_command_is_inside_the_data_directory() {
    let test_dir = TestDir::new();
    let command = CommandNode::new(Clock::system()).data_dir(test_dir.dir.clone());
    for (cwd, expected) in [
        ("in/deep", vec![]),
        (".", vec![]),
        ("${param.folder}", vec![]),
        ("", vec!["/cwd"]),
        ("..", vec!["/cwd"]),
        ("/tmp", vec!["/cwd"]),
        ("a\0", vec!["/cwd"]),
    ] {
        let config = json!({"command": ["a"], "cwd": cwd});
        assert_eq!(pointers(&command, &config), expected, "{cwd:?}");
    }
}

#[test]
fn a_value_in_program_text_is_warned_of() {
    let command = CommandNode::new(Clock::system());
    for (words, warned) in [
        (json!(["sh", "-c", "load ${param.date}"]), true),
        (json!(["sh", "-ec", "load ${var.KEY}"]), true),
        (json!(["cmd", "/C", "load ${param.date}"]), true),
        (json!(["perl", "-e", "${param.date}"]), true),
        (
            json!(["sh", "-c", "load ${run.date} ${HOME} $${param.x}"]),
            false,
        ),
        (json!(["sh", "-c", "load $1", "sh", "${param.date}"]), false),
        (json!(["load", "-v", "${param.date}"]), false),
        (json!(["load", "--sync", "${param.date}"]), false),
    ] {
        let config = json!({ "command": words });
        let found = command.warnings(config.as_object().unwrap());
        let at: Vec<_> = found.into_iter().map(|issue| issue.location).collect();
        let expected = IssueLocation::Pointer("/command/2".to_owned());
        assert_eq!(
            at,
            warned.then_some(expected).into_iter().collect::<Vec<_>>(),
            "{words}"
        );
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
    for path in ["in/a.csv", "./in//a.csv", "in/./a.csv"] {
        let node = Node::new("a", "file").config("path", path);
        let read = SourceFile::new(test_dir.dir.clone()).assets(&node);
        assert_eq!(read, [Asset::new("file", "in/a.csv", false)]);
        let written = SinkFile::new(test_dir.dir.clone()).assets(&node);
        assert_eq!(written, [Asset::new("file", "in/a.csv", true).replaced()]);
    }
}
