//! Backfills: created with their runs, listed, settled, cancelled as a whole.
//!
//! `rules` decides when one finishes or is cancelled. Its limits apply in `queue`, and `index`
//! finds its runs.

use std::collections::BTreeSet;
use std::ops::Bound;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::pages::{cursor, cut_page};
use super::rows::BackfillRow;
use super::state::State;
use super::{MemoryStorage, rules};
use crate::error::{Error, Result};
use crate::model::{
    Backfill, BackfillCounts, BackfillId, BackfillRun, BackfillStatus, BackfillUnit, Page,
    PageRequest, PipelineId, Qualified, Run, RunCancel, RunId, RunStatus, Scope, TenantId, Trigger,
};
use crate::storage::rules::{BackfillOutcomes, Existing, OpenBackfill, Settlement};
use crate::storage::{
    BackfillDetail, BackfillFilter, Backfills, CancelBackfill, CancelBackfillOutcome, CreateRuns,
    SetBackfillPause,
};

impl State {
    /// Removes the runs whose date or instant has a successful run, or whose repeated run has
    /// succeeded since, and returns them.
    pub(super) fn skip_existing(
        &self,
        create: &mut CreateRuns,
        pipeline: &Qualified<PipelineId>,
    ) -> Vec<RunId> {
        let skips = create.backfill.as_ref().filter(|new| new.skip_existing);
        let Some(unit) = skips.map(|new| new.backfill.unit) else {
            return Vec::new();
        };
        let is_first = create.runs.iter().any(|new| new.run.rerun_of.is_none());
        let existing = is_first.then(|| self.existing(unit, pipeline));
        let repeated = create.runs.iter().filter_map(|new| new.run.rerun_of);
        let repeated: BTreeSet<_> = repeated.collect();
        let since = repeated.first().map(|first| self.runs.range(first..));
        let since = since.into_iter().flatten().map(|(_, row)| &row.run);
        let succeeded = rules::succeeded_since(repeated.iter().copied(), since);
        let (skipped, runs) = std::mem::take(&mut create.runs)
            .into_iter()
            .partition::<Vec<_>, _>(|new| match &new.run.rerun_of {
                Some(repeated) => succeeded.contains(repeated),
                None => existing.as_ref().is_some_and(|found| found.has(&new.run)),
            });
        create.runs = runs;
        skipped.iter().map(|new| new.run.id).collect()
    }

    fn existing(&self, unit: BackfillUnit, pipeline: &Qualified<PipelineId>) -> Existing {
        let succeeded = self.index.with_status(Some(pipeline), RunStatus::Success);
        let rows = succeeded
            .into_iter()
            .flatten()
            .filter_map(|id| self.runs.get(id));
        let runs = rows
            .map(|row| &row.run)
            .filter(|run| self.is_covered_by(unit, run));
        Existing::of(unit, runs.map(|run| (run.date, run.scheduled_at)))
    }

    /// Returns whether a run stands for one of this unit: it was created for its interval, or
    /// resumes one that was.
    fn is_covered_by(&self, unit: BackfillUnit, run: &Run) -> bool {
        let first = match run.trigger {
            Trigger::Resume => self.runs.get(&run.first_run),
            Trigger::Manual
            | Trigger::Schedule
            | Trigger::Backfill
            | Trigger::Catchup
            | Trigger::Webhook
            | Trigger::Dependency => self.runs.get(&run.id),
        };
        first.is_some_and(|first| match first.run.trigger {
            Trigger::Backfill => unit.is_covered_by(Some(self.unit_of(&first.run))),
            Trigger::Schedule | Trigger::Catchup => unit.is_covered_by(None),
            Trigger::Manual | Trigger::Resume | Trigger::Webhook | Trigger::Dependency => false,
        })
    }

    /// Returns the unit of the backfill of a run.
    fn unit_of(&self, run: &Run) -> BackfillUnit {
        let backfill = run.backfill_id.and_then(|id| self.backfills.get(&id));
        backfill.map_or_else(BackfillUnit::default, |row| row.backfill.unit)
    }

