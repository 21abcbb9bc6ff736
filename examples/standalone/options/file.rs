//! The options of a TOML file: each key is the name of an option, and each value what the option
//! takes.
//!
//! A fault is reported with its line or key. No message has a value that hides itself.

use std::collections::BTreeMap;
use std::path::Path;

use clap::{Arg, ArgAction, Command};
use toml::{Table, Value};

use super::sources::options_of;
use crate::failure::Failure;

/// The least similarity of two names that counts as a typing error (Jaro-Winkler, 0 to 1).
const SIMILARITY_MIN: f64 = 0.8;

/// The values that a file gives, as texts, by the names of their options.
pub(super) type FileValues = BTreeMap<String, Vec<String>>;

/// Reads the options of a file. `command` has all that there are.
pub(super) fn read(path: &Path, command: &Command) -> Result<FileValues, Failure> {
    let of_file = |what: String| Failure::usage(format!("--config {}: {what}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| of_file(error.to_string()))?;
    // The message of the parser without its excerpt, which may hold a key.
    let table: Table = text
        .parse()
        .map_err(|error: toml::de::Error| of_file(syntax_fault(&text, &error)))?;
    let mut values = FileValues::new();
    let mut faults = Vec::new();
    for (key, value) in table {
        match read_option(&key, &value, command) {
            Ok(texts) => drop(values.insert(key, texts)),
            Err(fault) => faults.push(format!("{}: {fault}", key.escape_debug())),
        }
    }
    if !faults.is_empty() {
        return Err(of_file(faults.join("; ")));
    }
    warn_of_readers(path, &values);
    Ok(values)
}

fn syntax_fault(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    let message = error.message();
    match before {
        Some(before) => format!("line {}: {message}", before.matches('\n').count() + 1),
        None => message.to_owned(),
    }
}

fn read_option(key: &str, value: &Value, command: &Command) -> Result<Vec<String>, String> {
    let Some(option) = options_of(command).find(|option| option.get_long() == Some(key)) else {
        return Err(unknown(key, command));
    };
    let takes_many = matches!(option.get_action(), ArgAction::Append);
    let texts = match value {
        Value::Array(values) if takes_many => values.iter().map(text).collect(),
        Value::Array(_) => Err("one value is expected, not several".to_owned()),
        value => text(value).map(|text| vec![text]),
    }?;
    texts.iter().try_for_each(|text| check(option, key, text))?;
    Ok(texts)
}

fn text(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Float(number) => Ok(number.to_string()),
        Value::Boolean(is_set) => Ok(is_set.to_string()),
        Value::Datetime(_) | Value::Array(_) | Value::Table(_) => {
            Err("a text, a number or a boolean is expected".to_owned())
        }
    }
}

/// Parses a value as the option does, alone, so that the message is about the file.
fn check(option: &Arg, key: &str, text: &str) -> Result<(), String> {
    let alone = option.clone().env(None::<&str>);
    let command = Command::new("option").no_binary_name(true).arg(alone);
    let parsed = command.try_get_matches_from([format!("--{key}={text}")]);
    parsed.map(drop).map_err(|error| {
        let message = error.to_string();
        let lines = message.lines().take_while(|line| !line.is_empty());
        let message = lines.map(str::trim).collect::<Vec<_>>().join(" ");
        message.trim_start_matches("error: ").to_owned()
    })
}

fn unknown(key: &str, command: &Command) -> String {
    let names = options_of(command).filter_map(Arg::get_long);
    let similar = names
        .map(|name| (strsim::jaro_winkler(&key.to_lowercase(), name), name))
        .filter(|(similarity, _)| *similarity >= SIMILARITY_MIN)
        .max_by(|one, other| one.0.total_cmp(&other.0));
    match similar {
        Some((_, name)) => format!("there is no such option; did you mean \"{name}\"?"),
        None => "there is no such option".to_owned(),
    }
}

/// Warns of a file with a key that other users can read.
#[cfg(unix)]
fn warn_of_readers(path: &Path, values: &FileValues) {
    use std::os::unix::fs::PermissionsExt;

    let others = std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0);
    if others && values.contains_key("api-key") {
        eprintln!(
            "warning: other users can read the key in {}: chmod 600",
            path.display()
        );
    }
}

/// Other systems have other permissions.
#[cfg(not(unix))]
const fn warn_of_readers(_: &Path, _: &FileValues) {}
