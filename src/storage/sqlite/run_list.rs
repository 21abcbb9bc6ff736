//! Reads pages of runs. Every filter has an index; totals come from the figures where possible.
//!
//! `runs` reads a single run, and `pages` builds the parts of a page.

use rusqlite::Row;
use rusqlite::types::Value;

use super::figures::figure_rows;
use super::pages::{Conditions, ListQuery, Window, cursor, wants_total};
use super::pipeline_keys::PipelineKeys;
use super::reader::Reader;
use super::rows::{RUN, RUN_FROM, read_run};
use super::store_error::StoreError;
use super::values::{self, id, millis, to_u64};
use crate::model::{Page, PageRequest, Params, Run, RunId, RunStatus, Scope};
use crate::storage::{RunFilter, rules};

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
        // The `+` keeps SQLite from the index by age, whose rows it would have to sort by id.
        let mut conditions = conditions(filter, pipelines, "+r.created_at");
        if let Some(text) = cursor(page) {
            let after: RunId = text.parse().map_err(|_| rules::bad_cursor(text))?;
            conditions.add("r.id < ?", [Value::Blob(id(&after).to_vec())]);
        }
        let window = Window::new(page);
        let mut last = Params::new();
        let read = |row: &Row<'_>| {
            let mut run = read_run(row)?.run;
            // Runs of a backfill are neighbors, and have the same ones.
            run.params.share_with(&last);
            last.clone_from(&run.params);
            Ok(run)
        };
        if filter.run.is_some() {
            // The caller asks for this run, and not for what a list can show.
            let sql = format!("SELECT {RUN} FROM {RUN_FROM}{}", conditions.sql());
            let values = rusqlite::params_from_iter(conditions.values());
            let runs = self.rows(&sql, values, read)?;
            return Ok(Page::new(runs, total, None));
        }
        let query = ListQuery {
            what: "a run of a list",
            sql: format!(
                "SELECT r.key, r.id FROM runs r {}{} ORDER BY r.id DESC",
                index_hint(&filter.statuses),
                conditions.sql(),
            ),
            complete: join_rows,
            values: conditions.values(),
            window,
            total,
        };
        self.page(&query, read, |run| run.id.to_string())
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
            statuses,
            triggers,
            from,
            to,
        } = filter;
        let can_sum = triggers.is_empty() && run.is_none() && from.is_none() && to.is_none();
        if can_sum {
            return self.sum_runs(scope, pipelines, statuses);
        }
        self.count("runs r", &conditions(filter, pipelines, "r.created_at"))
    }

    /// Sums the total from the figures, which have one row per day instead of one per run.
    fn sum_runs(
        &self,
        scope: &Scope,
        pipelines: Option<&PipelineKeys>,
        statuses: &[RunStatus],
    ) -> Result<u64, StoreError> {
        const ALL: [RunStatus; 5] = [
            RunStatus::Pending,
            RunStatus::Running,
            RunStatus::Success,
            RunStatus::Failed,
            RunStatus::Cancelled,
        ];
        let wanted = ALL
            .into_iter()
            .filter(|status| statuses.is_empty() || statuses.contains(status));
        let columns: Vec<_> = wanted.map(column).collect();
        let conditions = figure_rows(scope, pipelines);
        let sql = format!(
            "SELECT CAST(total({}) AS INTEGER) FROM daily{}",
            columns.join(" + "),
            conditions.sql(),
        );
        let values = rusqlite::params_from_iter(conditions.values());
        let count = self.row(&sql, values, |row| Ok(row.get(0)?))?;
        Ok(count.map_or(0, to_u64))
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

/// Returns the column of a status in the figures.
const fn column(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Pending => "pending",
        RunStatus::Running => "running",
        RunStatus::Success => "success",
        RunStatus::Failed => "failed",
        RunStatus::Cancelled => "cancelled",
    }
}

/// Forces the small index of active runs if only pending or only running ones are wanted.
///
/// For other filters, SQLite chooses a good index itself.
const fn index_hint(statuses: &[RunStatus]) -> &'static str {
    match statuses {
        [RunStatus::Pending | RunStatus::Running] => "INDEXED BY runs_active",
        _ => "",
    }
}

fn conditions(filter: &RunFilter, pipelines: Option<&PipelineKeys>, age: &str) -> Conditions {
    let RunFilter {
        scope,
        run,
        pipeline: _,
        statuses,
        triggers,
        from,
        to,
    } = filter;
    let mut conditions = Conditions::default();
    if let Some(run) = run {
        conditions.add("r.id = ?", [Value::Blob(id(run).to_vec())]);
    }
    match pipelines {
        // The `+` keeps SQLite from the index by tenant, which has more rows than the one by
        // pipeline.
        Some(pipelines) => {
            conditions.add_pipelines(pipelines, "r.pipeline", "+r.pipeline");
            conditions.add_scope("+r.tenant", scope);
        }
        None => conditions.add_scope("r.tenant", scope),
    }
    let statuses: Vec<_> = statuses.iter().copied().map(values::run_status).collect();
    match *statuses {
        // A literal instead of a parameter, because only a literal can use a partial index.
        [status @ (0 | 1)] => {
            conditions.add(
                &format!("r.finished_at IS NULL AND r.status = {status}"),
                [],
            );
        }
        [status] => conditions.add(&format!("r.status = {status}"), []),
        _ => conditions.add_any("r.status", &statuses),
    }
    let triggers: Vec<_> = triggers.iter().copied().map(values::trigger).collect();
    conditions.add_any("r.trigger", &triggers);
    if let Some(from) = from {
        conditions.add(&format!("{age} >= ?"), [Value::Integer(millis(*from))]);
    }
    if let Some(to) = to {
        conditions.add(&format!("{age} < ?"), [Value::Integer(millis(*to))]);
    }
    conditions
}