    /// Stores a backfill whose runs are inserted next.
    pub(super) fn insert_backfill(&mut self, mut backfill: Backfill, tenant: Option<TenantId>) {
        (backfill.tenant, backfill.paused) = (tenant, None);
        backfill.status = BackfillStatus::Running;
        let row = BackfillRow {
            is_cancel_requested: backfill.cancel.is_some(),
            outcomes: BackfillOutcomes::default(),
            backfill,
        };
        self.backfills.insert(row.backfill.id, row);
    }

    /// Counts the outcome of a run and settles its backfill.
    pub(super) fn settle_backfill(
        &mut self,
        id: BackfillId,
        status: RunStatus,
        at: DateTime<Utc>,
    ) -> Result<()> {
        if let Some(row) = self.backfills.get_mut(&id) {
            row.outcomes.count(status);
        }
        if self.settlement(id) == Settlement::CancelRest {
            self.cancel_rest(id, &RunCancel::of_failures(at), at)?;
        }
        if let Settlement::Finish(status) = self.settlement(id)
            && let Some(row) = self.backfills.get_mut(&id)
        {
            row.backfill.status = status;
            row.backfill.paused = None;
            row.backfill.finished_at = Some(at);
        }
        Ok(())
    }

    /// Counts the failed run that a successful resume began with as a success of its backfill.
    pub(super) fn recover_first_run(&mut self, resume: RunId) {
        let resume = self.runs.get(&resume).map(|row| &row.run);
        let Some(first) = resume.filter(|run| run.resumed_from.is_some()) else {
            return;
        };
        let first = self.runs.get_mut(&first.first_run.clone());
        let failed = first.filter(|row| row.run.status == RunStatus::Failed && !row.is_recovered);
        let Some((row, backfill)) = failed.and_then(|row| {
            let backfill = row.run.backfill_id?;
            Some((row, backfill))
        }) else {
            return;
        };
        row.is_recovered = true;
        if let Some(row) = self.backfills.get_mut(&backfill) {
            row.outcomes.recover();
            if row.backfill.finished_at.is_some() {
                row.backfill.status = row.outcomes.status();
            }
        }
    }

    /// Returns what happens to a backfill. A finished one stays as it is.
    fn settlement(&self, id: BackfillId) -> Settlement {
        let row = self.backfills.get(&id);
        let open = row.filter(|row| row.backfill.finished_at.is_none());
        open.map_or(Settlement::StayOpen, |row| {
            let count = |status| self.index.count_of_backfill(id, status);
            let open = OpenBackfill {
                outcomes: row.outcomes,
                unfinished: count(RunStatus::Pending) + count(RunStatus::Running),
                max_failures: row.backfill.max_failures,
                is_cancelled: row.backfill.cancel.is_some(),
            };
            open.settle()
        })
    }

    /// Cancels a backfill: requests the cancel of each unfinished run, the oldest first.
    fn cancel_rest(&mut self, id: BackfillId, cancel: &RunCancel, at: DateTime<Utc>) -> Result<()> {
        let Some(row) = self.backfills.get_mut(&id) else {
            return Ok(());
        };
        row.backfill.cancel = row.backfill.cancel.max(Some(cancel.kind));
        (row.backfill.paused, row.backfill.status) = (None, BackfillStatus::Running);
        let mut unfinished: Vec<RunId> = self.index.unfinished_of_backfill(id).collect();
        unfinished.sort_unstable();
        for run in unfinished {
            self.cancel_run(run, cancel, at)?;
        }
        Ok(())
    }

    /// Returns the backfill whose other runs were cancelled when this run failed.
    pub(super) fn cancelled_backfill(&self, run: &Run) -> Option<BackfillId> {
        let row = self.backfills.get(&run.backfill_id?)?;
        let is_cancelled = row.backfill.cancel.is_some() && run.status == RunStatus::Failed;
        is_cancelled.then_some(row.backfill.id)
    }

    /// Removes a backfill whose last run was purged.
    pub(super) fn remove_empty_backfill(&mut self, id: BackfillId) {
        if !self.index.has_backfill(id) {
            self.backfills.remove(&id);
        }
    }

    pub(super) fn find_backfill(&self, id: BackfillId, scope: &Scope) -> Option<BackfillDetail> {
        let row = self.backfills.get(&id)?;
        scope.admits(row.backfill.tenant.as_ref()).then(|| {
            let mut runs: Vec<_> = self
                .index
                .of_backfill(id)
                .filter_map(|run| self.runs.get(&run))
                .map(|row| BackfillRun {
                    scheduled_at: row.run.scheduled_at,
                    ..BackfillRun::new(row.run.id, row.run.date, row.run.status)
                })
                .collect();
            runs.sort_unstable_by_key(|run| run.id);
            BackfillDetail::new(self.with_counts(row), runs)
        })
    }

