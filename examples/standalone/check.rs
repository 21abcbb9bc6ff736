//! Checks a store that no server has open: its file, its pipelines, its secrets.

use std::path::Path;
use std::process::ExitCode;

use floret::storage::SqliteStorage;
use floret::{Error, ErrorKind, Floret};

use crate::definitions::Definitions;
use crate::failure::Failure;
use crate::floret::describe;
use crate::options::HostOptions;
use crate::output;

/// Prints each finding as a line. The exit code is 1 if there is any.
pub(crate) async fn check(db: &Path, options: &HostOptions) -> Result<ExitCode, Failure> {
    if options.memory {
        return Err(Failure::usage(
            "--memory: there is nothing to check that is stored",
        ));
    }
    let definitions = Definitions::read(options.pipelines.as_deref())?;
    let of_store = |error| Failure::of(format!("--db {}", db.display()), error);
    let damage = SqliteStorage::check(db).await.map_err(of_store)?;
    let damaged = !damage.is_empty();
    let mut found: Vec<_> = damage
        .iter()
        .map(|line| format!("the file: {line}"))
        .collect();
    match SqliteStorage::open_read_only(db).await {
        Ok(storage) => {
            let builder = describe(Floret::builder(storage), options, &definitions)?;
            match builder.check().await {
                Ok(more) => found.extend(more.iter().map(ToString::to_string)),
                Err(error) if damaged => found.push(format!("the rest cannot be read: {error}")),
                Err(error) => return Err(definitions.failure(error)),
            }
        }
        Err(error) if damaged => found.push(format!("the rest cannot be read: {error}")),
        Err(error) => return Err(not_opened(db, &error)),
    }
    report(&found)
}

/// How many findings the log names at most.
const LOGGED_MAX: usize = 20;

/// Logs what the server cannot run or open of what is stored: a key that is missing is seen now,
/// and not by the first run that fails for it.
pub(crate) async fn log(floret: Floret) {
    let found = match floret.system().check().await {
        Ok(found) => found,
        Err(error) => {
            tracing::warn!(%error, "the store could not be checked");
            return;
        }
    };
    for finding in found.iter().take(LOGGED_MAX) {
        tracing::error!("{finding}");
    }
    if found.len() > LOGGED_MAX {
        let count = found.len();
        tracing::error!("there are {count} problems: `standalone check` names all of them");
    }
}

fn report(found: &[String]) -> Result<ExitCode, Failure> {
    let mut text: String = found.iter().map(|line| format!("{line}\n")).collect();
    text += &match found.len() {
        0 => "no problem was found\n".to_owned(),
        1 => "1 problem was found\n".to_owned(),
        count => format!("{count} problems were found\n"),
    };
    output::write(&text)?;
    Ok(ExitCode::from(u8::from(!found.is_empty())))
}

fn not_opened(db: &Path, error: &Error) -> Failure {
    let failure = Failure::of(format!("--db {}", db.display()), error);
    match error.kind() {
        ErrorKind::StoreInUse { .. } => Failure::new(format!(
            "{failure}; its file is in order. To check the rest while a server runs, check a copy: standalone backup FILE"
        )),
        _ => failure,
    }
}
