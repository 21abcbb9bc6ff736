//! Reads a node's config and reports every problem.
//!
//! Each node type defines its keys.

use serde_json::{Map, Value};

use crate::error::{Issue, IssueLocation, quote};
use crate::executor::ExecutorError;

/// A config that is being read, and the issues found in it.
pub(super) struct ConfigFields<'a> {
    config: &'a Map<String, Value>,
    issues: Vec<Issue>,
}

impl<'a> ConfigFields<'a> {
    pub(super) const fn new(config: &'a Map<String, Value>) -> Self {
        Self {
            config,
            issues: Vec::new(),
        }
    }

    /// Adds an issue at a JSON pointer.
    pub(super) fn refuse(&mut self, pointer: &str, detail: impl Into<String>) {
        self.issues.push(Issue::pointer(pointer, detail));
    }

    pub(super) fn value(&self, key: &str) -> Option<&'a Value> {
        self.config.get(key)
    }

    /// Reads an optional string.
    pub(super) fn text(&mut self, key: &str) -> Option<&'a str> {
        match self.config.get(key)? {
            Value::String(text) => Some(text),
            other => {
                let kind = kind(other);
                self.refuse(&format!("/{key}"), format!("{key} is a string, not {kind}"));
                None
            }
        }
    }

    /// Reads a required string.
    pub(super) fn required_text(&mut self, key: &str) -> Option<&'a str> {
        if !self.config.contains_key(key) {
            self.refuse(&format!("/{key}"), format!("{key} is missing"));
        }
        self.text(key)
    }

    /// Reads `true` or `false`, also as a string, since a template resolves to a string.
    pub(super) fn flag(&mut self, key: &str, default: Flag) -> Flag {
        match self.config.get(key) {
            None => default,
            Some(Value::Bool(true)) => Flag::On,
            Some(Value::Bool(false)) => Flag::Off,
            Some(Value::String(text)) if text == "true" => Flag::On,
            Some(Value::String(text)) if text == "false" => Flag::Off,
            Some(other) => {
                let kind = kind(other);
                self.refuse(
                    &format!("/{key}"),
                    format!("{key} is true or false, not {kind}"),
                );
                default
            }
        }
    }

    /// Reads an optional number of things, also as a string, since a template resolves to a string.
    /// 0 by default.
    pub(super) fn count(&mut self, key: &str) -> u64 {
        let count = match self.config.get(key) {
            None => return 0,
            Some(Value::Number(number)) => number.as_u64(),
            Some(Value::String(text)) => text.parse().ok(),
            Some(_) => None,
        };
        count.unwrap_or_else(|| {
            let kind = self.config.get(key).map(kind).unwrap_or_default();
            self.refuse(
                &format!("/{key}"),
                format!("{key} is an integer from 0, not {kind}"),
            );
            0
        })
    }

    /// Reads an optional string that is one of `choices`.
    pub(super) fn choice(&mut self, key: &str, choices: &[&'static str]) -> Option<&'static str> {
        let text = self.text(key)?;
        let found = choices.iter().find(|choice| **choice == text).copied();
        if found.is_none() {
            let (text, choices) = (quote(text), choices.join(", "));
            self.refuse(
                &format!("/{key}"),
                format!("{key} is one of {choices}, not {text}"),
            );
        }
        found
    }

    /// Reads an optional object. `what` says what it has.
    pub(super) fn entries(&mut self, key: &str, what: &str) -> Option<&'a Map<String, Value>> {
        match self.config.get(key)? {
            Value::Object(entries) => Some(entries),
            other => {
                let kind = kind(other);
                self.refuse(
                    &format!("/{key}"),
                    format!("{key} is an object of {what}, not {kind}"),
                );
                None
            }
        }
    }

    /// Reads an optional array of strings.
    pub(super) fn texts(&mut self, key: &str) -> Option<Vec<&'a str>> {
        let Value::Array(items) = self.config.get(key)? else {
            let kind = self.config.get(key).map(kind).unwrap_or_default();
            self.refuse(
                &format!("/{key}"),
                format!("{key} is an array of strings, not {kind}"),
            );
            return None;
        };
        let mut texts = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            match item {
                Value::String(text) => texts.push(text.as_str()),
                other => {
                    let kind = kind(other);
                    self.refuse(
                        &format!("/{key}/{index}"),
                        format!("an item of {key} is a string, not {kind}"),
                    );
                }
            }
        }
        Some(texts)
    }

    /// Refuses the keys that do not apply, such as `delimiter` to a JSON file.
    pub(super) fn refuse_keys(&mut self, keys: &[&str], reason: &str) {
        for key in keys {
            if self.config.contains_key(*key) {
                self.refuse(&format!("/{key}"), format!("{key} {reason}"));
            }
        }
    }

    /// Returns the config that was read, or every issue.
    pub(super) fn finish<T>(self, read: Option<T>) -> Result<T, Vec<Issue>> {
        match read {
            Some(read) if self.issues.is_empty() => Ok(read),
            Some(_) | None => Err(self.issues),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flag {
    On,
    Off,
}

/// Describes a value for an error message.
pub(super) fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => quote(text),
        Value::Array(items) if items.is_empty() => "an empty array".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// Returns the issues without those of templates, whose values are unknown before an attempt.
pub(super) fn without_template_issues(
    config: &Map<String, Value>,
    issues: Vec<Issue>,
) -> Vec<Issue> {
    issues
        .into_iter()
        .filter(|issue| match &issue.location {
            IssueLocation::Pointer(pointer) => !is_template(config, pointer),
            IssueLocation::Parameter(_) => true,
        })
        .collect()
}

fn is_template(config: &Map<String, Value>, pointer: &str) -> bool {
    // The keys that a node type reads are not escaped.
    let path = pointer.trim_start_matches('/');
    let (key, rest) = path.split_at(path.find('/').unwrap_or(path.len()));
    let found = config.get(key).and_then(|value| value.pointer(rest));
    found
        .and_then(Value::as_str)
        .is_some_and(|text| text.contains("${"))
}

/// Returns the error of an attempt whose config is invalid after its templates are resolved.
pub(super) fn config_error(issues: &[Issue]) -> ExecutorError {
    let details: Vec<_> = issues.iter().map(|issue| issue.detail.as_str()).collect();
    ExecutorError::permanent(details.join("; "))
}
