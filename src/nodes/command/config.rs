//! The config of a command node: the program, its arguments and its effect.
//!
//! The engine resolves templates before an attempt.

use serde_json::{Map, Value};

use crate::error::{Issue, quote};
use crate::executor::Effect;
use crate::nodes::config::{ConfigFields, kind};

pub(super) struct Config<'a> {
    pub(super) program: &'a str,
    pub(super) args: Vec<&'a str>,
    pub(super) effect: Effect,
}

impl<'a> Config<'a> {
    pub(super) fn read(config: &'a Map<String, Value>) -> Result<Self, Vec<Issue>> {
        let mut fields = ConfigFields::new(config);
        let effect = read_effect(&mut fields);
        let words = read_command(&mut fields);
        let read = match words.as_deref() {
            Some([program, args @ ..]) => Some(Self {
                program,
                args: args.to_vec(),
                effect,
            }),
            Some([]) | None => None,
        };
        fields.finish(read)
    }
}

fn read_command<'a>(fields: &mut ConfigFields<'a>) -> Option<Vec<&'a str>> {
    let words = match fields.value("command") {
        Some(Value::Array(words)) if !words.is_empty() => words,
        Some(other) => {
            let kind = kind(other);
            fields.refuse(
                "/command",
                format!("command is an array of the program and its arguments, not {kind}"),
            );
            return None;
        }
        None => {
            fields.refuse("/command", "command is missing");
            return None;
        }
    };
    let mut read = Vec::new();
    for (index, word) in words.iter().enumerate() {
        match word {
            Value::String(text) if text.contains('\0') => {
                fields.refuse(
                    &format!("/command/{index}"),
                    "a word of command contains a NUL character",
                );
            }
            Value::String(text) if index == 0 && text.is_empty() => {
                fields.refuse("/command/0", "the program of command is empty");
            }
            Value::String(text) => read.push(text.as_str()),
            other => {
                let kind = kind(other);
                fields.refuse(
                    &format!("/command/{index}"),
                    format!("a word of command is a string, not {kind}"),
                );
            }
        }
    }
    Some(read)
}

/// Reads the effect. An invalid one counts as a sink, which is never executed without need.
pub(super) fn read_effect(fields: &mut ConfigFields<'_>) -> Effect {
    if fields.value("effect").is_none() {
        return Effect::Transform;
    }
    match fields.text("effect") {
        Some("source") => Effect::Source,
        Some("transform") => Effect::Transform,
        Some("sink") => Effect::Sink,
        Some(other) => {
            let other = quote(other);
            fields.refuse(
                "/effect",
                format!("effect is one of source, transform, sink, not {other}"),
            );
            Effect::Sink
        }
        None => Effect::Sink,
    }
}
