//! How runs come to be: the checks in their order, then rows and events.

use chrono::NaiveDate;
use floret::storage::{CreateRuns, CreatedRuns, IdempotencyKey, NewBackfill, NewRun};
use floret::{
    Error, EventKind, PipelineId, Problem, Result, Run, RunId, RunStatus, Scope, TenantId, Trigger,
};

use crate::rows::{BackfillRow, KeyRow, Rows, RunRow};

/// What the first act with a key made.
pub(crate) fn known(rows: &Rows, key: &IdempotencyKey) -> Result<Option<CreatedRuns>> {
    let Some(row) = rows.keys.get(&(key.operation.clone(), key.key.clone())) else {
        return Ok(None);
    };
    if row.body_hash != key.body_hash {
        let message = "the idempotency key was given with another body before";
        return Err(Error::new(Problem::IdempotencyKeyReused, message));
    }
    let mut created = CreatedRuns::new(row.run_ids.clone(), rows.seq);
    created.is_replayed = true;
    created.backfill = row.backfill;
    Ok(Some(created))
}

pub(crate) fn create_runs(rows: &mut Rows, mut create: CreateRuns) -> Result<CreatedRuns> {
    let Some(first) = create.runs.first() else {
        return Ok(CreatedRuns::new(Vec::new(), rows.seq));
    };
    let id = first.run.pipeline_id.clone();
    let pipeline = rows.pipelines.find(id.as_str(), &create.scope);
    let absent = || Error::pipeline_not_found(&id);
    let tenant = pipeline.ok_or_else(absent)?.tenant.clone();
    for old in create.runs.iter().filter_map(|new| new.run.resumed_from) {
        let absent = || Error::run_not_found(old);
        rows.run(old, &create.scope).ok_or_else(absent)?;
    }
    let key = create.idempotency.as_ref();
    let known = key
        .filter(|_| !create.is_preview)
        .map(|key| known(rows, key));
    if let Some(created) = known.transpose()?.flatten() {
        return Ok(created);
    }
    let skipped = leave_out(rows, &mut create, tenant.as_ref());
    let run_ids: Vec<_> = create.runs.iter().map(|new| new.run.id).collect();
    let mut created = CreatedRuns::new(run_ids, rows.seq);
    created.skipped = skipped;
    if create.is_preview || create.runs.is_empty() {
        return Ok(created);
    }
    let (pipeline_max, max) = (create.queued_pipeline_max, create.queued_max);
    if !has_room(rows, &id, create.runs.len(), (pipeline_max, max)) {
        let message = format!("{pipeline_max} runs of a pipeline and {max} in all may wait");
        return Err(Error::new(Problem::QueueFull, message));
    }
    created.backfill = create.backfill.as_ref().map(|new| new.backfill.id);
    for mut new in create.runs {
        new.run.backfill_id = created.backfill;
        insert(rows, new)?;
    }
    if let Some(NewBackfill { mut backfill, .. }) = create.backfill {
        backfill.tenant = tenant;
        let row = BackfillRow {
            backfill,
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
    created.seq = rows.seq;
    Ok(created)
}

/// Leaves out the runs of a backfill whose dates were run before, where it says so, and tells those
/// dates.
fn leave_out(rows: &Rows, create: &mut CreateRuns, tenant: Option<&TenantId>) -> Vec<NaiveDate> {
    let mut skipped = Vec::new();
    if !create
        .backfill
        .as_ref()
        .is_some_and(|new| new.skip_existing)
    {
        return skipped;
    }
    let stands_for_its_date = |row: &&RunRow| {
        let by = row.origin;
        matches!(by, Trigger::Backfill | Trigger::Schedule | Trigger::Catchup)
    };
    create.runs.retain(|new| {
        let dated = rows
            .runs_of(&new.run.pipeline_id)
            .filter(stands_for_its_date);
        let is_done = dated.map(|row| &row.run).any(|run| {
            let is_same = run.tenant.as_ref() == tenant && run.date == new.run.date;
            is_same && run.status == RunStatus::Success
        });
        skipped.extend(is_done.then_some(new.run.date));
        !is_done
    });
    skipped
}

/// Whether so many more runs of a pipeline may wait, by its own bound and by that of all.
pub(crate) fn has_room(
    rows: &Rows,
    pipeline: &PipelineId,
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

/// Makes one run of a pipeline that is there.
pub(crate) fn insert(rows: &mut Rows, new: NewRun) -> Result<()> {
    let NewRun {
        mut run, fire_at, ..
    } = new;
    rows.definition(&run)?;
    let pipeline = rows.pipelines.find(run.pipeline_id.as_str(), &Scope::All);
    run.tenant = pipeline.and_then(|pipeline| pipeline.tenant.clone());
    if fire_at.is_some()
        && rows
            .runs_of(&run.pipeline_id)
            .any(|row| row.fire_at == fire_at)
    {
        let message = format!("{} has a run of this instant already", run.pipeline_id);
        return Err(Error::new(Problem::TickTaken, message));
    }
    let mut origin = run.trigger;
    if let Some(old) = run.resumed_from {
        check_resumable(rows, old, run.first_run)?;
        origin = rows.run_mut(old)?.origin;
    }
    let event = rows.tell(&run, EventKind::RunCreated, run.created_at);
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
        cancelled_rest: false,
        nodes: std::collections::BTreeMap::new(),
        run,
    };
    rows.runs.insert(row.run.id, row);
    Ok(())
}

fn check_resumable(rows: &mut Rows, old: RunId, first_run: RunId) -> Result<()> {
    let refuse = |run: &Run| {
        let message = format!("run {} stands in the way, it is {:?}", run.id, run.status);
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
