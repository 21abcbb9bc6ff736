//! Reads pages of runs. Every filter has an index; totals come from the figures where possible.
//!
//! `runs` reads a single run, `run_filter` has the conditions of a filter, and `pages` builds the
//! parts of a page.

use std::ops::Range;

use rusqlite::Row;
use rusqlite::types::Value;

use super::figures::FigureRows;
use super::pages::{Conditions, ListQuery, Window, wants_total};
use super::pipeline_keys::PipelineKeys;
use super::reader::Reader;
use super::rows::{RUN, RUN_FROM, read_run};
use super::run_filter::{Index, WITHOUT_TENANT, add_ages, add_cursor, are_unfinished, conditions};
use super::store_error::StoreError;
use crate::model::{Page, PageRequest, Params, Run, Scope};
use crate::storage::RunFilter;

/// The most runs of a period or of several pipelines that a list sorts by id.
const SORTED_MAX: i64 = 4_096;

impl Reader {
    pub(super) fn runs(
        &self,
        filter: &RunFilter,
        page: &PageRequest,
    ) -> Result<Page<Run>, StoreError> {
        let pipelines = match &filter.pipeline {
            None => None,
            Some(id) => Some(self.pipeline_keys(id, &filter.scope)?),
        };
        let pipelines = pipelines.as_ref();
        let total = wants_total(page)
            .then(|| self.count_runs(filter, pipelines))
            .transpose()?;
        if filter.run.is_some() {
            return Ok(Page::new(
                self.named_run(filter, pipelines, page)?,
                total,
                None,
            ));
        }
        let window = Window::new(page);
        if window.limit == 0 {
            return Ok(Page::new(Vec::new(), total, None));
        }
        let index = self.index_of(filter, pipelines)?;
        let mut conditions = conditions(filter, pipelines, index);
        add_cursor(&mut conditions, page, index)?;
        let mut last = Params::new();
        let read = |row: &Row<'_>| {
            let mut run = read_run(row)?.run;
            // Runs of a backfill are neighbors, and have the same ones.
            run.params.share_with(&last);
            last.clone_from(&run.params);
            Ok(run)
        };
        let query = ListQuery {
            what: "a run of a list",
            sql: format!(
                "SELECT r.key, {id} AS id FROM {} {}{} ORDER BY {id} DESC",
                index.tables(),
                index.hint(),
                conditions.sql(),
                id = index.id(),
            ),
            complete: join_rows,
            values: conditions.values(),
            window,
            total,
        };
        self.page(&query, read, |run| run.id.to_string())
    }

    /// Returns the run that a filter names, if it meets the other conditions.
    ///
    /// The caller asks for this run, and not for what a list can show: if it cannot be read, the
    /// call fails.
    fn named_run(
        &self,
        filter: &RunFilter,
        pipelines: Option<&PipelineKeys>,
        page: &PageRequest,
    ) -> Result<Vec<Run>, StoreError> {
        let mut conditions = conditions(filter, pipelines, Index::Chosen);
        add_cursor(&mut conditions, page, Index::Chosen)?;
        let sql = format!("SELECT {RUN} FROM {RUN_FROM}{}", conditions.sql());
        let values = rusqlite::params_from_iter(conditions.values());
        self.rows(&sql, values, |row| Ok(read_run(row)?.run))
    }

    /// Returns the index by which a list finds its runs.
    fn index_of(
        &self,
        filter: &RunFilter,
        pipelines: Option<&PipelineKeys>,
    ) -> Result<Index, StoreError> {
        if filter.backfill.is_some() {
            return Ok(Index::Backfill);
        }
        if self.is_of_few_labels(filter)? {
            return Ok(Index::Label);
        }
        if self.is_short_period(filter)? {
            return Ok(Index::Age);
        }
        if self.is_of_few_pipelines(filter, pipelines)? {
            return Ok(Index::Pipelines);
        }
        let is_of_all = pipelines.is_none() && filter.scope == Scope::All;
        Ok(match (&filter.statuses[..], &filter.triggers[..]) {
            (statuses, _) if are_unfinished(statuses) => Index::Active,
            _ if is_of_all && !filter.labels.is_empty() => Index::Label,
            ([], [_]) if is_of_all => Index::Trigger,
            _ => Index::Chosen,
        })
    }

    /// Returns whether few runs have the first label of a filter.
    fn is_of_few_labels(&self, filter: &RunFilter) -> Result<bool, StoreError> {
        let Some((name, value)) = filter.labels.first() else {
            return Ok(false);
        };
        let sql = format!(
            "SELECT count(*) FROM (SELECT 1 FROM labels WHERE name = ? AND value = ? LIMIT {SORTED_MAX} + 1)"
        );
        let count = self.row(&sql, [name, value], |row| Ok(row.get::<_, i64>(0)?))?;
        Ok(count.is_some_and(|count| count <= SORTED_MAX))
    }

    /// Returns whether a filter has a period, in which few runs were created.
    fn is_short_period(&self, filter: &RunFilter) -> Result<bool, StoreError> {
        if filter.from.is_none() && filter.to.is_none() {
            return Ok(false);
        }
        let mut conditions = Conditions::default();
        add_ages(&mut conditions, filter, Index::Age.age());
        self.are_few(&conditions)
    }

    /// Returns whether a filter means several pipelines, which have few runs: those of all tenants
    /// with one id, or those without a tenant.
    fn is_of_few_pipelines(
        &self,
        filter: &RunFilter,
        pipelines: Option<&PipelineKeys>,
    ) -> Result<bool, StoreError> {
        let mut conditions = Conditions::default();
        match (pipelines, &filter.scope) {
            (Some(several @ PipelineKeys::Several(_)), _) => {
                conditions.add_pipelines(several, "r.pipeline", Index::Pipelines.pipeline());
            }
            (None, Scope::NoTenant) => conditions.add(WITHOUT_TENANT, []),
            (Some(PipelineKeys::None | PipelineKeys::One(_)) | None, _) => return Ok(false),
        }
        self.are_few(&conditions)
    }

    /// Returns whether at most [`SORTED_MAX`] runs meet the conditions.
    fn are_few(&self, conditions: &Conditions) -> Result<bool, StoreError> {
        let sql = format!(
            "SELECT count(*) FROM (SELECT 1 FROM runs r{} LIMIT {SORTED_MAX} + 1)",
            conditions.sql()
        );
        let values = rusqlite::params_from_iter(conditions.values());
        let count = self.row(&sql, values, |row| Ok(row.get::<_, i64>(0)?))?;
        Ok(count.is_some_and(|count| count <= SORTED_MAX))
    }

    fn count_runs(
        &self,
        filter: &RunFilter,
        pipelines: Option<&PipelineKeys>,
    ) -> Result<u64, StoreError> {
        let RunFilter {
            scope,
            run,
            pipeline: _,
            backfill,
            statuses,
            triggers,
            from,
            to,
            labels,
        } = filter;
        if backfill.is_some() {
            let tables = format!("runs r {}", Index::Backfill.hint());
            return self.count(&tables, &conditions(filter, pipelines, Index::Backfill));
        }
        if !labels.is_empty() {
            let conditions = conditions(filter, pipelines, Index::Label);
            return self.count(Index::Label.tables(), &conditions);
        }
        if !triggers.is_empty() || run.is_some() {
            return self.count("runs r", &conditions(filter, pipelines, Index::Any));
        }
        if from.is_none() && to.is_none() {
            return self.sum_figures(&FigureRows::new(scope, pipelines, None), statuses);
        }
        self.count_period(filter, pipelines)
    }

    /// Counts the runs of a filter that were created at these times, in milliseconds, instead of
    /// those of its period.
    pub(super) fn count_times(
        &self,
        filter: &RunFilter,
        pipelines: Option<&PipelineKeys>,
        times: Range<i64>,
    ) -> Result<u64, StoreError> {
        let undated = RunFilter {
            from: None,
            to: None,
            ..filter.clone()
        };
        let mut conditions = conditions(&undated, pipelines, Index::Age);
        let times = [times.start, times.end].map(Value::Integer);
        conditions.add("r.created_at >= ? AND r.created_at < ?", times);
        self.count(&format!("runs r {}", Index::Age.hint()), &conditions)
    }
}

/// Joins the columns of a run to the keys of a page. Runs that a page skips are never joined.
///
/// A run without its pipeline is unreadable, and not missing: the page counts its row.
fn join_rows(keys: &str) -> String {
    format!(
        "SELECT {RUN} FROM ({keys}) page CROSS JOIN runs r ON r.key = page.key \
         LEFT JOIN pipelines p ON p.key = r.pipeline LEFT JOIN definitions d ON d.key = r.definition \
         ORDER BY page.id DESC"
    )
}
