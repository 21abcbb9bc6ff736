//! The creation of runs: the checks in order, then rows and events.
//!
//! The ticks of schedules are decided in `schedules`.

use std::collections::BTreeSet;

use floret::storage::{
    CreateRuns, CreatedRuns, FirstCreation, IdempotentOperation, NewBackfill, NewRun, Qualified,
};
use floret::{
    BackfillUnit, Error, EventKind, PipelineId, Problem, Result, Run, RunId, RunStatus, Trigger,
};

use crate::keys::{check_key, replace_runs, skip_taken};
use crate::rows::{BackfillRow, KeyRow, Rows, RunRow};

/// Returns what the first request with a key created.
pub(crate) fn find_key(
    rows: &Rows,
    operation: &IdempotentOperation,
    key: &str,
) -> Option<FirstCreation> {
    let row = rows.keys.get(&(operation.clone(), key.to_owned()))?;
    let mut created = CreatedRuns::new(row.run_ids.clone(), rows.seq);
    created.is_replayed = true;
    created.backfill = row.backfill;
    Some(FirstCreation::new(row.body_hash, created))
}

/// Creates runs, with their backfill and key if the request has them.
pub(crate) fn create_runs(rows: &mut Rows, mut create: CreateRuns) -> Result<CreatedRuns> {
    let Some(first) = create.runs.first() else {
        return Ok(CreatedRuns::new(Vec::new(), rows.seq));
    };
    let id = first.run.pipeline_id.clone();
    let pipeline = rows.pipelines.find(id.as_str(), &create.scope)?;
    let absent = || Error::pipeline_not_found(&id);
    let own = pipeline.ok_or_else(absent)?.qualified_id();
    for old in create.runs.iter().filter_map(|new| new.run.resumed_from) {
        let resumed = rows.run(old, &create.scope);
        if resumed.is_none_or(|row| row.run.qualified_pipeline() != own) {
            return Err(Error::run_not_found(old));
        }
    }
    if let Some(created) = find_repeated(rows, &create, &own)? {
        return Ok(created);
    }
    let key = create.idempotency.as_ref();
    if let Some(key) = key.filter(|_| !create.is_preview)
        && let Some(first) = find_key(rows, &key.operation, &key.key)
    {
        return first.for_repeat(&key.body_hash);
    }
    let mut skipped = skip_existing(rows, &mut create, &own);
    if create.backfill.is_some() {
        skipped.extend(skip_taken(rows, &mut create, &own));
        skipped.sort_unstable();
    }
    let run_ids: Vec<_> = create.runs.iter().map(|new| new.run.id).collect();
    let mut created = CreatedRuns::new(run_ids, rows.seq);
    created.skipped = skipped;
    if create.is_preview || create.runs.is_empty() {
        return Ok(created);
    }
    for new in create.runs.iter().filter(|_| create.backfill.is_none()) {
        check_key(rows, new, &own)?;
    }
    let (pipeline_max, max) = (create.queued_pipeline_max, create.queued_max);
    if !has_queue_room(rows, &own, create.runs.len(), (pipeline_max, max)) {
        let message =
            format!("at most {pipeline_max} runs of a pipeline and {max} in all can wait");
        return Err(Error::new(Problem::QueueFull, message));
    }
    created.backfill = create.backfill.as_ref().map(|new| new.backfill.id);
    let new = create.runs.clone();
    for mut new in create.runs {
        new.run.backfill_id = created.backfill;
        insert(rows, new, &own)?;
    }
    if let Some(NewBackfill { mut backfill, .. }) = create.backfill {
        backfill.tenant.clone_from(&own.tenant);
        let row = BackfillRow {
            backfill,
            is_cancel_requested: false,
            failed: 0,
            cancelled: 0,
        };
        rows.backfills.insert(row.backfill.id, row);
    }
    if let Some(key) = create.idempotency {
        let row = KeyRow {
            body_hash: key.body_hash,
            run_ids: created.run_ids.clone(),
            backfill: created.backfill,
        };
        rows.keys.insert((key.operation, key.key), row);
    }
    created.replaced = replace_runs(rows, &new, &own)?;
    rows.audit(create.audit.as_ref(), own.tenant.as_ref());
    created.seq = rows.seq;
    Ok(created)
}

/// Returns the result of a creation that an earlier call has carried out: its runs exist, except
/// those that a backfill skipped.
fn find_repeated(
    rows: &Rows,
    create: &CreateRuns,
    own: &Qualified<PipelineId>,
) -> Result<Option<CreatedRuns>> {
    let ids = create.runs.iter().map(|new| new.run.id);
    let stored: Vec<_> = ids.filter(|id| rows.runs.contains_key(id)).collect();
    let (Some(first), false) = (stored.first(), create.is_preview) else {
        return Ok(None);
    };
    let of_this_pipeline = stored.iter().filter(|id| {
        let row = rows.runs.get(id);
        row.is_some_and(|row| row.run.qualified_pipeline() == *own)
    });
    let backfill = create.backfill.as_ref().map(|new| new.backfill.id);
    let is_whole = match backfill {
        Some(id) => rows.backfills.contains_key(&id),
        None => stored.len() == create.runs.len(),
    };
    if !is_whole || of_this_pipeline.count() < stored.len() {
        return Err(Error::internal(format!("run {first} already exists")));
    }
    let mut created = CreatedRuns::new(stored, rows.seq);
    created.backfill = backfill;
    Ok(Some(created))
}

