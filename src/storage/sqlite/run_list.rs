//! Reads pages of runs. Every filter has an index; totals come from the figures where possible.
//!
//! `runs` reads a single run, and `pages` builds the parts of a page.

use rusqlite::types::Value;
use rusqlite::{Row, params};

use super::pages::{Conditions, ListQuery, Window, cursor, wants_total};
use super::reader::Reader;
use super::rows::{RUN, read_run};
use super::store_error::StoreError;
use super::values::{self, id, millis, to_u64};
use crate::model::{Page, PageRequest, Params, Run, RunId, RunStatus, Scope, TenantId};
use crate::storage::{RunFilter, rules};

impl Reader {
    pub(super) fn runs(
        &self,
        filter: &RunFilter,
        page: &PageRequest,
    ) -> Result<Page<Run>, StoreError> {
        let pipeline = match &filter.pipeline {
            None => None,
            Some(id) => {
                let key = self.row(
                    "SELECT key FROM pipelines WHERE id = ?",
                    [id.as_str()],
                    |row| Ok(row.get(0)?),
                )?;
                // A pipeline that does not exist has no runs.
                Some(key.unwrap_or(-1))
            }
        };
        let total = wants_total(page)
            .then(|| self.count_runs(filter, pipeline))
            .transpose()?;
        // The `+` keeps SQLite from the index by age, whose rows it would have to sort by id.
        let mut conditions = conditions(filter, pipeline, "+r.created_at");
        if let Some(text) = cursor(page) {
            let after: RunId = text.parse().map_err(|_| rules::bad_cursor(text))?;
            conditions.add("r.id < ?", [Value::Blob(id(&after).to_vec())]);
        }
        let window = Window::new(page);
        let sql = format!(
            "SELECT {RUN} FROM runs r {} CROSS JOIN pipelines p ON p.key = r.pipeline CROSS JOIN definitions d ON d.key = r.definition\
             {} ORDER BY r.id DESC",
            index_hint(&filter.statuses),
            conditions.sql(),
        );
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
            let values = rusqlite::params_from_iter(conditions.values());
            let runs = self.rows(&sql, values, read)?;
            return Ok(Page::new(runs, total, None));
        }
        let query = ListQuery {
            what: "a run of a list",
            sql,
            values: conditions.values(),
            window,
            total,
        };
        self.page(&query, read, |run| run.id.to_string())
    }

    fn count_runs(&self, filter: &RunFilter, pipeline: Option<i64>) -> Result<u64, StoreError> {
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
            return self.sum_runs(scope, pipeline, statuses);
        }
        let conditions = conditions(filter, pipeline, "r.created_at");
        let sql = format!("SELECT count(*) FROM runs r{}", conditions.sql());
        let values = rusqlite::params_from_iter(conditions.values());
        let count = self.row(&sql, values, |row| Ok(row.get(0)?))?;
        Ok(count.map_or(0, to_u64))
    }

    /// Sums the total from the figures, which have one row per day instead of one per run.
    fn sum_runs(
        &self,
        scope: &Scope,
        pipeline: Option<i64>,
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
        let sql = format!(
            "SELECT CAST(total({}) AS INTEGER) FROM daily WHERE pipeline = ?1 AND (?2 OR tenant = ?3)",
            columns.join(" + ")
        );
        let any_tenant = pipeline.is_some() && scope.tenant().is_none();
        let tenant = scope.tenant().map_or("", TenantId::as_str);
        let values = params![pipeline.unwrap_or(0), any_tenant, tenant];
        let count = self.row(&sql, values, |row| Ok(row.get(0)?))?;
        Ok(count.map_or(0, to_u64))
    }
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

fn conditions(filter: &RunFilter, pipeline: Option<i64>, age: &str) -> Conditions {
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
    if let Some(pipeline) = pipeline {
        conditions.add("r.pipeline = ?", [Value::Integer(pipeline)]);
    }
    if let Some(tenant) = scope.tenant() {
        conditions.add("r.tenant = ?", [Value::Text(tenant.to_string())]);
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