    fn with_counts(&self, row: &BackfillRow) -> Backfill {
        let count = |status| self.index.count_of_backfill(row.backfill.id, status);
        let runs = self.index.of_backfill(row.backfill.id);
        let recovered = runs
            .filter_map(|run| self.runs.get(&run))
            .filter(|row| row.is_recovered)
            .count() as u64;
        Backfill {
            counts: BackfillCounts {
                pending: count(RunStatus::Pending),
                running: count(RunStatus::Running),
                success: count(RunStatus::Success).saturating_add(recovered),
                failed: count(RunStatus::Failed).saturating_sub(recovered),
                cancelled: count(RunStatus::Cancelled),
            },
            ..row.backfill.clone()
        }
    }

    fn list_backfills(
        &self,
        filter: &BackfillFilter,
        page: &PageRequest,
    ) -> Result<Page<Backfill>> {
        let BackfillFilter {
            scope,
            backfill,
            pipeline,
        } = filter;
        let before: Option<BackfillId> = match cursor(page) {
            None => None,
            Some(text) => Some(text.parse().map_err(|_| rules::bad_cursor(text))?),
        };
        let is_match = |row: &BackfillRow| {
            scope.admits(row.backfill.tenant.as_ref())
                && pipeline
                    .as_ref()
                    .is_none_or(|id| *id == row.backfill.pipeline_id)
        };
        let ids = backfill.map_or((Bound::Unbounded, Bound::Unbounded), |id| {
            (Bound::Included(id), Bound::Included(id))
        });
        let matching = || {
            let rows = self.backfills.range(ids).rev();
            rows.filter(|(_, row)| is_match(row))
        };
        let total = || matching().count() as u64;
        let rows = matching().filter(|(id, _)| before.is_none_or(|before| **id < before));
        let found = cut_page(page, total, rows);
        let items = found.items.into_iter().map(|row| self.with_counts(row));
        Ok(Page::new(items.collect(), found.total, found.next))
    }

    fn cancel_backfill(&mut self, request: &CancelBackfill) -> Result<CancelBackfillOutcome> {
        let CancelBackfill {
            backfill: id,
            scope,
            cancel: _,
            by: _,
            reason: _,
            now,
            audit,
        } = request;
        let row = self.backfills.get_mut(id);
        let row = row
            .filter(|row| scope.admits(row.backfill.tenant.as_ref()))
            .ok_or_else(|| Error::backfill_not_found(id))?;
        match row.backfill.status {
            BackfillStatus::Running | BackfillStatus::Paused => {
                row.is_cancel_requested = true;
                self.cancel_rest(*id, &request.record(), *now)?;
            }
            BackfillStatus::Success | BackfillStatus::Failed | BackfillStatus::Cancelled => {
                if !row.is_cancel_requested {
                    return Err(rules::backfill_finished(*id));
                }
            }
        }
        let detail = self
            .find_backfill(*id, scope)
            .ok_or_else(|| Error::backfill_not_found(id))?;
        self.audit(audit.clone(), detail.backfill.tenant.as_ref());
        Ok(CancelBackfillOutcome::new(detail, self.events.newest()))
    }
}

#[async_trait]
impl Backfills for MemoryStorage {
    async fn find_backfill(
        &self,
        backfill: BackfillId,
        scope: &Scope,
    ) -> Result<Option<BackfillDetail>> {
        Ok(self.state()?.find_backfill(backfill, scope))
    }

    async fn list_backfills(
        &self,
        filter: BackfillFilter,
        page: PageRequest,
    ) -> Result<Page<Backfill>> {
        self.state()?.list_backfills(&filter, &page)
    }

    async fn set_backfill_pause(&self, request: SetBackfillPause) -> Result<BackfillDetail> {
        self.state()?.set_backfill_pause(&request)
    }

    async fn cancel_backfill(&self, cancel: CancelBackfill) -> Result<CancelBackfillOutcome> {
        self.state()?.cancel_backfill(&cancel)
    }
}
