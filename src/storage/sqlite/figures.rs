//! Reads the figures: counts of runs by the day of their creation or by failing pipeline.
//!
//! `counts` counts the runs in every transaction. `total` adds as `sum` does, but a damaged count
//! cannot make it overflow.

use std::ops::{Range, RangeInclusive};

use rusqlite::params_from_iter;
use rusqlite::types::Value;

use super::figure_changes::{UNIT_DAY, UNIT_MINUTE};
use super::naming::{exact_tenant, tenant_text};
use super::pages::Conditions;
use super::pipeline_keys::PipelineKeys;
use super::reader::Reader;
use super::store_error::StoreError;
use super::values::{date, day, pipeline_id, tenant, to_u64};
use crate::model::{PipelineId, Qualified, RunStatus, Scope};
use crate::storage::{Figures, FiguresBy, FiguresFilter};

impl Reader {
    pub(super) fn figures(&self, filter: &FiguresFilter) -> Result<Vec<Figures>, StoreError> {
        let FiguresFilter {
            scope,
            pipeline,
            from,
            to,
            by,
        } = filter;
        if let FiguresBy::FailingPipeline { count_max } = by {
            return self.figures_by_failing_pipeline(filter, *count_max);
        }
        let pipelines = match pipeline {
            None => None,
            Some(id) => Some(self.pipeline_keys(id, scope)?),
        };
        let rows = FigureRows::new(scope, pipelines.as_ref(), Some(day(*from)..=day(*to)));
        let sql = format!(
            "SELECT day, {COUNTS} FROM {} GROUP BY day HAVING {HAS_RUNS} ORDER BY day",
            rows.sql,
        );
        self.rows(&sql, params_from_iter(&rows.values), read_figures)
    }

    /// Sums the counts of these statuses. Without any, of all.
    pub(super) fn sum_figures(
        &self,
        rows: &FigureRows,
        statuses: &[RunStatus],
    ) -> Result<u64, StoreError> {
        let wanted = RunStatus::ALL
            .into_iter()
            .filter(|status| statuses.is_empty() || statuses.contains(status));
        // A column has the name of its status on the wire.
        let columns: Vec<_> = wanted.map(RunStatus::as_str).collect();
        let columns = columns.join(" + ");
        let sql = format!("SELECT CAST(total({columns}) AS INTEGER) FROM {}", rows.sql);
        let sum = self.row(&sql, params_from_iter(&rows.values), |row| Ok(row.get(0)?))?;
        Ok(sum.map_or(0, to_u64))
    }

    fn figures_by_failing_pipeline(
        &self,
        filter: &FiguresFilter,
        count_max: u32,
    ) -> Result<Vec<Figures>, StoreError> {
        let days = day(filter.from)..=day(filter.to);
        let failing = self.failing_pipelines(filter, days.clone(), count_max)?;
        let figures = failing.into_iter().map(|(key, pipeline)| {
            let keys = PipelineKeys::One(key);
            let rows = FigureRows::new(&filter.scope, Some(&keys), Some(days.clone()));
            let sql = format!("SELECT min(day), {COUNTS} FROM {}", rows.sql);
            let figures = self.row(&sql, params_from_iter(&rows.values), read_figures)?;
            Ok(figures.map(|figures| Figures {
                date: filter.from,
                pipeline: Some(pipeline),
                ..figures
            }))
        });
        figures.filter_map(Result::transpose).collect()
    }

    /// Returns the key and the id of the pipelines with the most failed runs.
    fn failing_pipelines(
        &self,
        filter: &FiguresFilter,
        days: RangeInclusive<i64>,
        count_max: u32,
    ) -> Result<Vec<(i64, Qualified<PipelineId>)>, StoreError> {
        let rows = FigureRows::of_failures(&filter.scope, days);
        let mut pipelines = Conditions::default();
        pipelines.add("p.slug IS NOT NULL", []);
        if let Some(pipeline) = &filter.pipeline {
            pipelines.add("p.id = ?", [Value::Text(pipeline.to_string())]);
        }
        pipelines.add_scope("p.tenant", &filter.scope);
        let sql = format!(
            "SELECT p.key, p.id, p.tenant FROM (SELECT pipeline, total(failed) AS fails FROM {} GROUP BY pipeline) f \
             CROSS JOIN pipelines p ON p.key = f.pipeline{} ORDER BY fails DESC, p.id, coalesce(p.tenant, '') LIMIT ?",
            rows.sql,
            pipelines.sql(),
        );
        let limit = Value::Integer(i64::from(count_max));
        let values = rows.values.iter().chain(pipelines.values());
        let values = params_from_iter(values.chain([&limit]));
        self.readable_rows("the figures of a pipeline", &sql, values, |row| {
            let id = pipeline_id(&row.get::<_, String>(1)?)?;
            Ok((row.get(0)?, Qualified::new(id, tenant(row.get(2)?)?)))
        })
    }
}

