//! Reads the figures: counts of runs by the day of their creation or by pipeline.
//!
//! `tx` counts the runs in every transaction. `total` adds as `sum` does, but a damaged count
//! cannot make it overflow.

use rusqlite::params_from_iter;
use rusqlite::types::Value;

use super::naming::tenant_text;
use super::pages::Conditions;
use super::pipeline_keys::PipelineKeys;
use super::reader::Reader;
use super::store_error::StoreError;
use super::values::{date, day, pipeline_id, tenant, to_u64};
use crate::model::{Qualified, Scope};
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
        if let FiguresBy::Pipeline { count_max } = by {
            return self.figures_by_pipeline(filter, *count_max);
        }
        let pipelines = match pipeline {
            None => None,
            Some(id) => Some(self.pipeline_keys(id, scope)?),
        };
        let mut conditions = figure_rows(scope, pipelines.as_ref());
        let days = [day(*from), day(*to)].map(Value::Integer);
        conditions.add("day BETWEEN ? AND ?", days);
        let sql = format!(
            "SELECT day, {COUNTS} FROM daily{} GROUP BY day HAVING {HAS_RUNS} ORDER BY day",
            conditions.sql(),
        );
        self.rows(&sql, params_from_iter(conditions.values()), read_figures)
    }

    fn figures_by_pipeline(
        &self,
        filter: &FiguresFilter,
        count_max: u32,
    ) -> Result<Vec<Figures>, StoreError> {
        let mut conditions = Conditions::default();
        conditions.add("p.slug IS NOT NULL", []);
        if let Some(pipeline) = &filter.pipeline {
            conditions.add("p.id = ?", [Value::Text(pipeline.to_string())]);
        }
        conditions.add_scope("p.tenant", &filter.scope);
        let days = [day(filter.from), day(filter.to)].map(Value::Integer);
        conditions.add("day BETWEEN ? AND ?", days);
        // The query starts with the pipelines, so that the key finds the days of each.
        let sql = format!(
            "SELECT min(day), {COUNTS}, p.id, p.tenant FROM pipelines p CROSS JOIN daily ON pipeline = p.key{} \
             GROUP BY p.key HAVING {HAS_RUNS} ORDER BY total(failed) DESC, p.id, coalesce(p.tenant, '') LIMIT ?",
            conditions.sql(),
        );
        let limit = Value::Integer(i64::from(count_max));
        let values = params_from_iter(conditions.values().iter().chain([&limit]));
        self.readable_rows("the figures of a pipeline", &sql, values, |row| {
            let mut figures = read_figures(row)?;
            figures.date = filter.from;
            let id = pipeline_id(&row.get::<_, String>(6)?)?;
            figures.pipeline = Some(Qualified::new(id, tenant(row.get(7)?)?));
            Ok(figures)
        })
    }
}

/// The counts of a group of rows.
const COUNTS: &str = "CAST(total(pending) AS INTEGER), CAST(total(running) AS INTEGER), CAST(total(success) AS INTEGER), \
     CAST(total(failed) AS INTEGER), CAST(total(cancelled) AS INTEGER)";

/// Whether a group of rows counts any run.
const HAS_RUNS: &str = "total(pending + running + success + failed + cancelled) > 0";

/// Returns the conditions for the rows that together count the runs of a scope, or of pipelines.
pub(super) fn figure_rows(scope: &Scope, pipelines: Option<&PipelineKeys>) -> Conditions {
    let mut conditions = Conditions::default();
    match (pipelines, scope) {
        (Some(pipelines), _) => conditions.add_pipelines(pipelines, "pipeline", "pipeline"),
        // For pipeline 0, the empty tenant stands for all tenants.
        (None, Scope::NoTenant) => conditions.add("pipeline <> 0", []),
        (None, Scope::All | Scope::Tenant(_)) => conditions.add("pipeline = 0", []),
    }
    if pipelines.is_none() || *scope != Scope::All {
        let tenant = tenant_text(scope.tenant()).to_owned();
        conditions.add("tenant = ?", [Value::Text(tenant)]);
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
