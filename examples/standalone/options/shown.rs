//! Shows each option with its value and its source, in the form of the file.

use clap::parser::MatchesError;
use clap::{Arg, Command};

use super::Sources;
use super::sources::{Source, innermost, options_of};

/// Returns a line for each option of a command. A secret is shown as `***`, in a comment: it would
/// be another secret in a file.
pub(crate) fn shown(command: &Command, sources: &Sources) -> String {
    let line = |option: &Arg| {
        let name = option.get_long().unwrap_or_default();
        let origin = match sources.of(name) {
            Source::Flag => format!("--{name}"),
            Source::Variable => option
                .get_env()
                .map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            Source::File => sources
                .file
                .as_ref()
                .map_or_else(String::new, |path| path.display().to_string()),
            Source::Default => "default".to_owned(),
        };
        let is_secret = option.is_hide_env_values_set();
        match value(option, sources) {
            Ok(Some(_)) if is_secret => format!("# {name} = \"***\"  # {origin}\n"),
            Ok(Some(value)) => format!("{name} = {value}  # {origin}\n"),
            Ok(None) | Err(_) => format!("# {name} is not set\n"),
        }
    };
    options_of(command).map(line).collect()
}

fn value(option: &Arg, sources: &Sources) -> Result<Option<String>, MatchesError> {
    let matches = innermost(&sources.matches);
    let Some(values) = matches.try_get_raw(option.get_id().as_str())? else {
        return Ok(None);
    };
    let quoted = |value: &std::ffi::OsStr| match value.to_string_lossy() {
        text if is_bare(&text) => text.into_owned(),
        text => toml::Value::String(text.into_owned()).to_string(),
    };
    let mut values: Vec<_> = values.map(quoted).collect();
    if matches!(option.get_action(), clap::ArgAction::Append) {
        return Ok(Some(format!("[{}]", values.join(", "))));
    }
    Ok(values.pop())
}

/// Returns whether a text is a boolean or a number of TOML.
fn is_bare(text: &str) -> bool {
    matches!(text, "true" | "false") || text.parse::<u32>().is_ok()
}
