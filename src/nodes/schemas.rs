//! JSON Schemas of the configs of the built-in node types, for clients that offer a form.
//!
//! The node types check their configs themselves. A template may stand for any value, so each value
//! may be a text too.

use serde_json::{Value, json};

pub(super) fn command() -> Value {
    json!({
        "type": "object",
        "required": ["command"],
        "additionalProperties": false,
        "properties": {
            "command": {
                "type": "array",
                "items": { "type": "string" },
                "minItems": 1,
                "description": "The program and its arguments, without a shell."
            },
            "effect": {
                "enum": ["source", "transform", "sink"],
                "default": "transform",
                "description": "What the program does outside the pipeline. A dry run skips a sink alone."
            },
            "output": {
                "enum": ["ndjson", "json", "csv", "log"],
                "default": "ndjson",
                "description": "How stdout is read. That of a sink is always log."
            },
            "false_exit_code": {
                "type": ["integer", "string"],
                "minimum": 1,
                "maximum": 255,
                "description": "The exit code that takes the branch false; 0 takes the branch true."
            },
            "cwd": {
                "type": "string",
                "description": "The folder inside the data directory in which the program starts."
            },
            "env": {
                "type": "object",
                "additionalProperties": { "type": ["string", "number", "boolean"] },
                "description": "Variables of the program's environment."
            }
        }
    })
}

pub(super) fn source_file() -> Value {
    let mut properties = json!({
        "header": {
            "type": ["boolean", "string", "array"],
            "items": { "type": "string" },
            "default": true,
            "description": "CSV: whether the first record names the columns, or the names."
        },
        "skip_lines": whole_number("CSV: lines before the header that are skipped."),
        "comment": text("CSV: a character; lines that begin with it are skipped."),
        "nulls": {
            "type": ["array", "string"],
            "items": { "type": "string" },
            "description": "CSV: the texts that are null."
        },
        "duplicate_names": {
            "enum": ["error", "suffix"],
            "default": "error",
            "description": "CSV: what happens to columns of the same name."
        },
        "ragged": {
            "enum": ["error", "pad"],
            "default": "error",
            "description": "CSV: what happens to short records."
        },
        "infer": flag(true, "CSV: whether columns become numbers or booleans by themselves."),
        "types": {
            "type": "object",
            "additionalProperties": { "type": "string" },
            "description": "The type of each named column, such as integer or decimal(12,2)."
        }
    });
    add(&mut properties, file());
    object(&properties)
}

pub(super) fn sink_file() -> Value {
    let mut properties = json!({
        "header": flag(true, "CSV: whether the first record names the columns."),
        "null": text("CSV: the text of a null."),
        "guard_formulas": flag(
            false,
            "CSV: whether an apostrophe goes before a text that a spreadsheet may read as a formula."
        )
    });
    add(&mut properties, file());
    object(&properties)
}

/// The keys of both file nodes.
fn file() -> Value {
    json!({
        "path": text("The file, relative to the data directory."),
        "format": {
            "enum": ["csv", "tsv", "ndjson", "json"],
            "description": "By default, the extension of the path says it."
        },
        "encoding": {
            "type": "string",
            "default": "utf-8",
            "description": "A label of the Encoding Standard."
        },
        "delimiter": text("CSV: one ASCII character between the fields."),
        "quote": {
            "type": ["string", "boolean"],
            "description": "CSV: the character around a field, or false if quotes have no meaning."
        },
        "escape": text("CSV: a character that makes the next one literal."),
        "allow_empty": flag(false, "Whether the file may be empty."),
        "min_rows": whole_number("The node fails if there are fewer rows.")
    })
}

fn object(properties: &Value) -> Value {
    json!({
        "type": "object",
        "required": ["path"],
        "additionalProperties": false,
        "properties": properties
    })
}

fn add(properties: &mut Value, more: Value) {
    if let (Value::Object(properties), Value::Object(more)) = (properties, more) {
        properties.extend(more);
    }
}

fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

fn flag(default: bool, description: &str) -> Value {
    json!({ "type": ["boolean", "string"], "default": default, "description": description })
}

fn whole_number(description: &str) -> Value {
    json!({ "type": ["integer", "string"], "minimum": 0, "default": 0, "description": description })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::clock::Clock;
    use crate::executor::Executor;
    use crate::nodes::{CommandNode, DataDir, SinkFile, SourceFile};

    #[test]
    fn a_schema_describes_each_key_of_its_node_type() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::open(folder.path()).unwrap();
        let types: [Box<dyn Executor>; 3] = [
            Box::new(CommandNode::new(Clock::system())),
            Box::new(SourceFile::new(data.clone())),
            Box::new(SinkFile::new(data)),
        ];
        for executor in types {
            let schema = executor.config_schema().unwrap();
            let properties = schema["properties"].as_object().unwrap();
            let described: BTreeSet<_> = properties.keys().map(String::as_str).collect();
            let keys = executor.config_keys().unwrap();
            assert_eq!(described, keys.iter().copied().collect());
            for (key, property) in properties {
                assert!(property["description"].is_string(), "{key}");
            }
        }
    }
}
