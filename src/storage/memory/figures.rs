//! Figures: runs counted by day of creation and by status, updated with every change.
//!
//! `views` decides which days a page shows.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use crate::model::{PipelineId, Qualified, Run, RunStatus, Scope};
use crate::storage::{Figures, FiguresBy, FiguresFilter};

/// The days that have runs.
#[derive(Default)]
pub(super) struct Days(BTreeMap<NaiveDate, Day>);

/// The figures of one day: of all runs, and by pipeline. Figures that count nothing are
/// removed.
struct Day {
    all: Figures,
    of_pipelines: BTreeMap<Qualified<PipelineId>, Figures>,
}

impl Days {
    pub(super) fn add(&mut self, run: &Run) {
        let date = run.created_at.date_naive();
        let day = self.0.entry(date).or_insert_with(|| Day {
            all: Figures::new(date),
            of_pipelines: BTreeMap::new(),
        });
        let key = run.qualified_pipeline();
        let own = day.of_pipelines.entry(key).or_insert(Figures::new(date));
        *count(own, run.status) += 1;
        *count(&mut day.all, run.status) += 1;
    }

    pub(super) fn subtract(&mut self, run: &Run) {
        let date = run.created_at.date_naive();
        let Some(day) = self.0.get_mut(&date) else {
            return;
        };
        let key = run.qualified_pipeline();
        if let Some(own) = day.of_pipelines.get_mut(&key) {
            *count(own, run.status) -= 1;
            if *own == Figures::new(date) {
                day.of_pipelines.remove(&key);
            }
        }
        *count(&mut day.all, run.status) -= 1;
        if day.of_pipelines.is_empty() {
            self.0.remove(&date);
        }
    }

    /// Returns the figures that a filter requests. `is_live` returns whether a pipeline exists.
    pub(super) fn figures(
        &self,
        filter: &FiguresFilter,
        is_live: impl Fn(&Qualified<PipelineId>) -> bool,
    ) -> Vec<Figures> {
        if filter.from > filter.to {
            return Vec::new();
        }
        let days = self.0.range(filter.from..=filter.to);
        match filter.by {
            FiguresBy::Day => days
                .map(|(date, day)| day.figures(*date, filter))
                .filter(|figures| *figures != Figures::new(figures.date))
                .collect(),
            FiguresBy::FailingPipeline { count_max } => {
                let mut sums = BTreeMap::new();
                for (pipeline, own) in days.flat_map(|(_, day)| day.matching(filter)) {
                    let sum = sums
                        .entry(pipeline)
                        .or_insert_with(|| Figures::new(filter.from));
                    *sum = plus(sum, own);
                }
                let mut figures: Vec<_> = sums
                    .into_iter()
                    .filter(|(pipeline, sum)| sum.failed > 0 && is_live(pipeline))
                    .map(|(pipeline, sum)| Figures {
                        pipeline: Some(pipeline.clone()),
                        ..sum
                    })
                    .collect();
                // The sort is stable, so equal figures stay in the order of the ids and tenants.
                figures.sort_by_key(|sum| std::cmp::Reverse(sum.failed));
                figures.truncate(count_max as usize);
                figures
            }
        }
    }
}

impl Day {
    fn figures(&self, date: NaiveDate, filter: &FiguresFilter) -> Figures {
        if filter.pipeline.is_none() && filter.scope == Scope::All {
            return self.all.clone();
        }
        let matching = self.matching(filter);
        matching.fold(Figures::new(date), |sum, (_, own)| plus(&sum, own))
    }

    /// Returns the figures of the pipelines that a filter admits.
    fn matching<'a>(
        &'a self,
        filter: &'a FiguresFilter,
    ) -> impl Iterator<Item = (&'a Qualified<PipelineId>, &'a Figures)> {
        self.of_pipelines.iter().filter(move |(pipeline, _)| {
            let id = filter.pipeline.as_ref();
            id.is_none_or(|id| *id == pipeline.id) && filter.scope.admits(pipeline.tenant.as_ref())
        })
    }
}

fn count(figures: &mut Figures, status: RunStatus) -> &mut u64 {
    match status {
        RunStatus::Pending => &mut figures.pending,
        RunStatus::Running => &mut figures.running,
        RunStatus::Success => &mut figures.success,
        RunStatus::Failed => &mut figures.failed,
        RunStatus::Cancelled => &mut figures.cancelled,
    }
}

const fn plus(sum: &Figures, own: &Figures) -> Figures {
    let Figures {
        date: _,
        pipeline: _,
        pending,
        running,
        success,
        failed,
        cancelled,
    } = own;
    Figures {
        date: sum.date,
        pipeline: None,
        pending: sum.pending + *pending,
        running: sum.running + *running,
        success: sum.success + *success,
        failed: sum.failed + *failed,
        cancelled: sum.cancelled + *cancelled,
    }
}
