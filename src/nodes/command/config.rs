//! The config of a command node: the program, its arguments, its effect and its surroundings.
//!
//! The engine resolves templates before an attempt.

use std::process::ExitStatus;

use serde_json::{Map, Value};

use super::document::DocumentFormat;
use super::environment::OWN_PREFIX;
use super::stdout::OutputFormat;
use crate::error::{Issue, quote, reference_token};
use crate::executor::Effect;
use crate::nodes::config::{ConfigFields, kind};
use crate::nodes::data_dir::{DataDir, path_problem};
use crate::template;

/// The exit code that takes the branch `false`.
const FALSE_EXIT_CODE: &str = "false_exit_code";

/// The keys that [`Config::read`] reads.
pub(super) const KEYS: &[&str] = &["command", "effect", "output", FALSE_EXIT_CODE, "cwd", "env"];

pub(super) struct Config<'a> {
    pub(super) program: &'a str,
    pub(super) args: Vec<&'a str>,
    pub(super) output: OutputFormat,
    /// The exit code that takes the branch `false`, if the node takes a branch.
    pub(super) false_exit_code: Option<u8>,
    /// The folder in which the program starts.
    pub(super) cwd: Option<(&'a DataDir, &'a str)>,
    /// Variables of its environment.
    pub(super) env: Vec<(&'a str, String)>,
}

impl<'a> Config<'a> {
    /// Reads a config. Only a node with a data directory accepts `cwd`.
    pub(super) fn read(
        config: &'a Map<String, Value>,
        data: Option<&'a DataDir>,
    ) -> Result<Self, Vec<Issue>> {
        let mut fields = ConfigFields::new(config);
        let effect = read_effect(&mut fields);
        let output = read_output(&mut fields, effect);
        let false_exit_code = read_false_exit_code(&mut fields);
        let cwd = read_cwd(&mut fields, data);
        let env = read_env(&mut fields);
        let words = read_command(&mut fields);
        let read = match words.as_deref() {
            Some([program, args @ ..]) => Some(Self {
                program,
                args: args.to_vec(),
                output,
                false_exit_code,
                cwd,
                env,
            }),
            Some([]) | None => None,
        };
        fields.finish(read)
    }

    /// Returns the branch of a program that has succeeded, if it takes one.
    ///
    /// # Errors
    /// Returns the status of a program that has failed.
    pub(super) fn branch_of(&self, status: ExitStatus) -> Result<Option<bool>, ExitStatus> {
        match (status.code(), self.false_exit_code) {
            (Some(0), None) => Ok(None),
            (Some(0), Some(_)) => Ok(Some(true)),
            (Some(code), Some(expected)) if code == i32::from(expected) => Ok(Some(false)),
            _ => Err(status),
        }
    }
}

