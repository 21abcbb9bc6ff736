//! The three sources of options, and their precedence: a flag, then a variable of the environment,
//! then the file, then the default.

use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

use super::HostOptions;
use super::file::{self, FileValues};
use crate::failure::Failure;

/// Where the value of an option comes from, the weakest source first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    Default,
    File,
    Variable,
    Flag,
}

/// The parsed command line, with the file that it names.
#[derive(Debug)]
pub(crate) struct Sources {
    /// What the command line, the environment and the file give together.
    pub(crate) matches: ArgMatches,
    pub(super) file: Option<PathBuf>,
    values: FileValues,
}

/// Parses the command line. Exits if it is wrong, as for `--help`.
pub(crate) fn parse(command: &Command) -> Result<Sources, Failure> {
    let matches = command.clone().get_matches();
    let file = named_file(&matches);
    let Some(path) = file else {
        return Ok(Sources {
            matches,
            file: None,
            values: FileValues::new(),
        });
    };
    let values = file::read(&path, command)?;
    // The file stands in for the defaults, so that the rest is the same for all sources.
    let matches = with_defaults(command.clone(), &values).get_matches();
    Ok(Sources {
        matches,
        file: Some(path),
        values,
    })
}

/// The options of a command that a file may give: all but those that end the program, and the name
/// of the file.
pub(super) fn options_of(command: &Command) -> impl Iterator<Item = &Arg> {
    command
        .get_arguments()
        .filter(|option| option.get_long().is_some() && option.get_action().takes_values())
        .filter(|option| option.get_long() != Some("config"))
}

impl Sources {
    /// Returns the strongest source that gives this option.
    pub(crate) fn of(&self, name: &str) -> Source {
        let id = name.replace('-', "_");
        match innermost(&self.matches).value_source(&id) {
            Some(ValueSource::CommandLine) => Source::Flag,
            Some(ValueSource::EnvVariable) => Source::Variable,
            Some(_) if self.values.contains_key(name) => Source::File,
            Some(_) | None => Source::Default,
        }
    }

    /// Settles which of the options that contradict each other are in force.
    pub(crate) fn settle(&self, mut options: HostOptions) -> Result<HostOptions, Failure> {
        options.settle(self)?;
        Ok(options)
    }
}

/// Returns what was given to the subcommand, or to the server if there is none.
pub(super) fn innermost(matches: &ArgMatches) -> &ArgMatches {
    matches.subcommand().map_or(matches, |(_, own)| own)
}

fn named_file(matches: &ArgMatches) -> Option<PathBuf> {
    let found = innermost(matches).try_get_one::<PathBuf>("config");
    found.ok().flatten().map(|path| Path::new(path).to_owned())
}

fn with_defaults(command: Command, values: &FileValues) -> Command {
    let own = |option: Arg| match option.get_long().and_then(|name| values.get(name)) {
        Some(texts) => option.default_values(texts.clone()),
        None => option,
    };
    command
        .mut_args(own)
        .mut_subcommands(|subcommand| subcommand.mut_args(own))
}