/// The counts of a group of rows.
const COUNTS: &str = "CAST(total(pending) AS INTEGER), CAST(total(running) AS INTEGER), CAST(total(success) AS INTEGER), \
     CAST(total(failed) AS INTEGER), CAST(total(cancelled) AS INTEGER)";

/// Whether a group of rows counts any run.
const HAS_RUNS: &str = "total(pending + running + success + failed + cancelled) > 0";

/// The rows that together count the runs of a scope, or of pipelines, with their columns `day` and
/// one for each status.
pub(super) struct FigureRows {
    /// The text after `FROM`.
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
}

impl FigureRows {
    /// Returns the rows of these days, or of all.
    pub(super) fn new(
        scope: &Scope,
        pipelines: Option<&PipelineKeys>,
        days: Option<RangeInclusive<i64>>,
    ) -> Self {
        match (pipelines, scope) {
            (Some(pipelines), _) => Self::of_pipelines(scope, pipelines, days),
            (None, Scope::NoTenant) => Self::without_tenant(days),
            (None, Scope::All | Scope::Tenant(_)) => {
                Self::totals(&total_rows(scope, UNIT_DAY, days))
            }
        }
    }

    /// Returns the rows of these minutes, as numbers since 1970: of the runs of all tenants.
    pub(super) fn of_minutes(minutes: Range<i64>) -> Self {
        let range = 1 - minutes.end..=-minutes.start;
        Self::totals(&total_rows(&Scope::All, UNIT_MINUTE, Some(range)))
    }

    fn totals(rows: &Conditions) -> Self {
        Self {
            sql: format!(
                "(SELECT at AS day, pending, running, success, failed, cancelled FROM totals{})",
                rows.sql(),
            ),
            values: rows.values().to_vec(),
        }
    }

    /// Returns the rows of pipelines.
    fn of_pipelines(
        scope: &Scope,
        pipelines: &PipelineKeys,
        days: Option<RangeInclusive<i64>>,
    ) -> Self {
        let mut rows = Conditions::default();
        rows.add_pipelines(pipelines, "pipeline", "pipeline");
        Self::of_days(scope, days, rows)
    }

    /// Returns the rows with failed runs.
    fn of_failures(scope: &Scope, days: RangeInclusive<i64>) -> Self {
        let mut rows = Conditions::default();
        rows.add("failed > 0", []);
        Self::of_days(scope, Some(days), rows)
    }

    /// Returns the rows that meet conditions. The days come first: an index finds such rows of one
    /// day.
    fn of_days(scope: &Scope, days: Option<RangeInclusive<i64>>, mut rows: Conditions) -> Self {
        // Runs without a tenant have no totals: those of all tenants have each of their days.
        let days = total_rows(scope, UNIT_DAY, days);
        if let Some(tenant) = exact_tenant(scope) {
            rows.add("tenant = ?", [Value::Text(tenant.to_owned())]);
        }
        Self {
            sql: format!(
                "(SELECT at AS day FROM totals{}) CROSS JOIN daily USING (day){}",
                days.sql(),
                rows.sql(),
            ),
            values: [days.values(), rows.values()].concat(),
        }
    }

    fn without_tenant(days: Option<RangeInclusive<i64>>) -> Self {
        let mut rows = Conditions::default();
        rows.add("tenant = ''", []);
        if let Some(days) = days {
            let days = [*days.start(), *days.end()].map(Value::Integer);
            rows.add("day BETWEEN ? AND ?", days);
        }
        Self {
            sql: format!("daily{}", rows.sql()),
            values: rows.values().to_vec(),
        }
    }
}

/// Returns the conditions for the total rows of a unit, in a range or all.
fn total_rows(scope: &Scope, unit: i64, range: Option<RangeInclusive<i64>>) -> Conditions {
    let mut conditions = Conditions::default();
    let tenant = Value::Text(tenant_text(scope.tenant()).to_owned());
    conditions.add("tenant = ? AND unit = ?", [tenant, Value::Integer(unit)]);
    if let Some(range) = range {
        let range = [*range.start(), *range.end()].map(Value::Integer);
        conditions.add("at BETWEEN ? AND ?", range);
    }
    conditions
}

fn read_figures(row: &rusqlite::Row<'_>) -> Result<Figures, StoreError> {
    Ok(Figures {
        date: date(row.get(0)?)?,
        pipeline: None,
        pending: to_u64(row.get(1)?),
        running: to_u64(row.get(2)?),
        success: to_u64(row.get(3)?),
        failed: to_u64(row.get(4)?),
        cancelled: to_u64(row.get(5)?),
    })
}
