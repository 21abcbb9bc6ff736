//! Reads the figures: counts of runs by the day of their creation or by pipeline.
//!
//! `tx` counts the runs in every transaction. `total` adds as `sum` does, but a damaged count
//! cannot make it overflow.

use rusqlite::params;

use super::reader::Reader;
use super::store_error::StoreError;
use super::values::{date, day, pipeline_id, to_u64};
use crate::model::{PipelineId, TenantId};
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
        let key = match pipeline {
            None => Some(0),
            Some(id) => self.row(
                "SELECT key FROM pipelines WHERE id = ?",
                [id.as_str()],
                |row| Ok(row.get(0)?),
            )?,
        };
        let Some(key) = key else {
            return Ok(Vec::new());
        };
        let days = (day(*from), day(*to));
        match (pipeline, scope.tenant()) {
            // If another tenant created a deleted pipeline again, it has figures of both tenants.
            (Some(_), None) => self.rows(
                "SELECT day, CAST(total(pending) AS INTEGER), CAST(total(running) AS INTEGER), CAST(total(success) AS INTEGER), \
                 CAST(total(failed) AS INTEGER), CAST(total(cancelled) AS INTEGER) FROM daily \
                 WHERE pipeline = ? AND day BETWEEN ? AND ? GROUP BY day \
                 HAVING total(pending + running + success + failed + cancelled) > 0 ORDER BY day",
                params![key, days.0, days.1],
                read_figures,
            ),
            (_, tenant) => self.rows(
                "SELECT day, pending, running, success, failed, cancelled FROM daily \
                 WHERE pipeline = ? AND tenant = ? AND day BETWEEN ? AND ? \
                 AND pending + running + success + failed + cancelled > 0 ORDER BY day",
                params![key, tenant.map_or("", TenantId::as_str), days.0, days.1],
                read_figures,
            ),
        }
    }

    fn figures_by_pipeline(
        &self,
        filter: &FiguresFilter,
        count_max: u32,
    ) -> Result<Vec<Figures>, StoreError> {
        let (pipeline, tenant) = (filter.pipeline.as_ref(), filter.scope.tenant());
        // The query starts with the pipelines, so that the key finds the days of each.
        self.readable_rows(
            "the figures of a pipeline",
            "SELECT ?1, CAST(total(d.pending) AS INTEGER), CAST(total(d.running) AS INTEGER), CAST(total(d.success) AS INTEGER), \
             CAST(total(d.failed) AS INTEGER), CAST(total(d.cancelled) AS INTEGER), p.id \
             FROM pipelines p CROSS JOIN daily d ON d.pipeline = p.key \
             WHERE p.slug IS NOT NULL AND d.day BETWEEN ?1 AND ?2 AND (?3 IS NULL OR p.id = ?3) \
             AND (?4 IS NULL OR (p.tenant = ?4 AND d.tenant = ?4)) GROUP BY p.key \
             HAVING total(d.pending + d.running + d.success + d.failed + d.cancelled) > 0 \
             ORDER BY total(d.failed) DESC, p.id LIMIT ?5",
            params![
                day(filter.from),
                day(filter.to),
                pipeline.map(PipelineId::as_str),
                tenant.map(TenantId::as_str),
                count_max,
            ],
            |row| {
                let mut figures = read_figures(row)?;
                figures.pipeline = Some(pipeline_id(&row.get::<_, String>(6)?)?);
                Ok(figures)
            },
        )
    }
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
