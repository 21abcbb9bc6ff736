//! The list of runs: filter and order.
//!
//! Sets by pipeline and status are merged, so a list reads no run of another pipeline or status.

use std::collections::BTreeSet;
use std::ops::Bound;

use super::pages::{cursor, cut_page};
use super::rules;
use super::state::State;
use crate::error::Result;
use crate::model::{Page, PageRequest, Run, RunId, RunStatus};
use crate::storage::RunFilter;

impl State {
    pub(super) fn list_runs(&self, filter: &RunFilter, page: &PageRequest) -> Result<Page<Run>> {
        let before = match cursor(page) {
            None => None,
            Some(text) => Some(text.parse().map_err(|_| rules::bad_cursor(text))?),
        };
        let total = || self.filtered(filter, None).count() as u64;
        let rows = self.filtered(filter, before).map(|run| (run.id, run));
        let found = cut_page(page, total, rows);
        let items = found.items.into_iter().cloned().collect();
        Ok(Page::new(items, found.total, found.next))
    }

    /// Returns the runs that pass a filter, the greatest id first. `before` excludes itself and
    /// every greater id.
    pub(super) fn filtered<'a>(
        &'a self,
        filter: &'a RunFilter,
        before: Option<RunId>,
    ) -> impl Iterator<Item = &'a Run> {
        let RunFilter {
            scope,
            run,
            pipeline,
            backfill,
            statuses,
            triggers,
            from,
            to,
            labels,
        } = filter;
        let has_status = |status: &RunStatus| statuses.is_empty() || statuses.contains(status);
        let sets = RunStatus::ALL.into_iter().filter(has_status);
        let sets = sets.flat_map(|status| self.sets(filter, status));
        let many = run.is_none().then(|| newest_first(sets, before));
        let one = run.filter(|run| before.is_none_or(|before| *run < before));
        many.into_iter()
            .flatten()
            .chain(one)
            .filter_map(|id| self.run(id, scope))
            .map(|row| &row.run)
            .filter(move |run| {
                let is_of_pipeline = pipeline.as_ref().is_none_or(|id| *id == run.pipeline_id);
                is_of_pipeline
                    && (backfill.is_none() || run.backfill_id == *backfill)
                    && has_status(&run.status)
                    && (triggers.is_empty() || triggers.contains(&run.trigger))
                    && from.is_none_or(|from| from <= run.created_at)
                    && to.is_none_or(|to| run.created_at < to)
                    && labels
                        .iter()
                        .all(|(name, value)| run.labels.get(name) == Some(value))
            })
    }

    /// Returns the runs with this status among which a filter finds its own: those of its backfill,
    /// a set for each pipeline in scope with its id, or one set of all pipelines.
    fn sets<'a>(
        &'a self,
        filter: &'a RunFilter,
        status: RunStatus,
    ) -> impl Iterator<Item = &'a BTreeSet<RunId>> {
        let (backfill, pipeline) = (filter.backfill, filter.pipeline.as_ref());
        let of_backfill = backfill.map(|id| self.index.with_backfill(id, status));
        let pipeline = pipeline.filter(|_| backfill.is_none());
        let of_pipeline = pipeline.map(|id| self.index.with_pipeline_id(id, &filter.scope, status));
        let every = backfill.is_none() && filter.pipeline.is_none();
        let every = every.then(|| self.index.with_status(None, status));
        let narrow = of_backfill.into_iter().flatten();
        narrow
            .chain(of_pipeline.into_iter().flatten())
            .chain(every.into_iter().flatten())
    }
}

/// Merges sets of runs, the greatest id first. `before` excludes itself and every greater id.
pub(super) fn newest_first<'a>(
    sets: impl Iterator<Item = &'a BTreeSet<RunId>>,
    before: Option<RunId>,
) -> impl Iterator<Item = RunId> {
    let end = before.map_or(Bound::Unbounded, Bound::Excluded);
    let mut heads: Vec<_> = sets
        .map(|runs| runs.range((Bound::Unbounded, end)).copied().rev())
        .map(|mut rest| (rest.next(), rest))
        .collect();
    std::iter::from_fn(move || {
        let (newest, rest) = heads.iter_mut().max_by_key(|(head, _)| *head)?;
        std::mem::replace(newest, rest.next())
    })
}