/// Reads the exit code that takes the branch `false`, also as a string, since a template resolves
/// to a string. There is no default: programs that crash exit with a code, too.
fn read_false_exit_code(fields: &mut ConfigFields<'_>) -> Option<u8> {
    let value = fields.value(FALSE_EXIT_CODE)?;
    let code = match value {
        Value::Number(number) => number.as_u64().and_then(|code| u8::try_from(code).ok()),
        Value::String(text) => text.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let code = code.filter(|code| *code > 0);
    if code.is_none() {
        let kind = kind(value);
        fields.refuse(
            "/false_exit_code",
            format!(
                "false_exit_code is an exit code from 1 to 255, not {kind}; 0 takes the branch true"
            ),
        );
    }
    code
}

/// Returns a warning for each argument that is program text with a value in it.
///
/// The value becomes a part of the program: a quotation mark or a semicolon in it executes
/// anything.
pub(super) fn warnings(config: &Map<String, Value>) -> Vec<Issue> {
    let words = config.get("command").and_then(Value::as_array);
    let words: Vec<_> = words.into_iter().flatten().map(Value::as_str).collect();
    let mut found = Vec::new();
    for (index, pair) in words.windows(2).enumerate() {
        let [Some(option), Some(text)] = pair else {
            continue;
        };
        if takes_program_text(option) && template::has_value(text) {
            found.push(Issue::pointer(
                format!("/command/{}", index.saturating_add(1)),
                format!(
                    "the word after {} is program text, and the value of a template in it can change the program: pass the template as a word of its own, or read $FLORET_PARAM_NAME",
                    quote(option)
                ),
            ));
        }
    }
    found
}

/// Returns whether an option is `-c`, also together with other letters, or what cmd and
/// interpreters call it.
fn takes_program_text(option: &str) -> bool {
    let letters = option.strip_prefix('-').unwrap_or_default();
    let is_c = letters.ends_with('c') && letters.chars().all(|letter| letter.is_ascii_lowercase());
    is_c || option.eq_ignore_ascii_case("/c") || option == "-e" || option == "--eval"
}

/// Reads how the stdout is read. That of a sink is always the log, since its effect must not be
/// repeated because of what it prints.
fn read_output(fields: &mut ConfigFields<'_>, effect: Effect) -> OutputFormat {
    let default = match effect {
        Effect::Sink => OutputFormat::Log,
        Effect::Source | Effect::Transform => OutputFormat::Ndjson,
    };
    let read = match fields.choice("output", &["ndjson", "json", "csv", "log"]) {
        Some("ndjson") => OutputFormat::Ndjson,
        Some("json") => OutputFormat::Document(DocumentFormat::Json),
        Some("csv") => OutputFormat::Document(DocumentFormat::Csv),
        Some("log") => OutputFormat::Log,
        Some(_) | None => default,
    };
    if effect == Effect::Sink && read != OutputFormat::Log {
        fields.refuse(
            "/output",
            "the output of a sink is log; set effect to source or transform for a program that outputs rows",
        );
    }
    read
}

fn read_cwd<'a>(
    fields: &mut ConfigFields<'a>,
    data: Option<&'a DataDir>,
) -> Option<(&'a DataDir, &'a str)> {
    fields.value("cwd")?;
    let Some(data) = data else {
        fields.refuse(
            "/cwd",
            "cwd needs a data directory, which this server has not",
        );
        return None;
    };
    let path = fields.text("cwd")?;
    if let Some(problem) = path_problem(path) {
        let detail = format!(
            "cwd is a folder inside the data directory; {} {problem}",
            quote(path)
        );
        fields.refuse("/cwd", detail);
        return None;
    }
    Some((data, path))
}

/// Reads `env`. A number or a boolean becomes its text.
fn read_env<'a>(fields: &mut ConfigFields<'a>) -> Vec<(&'a str, String)> {
    let entries = fields.entries("env", "names and texts");
    let mut read = Vec::new();
    for (name, value) in entries.into_iter().flatten() {
        let pointer = format!("/env/{}", reference_token(name));
        if let Some(problem) = name_problem(name) {
            fields.refuse(&pointer, format!("the variable {} {problem}", quote(name)));
            continue;
        }
        match value {
            Value::String(text) if text.contains('\0') => {
                fields.refuse(
                    &pointer,
                    format!("the variable {name} contains a NUL character"),
                );
            }
            Value::String(text) => read.push((name.as_str(), text.clone())),
            Value::Number(number) => read.push((name.as_str(), number.to_string())),
            Value::Bool(flag) => read.push((name.as_str(), flag.to_string())),
            other @ (Value::Null | Value::Array(_) | Value::Object(_)) => {
                let kind = kind(other);
                fields.refuse(
                    &pointer,
                    format!("the variable {name} is a text, not {kind}"),
                );
            }
        }
    }
    read
}

fn name_problem(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        Some("has no name")
    } else if name.contains(['=', '\0']) {
        Some("has a name with = or NUL")
    } else if name.starts_with(OWN_PREFIX) {
        Some("has a name that Floret sets itself")
    } else {
        None
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
    match fields.choice("effect", &["source", "transform", "sink"]) {
        Some("source") => Effect::Source,
        Some("transform") => Effect::Transform,
        Some(_) | None => Effect::Sink,
    }
}
