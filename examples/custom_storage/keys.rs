//! What happens to new runs while as many runs of their concurrency key are unfinished as may be.
//!
//! `waiting` has the runs that wait for one another.

use std::collections::BTreeMap;

use floret::storage::{CancelRequest, CreateRuns, NewRun, Qualified, ReplacedRun};
use floret::{Error, OnConflict, PipelineId, Problem, Result, RunCancel, RunConcurrency, RunId};

use crate::finish::request_cancel;
use crate::rows::Rows;

/// Removes the runs of a backfill whose concurrency keys are taken, also by its earlier runs, and
/// returns them.
pub(crate) fn skip_taken(
    rows: &Rows,
    create: &mut CreateRuns,
    own: &Qualified<PipelineId>,
) -> Vec<RunId> {
    let mut kept: Vec<String> = Vec::new();
    let mut skipped = Vec::new();
    create.runs.retain(|new| {
        let Some(concurrency) = &new.run.concurrency else {
            return true;
        };
        let key = &concurrency.key;
        let of_backfill = kept.iter().filter(|other| *other == key).count();
        let count = unfinished_of_key(rows, own, key).count() + of_backfill;
        let is_taken = new.on_conflict == OnConflict::Skip && is_full(count, concurrency);
        if is_taken {
            skipped.push(new.run.id);
        } else {
            kept.push(key.clone());
        }
        !is_taken
    });
    skipped
}

/// Refuses a run whose concurrency key is taken.
pub(crate) fn check_key(rows: &Rows, new: &NewRun, own: &Qualified<PipelineId>) -> Result<()> {
    let Some(concurrency) = &new.run.concurrency else {
        return Ok(());
    };
    let mut unfinished = unfinished_of_key(rows, own, &concurrency.key);
    let (first, rest) = (unfinished.next(), unfinished.count());
    match first.filter(|_| new.on_conflict == OnConflict::Skip) {
        Some(first) if is_full(rest + 1, concurrency) => {
            let message = format!("run {first} has the concurrency key of the new run");
            Err(Error::new(Problem::ConcurrencyKeyTaken, message))
        }
        _ => Ok(()),
    }
}

/// Cancels the unfinished runs that are too many beside new ones of their concurrency keys.
pub(crate) fn replace_runs(
    rows: &mut Rows,
    new: &[NewRun],
    own: &Qualified<PipelineId>,
) -> Result<Vec<ReplacedRun>> {
    let mut replaced = Vec::new();
    let Some(at) = new.first().map(|new| new.run.created_at) else {
        return Ok(replaced);
    };
    let replacing = new
        .iter()
        .filter(|new| new.on_conflict == OnConflict::CancelRunning && new.run.run_after.is_none());
    let mut counts = BTreeMap::new();
    for concurrency in replacing.filter_map(|new| new.run.concurrency.as_ref()) {
        let (max, count) = counts
            .entry(&concurrency.key)
            .or_insert((concurrency.max, 0));
        (*max, *count) = ((*max).min(concurrency.max), *count + 1);
    }
    for (key, (max, count)) in counts {
        let is_new = |run: &RunId| new.iter().any(|new| new.run.id == *run);
        let others: Vec<_> = unfinished_of_key(rows, own, key)
            .filter(|run| !is_new(run))
            .collect();
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        let surplus = (others.len() + count).saturating_sub(max);
        for run in others.into_iter().take(surplus) {
            let RunCancel { kind, reason, .. } = RunCancel::of_key(at);
            let mut request = CancelRequest::new(run, kind, at);
            request.reason = reason;
            let cancelled = request_cancel(rows, &request)?;
            replaced.push(ReplacedRun::new(run, cancelled.status));
        }
    }
    replaced.sort_unstable_by_key(|one| one.run);
    Ok(replaced)
}

fn is_full(count: usize, concurrency: &RunConcurrency) -> bool {
    count as u64 >= u64::from(concurrency.max)
}

fn unfinished_of_key<'a>(
    rows: &'a Rows,
    own: &Qualified<PipelineId>,
    key: &str,
) -> impl Iterator<Item = RunId> + use<'a> {
    let (own, key) = (own.clone(), key.to_owned());
    let runs = rows.runs.values().map(|row| &row.run);
    runs.filter(move |run| {
        let has_key = run.concurrency.as_ref().is_some_and(|it| it.key == key);
        has_key && run.qualified_pipeline() == own && !run.status.is_terminal()
    })
    .map(|run| run.id)
}
