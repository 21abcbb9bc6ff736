//! The concurrency keys of new runs: the text of each, by the definition that the run executes.
//!
//! Storage lets the runs of a key wait for one another.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use crate::error::{Error, Issue, Problem, Result, quote, reference_token};
use crate::graph::issues::Issues;
use crate::graph::param_defs;
use crate::model::{
    Concurrency, DATE_PARAM, OnConflict, Params, Pipeline, Run, RunConcurrency, Trigger,
};
use crate::storage::NewRun;
use crate::template::{self, KeyError};

/// Gives a run that a caller starts its concurrency key, if its definition has one.
///
/// # Errors
/// `Invalid` (`param-invalid`) if a parameter of the key is missing, or if its text is too long.
pub(super) fn keyed(mut run: Run, definition: &Pipeline) -> Result<Run> {
    refuse_secret_key(definition, &run.params)?;
    run.concurrency = key_of(definition, &run.params, run.date).map_err(|error| refusal(&error))?;
    Ok(run)
}

/// Refuses a key that would have a parameter that is secret in this run. No definition has such a
/// key, but a run repeats another one, whose definition may have made the parameter secret.
fn refuse_secret_key(definition: &Pipeline, params: &Params) -> Result<()> {
    let Some(Concurrency { key, .. }) = &definition.concurrency else {
        return Ok(());
    };
    let mut names = template::parameters_of_key(key);
    let Some(name) = names.find(|name| params.is_secret(name)) else {
        return Ok(());
    };
    let pointer = format!("/params/{}", reference_token(name));
    let detail = format!(
        "the parameter {} is secret in the run that this one repeats, and the concurrency key \
         would show it; give it a value that everyone may see",
        quote(name)
    );
    let issues = vec![Issue::pointer(pointer, detail)];
    Err(Error::invalid(Problem::ParamInvalid, issues))
}

/// Gives a run that no caller starts its concurrency key, if its definition has one.
///
/// A key without a text refuses no such run. A save makes sure that it has one, unless storage has
/// a definition that no save has checked. [`refuse_unkeyed`] fails the run then.
pub(super) fn keyed_if_resolved(mut run: Run, definition: &Pipeline) -> Run {
    run.concurrency = key_of(definition, &run.params, run.date).unwrap_or_default();
    run
}

/// Returns a run with what happens while its concurrency key is taken, by the definition that it
/// executes.
pub(super) fn new_run(run: Run, definition: &Pipeline) -> NewRun {
    NewRun {
        on_conflict: on_conflict(definition),
        ..NewRun::new(run)
    }
}

/// Returns what happens to a run of a definition while its concurrency key is taken.
pub(super) fn on_conflict(definition: &Pipeline) -> OnConflict {
    let concurrency = definition.concurrency.as_ref();
    concurrency.map(|own| own.on_conflict).unwrap_or_default()
}

/// Refuses to start a run that no caller has started and whose key has no text.
///
/// # Errors
/// `Invalid` (`param-invalid`).
pub(super) fn refuse_unkeyed(definition: &Pipeline, run: &Run) -> Result<()> {
    let has_no_caller = match run.trigger {
        Trigger::Schedule | Trigger::Catchup | Trigger::Dependency => true,
        Trigger::Manual | Trigger::Backfill | Trigger::Resume | Trigger::Webhook => false,
    };
    if !has_no_caller || run.concurrency.is_some() {
        return Ok(());
    }
    key_of(definition, &run.params, run.date)
        .map(drop)
        .map_err(|error| refusal(&error))
}

/// Adds an issue if the key of a definition has templates that no run can resolve, or that the runs
/// of its schedule and of its dependencies cannot.
pub(super) fn check(definition: &Pipeline, issues: &mut Issues) {
    let Some(Concurrency { key, .. }) = &definition.concurrency else {
        return;
    };
    if let Some(error) = template::unresolvable(key) {
        issues.push("/concurrency/key", || error.to_string());
        return;
    }
    let secrets = definition.param_defs.iter().filter(|def| def.secret);
    let secrets: Vec<_> = secrets.map(|def| def.name.as_str()).collect();
    if let Some(name) = template::parameters_of_key(key).find(|name| secrets.contains(name)) {
        issues.push("/concurrency/key", || {
            format!(
                "everyone who may view a run sees its key, which must not have the secret \
                 parameter {}",
                quote(name)
            )
        });
        return;
    }
    if definition.schedule.is_none() && !definition.is_started_by_others() {
        return;
    }
    // Any date: all have as many characters.
    let date = NaiveDate::default();
    let mut params = Params::from(param_defs::resolve(definition, BTreeMap::new()));
    params.insert(DATE_PARAM, date.to_string());
    if let Err(error) = key_of(definition, &params, date) {
        issues.push("/concurrency/key", || {
            format!("a run that the schedule or a dependency starts has no such key: {error}")
        });
    }
}

fn key_of(
    definition: &Pipeline,
    params: &Params,
    date: NaiveDate,
) -> Result<Option<RunConcurrency>, KeyError> {
    let Some(Concurrency { key, max, .. }) = &definition.concurrency else {
        return Ok(None);
    };
    let text = template::resolve_key(key, params, date)?;
    let max = (*max).clamp(1, Concurrency::RUNS_MAX);
    Ok(Some(RunConcurrency::new(text, max)))
}

fn refusal(error: &KeyError) -> Error {
    let pointer = match error {
        KeyError::Missing { name, .. } => format!("/params/{}", reference_token(name)),
        KeyError::Template(_) | KeyError::TooLong(_) => "/params".to_owned(),
    };
    let issues = vec![Issue::pointer(pointer, error.to_string())];
    Error::invalid(Problem::ParamInvalid, issues)
}
