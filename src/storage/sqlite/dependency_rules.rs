//! The rules of dependencies in memory, where each claim reads them.
//!
//! `dependencies` writes their rows.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::{Connection, Row};

use super::query::readable_rows;
use super::store_error::StoreError;
use super::unreadable::UnreadableRows;
use super::values::{self, pipeline_id, time, to_run_status};
use crate::model::{DependencyMode, DependencyRule, DependencyState, PipelineId, Qualified};
use crate::storage::{DependencyTable, LatestEnd};

/// Reads the rules of all pipelines and the latest ends of their upstreams.
pub(super) fn load(
    conn: &Connection,
    unreadable: &UnreadableRows,
) -> Result<DependencyTable, StoreError> {
    let sql = "SELECT p.id, p.tenant, d.upstream, d.mode, d.state, d.within_ms, p.enabled IS NOT 0 FROM dependencies d \
         CROSS JOIN pipelines p ON p.key = d.pipeline";
    let found = readable_rows(conn, (unreadable, "a dependency"), sql, [], |row| {
        let is_enabled = row.get::<_, bool>(6)?;
        Ok((read_pipeline_key(row)?, (read_rule(row, 2)?, is_enabled)))
    })?;
    let mut rules: BTreeMap<_, (Vec<_>, bool)> = BTreeMap::new();
    for (pipeline, (rule, is_enabled)) in found {
        let (of_pipeline, enabled) = rules.entry(pipeline).or_default();
        of_pipeline.push(rule);
        *enabled = is_enabled;
    }
    let mut table = DependencyTable::default();
    for (pipeline, (rules, is_enabled)) in rules {
        table.set_rules(&pipeline, rules, is_enabled);
    }
    let sql = "SELECT p.id, p.tenant, e.status, e.ended_at FROM latest_ends e \
         CROSS JOIN pipelines p ON p.key = e.pipeline";
    let ends = readable_rows(conn, (unreadable, "the end of a run"), sql, [], |row| {
        Ok((read_pipeline_key(row)?, read_end(row, 2)?))
    })?;
    for (pipeline, end) in ends {
        table.set_latest_end(&pipeline, Some(end));
    }
    Ok(table)
}

fn read_pipeline_key(row: &Row<'_>) -> Result<Qualified<PipelineId>, StoreError> {
    let id = pipeline_id(&row.get::<_, String>(0)?)?;
    Ok(Qualified::new(id, values::tenant(row.get(1)?)?))
}

/// Reads a rule from the columns from `at` on.
pub(super) fn read_rule(row: &Row<'_>, at: usize) -> Result<DependencyRule, StoreError> {
    let mut rule = DependencyRule::gate(row.get::<_, String>(at)?);
    rule.mode = to_mode(row.get(at + 1)?)?;
    rule.state = to_state(row.get(at + 2)?)?;
    rule.within = row
        .get::<_, Option<i64>>(at + 3)?
        .and_then(|ms| u64::try_from(ms).ok())
        .map(Duration::from_millis);
    Ok(rule)
}

/// Reads an end from the columns from `at` on.
pub(super) fn read_end(row: &Row<'_>, at: usize) -> Result<LatestEnd, StoreError> {
    let status = to_run_status(row.get(at)?)?;
    Ok(LatestEnd::new(status, time(row.get(at + 1)?)?))
}

pub(super) const fn mode(mode: DependencyMode) -> i64 {
    match mode {
        DependencyMode::Gate => 0,
        DependencyMode::Any => 1,
        DependencyMode::All => 2,
    }
}

fn to_mode(value: i64) -> Result<DependencyMode, StoreError> {
    DependencyMode::ALL
        .into_iter()
        .find(|known| mode(*known) == value)
        .ok_or_else(|| StoreError::unreadable("the mode of a dependency", value))
}

pub(super) const fn state(state: DependencyState) -> i64 {
    match state {
        DependencyState::Succeeded => 0,
        DependencyState::Failed => 1,
        DependencyState::Completed => 2,
    }
}

fn to_state(value: i64) -> Result<DependencyState, StoreError> {
    DependencyState::ALL
        .into_iter()
        .find(|known| state(*known) == value)
        .ok_or_else(|| StoreError::unreadable("the state of a dependency", value))
}