/// Removes the runs of a backfill whose dates or instants have already succeeded, if it asks for
/// that, and returns them.
fn skip_existing(rows: &Rows, create: &mut CreateRuns, own: &Qualified<PipelineId>) -> Vec<RunId> {
    let mut skipped = Vec::new();
    let skips = create.backfill.as_ref().filter(|new| new.skip_existing);
    let Some(unit) = skips.map(|new| new.backfill.unit) else {
        return skipped;
    };
    let is_same = |run: &Run, new: &Run| match unit.is_dated() {
        true => run.date == new.date,
        false => run.scheduled_at.is_some() && run.scheduled_at == new.scheduled_at,
    };
    let unit_of = |row: &RunRow| {
        let first = rows.runs.get(&row.run.first_run);
        let backfill = first.and_then(|first| first.run.backfill_id);
        let backfill = backfill.and_then(|id| rows.backfills.get(&id));
        backfill.map_or_else(BackfillUnit::default, |row| row.backfill.unit)
    };
    let is_covered_by = |row: &&RunRow| match row.origin {
        Trigger::Backfill => unit.is_covered_by(Some(unit_of(row))),
        Trigger::Schedule | Trigger::Catchup => unit.is_covered_by(None),
        _ => false,
    };
    create.runs.retain(|new| {
        let dated = rows.runs_of(own).filter(is_covered_by);
        let has_succeeded = || {
            dated
                .map(|row| &row.run)
                .any(|run| is_same(run, &new.run) && run.status == RunStatus::Success)
        };
        let is_done = match new.run.rerun_of {
            Some(repeated) => has_succeeded_since(rows, repeated),
            None => has_succeeded(),
        };
        skipped.extend(is_done.then_some(new.run.id));
        !is_done
    });
    skipped
}

/// Returns whether a run has succeeded, or a resume or a rerun that descends from it. What descends
/// from a run has a greater id.
fn has_succeeded_since(rows: &Rows, run: RunId) -> bool {
    let mut line = BTreeSet::from([run]);
    rows.runs.range(run..).any(|(id, row)| {
        let Run {
            first_run,
            rerun_of,
            status,
            ..
        } = &row.run;
        let descends = [Some(*id), Some(*first_run), *rerun_of];
        let descends = descends.iter().flatten().any(|id| line.contains(id));
        if descends {
            line.insert(*id);
        }
        descends && *status == RunStatus::Success
    })
}

/// Returns whether this many more runs of a pipeline can wait, by its own bound and by the total.
pub(crate) fn has_queue_room(
    rows: &Rows,
    pipeline: &Qualified<PipelineId>,
    count: usize,
    (pipeline_max, max): (u64, u64),
) -> bool {
    let is_pending = |row: &&RunRow| row.run.status == RunStatus::Pending;
    let fits = |waiting: usize, max: u64| waiting.saturating_add(count) as u64 <= max;
    fits(
        rows.runs_of(pipeline).filter(is_pending).count(),
        pipeline_max,
    ) && fits(rows.runs.values().filter(is_pending).count(), max)
}

/// Creates one run of an existing pipeline.
pub(crate) fn insert(rows: &mut Rows, new: NewRun, own: &Qualified<PipelineId>) -> Result<()> {
    let NewRun {
        mut run, fire_at, ..
    } = new;
    run.tenant.clone_from(&own.tenant);
    run.scheduled_at = fire_at.or(run.scheduled_at);
    rows.definition(&run)?;
    if fire_at.is_some() && rows.runs_of(own).any(|row| row.fire_at == fire_at) {
        let message = format!("{} already has a run of this tick", run.pipeline_id);
        return Err(Error::new(Problem::TickTaken, message));
    }
    let upstream = run.upstream_run_id;
    if upstream.is_some()
        && rows
            .runs_of(own)
            .any(|row| row.run.upstream_run_id == upstream)
    {
        let message = format!("{} already has a run of this upstream run", run.pipeline_id);
        return Err(Error::internal(message));
    }
    let mut origin = run.trigger;
    if let Some(old) = run.resumed_from {
        check_resumable(rows, old, run.first_run)?;
        origin = rows.run_mut(old)?.origin;
    }
    let event = rows.record_event(&run, EventKind::RunCreated, run.created_at);
    event.status = Some(run.status.into());
    rows.newest_run = rows.newest_run.max(Some(run.id));
    let row = RunRow {
        origin,
        fire_at,
        epoch: 0,
        owner: None,
        lease_until: run.created_at,
        claim_count: 0,
        position: 0,
        has_cancelled_backfill: false,
        is_recovered: false,
        nodes: std::collections::BTreeMap::new(),
        run,
    };
    rows.runs.insert(row.run.id, row);
    Ok(())
}

/// Refuses a resume of a run that has not failed, or of a chain with another unfinished or
/// successful run.
fn check_resumable(rows: &mut Rows, old: RunId, first_run: RunId) -> Result<()> {
    let refuse = |run: &Run| {
        let message = format!("run {} prevents a resume, it is {:?}", run.id, run.status);
        Err(Error::new(Problem::RunNotResumable, message))
    };
    let old = &rows.run_mut(old)?.run;
    if old.status != RunStatus::Failed {
        return refuse(old);
    }
    let mut chain = rows
        .runs
        .values()
        .filter(|row| row.run.first_run == first_run);
    let other =
        chain.find(|row| !matches!(row.run.status, RunStatus::Failed | RunStatus::Cancelled));
    other.map_or(Ok(()), |other| refuse(&other.run))
}
